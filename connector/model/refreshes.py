"""A refresh: somebody or something may have changed a user, so read the named facets again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .iam import AccountRecord, Facet


class RefreshReason(StrEnum):
    UNKNOWN = "UNKNOWN"
    TRAIL = "TRAIL"
    """A CloudTrail event named the user."""
    RECONCILIATION = "RECONCILIATION"
    LOOK_AGAIN = "LOOK_AGAIN"
    """A second look that was due."""
    RENAME = "RENAME"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Refresh:
    aws_account_id: str
    user_name: str
    facets: tuple[Facet, ...]
    reason: RefreshReason
    event_ids: tuple[str, ...] = ()
    actor: str | None = None
    occurred_at: datetime | None = None
    observed_at: datetime | None = None
    observed: AccountRecord | None = None
    """A state that was read elsewhere; None: read it."""
