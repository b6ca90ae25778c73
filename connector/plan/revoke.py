"""REVOKE_ENTITLEMENTS: each entitlement is a step of its own; what is not there need not be taken away."""

from dataclasses import replace

from connector.model.iam import UserState
from connector.model.requests import Request, RevokeEntitlements
from connector.model.results import StepOutcome

from .calls import Context, Plan, Seen, Step, body_of
from .entitlements import revoke_steps
from .safety import other_account

NOBODY = Seen(UserState(None), UserState(None))


def plan_revoke(request: Request, seen: Seen, context: Context) -> Plan:
    """A removal for each entitlement; of an absent user everything is revoked already."""
    body = body_of(request, RevokeEntitlements)
    identity = seen.overlaid.identity
    if identity is not None and other_account(request, identity, context) is None:
        return Plan(revoke_steps(body.entitlements, seen, identity.user_name, context))
    steps = revoke_steps(body.entitlements, NOBODY, request.user_name, context)
    return Plan(tuple(_went_with_the_user(step, context) for step in steps), gone=True)


def _went_with_the_user(step: Step, context: Context) -> Step:
    if step.found is StepOutcome.FAILED:
        return step
    found = StepOutcome.DONE if step.key in context.attempted else StepOutcome.ALREADY_SO
    return replace(step, found=found, shown=True)
