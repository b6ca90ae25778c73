"""ENABLE_ACCOUNT: a new password, the credentials of the record switched on again, and only then the deny lifted.

The record goes last, when nothing stands any more that it belongs to: a DISABLE that finds a record without a deny
writes a new one.
"""

from dataclasses import replace

from connector.model.iam import PASSWORD_ITEM, Facet, Identity, Item
from connector.model.requests import EnableAccount, Request
from connector.model.results import ReplyError, StepOutcome

from .calls import Context, Plan, Seen, Step, body_of, ensure, remove
from .deny import LIFT, has_attached, has_inline, lift_call
from .login import LOGIN, NO_PASSWORD, login_step
from .notes import FOREIGN_DENY_STAYS
from .safety import no_such_account, other_account
from .switches import (
    ACTIVE,
    BY_FACET,
    CLEAR,
    EXPIRED,
    RECORD_TAG,
    Record,
    record_tags,
    switch_call,
    switch_key,
    to_record,
    untag_call,
)


def plan_enable(request: Request, seen: Seen, context: Context) -> Plan:
    """Login profile, credentials, lift, record; NO_SUCH_ACCOUNT for an absent user."""
    body_of(request, EnableAccount)
    identity = seen.overlaid.identity
    if identity is None:
        return Plan(error=no_such_account(request), gone=True)
    if (other := other_account(request, identity, context)) is not None:
        return Plan(error=other)
    record = to_record(identity.tags)
    steps: list[Step] = []
    notes: list[str] = []
    if context.password:
        steps.append(_login_step(identity, seen, context, record))
    elif not seen.overlaid.has(Facet.LOGIN, PASSWORD_ITEM):
        notes.append(NO_PASSWORD)
    items = _recorded(record, context).items
    if context.rules.programmatic_access:
        steps.extend(_switch_steps(identity, seen, context, items, notes))
    elif items:
        notes.append(
            f"{len(items)} credentials that were active stay inactive: only console access is enabled "
            "(IDHUB_AWS_ENABLE_PROGRAMMATIC_ACCESS)."
        )
    every = tuple(step.key for step in steps)
    steps.append(_lift_step(identity, seen, context, record, needs=every))
    if has_attached(seen.overlaid) and not _is_ours(record):
        notes.append(FOREIGN_DENY_STAYS)
    clear = untag_call(identity.user_name, record_tags(identity) or (RECORD_TAG,), RECORD_TAG)
    if record_tags(identity) or CLEAR in context.attempted:
        steps.append(replace(remove(CLEAR, clear, context, shown=bool(record_tags(identity))), needs=(*every, LIFT)))
    return Plan(tuple(steps), notes=tuple(notes), was_active=(record or Record(items)).to_items())


def _login_step(identity: Identity, seen: Seen, context: Context, record: Record | None) -> Step:
    """A password is left alone only where the user was not disabled: nobody asked for another one then."""
    step = login_step(identity.user_name, seen, context)
    disabled = has_inline(seen.overlaid) or record is not None
    if seen.overlaid.has(Facet.LOGIN, PASSWORD_ITEM) and not disabled and LOGIN not in context.attempted:
        return replace(step, shown=True, found=StepOutcome.ALREADY_SO)
    return step


def _recorded(record: Record | None, context: Context) -> Record:
    """By the user's tags; where they are removed already, by the intent of the life that did it."""
    if record is not None:
        return record
    return Record.of(context.intent.was_active if context.intent is not None else ())


def _switch_steps(
    identity: Identity, seen: Seen, context: Context, items: tuple[Item, ...], notes: list[str]
) -> list[Step]:
    steps = []
    for item in items:
        row = BY_FACET[Facet(item.detail or "")]
        key = switch_key(row, item.id)
        told = next((one for one in seen.overlaid.items.get(row.facet, ()) if one.key == item.key), None)
        if told is None or told.status == EXPIRED:
            if row.facet in seen.told.items or CLEAR not in context.attempted:
                notes.append(f"{item.id} was active before and is {'gone' if told is None else 'expired'} now.")
                continue
            # Everything was switched on before the record went, so nothing of it was read.
            call = switch_call(row, item, identity.user_name, ACTIVE)
            outcome = StepOutcome.DONE if key in context.attempted else StepOutcome.ALREADY_SO
            steps.append(Step(key, call, shown=True, found=outcome))
            continue
        call = switch_call(row, told, identity.user_name, ACTIVE)
        step = ensure(key, call, context, shown=told.status == ACTIVE)
        gone = ReplyError("NO_SUCH_CREDENTIAL", f"{item.id} was active before and is gone now")
        steps.append(replace(step, missing=gone))
    return steps


def _is_ours(record: Record | None) -> bool:
    """Whether AWS's deny, if it is attached, was attached by the connector."""
    return record is not None and not record.foreign_deny


def _lift_step(
    identity: Identity, seen: Seen, context: Context, record: Record | None, *, needs: tuple[str, ...]
) -> Step:
    """The deny that DISABLE put, in whichever way."""
    attached = _is_ours(record) and (has_attached(seen.overlaid) or has_attached(seen.told))
    shown = has_inline(seen.overlaid) or has_inline(seen.told) or attached
    call = lift_call(identity, or_detach=attached)
    return replace(remove(LIFT, call, context, shown=shown), needs=needs)
