"""GRANT_ENTITLEMENTS: each entitlement is a step of its own; what a reading shows is left as it is."""

from connector.model.requests import GrantEntitlements, Request

from .calls import Context, Plan, Seen, body_of
from .entitlements import grant_steps
from .safety import no_such_account, other_account


def plan_grant(request: Request, seen: Seen, context: Context) -> Plan:
    """A step for each entitlement, or NO_SUCH_ACCOUNT."""
    body = body_of(request, GrantEntitlements)
    identity = seen.overlaid.identity
    if identity is None:
        return Plan(error=no_such_account(request), gone=True)
    if (other := other_account(request, identity, context)) is not None:
        return Plan(error=other)
    return Plan(grant_steps(body.entitlements, seen, identity.user_name, context))
