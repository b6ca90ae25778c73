"""The tests' AWS: one stand-in per run, as at the beginning for each test, and boto3 to call it.

`aws` turns its knobs and reads its journal, `iam` is a boto3 client as the connector's user, without retries.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Self

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws import connector_key, secret_of
from sandbox.aws.client import StandInClient
from sandbox.aws.process import StandInProcess


def boto_client(
    url: str, service: str = "iam", key: str = "", secret: str = "", token: str | None = None,
    region: str = "us-east-1", **config: Any,
) -> Any:  # fmt: skip
    """A boto3 client that tries once; `config` goes to botocore's Config."""
    access_key_id = key or connector_key()
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret or secret_of(access_key_id),
        aws_session_token=token,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, **config),
    )


def as_session(url: str, credentials: dict[str, Any], service: str = "iam") -> Any:
    """A client with what STS has handed out."""
    return boto_client(
        url, service, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )


class Refused:
    """`with refused("DeleteConflict") as error:` - the call inside must be answered with that code."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.message = ""
        self.status = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, ClientError):
            assert error is not None, f"{self.code} was expected, but the call succeeded"
            return False
        told = error.response
        self.message, self.status = told["Error"]["Message"], told["ResponseMetadata"]["HTTPStatusCode"]
        assert told["Error"]["Code"] == self.code, f"{self.code} was expected, not {error}"
        return True


refused = Refused


@pytest.fixture(scope="session")
def aws_process() -> Iterator[StandInProcess]:
    with StandInProcess() as process:
        yield process


@pytest.fixture
def aws(aws_process: StandInProcess) -> StandInClient:
    """The run's stand-in, as at the beginning."""
    aws_process.client.reset()
    return aws_process.client


@pytest.fixture
def iam(aws: StandInClient) -> Iterator[Any]:
    """boto3's IAM client as the connector's user."""
    with closing(boto_client(aws.url)) as client:
        yield client
