"""DISABLE_ACCOUNT: shut the user out at once, then take away, or switch off, every way in.

The deny goes first, so that nothing works any more while the rest is done, sessions of the user included. What was
active is written into the user's tags before the first thing is switched off, and never again while the deny stands:
a second DISABLE would otherwise record that nothing was. Groups and policies stay, they are what ENABLE brings back.
"""

from connector.model.iam import PASSWORD_ITEM, Facet, Identity, Item
from connector.model.requests import DisableAccount, Request
from connector.model.results import StepOutcome

from .calls import Call, Context, Effect, Plan, Seen, Step, body_of, ensure, remove
from .deny import DENY, attach_call, has_attached, has_inline, put_call
from .login import LOGIN
from .notes import SESSIONS_LIVE_ON
from .safety import other_account
from .switches import (
    ACTIVE,
    BY_PREFIX,
    EXPIRED,
    INACTIVE,
    RECORD,
    RECORD_TAG,
    SWITCHES,
    Record,
    active_items,
    switch_call,
    switch_key,
    tag_call,
    to_record,
    to_tags,
)


def plan_disable(request: Request, seen: Seen, context: Context) -> Plan:
    """Deny, record, login profile, credentials. An absent user is disabled already.

    A second look writes no record, and does nothing at all unless the user was last known to be disabled.
    """
    again = body_of(request, DisableAccount).second_look
    identity = seen.overlaid.identity
    if identity is None or other_account(request, identity, context) is not None:
        return _plan_gone(request, context)
    if again and not context.known_disabled and context.intent is None:
        return Plan()
    record = to_record(identity.tags)
    stands = _stands(seen, record)
    wanted = _to_record(seen, context, record if stands else None)
    steps = [_deny_step(identity, seen, context, record)]
    if not again:
        steps.append(_record_step(identity, wanted, record if stands else None, context))
    steps.append(_login_step(identity, seen, context))
    steps.extend(_switch_steps(identity, seen, context))
    return Plan(tuple(steps), notes=(SESSIONS_LIVE_ON,), was_active=wanted.to_items())


def _stands(seen: Seen, record: Record | None) -> bool:
    """Whether the deny of an earlier DISABLE is there: inline, or by attachment beside a record."""
    state = seen.overlaid
    return has_inline(state) or (has_attached(state) and record is not None)


def _deny_step(identity: Identity, seen: Seen, context: Context, record: Record | None) -> Step:
    if _stands(seen, record) and not has_inline(seen.overlaid):
        # Not a second one beside it: ENABLE lifts one.
        return ensure(DENY, attach_call(identity), context, shown=True)
    return ensure(DENY, put_call(identity), context, shown=has_inline(seen.overlaid))


def _to_record(seen: Seen, context: Context, standing: Record | None) -> Record:
    """What this request found at first, else what stands in the record already, else what is active now."""
    if context.intent is not None:
        return Record.of(context.intent.was_active)
    if standing is not None:
        return standing
    return Record(
        active_items(seen.overlaid), foreign_deny=has_attached(seen.overlaid) and not has_inline(seen.overlaid)
    )


def _record_step(identity: Identity, wanted: Record, standing: Record | None, context: Context) -> Step:
    call = tag_call(identity.user_name, to_tags(wanted), RECORD_TAG)
    if standing is None or not standing.says(wanted):
        return Step(RECORD, call)
    outcome = StepOutcome.DONE if RECORD in context.attempted else StepOutcome.ALREADY_SO
    return Step(RECORD, call, shown=True, found=outcome)


def _login_step(identity: Identity, seen: Seen, context: Context) -> Step:
    effect = Effect(Facet.LOGIN, Item(PASSWORD_ITEM), present=False)
    call = Call("DeleteLoginProfile", {"UserName": identity.user_name}, effects=(effect,))
    shown = seen.told.has(Facet.LOGIN, PASSWORD_ITEM) or seen.overlaid.has(Facet.LOGIN, PASSWORD_ITEM)
    return remove(LOGIN, call, context, shown=shown)


def _switch_steps(identity: Identity, seen: Seen, context: Context) -> list[Step]:
    """Every credential that is active, or may be; and those that an earlier life was about to switch off."""
    steps: dict[str, Step] = {}
    for row in SWITCHES:
        for item in seen.overlaid.items.get(row.facet, ()):
            key = switch_key(row, item.id)
            # An expired one cannot be brought back to life, so there is nothing to switch off.
            if item.status == EXPIRED or (
                item.status != ACTIVE and not context.window_open and not _named(key, context)
            ):
                continue
            call = switch_call(row, item, identity.user_name, INACTIVE)
            steps[key] = remove(key, call, context, shown=item.status == ACTIVE)
    for named in context.intent.steps if context.intent is not None else ():
        prefix, _, item_id = named.key.partition(":")
        named_row = BY_PREFIX.get(prefix)
        if named_row is not None and named.key not in steps:
            call = switch_call(named_row, Item(item_id), identity.user_name, INACTIVE)
            steps[named.key] = Step(named.key, call, removal=True)
    return list(steps.values())


def _named(key: str, context: Context) -> bool:
    return context.intent is not None and any(step.key == key for step in context.intent.steps)


def _plan_gone(request: Request, context: Context) -> Plan:
    """Nobody to shut out: what an earlier life may have done counts as done, the rest was so already."""
    if context.intent is None:
        call = Call("PutUserPolicy", {"UserName": request.user_name})
        return Plan((Step(DENY, call, removal=True, shown=True, found=StepOutcome.ALREADY_SO),), gone=True)
    steps = []
    for named in context.intent.steps:
        found = StepOutcome.DONE if named.key in context.attempted else StepOutcome.ALREADY_SO
        steps.append(Step(named.key, Call(named.action, {}, named.target), removal=True, shown=True, found=found))
    return Plan(tuple(steps), gone=True)
