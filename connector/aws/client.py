"""One AWS account as boto3 sees it: one client per service, botocore's retries off, every call marked and guarded.

Nothing outside this package sees a botocore exception, and no exception that leaves it holds a parameter of a call:
botocore's keep the request with its body, in which a password may stand.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import boto3
import botocore.exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.session import Session as BotocoreSession
from botocore.utils import parse_timestamp

from connector.errors import SettingProblem, SettingsError
from connector.ports import MayCall

from .errors import AwsError, ErrorClass, classify
from .guard import CURRENT, Flight, Watchdog, guard_client

# At DEBUG botocore and urllib3 log the parameters and the bodies of calls, passwords included; at INFO where each
# client found its endpoint and credentials.
for _name in ("botocore", "boto3", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)

OF_STS = frozenset({"GetCallerIdentity"})

WITHOUT_USER = frozenset({"GetCallerIdentity", "GetAccountPasswordPolicy", "DeleteVirtualMFADevice"})
"""The calls that name no user. Any other leaves with a UserName or not at all: where IAM makes it optional, a call
without it acts on the connector itself."""

_OUR_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.UnauthorizedSSOTokenError,
    boto.SSOTokenLoadError,
    boto.RefreshWithMFAUnsupportedError,
    boto.ProfileNotFound,
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.InvalidConfigError,
)


class Api(Protocol):
    """What the connector needs of an AWS account: the boto3 one here, and the stand-in's without sockets in tests."""

    def call(self, action: str, params: Mapping[str, Any], mark: str, may_call: MayCall) -> Mapping[str, Any]:
        """Send one call and wait for its answer, which is what boto3 returns.

        Raises:
            AwsError: AWS answered with an error, or did not.
            CallForbidden: `may_call` said no; nothing was sent.
        """

    def close(self) -> None:
        """Give up connections and threads."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What boto3 is told; seconds."""

    region: str
    connect_timeout_s: float
    call_timeout_s: float
    connections: int
    access_key_id: str | None = None
    """None: the whole AWS credential chain is used."""
    secret_access_key: str | None = None
    endpoint_url: str | None = None
    """None: AWS's own, or what AWS_ENDPOINT_URL[_IAM|_STS] says."""

    def __repr__(self) -> str:
        return (
            f"ClientSettings({self.region}, {self.endpoint_url or 'AWS'}, {self.access_key_id or 'credential chain'})"
        )


class BotoApi:
    """The account that some credentials belong to."""

    def __init__(self, settings: ClientSettings) -> None:
        self._timeout_s = settings.call_timeout_s
        self._watchdog = Watchdog(settings.call_timeout_s)
        core = BotocoreSession()
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_to_datetime)
        session = boto3.session.Session(
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            region_name=settings.region,
            botocore_session=core,
        )
        config = Config(
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.call_timeout_s,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=settings.connections,
            # The plans are ours and tested, and IAM checks again.
            parameter_validation=False,
            # botocore puts its own together anew for every call; its name and version come behind this one.
            user_agent=f"Boto3/{boto3.__version__}",
            tcp_keepalive=True,
        )
        self._clients = {
            service: session.client(service, config=config, endpoint_url=settings.endpoint_url)
            for service in ("iam", "sts")
        }
        self._methods: dict[str, Callable[..., Mapping[str, Any]]] = {}
        for service, client in self._clients.items():
            guard_client(client)
            _remember_endpoints(client)
            # One attempt is all that is configured; without its handler nothing is even considered.
            client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
            of_python = client.meta.method_to_api_mapping
            self._methods.update(
                {action: getattr(client, name) for name, action in of_python.items() if _is(service, action)}
            )

    def call(self, action: str, params: Mapping[str, Any], mark: str, may_call: MayCall) -> Mapping[str, Any]:
        """As `Api.call`; takes no longer than the call timeout, connecting included."""
        if not params.get("UserName") and action not in WITHOUT_USER:
            raise ValueError(f"{action} without a UserName would act on the connector itself")
        flight = Flight(mark, may_call, self._timeout_s)
        CURRENT.flight = flight
        self._watchdog.watch(flight)
        try:
            answer = self._methods[action](**params)
        except boto.ClientError as error:
            trouble = _answered(action, error)
        except (boto.BotoCoreError, boto.HTTPClientError, ResponseParserError) as error:
            trouble = _unanswered(action, error, flight)
        else:
            if not flight.expired:
                return answer
            trouble = _ambiguous(action, "the answer was cut off")
        finally:
            flight.end()
            CURRENT.flight = None
        # Raised outside the except blocks: as its context botocore's exception would bring the parameters along.
        raise trouble

    def close(self) -> None:
        self._watchdog.close()
        for client in self._clients.values():
            client.close()


def open_api(settings: ClientSettings) -> BotoApi:
    """The account behind some settings; no call is made.

    Raises:
        SettingsError: boto3 cannot use what it reads by itself: a missing profile, an endpoint that is none.
    """
    try:
        return BotoApi(settings)
    except (boto.BotoCoreError, ValueError) as error:
        raise SettingsError((SettingProblem("AWS_*", str(error)),)) from None


def _is(service: str, action: str) -> bool:
    return (service == "sts") == (action in OF_STS)


def _remember_endpoints(client: Any) -> None:
    """Resolve the endpoint of each operation once: in IAM and STS it does not depend on a call's parameters."""
    resolver = client._ruleset_resolver  # noqa: SLF001 - no public way to it; tests hold it
    resolve, known = resolver.construct_endpoint, {}

    def construct_endpoint(operation_model: Any, call_args: Any, request_context: Any) -> Any:
        name = operation_model.name
        if name not in known:
            known[name] = resolve(operation_model, call_args, request_context)
        return known[name]

    resolver.construct_endpoint = construct_endpoint


def _to_datetime(text: str) -> datetime:
    """IAM's timestamps; botocore's own parser takes a tenth of a millisecond for each."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return parse_timestamp(text)  # type: ignore[no-any-return]  # botocore ships no types
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _answered(action: str, error: Any) -> AwsError:
    told = error.response.get("Error", {})
    about = error.response.get("ResponseMetadata", {})
    status = int(about.get("HTTPStatusCode", 0))
    code = str(told.get("Code") or status)
    kind = classify(code, status)
    return AwsError(
        kind, code, str(told.get("Message", "")), action=action, status=status, request_id=about.get("RequestId")
    )


def _unanswered(action: str, error: Exception, flight: Flight) -> AwsError:
    name = type(error).__name__
    if isinstance(error, _OUR_CREDENTIALS):
        return AwsError(ErrorClass.OUR_CREDENTIALS, name, _first_line(error), action=action)
    if flight.sent:
        return _ambiguous(action, "the call's time was over" if flight.expired else f"no answer ({name})")
    return AwsError(ErrorClass.UNREACHABLE, name, _first_line(error), action=action)


def _ambiguous(action: str, why: str) -> AwsError:
    return AwsError(ErrorClass.AMBIGUOUS, "NoAnswer", f"{why}; it may have happened all the same", action=action)


def _first_line(error: Exception) -> str:
    """Nothing was sent yet, so these speak of addresses, certificates and credential files."""
    return str(error).partition("\n")[0][:300]
