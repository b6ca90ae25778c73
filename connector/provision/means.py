"""What all lives of requests share, and what they hand to their driver."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from connector.aws.account import AwsAccount
from connector.aws.pace import Pace
from connector.errors import ConnectorError
from connector.model.results import Finished, ReplyError, Wait, WriteIntent
from connector.plan.rules import NO_RULES, Rules
from connector.ports import Clock
from connector.secrets import Opener, Sealer


@dataclass(frozen=True, slots=True)
class Means:
    """The account, the clock, the keys and the rules; the same for every request of a worker."""

    account: AwsAccount
    clock: Clock
    pace: Pace
    call_timeout_s: float
    window: timedelta
    """How long after a change IAM's reads may be stale."""
    protected: tuple[str, ...] = ()
    """User names, with * and ?, that are never touched."""
    sealer: Sealer | None = None
    """Encrypts passwords for IDHub; None: none can be delivered."""
    opener: Opener | None = None
    """Opens the credential of a request."""
    reset_required: bool = False
    """A password that was set must be changed at the next sign-in."""
    second_look: timedelta = timedelta(seconds=60)
    """How long after a DISABLE or DELETE the user is looked at again."""
    rules: Rules = NO_RULES
    """What the operator has decided, for the plans."""


class Forbidden:
    """Stands for CallForbidden inside a script, which a raised exception would end for good."""


FORBIDDEN = Forbidden()

T = TypeVar("T")
Script = Generator[Wait | WriteIntent | Finished | Forbidden, None, T]
"""Part of a life, written in a line: what it yields goes to the driver, and it is resumed afterwards."""


class RequestFailed(ConnectorError):
    """The request ends here, FAILED: AWS will not let it go on."""

    def __init__(self, error: ReplyError) -> None:
        super().__init__(error.message)
        self.error = error
