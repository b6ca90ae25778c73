"""What the connector refuses to do, whoever asks for it: before AWS is asked where that is possible."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from connector.errors import RequestRefused
from connector.model.iam import Identity
from connector.model.requests import Operation, Request, UnsupportedOperation, UpdateAccount
from connector.model.results import ReplyError

from .calls import Context
from .names import is_user_name

REMOVALS = frozenset({Operation.DELETE_ACCOUNT, Operation.DISABLE_ACCOUNT, Operation.REVOKE_ENTITLEMENTS})
"""Operations that take access away: never too late, and nothing to complain about when it is gone already."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the connector is at AWS, by GetCallerIdentity."""

    account: str
    arn: str
    partition: str
    user_name: str | None = None
    """None: a role."""


def refuse_unread(request: Request, supported: Iterable[Operation], now: datetime) -> None:
    """What can be refused without knowing anything but the request.

    Raises:
        RequestRefused: UNKNOWN_OPERATION, UNSUPPORTED_OPERATION, BAD_USER_NAME or TOO_LATE.
    """
    if request.operation is Operation.UNKNOWN:
        name = request.body.name if isinstance(request.body, UnsupportedOperation) else "UNKNOWN"
        raise RequestRefused("UNKNOWN_OPERATION", f"{name}: no operation of that name; {_one_of(supported)}")
    if isinstance(request.body, UnsupportedOperation) or request.operation not in supported:
        raise RequestRefused(
            "UNSUPPORTED_OPERATION", f"{request.operation}: this version cannot run it; {_one_of(supported)}"
        )
    if not is_user_name(request.user_name):
        raise RequestRefused(
            "BAD_USER_NAME",
            f"{request.user_name[:80]!r}: IAM allows 1 to 64 of letters, digits and _+=,.@- in a user's name",
        )
    refuse_late(request, now)


def _one_of(supported: Iterable[Operation]) -> str:
    return f"it runs {', '.join(sorted(supported))}"


def refuse_late(request: Request, now: datetime) -> None:
    """Looked at only before the first intent; taking access away is never too late.

    Raises:
        RequestRefused: TOO_LATE.
    """
    if request.not_after is not None and now > request.not_after and request.operation not in REMOVALS:
        raise RequestRefused("TOO_LATE", f"notAfter {request.not_after.isoformat()} has passed; nothing was begun")


def refuse_here(request: Request, caller: Caller, protected: tuple[str, ...]) -> None:
    """What can be refused once the connector knows who it is itself.

    Raises:
        RequestRefused: WRONG_ACCOUNT or PROTECTED_PRINCIPAL.
    """
    if request.aws_account_id is not None and request.aws_account_id != caller.account:
        raise RequestRefused(
            "WRONG_ACCOUNT", f"awsAccountId {request.aws_account_id}: this connector works on {caller.account}"
        )
    _refuse_protected(request.user_name, caller, protected)
    if isinstance(request.body, UpdateAccount) and request.body.new_user_name is not None:
        _refuse_protected(request.body.new_user_name, caller, protected)


def _refuse_protected(user_name: str, caller: Caller, protected: tuple[str, ...]) -> None:
    name = user_name.casefold()
    if caller.user_name is not None and name == caller.user_name.casefold():
        raise RequestRefused("PROTECTED_PRINCIPAL", f"{user_name} is the connector's own user")
    for pattern in protected:
        if fnmatchcase(name, pattern.casefold()):
            raise RequestRefused("PROTECTED_PRINCIPAL", f"{user_name} is protected by the setting {pattern!r}")


def refuse_other_identity(request: Request, identity: Identity | None) -> None:
    """The user has to be the one that the request means: names are reused, ids are not.

    Raises:
        RequestRefused: OTHER_IDENTITY.
    """
    if request.expected_user_id is None or identity is None or identity.user_id == request.expected_user_id:
        return
    raise RequestRefused(
        "OTHER_IDENTITY",
        f"{request.user_name} has the UserId {identity.user_id} and not {request.expected_user_id}: "
        "another user has that name now",
    )


def refuse_changed_plan(request: Request, made: str) -> None:
    """A request that names a plan is run only when that plan is still the one.

    Raises:
        RequestRefused: PLAN_CHANGED.
    """
    if request.plan_hash is not None and request.plan_hash != made:
        raise RequestRefused(
            "PLAN_CHANGED", f"planHash {request.plan_hash} was asked for, but the user has moved: {made} now"
        )


def no_such_account(request: Request) -> ReplyError:
    return ReplyError("NO_SUCH_ACCOUNT", f"There is no user {request.user_name}")


def other_account(request: Request, identity: Identity, context: Context) -> ReplyError | None:
    """Whether the user was replaced by another of the same name since the intent was written."""
    planned = context.intent.user_id if context.intent is not None else None
    if planned is None or planned == identity.user_id:
        return None
    return ReplyError(
        "NO_SUCH_ACCOUNT",
        f"The user {request.user_name} that this request was begun on ({planned}) is gone; "
        f"a new one has its name ({identity.user_id}) and was not touched",
    )
