"""A call is a value: planned here, shown by a dry run, hashed, and only much later sent by `connector.provision`.

Nothing here knows a password. A call that needs one says so (`password`), and the executor puts it into the
parameters of the one request that it sends, so no plan, repr, hash or log can hold it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from connector.model.iam import Facet, Item, UserState
from connector.model.requests import Request
from connector.model.results import Intent, ReplyError, StepOutcome

from .names import REQUEST_ID_TAG
from .rules import NO_RULES, Rules

B = TypeVar("B")


SILENT = frozenset(
    {
        "AddUserToGroup",
        "RemoveUserFromGroup",
        "AttachUserPolicy",
        "PutUserPolicy",
        "PutUserPermissionsBoundary",
        "TagUser",
        "UntagUser",
        "UpdateUser",
        "UpdateAccessKey",
        "UpdateServiceSpecificCredential",
        "UpdateSSHPublicKey",
        "UpdateSigningCertificate",
    }
)
"""Actions that IAM acknowledges also when there was nothing left to do (for RemoveUserFromGroup: so it is reported)."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What the reading of a facet will show once the call is acknowledged."""

    facet: Facet
    item: Item
    present: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One mutating IAM call."""

    action: str
    """The IAM action, such as AddUserToGroup."""
    params: Mapping[str, Any]
    """The parameters as boto3 takes them, without any secret."""
    target: str = ""
    """What it acts on besides the user: group name, policy ARN, key id."""
    effects: tuple[Effect, ...] = ()
    password: bool = False
    """The executor adds the parameter `Password` with the password of this life."""
    otherwise: tuple[tuple[str, "Call"], ...] = ()
    """AWS error code → the call that takes this one's place in the same step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: a call, or what is known without one."""

    key: str
    """Identifies the step over all lives and re-plans of the request, such as `group:admins`."""
    call: Call
    removal: bool = False
    shown: bool = False
    """The reading, overlaid with our own writes, shows that it is so already."""
    found: StepOutcome | None = None
    """Concluded without a call: ALREADY_SO, DONE (an earlier life did it) or FAILED (with `problem`)."""
    problem: ReplyError | None = None
    needs: tuple[str, ...] = ()
    """Keys of steps without whose success this one is not tried."""
    missing: ReplyError | None = None
    """What it means in the end when IAM does not find the thing; None: that there is no such user."""
    again: bool = False
    """Sent also though this life has it done: the reading shows the thing once more."""

    @property
    def sends(self) -> bool:
        return self.found is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for a request, in order."""

    steps: tuple[Step, ...] = ()
    error: ReplyError | None = None
    """Nothing is to be done, the answer is FAILED with this."""
    notes: tuple[str, ...] = ()
    was_active: tuple[Item, ...] = ()
    """Credentials that are active now; the intent keeps them."""
    gone: bool = False
    """The user that is meant is not there (any more)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading of the user: as IAM told it, and overlaid with our own writes of the last two minutes."""

    told: UserState
    overlaid: UserState


@dataclass(frozen=True, slots=True)
class Context:
    """What a planner may know besides the request and the reading."""

    account: str
    partition: str
    """aws, aws-us-gov or aws-cn."""
    window_open: bool = False
    """The user was changed within the last two minutes: IAM's reads prove nothing."""
    attempted: frozenset[str] = frozenset()
    """Keys of the steps that this request has sent or, in an earlier life, may have sent."""
    sent: frozenset[str] = frozenset()
    """Those of them that this life has sent."""
    done: frozenset[str] = frozenset()
    """Keys of the steps that were concluded in this life."""
    intent: Intent | None = None
    """What was announced so far, in this life or an earlier one."""
    name_taken: bool = False
    """CreateUser was answered EntityAlreadyExists, and no reading shows that user."""
    known_disabled: bool = False
    """By what was last known of the user, the connector's deny stands."""
    password: bool = False
    """A password can be set: it came with the request, or there is a key to deliver it."""
    reset_required: bool = False
    """The password must be changed at the next sign-in."""
    rules: Rules = NO_RULES
    """What the operator has decided."""


def body_of(request: Request, kind: type[B]) -> B:
    """The request's body as the class that its operation's row names.

    Raises:
        TypeError: operation and body do not belong together; `streams.wire` never builds such a request.
    """
    if not isinstance(request.body, kind):
        raise TypeError(f"{request.operation} came with a body of {type(request.body).__name__}")
    return request.body


def ensure(key: str, call: Call, context: Context, *, shown: bool, needs: tuple[str, ...] = ()) -> Step:
    """A step that adds something and may be sent twice.

    It is left out only where a reading shows the thing and nothing was changed lately: within two minutes of a
    change a stale reading may show what has just been taken away.
    """
    if shown and not context.window_open:
        outcome = StepOutcome.DONE if key in context.attempted else StepOutcome.ALREADY_SO
        return Step(key, call, shown=True, found=outcome, needs=needs)
    return Step(key, call, shown=shown, needs=needs)


def remove(key: str, call: Call, context: Context, *, shown: bool) -> Step:
    """A step that takes something away: sent where a reading shows it, and wherever a reading proves nothing.

    That is within two minutes of a change, and where this request has, or may have, sent it before.
    """
    if shown or context.window_open or key in context.attempted:
        return Step(key, call, removal=True, shown=not shown)
    return Step(key, call, removal=True, shown=True, found=StepOutcome.ALREADY_SO)


def plan_hash(request: Request, user_id: str | None, plan: Plan) -> str:
    """SHA-256 over what the plan does: equal exactly when the same calls would be made on the same user.

    The tag with the request's id is left out: the dry run and the request that executes it have different ids.
    """
    steps = [[s.key, s.call.action, _shareable(s.call.params), s.shown or s.found is not None] for s in plan.steps]
    canonical = json.dumps([request.operation, user_id, steps], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _shareable(params: Mapping[str, Any]) -> dict[str, Any]:
    shareable = dict(params)
    if "Tags" in shareable:
        shareable["Tags"] = [tag for tag in shareable["Tags"] if tag["Key"] != REQUEST_ID_TAG]
    return shareable
