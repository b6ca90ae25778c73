"""One thing that happened, before it is a record: kept small, since most are never read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.iam import AwsError
from sandbox.aws.world import Principal


@dataclass(slots=True)  # made for each call: freezing it costs more than it does
class Actor:
    """Who did it: a caller with a key, or somebody at the console."""

    principal: Principal | None
    account_id: str
    partition: str
    name: str = ""
    """Of whoever is at the console; somebody who is no user is the root user."""
    console: bool = False
    foreign: bool = False
    """From another account than the one whose trail it is: little is told of such."""
    hidden: bool = False
    """Signing in under a name that does not exist: CloudTrail does not write down what may be a password."""


@dataclass(slots=True)  # made for each call: freezing it costs more than it does
class Happening:
    """One call, or one sign-in."""

    number: int
    """Given by the trail; the event's id comes from it."""
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

    @property
    def event_id(self) -> str:
        """Made when it is asked for, which most never are."""
        return event_id_of(self.number)


def event_id_of(number: int) -> str:
    """A UUID that belongs to a number; equal numbers of one stand-in are one event, however often it is told."""
    told = hashlib.blake2b(number.to_bytes(16, "big"), digest_size=16).hexdigest()
    return f"{told[:8]}-{told[8:12]}-4{told[13:16]}-8{told[17:20]}-{told[20:]}"
