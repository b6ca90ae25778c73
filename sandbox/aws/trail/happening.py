"""One thing that happened, before it is a record: kept small, since most are never read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.iam import AwsError
from sandbox.aws.world import Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a caller with a key, or somebody at the console."""

    principal: Principal | None
    account_id: str
    partition: str
    name: str = ""
    """Of whoever is at the console; somebody who is no user is the root user."""
    console: bool = False
    hidden: bool = False
    """Signing in under a name that does not exist: CloudTrail does not write down what may be a password."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One call, or one sign-in."""

    event_id: str
    at: float
    """Seconds since the epoch."""
    account_id: str
    """The account in whose trail it stands."""
    region: str
    service: str
    name: str
    read_only: bool
    actor: Actor
    agent: str
    request_id: str
    source_ip: str
    params: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: AwsError | None = None
    shared_id: str = ""
    """sharedEventID: the same thing stands in another account's trail, too."""
