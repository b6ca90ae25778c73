"""SET_ENTITLEMENTS: exactly these groups, managed and inline policies, and no others.

Removals go first, they make room in IAM's quotas. A permissions boundary limits and grants nothing, so it is set where
the request names one and otherwise left as it is: taken away, the user could do more. The connector's denies stay too.
"""

from connector.model.iam import Facet, Item
from connector.model.requests import Request, SetEntitlements
from connector.model.results import ReplyError

from .calls import Context, Plan, Seen, Step, body_of
from .deny import denies
from .entitlements import BY_FACET, BY_REVOCATION, Kind, grant_steps, resolve, revoke_step
from .names import DENY_POLICY
from .safety import no_such_account, other_account

FACETS = frozenset({Facet.GROUPS, Facet.ATTACHED_POLICIES, Facet.INLINE_POLICIES})


def plan_set(request: Request, seen: Seen, context: Context) -> Plan:
    """Removals, then grants; nothing at all where one entitlement is not what it says it is.

    It could be the very one that would be taken away for not having been recognised.
    """
    body = body_of(request, SetEntitlements)
    identity = seen.overlaid.identity
    if identity is None:
        return Plan(error=no_such_account(request), gone=True)
    if (other := other_account(request, identity, context)) is not None:
        return Plan(error=other)
    wanted = resolve(body.entitlements, context.account, context.partition)
    problems = [one.problem.message for one in wanted if one.problem is not None]
    if problems:
        return Plan(error=ReplyError("INVALID_ENTITLEMENT", "; ".join(problems)))
    removals = _removals({one.key for one in wanted}, seen, identity.user_name, context)
    return Plan((*removals, *grant_steps(body.entitlements, seen, identity.user_name, context)))


def _removals(wanted: set[str], seen: Seen, user_name: str, context: Context) -> list[Step]:
    """What a reading shows and nobody asked for, and what an earlier life was about to take away."""
    steps: dict[str, Step] = {}
    for kind, item, shown in (*_shown(seen), *_named(context)):
        key = kind.key(item)
        if key not in wanted and key not in steps and item.id != DENY_POLICY and not denies(item.id):
            steps[key] = revoke_step(kind, item, user_name, context, shown=shown)
    return list(steps.values())


def _shown(seen: Seen) -> list[tuple[Kind, Item, bool]]:
    return [
        (BY_FACET[facet], item, True)
        for facet in (Facet.GROUPS, Facet.ATTACHED_POLICIES, Facet.INLINE_POLICIES)
        for state in (seen.told, seen.overlaid)
        for item in state.items.get(facet, ())
    ]


def _named(context: Context) -> list[tuple[Kind, Item, bool]]:
    named = ((BY_REVOCATION.get(s.action), s) for s in (context.intent.steps if context.intent is not None else ()))
    return [
        (kind, Item(step.target), False)
        for kind, step in named
        if kind is not None and kind.facet is not Facet.IDENTITY
    ]
