"""What IDHub asks for: one frozen class per operation, in an envelope that all of them share.

Decoded from the requests topic by `streams.wire`; nothing here knows how it was carried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

AttributeValue = str | tuple[str, ...] | None
"""An IDHub attribute: a string, several strings, or null (which is not the same as a missing key)."""


class Operation(StrEnum):
    """Everything that can be asked. UNKNOWN stands for a symbol of a newer schema."""

    UNKNOWN = "UNKNOWN"
    CREATE_ACCOUNT = "CREATE_ACCOUNT"
    UPDATE_ACCOUNT = "UPDATE_ACCOUNT"
    ENABLE_ACCOUNT = "ENABLE_ACCOUNT"
    DISABLE_ACCOUNT = "DISABLE_ACCOUNT"
    DELETE_ACCOUNT = "DELETE_ACCOUNT"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 - the name of an operation, no password
    GRANT_ENTITLEMENTS = "GRANT_ENTITLEMENTS"
    REVOKE_ENTITLEMENTS = "REVOKE_ENTITLEMENTS"
    SET_ENTITLEMENTS = "SET_ENTITLEMENTS"


class EntitlementType(StrEnum):
    UNKNOWN = "UNKNOWN"
    GROUP = "GROUP"
    AWS_MANAGED_POLICY = "AWS_MANAGED_POLICY"
    CUSTOMER_MANAGED_POLICY = "CUSTOMER_MANAGED_POLICY"
    INLINE_POLICY = "INLINE_POLICY"
    PERMISSIONS_BOUNDARY = "PERMISSIONS_BOUNDARY"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One thing that can be granted: `name` is a name or an ARN; `document` only for inline policies."""

    type: EntitlementType
    name: str
    document: str | None = None


@dataclass(frozen=True, slots=True)
class RequestedBy:
    """Who published the request: the system, and the person on whose behalf, if any."""

    system: str
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Carried into the audit as it came; never interpreted."""

    ticket: str | None = None
    approver: str | None = None


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """Create the IAM user with its attributes (as tags), tags and entitlements, and a password."""

    attributes: Mapping[str, AttributeValue]
    tags: Mapping[str, str]
    entitlements: tuple[Entitlement, ...]
    credential: str | None = None
    """A JWE to the connector's key; None: the connector generates the password."""


@dataclass(frozen=True, slots=True)
class UpdateAccount:
    """Change the path, the attributes (in tags) and the tags, and the name of a user. What is not named stays."""

    attributes: Mapping[str, AttributeValue]
    """A value is set, null clears, a missing key is left as it is."""
    tags: Mapping[str, str]
    remove_tags: tuple[str, ...] = ()
    new_user_name: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Remove every credential and entitlement of the user, then the user."""


@dataclass(frozen=True, slots=True)
class DisableAccount:
    """Shut the user out: an explicit deny, no console password, every credential inactive."""

    second_look: bool = False
    """Only what was put back since an earlier DISABLE or DELETE, and nothing where that no longer holds."""


@dataclass(frozen=True, slots=True)
class EnableAccount:
    """Let a disabled user in again: a new password, the credentials that were active, the deny lifted."""

    credential: str | None = None


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """A new console password for a user that has one."""

    credential: str | None = None


@dataclass(frozen=True, slots=True)
class GrantEntitlements:
    entitlements: tuple[Entitlement, ...]


@dataclass(frozen=True, slots=True)
class RevokeEntitlements:
    entitlements: tuple[Entitlement, ...]


@dataclass(frozen=True, slots=True)
class SetEntitlements:
    """Exactly these, whatever the user has now."""

    entitlements: tuple[Entitlement, ...]


@dataclass(frozen=True, slots=True)
class UnsupportedOperation:
    """An operation that this version cannot run; answered REJECTED."""

    name: str


Body = (
    CreateAccount
    | UpdateAccount
    | DeleteAccount
    | DisableAccount
    | EnableAccount
    | ResetPassword
    | GrantEntitlements
    | RevokeEntitlements
    | SetEntitlements
    | UnsupportedOperation
)


@dataclass(frozen=True, slots=True)
class Request:
    """The envelope: who is meant, by whom, under which conditions; `body` says what is to be done."""

    request_id: str
    operation: Operation
    aws_account_id: str | None
    """12 digits, always a string; None: the connector's own account."""
    user_name: str
    """As the producer wrote it; IAM ignores its case."""
    body: Body
    content_hash: str
    """SHA-256 (hex) over the canonical content: tells a repeat from a conflict. `requestHash` in replies."""
    expected_user_id: str | None = None
    """The AIDA… id that must match: names are reused, ids are not."""
    dry_run: bool = False
    plan_hash: str | None = None
    """Run only if the plan made now has this hash."""
    resumes: str | None = None
    """The id of an earlier request that this one goes on from."""
    not_after: datetime | None = None
    """Too late to begin after this moment; never stops a removal."""
    requested_by: RequestedBy | None = None
    approval: Approval | None = None
    requested_at: datetime | None = None
    traceparent: str | None = None
    """W3C trace context, carried on unchanged."""
