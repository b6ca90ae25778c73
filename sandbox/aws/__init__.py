"""A strict stand-in for AWS on this machine: IAM, STS, CloudTrail, SQS, S3, Secrets Manager and Organizations.

As they are, not as one would like them to be.

`AwsStandIn` runs in an event loop, `process.StandInProcess` in a process of its own, `client.StandInClient` turns the
knobs of one from outside, `iam.Account` is the account without any of it. README.md says what is simulated.
"""

from .faults import Effect, Rule
from .journal import Entry, overlaps
from .seeds import (
    BREAK_GLASS,
    CONNECTOR,
    CONSOLE_ADMIN,
    DEFAULT_ACCOUNT,
    connector_key,
    console_key,
    secret_of,
)
from .server import AwsStandIn

__all__ = [
    "BREAK_GLASS",
    "CONNECTOR",
    "CONSOLE_ADMIN",
    "DEFAULT_ACCOUNT",
    "AwsStandIn",
    "Effect",
    "Entry",
    "Rule",
    "connector_key",
    "console_key",
    "overlaps",
    "secret_of",
]
