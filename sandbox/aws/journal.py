"""The journal: every call that reached the stand-in, from when to when, by whom, on whom, and what came of it.

It is what tests judge by: order and overlaps per user, calls that changed something, answers that never arrived.
Values of passwords are not in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

HIDDEN = "***"
_SECRETS = frozenset(
    {
        "Password",
        "OldPassword",
        "NewPassword",
        "AuthenticationCode1",
        "AuthenticationCode2",
        "SecretString",
        "SecretBinary",
        "TokenCode",
        "Body",
    }
)

OK = "OK"
NOT_DONE = "NotDone"


@dataclass(slots=True)
class Entry:
    """One call. Times are of the stand-in's monotonic clock, in seconds, unless said otherwise."""

    seq: int
    """1, 2, 3 … in the order in which calls arrived; they may have been done in another (`done`)."""
    request_id: str
    user_agent: str
    started: float
    """When the request was there as a whole."""
    started_at: float
    """The same in seconds since the epoch."""
    account: str = ""
    principal: str = ""
    """Name of the calling user, or `<role>/<session>`."""
    access_key_id: str = ""
    """Empty for a change made at the stand-in's console."""
    service: str = ""
    action: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    user: str = ""
    """The user it was about, case-folded; the caller where IAM takes that; empty when it was about none."""
    user_id: str = ""
    """Of that user at that moment."""
    done: float | None = None
    """When its effect happened, or would have; None while it is on its way."""
    ended: float | None = None
    """When the answer left, or the stand-in was through with it; None until then."""
    outcome: str = ""
    """What IAM did: OK, an error code, or NotDone where a fault kept the call from it."""
    told: str | None = None
    """What the caller was told: OK, an error code, or None when no answer went out."""
    changed: bool = False
    """Whether it altered the account's state. A grant of what is granted already did not."""
    delivered: bool = False
    """Whether an answer was written to a connection that was still open."""
    fault: str | None = None
    """The effect of the rule that hit it."""

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(**told)


_NAMES = tuple(one.name for one in fields(Entry))


class Journal:
    """All entries since the start or the last `clear()`."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def open(self, request_id: str, user_agent: str, started: float, started_at: float) -> Entry:
        """A new entry, to be filled in while the call goes on."""
        entry = Entry(len(self.entries) + 1, request_id, user_agent, started, started_at)
        self.entries.append(entry)
        return entry

    def since(self, seq: int) -> list[Entry]:
        """Entries after that one, those that have not ended included."""
        return self.entries[max(seq, 0) :]

    def clear(self) -> None:
        self.entries.clear()


def hidden(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters as the journal may hold them."""
    if _SECRETS.isdisjoint(params):
        return params
    return {name: HIDDEN if name in _SECRETS else value for name, value in params.items()}


def overlaps(entries: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
    """Pairs of calls on one user of which the second began before the first had ended."""
    latest: dict[tuple[str, str], Entry] = {}
    found = []
    for entry in sorted((one for one in entries if one.user), key=lambda one: one.started):
        key = (entry.account, entry.user)
        before = latest.get(key)
        if before is not None and (before.ended is None or entry.started < before.ended):
            found.append((before, entry))
        if before is None or _end(entry) > _end(before):
            latest[key] = entry
    return found


def _end(entry: Entry) -> float:
    return float("inf") if entry.ended is None else entry.ended
