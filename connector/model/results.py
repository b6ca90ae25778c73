"""What came of a request: steps, reply, audit, intent. The records that leave the lane in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .iam import AccountRecord, Item
from .refreshes import Refresh
from .requests import Approval, Operation, RequestedBy


class ReplyStatus(StrEnum):
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    UNCHANGED = "UNCHANGED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    PLANNED = "PLANNED"


class StepOutcome(StrEnum):
    UNKNOWN = "UNKNOWN"
    DONE = "DONE"
    ALREADY_SO = "ALREADY_SO"
    FAILED = "FAILED"
    NOT_TRIED = "NOT_TRIED"
    PLANNED = "PLANNED"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step of a plan, as the reply tells it."""

    number: int
    """Stable over all lives of the request: the `s/` of the user-agent mark."""
    action: str
    """The IAM action, such as AddUserToGroup."""
    target: str
    """What it acted on besides the user: group name, policy ARN, key id; empty for the user itself."""
    outcome: StepOutcome
    aws_request_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    attempts: int = 0
    """Calls sent, over all lives as far as known."""


@dataclass(frozen=True, slots=True)
class ReplyError:
    code: str
    message: str
    """A sentence for a person: what is wrong, where, and how to mend it. Never a secret."""
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """The account after the request, as far as this request looked."""

    user_name: str
    user_id: str | None
    arn: str | None
    path: str | None
    enabled: bool | None
    """None: this request did not read what tells."""
    groups: tuple[str, ...] | None = None
    attached_policies: tuple[str, ...] | None = None
    inline_policies: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The one terminal answer to a request."""

    request_id: str
    operation: Operation
    status: ReplyStatus
    request_hash: str
    aws_account_id: str | None
    user_name: str
    steps: tuple[StepResult, ...] = ()
    account: AccountSummary | None = None
    plan_hash: str | None = None
    credential: str | None = None
    """A JWE to IDHub's key; None where no password was set or none could be delivered."""
    notes: tuple[str, ...] = ()
    """What the reader should know besides: no key for passwords configured, sessions live on …"""
    error: ReplyError | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    connector_version: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One access change: one acknowledged mutating call, or what stands for it after a crash."""

    audit_id: str
    """Deterministic: the same (record key, request id, step) has the same id in every life."""
    occurred_at: datetime
    aws_account_id: str
    user_name: str
    user_id: str | None
    action: str
    target: str
    step: int
    request_id: str | None
    operation: Operation
    requested_by: RequestedBy | None
    approval: Approval | None
    aws_request_id: str | None
    attempts: int
    origin: str = "IDHUB"
    """IDHUB: this connector on a request; FOREIGN: somebody else, seen in the trail."""


class ChangeKind(StrEnum):
    UNKNOWN = "UNKNOWN"
    DISCOVERED = "DISCOVERED"
    """An existing user seen for the first time."""
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    RENAMED = "RENAMED"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One difference: `field` such as groups or tags/department; `before` and `after` None: absent."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What changed about a user, and who did it."""

    kind: ChangeKind
    aws_account_id: str
    user_name: str
    user_id: str | None
    fields: tuple[FieldChange, ...]
    origin: str
    actor: str | None
    request_id: str | None
    event_ids: tuple[str, ...]
    occurred_at: datetime
    before: AccountRecord | None = None
    after: AccountRecord | None = None


@dataclass(frozen=True, slots=True)
class IntentStep:
    """A step that a request is about to take. `key` identifies it over all lives and re-plans."""

    number: int
    key: str
    action: str
    target: str
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """Written, and acknowledged, before the first mutation of each life of a request."""

    request_id: str
    request_hash: str
    operation: Operation
    user_id: str | None
    """The UserId that the plan was made for; None for a user that does not exist yet."""
    steps: tuple[IntentStep, ...]
    was_active: tuple[Item, ...] = ()
    """Credentials that were active before: what ENABLE brings back."""
    lives: int = 1
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a finished request publishes, in one transaction."""

    reply: Reply
    audits: tuple[AuditRecord, ...] = ()
    account: AccountRecord | None = None
    """None: nothing new is known of the user."""
    change: AccountChange | None = None
    refreshes: tuple[Refresh, ...] = ()
    """For the lanes of other users: a renamed one's new name."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: try again after `seconds`. Nothing was concluded, nothing is lost."""

    seconds: float
    reason: str
    """For the log, metrics and `watch`: throttled, ambiguous, propagating, contended, credentials …"""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WriteIntent:
    """Write this intent, wait for its acknowledgement, then go on."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Finished:
    outcome: Outcome


Advance = Wait | WriteIntent | Finished
