"""Where the CPU time of a request goes, part by part: the profile behind the bench of the whole path.

Each part alone, in one thread, best of many short batches: CPU seconds of this process, so that what else runs on the
machine matters little. The calls go to the stand-in over real sockets. What is left of a worker's time per request in
the bench `path` is the event loop, Kafka's client, and threads handing the interpreter to each other.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config
from rich.console import Console
from rich.table import Table

from connector.aws.client import Api, ClientSettings, open_api
from connector.factory import Connector, build
from connector.model.requests import Request
from connector.model.results import Finished, Outcome, WriteIntent
from connector.settings import load_settings
from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT, connector_key, secret_of
from sandbox.aws.process import StandInProcess
from streams.outbox import Incoming, Outbox
from streams.topics import TopicNames
from streams.wire import encode_record
from streams.wire.keys import partition_for, user_key

from .load import GROUP, grant, revoke

BATCHES, BATCH = 60, 20
CALLS = 3
"""Of a grant of one group, and of its revocation."""
USER = "somebody"
TOPICS = TopicNames("bench")


def run(console: Console) -> dict[str, Any]:
    del console
    with StandInProcess() as aws:
        aws.client.call("CreateUser", {"UserName": USER})
        access_key = connector_key()
        secret = secret_of(access_key)
        settings = ClientSettings("us-east-1", 2.0, 10.0, 4, access_key, secret, aws.url)
        api = open_api(settings)
        try:
            bare = _best(_bare_calls(settings))
            ours = _best(lambda: _our_calls(api))
        finally:
            api.close()
    life, wire = _best(_life()), _best(_wire())
    return {
        "bare_call_us": bare / CALLS,
        "our_call_us": ours / CALLS,
        "bare_request_us": bare,
        "our_request_us": ours,
        "life_us": life,
        "wire_us": wire,
    }


def _best(work: Callable[[], None]) -> float:
    """Microseconds of CPU time for one round of the work."""
    work()
    best = float("inf")
    for _ in range(BATCHES):
        began = time.process_time()
        for _ in range(BATCH):
            work()
        best = min(best, time.process_time() - began)
    return 1e6 * best / BATCH


def _bare_calls(settings: ClientSettings) -> Callable[[], None]:
    session = boto3.session.Session(settings.access_key_id, settings.secret_access_key, region_name=settings.region)
    config = Config(retries={"mode": "standard", "total_max_attempts": 1})
    client = session.client("iam", endpoint_url=settings.endpoint_url, config=config)

    def calls() -> None:
        client.get_user(UserName=USER)
        client.list_groups_for_user(UserName=USER, MaxItems=1000)
        client.add_user_to_group(UserName=USER, GroupName=GROUP)

    return calls


def _our_calls(api: Api) -> None:
    for action, params in (
        ("GetUser", {}),
        ("ListGroupsForUser", {"MaxItems": 1000}),
        ("AddUserToGroup", {"GroupName": GROUP}),
    ):
        api.call(action, {"UserName": USER, **params}, "idhub-aws/2 r/bench s/0", lambda: True)


# -- what comes besides the calls --------------------------------------------------------------------------------------


class _Iam:
    """An IAM that costs nothing: one user, who is in a group or not."""

    def __init__(self) -> None:
        self.member = False

    def call(self, action: str, params: Mapping[str, Any], mark: str, may_call: Any) -> Mapping[str, Any]:
        del params, mark, may_call
        match action:
            case "GetCallerIdentity":
                return {"Account": DEFAULT_ACCOUNT, "Arn": f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/{CONNECTOR}"}
            case "GetUser":
                arn = f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/{USER}"
                user = {
                    "UserName": USER,
                    "UserId": "AIDABENCH",
                    "Arn": arn,
                    "Path": "/",
                    "CreateDate": datetime.now(UTC),
                }
                return {"User": user}
            case "ListGroupsForUser":
                return {"Groups": [{"GroupName": GROUP}] if self.member else [], "IsTruncated": False}
            case _:
                pass
        self.member = action == "AddUserToGroup"
        return {"ResponseMetadata": {"RequestId": "00000000-0000-4000-a000-000000000000"}}

    def close(self) -> None:
        pass


def _connector(iam: _Iam) -> Connector:
    return build(load_settings({"IDHUB_AWS_ACCESS_KEY_ID": "AKIA", "IDHUB_AWS_SECRET_ACCESS_KEY": "none"}), api=iam)


def _incoming(outbox: Outbox, value: bytes) -> Incoming:
    key = user_key(DEFAULT_ACCOUNT, USER).encode()
    record = SimpleNamespace(
        value=value, key=key, headers=(), topic=TOPICS.requests, partition=partition_for(key, 4), offset=7
    )
    return outbox.incoming(record, 4, DEFAULT_ACCOUNT)


def _live(connector: Connector, request: Request, last: Any) -> tuple[WriteIntent, Outcome]:
    life = connector.provisioning.begin(request, last, None)
    intent = life.advance(lambda: True)
    finished = life.advance(lambda: True)
    if not isinstance(intent, WriteIntent) or not isinstance(finished, Finished):
        raise TypeError(f"{intent} and {finished} where an intent and an end belong")
    return intent, finished.outcome


def _requests() -> tuple[Request, ...]:
    outbox = Outbox(TOPICS, max_request_bytes=1_000_000)
    return tuple(
        _incoming(outbox, encode_record("ProvisioningRequest", fields)).request
        for fields in (grant(USER), revoke(USER))
    )


def _life() -> Callable[[], None]:
    """Plan, intent, execution, outcome: the life of a request without its calls, in turns granted and revoked."""
    requests = _requests()
    iam = _Iam()
    connector = _connector(iam)
    last: Any = None

    def life() -> None:
        nonlocal last
        _, outcome = _live(connector, requests[iam.member], last)
        last = outcome.account or last

    return life


def _wire() -> Callable[[], None]:
    """From the bytes of a request to the bytes of its intent, its ledger entry, reply, audit, account and change."""
    outbox = Outbox(TOPICS, max_request_bytes=1_000_000)
    value = encode_record("ProvisioningRequest", grant(USER))
    connector = _connector(_Iam())
    request, undo = _requests()
    _, first = _live(connector, request, None)
    _live(connector, undo, first.account)
    intent, outcome = _live(connector, request, first.account)
    now = datetime.now(UTC)

    def wire() -> None:
        incoming = _incoming(outbox, value)
        outbox.intent(incoming, intent.intent)
        next(outbox.outcome_attempts(incoming, outcome, now, refused=False))

    return wire


def to_table(figures: dict[str, Any]) -> Table:
    table = Table(title=f"CPU time of a grant of one group ({CALLS} calls), by part, one thread")
    table.add_column("part")
    table.add_column("µs a request", justify="right")
    table.add_column("µs a call", justify="right")
    rows = (
        ("plain boto3, the calls alone", figures["bare_request_us"]),
        (
            "the connector: its calls (boto3's signing and parsing, its own way over the wire)",
            figures["our_request_us"],
        ),
        ("the connector: plan, intent, execution, outcome", figures["life_us"]),
        ("the connector: records decoded and encoded", figures["wire_us"]),
    )
    for part, microseconds in rows:
        table.add_row(part, f"{microseconds:.0f}", f"{microseconds / CALLS:.0f}")
    left = figures["bare_request_us"] / 0.85 - sum(microseconds for _, microseconds in rows[1:])
    table.add_row(
        "left of 85 % for the event loop, Kafka's client and the threads", f"{left:.0f}", f"{left / CALLS:.0f}"
    )
    return table
