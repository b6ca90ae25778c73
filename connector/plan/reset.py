"""RESET_PASSWORD: a new console password for a user that has one. It opens no door that was shut."""

from dataclasses import replace

from connector.model.iam import PASSWORD_ITEM, Facet
from connector.model.requests import Request, ResetPassword
from connector.model.results import ReplyError

from .calls import Context, Plan, Seen, Step, body_of
from .login import LOGIN, NO_PASSWORD, update_call
from .safety import no_such_account, other_account

NO_LOGIN_PROFILE = ReplyError(
    "NO_LOGIN_PROFILE",
    "The user has no console password that could be reset: ENABLE_ACCOUNT gives it one, and lifts the deny of a DISABLE_ACCOUNT",
)


def plan_reset(request: Request, seen: Seen, context: Context) -> Plan:
    """One step; NO_LOGIN_PROFILE where there is none and no reading could be older than that."""
    body_of(request, ResetPassword)
    identity = seen.overlaid.identity
    if identity is None:
        return Plan(error=no_such_account(request), gone=True)
    if (other := other_account(request, identity, context)) is not None:
        return Plan(error=other)
    if not context.password:
        return Plan(error=ReplyError("NO_PASSWORD_KEY", NO_PASSWORD))
    shown = seen.overlaid.has(Facet.LOGIN, PASSWORD_ITEM)
    if not shown and not context.window_open and LOGIN not in context.attempted:
        return Plan(error=NO_LOGIN_PROFILE)
    return Plan((replace(Step(LOGIN, update_call(identity.user_name, context)), missing=NO_LOGIN_PROFILE),))
