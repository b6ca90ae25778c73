"""The end of a request: everything that it publishes, made from what its life knows. No I/O."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector import VERSION
from connector.drift.account import (
    FIELDS,
    Cause,
    diff_account,
    fill_unknown,
    merge_reading,
    note_absence,
    says_more,
    to_change,
    to_deleted,
)
from connector.drift.enabled import is_enabled
from connector.model.iam import AccountRecord, Facet, Identity, Items, OwnWrite, UserState
from connector.model.refreshes import Refresh, RefreshReason
from connector.model.requests import Operation, Request
from connector.model.results import (
    AccountChange,
    AccountSummary,
    AuditRecord,
    ChangeKind,
    FieldChange,
    Outcome,
    Reply,
    ReplyError,
    ReplyStatus,
    StepOutcome,
    StepResult,
)
from connector.plan.calls import Seen
from connector.plan.names import DENY_MANAGED, DENY_POLICY, user_key
from connector.plan.safety import Caller

from .execute import USER
from .progress import SATISFIED, Witness

RETRYABLE = frozenset({"AWS_AMBIGUOUS", "DELETE_CONFLICT", "ConcurrentModification", "EntityTemporarilyUnmodifiable"})
"""Codes of failed steps that a new request may well get over."""

_AUDITS = uuid.UUID("6f0f6d0e-6a4f-5d0b-9f6b-3c1f6b7a2c11")
"""Namespace of the audit ids; never to be changed, or a repeat would count as another access change."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a life knows at its end."""

    request: Request
    begun_at: datetime
    ended_at: datetime
    window: timedelta
    second_look: timedelta
    caller: Caller | None = None
    last_known: AccountRecord | None = None
    seen: Seen | None = None
    """The last reading that a plan was made of."""
    seen_at: datetime | None = None
    user_id: str | None = None
    """Of the user that was meant."""
    created: Identity | None = None
    """By this life."""
    gone: bool = False
    """The user that was meant is not there at the end."""
    steps: tuple[StepResult, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    writes: tuple[OwnWrite, ...] = ()
    renamed_to: str | None = None
    """The name that the user has now, if it was to be given one."""
    uncertain: bool = False
    """A step was given up though it may have had its effect."""
    credential: str | None = None
    plan_hash: str | None = None
    notes: tuple[str, ...] = ()
    error: ReplyError | None = None
    status: ReplyStatus | None = None
    """None: the steps tell."""

    @property
    def account_id(self) -> str | None:
        return self.request.aws_account_id or (self.caller.account if self.caller is not None else None)


def audit_id(request: Request, aws_account_id: str, step_key: str) -> str:
    """The same for the same (record key, request id, step), in every life."""
    return str(uuid.uuid5(_AUDITS, f"{user_key(aws_account_id, request.user_name)}|{request.request_id}|{step_key}"))


def to_outcome(ending: Ending) -> Outcome:
    """Reply, audit records, account and change."""
    record = _to_record(ending)
    reply = _to_reply(ending, record)
    if record is None or ending.request.dry_run:
        return Outcome(reply, _to_audits(ending))
    if ending.renamed_to is not None and user_key("", ending.renamed_to) != user_key("", ending.request.user_name):
        return _to_renamed(ending, reply, record, ending.renamed_to)
    change = _to_change(ending, record)
    worth = change is not None or says_more(ending.last_known, record)
    return Outcome(reply, _to_audits(ending), record if worth else None, change)


def _to_renamed(ending: Ending, reply: Reply, record: AccountRecord, name: str) -> Outcome:
    """The old name's last state, and a refresh for the lane of the new one, which publishes the user from now on."""
    audits, last = _to_audits(ending), ending.last_known
    if record.absent_since is not None or (last is not None and last.deleted and last.renamed_to == name):
        return Outcome(reply, audits)
    after = replace(to_deleted(record, ending.ended_at), renamed_to=name)
    change = AccountChange(
        kind=ChangeKind.RENAMED,
        aws_account_id=record.aws_account_id,
        user_name=record.user_name,
        user_id=ending.user_id,
        fields=(FieldChange("userName", ending.request.user_name, name),),
        origin="IDHUB" if ending.witnesses else "FOREIGN",
        actor=ending.caller.arn if ending.witnesses and ending.caller is not None else None,
        request_id=ending.request.request_id if ending.witnesses else None,
        event_ids=(),
        occurred_at=ending.ended_at,
        before=last,
        after=after,
    )
    refresh = Refresh(
        record.aws_account_id,
        name,
        tuple(Facet),
        RefreshReason.RENAME,
        actor=change.actor,
        occurred_at=ending.ended_at,
    )
    return Outcome(reply, audits, after, change, (refresh,))


# -- the reply -----------------------------------------------------------------------------------------------------


def _to_reply(ending: Ending, record: AccountRecord | None) -> Reply:
    request = ending.request
    status, error = _to_status(ending)
    return Reply(
        request_id=request.request_id,
        operation=request.operation,
        status=status,
        request_hash=request.content_hash,
        aws_account_id=ending.account_id,
        user_name=request.user_name,
        steps=ending.steps,
        account=_to_summary(record, ending.renamed_to),
        plan_hash=ending.plan_hash,
        credential=ending.credential,
        notes=ending.notes,
        error=error,
        started_at=ending.begun_at,
        finished_at=ending.ended_at,
        connector_version=VERSION,
    )


def _to_status(ending: Ending) -> tuple[ReplyStatus, ReplyError | None]:
    if ending.status is not None:
        return ending.status, ending.error
    outcomes = {step.outcome for step in ending.steps}
    some = StepOutcome.DONE in outcomes
    error = ending.error
    if error is None and not outcomes <= SATISFIED:
        error = _of_steps(ending.steps)
    if error is not None:
        return (ReplyStatus.PARTIAL if some else ReplyStatus.FAILED), error
    return (ReplyStatus.SUCCEEDED if some else ReplyStatus.UNCHANGED), None


def _of_steps(steps: tuple[StepResult, ...]) -> ReplyError:
    failed = [step for step in steps if step.outcome is StepOutcome.FAILED]
    first = failed[0]
    more = f" ({len(failed)} of {len(steps)} steps failed; each says why)" if len(failed) > 1 else ""
    retryable = all(step.error_code in RETRYABLE for step in failed)
    return ReplyError(first.error_code or "STEP_FAILED", f"{first.error_message}{more}", retryable=retryable)


def _to_summary(record: AccountRecord | None, renamed_to: str | None) -> AccountSummary | None:
    if record is None or record.deleted or record.absent_since is not None or record.identity is None:
        return None
    identity = record.identity
    name = renamed_to or identity.user_name
    return AccountSummary(
        user_name=name,
        user_id=identity.user_id,
        arn=f"{identity.arn.rpartition('/')[0]}/{name}",
        path=identity.path,
        enabled=is_enabled(record.items, deny_policy=DENY_POLICY, deny_managed=DENY_MANAGED),
        groups=_ids(record.items, Facet.GROUPS),
        attached_policies=_ids(record.items, Facet.ATTACHED_POLICIES),
        inline_policies=_ids(record.items, Facet.INLINE_POLICIES),
    )


def _ids(items: Items, facet: Facet) -> tuple[str, ...] | None:
    return tuple(item.id for item in items[facet]) if facet in items else None


# -- the audit -----------------------------------------------------------------------------------------------------


def _to_audits(ending: Ending) -> tuple[AuditRecord, ...]:
    request = ending.request
    account_id = ending.account_id or ""
    return tuple(
        AuditRecord(
            audit_id=audit_id(request, account_id, witness.key),
            occurred_at=witness.at,
            aws_account_id=account_id,
            user_name=request.user_name,
            user_id=ending.user_id,
            action=witness.action,
            target=witness.target,
            step=witness.number,
            request_id=request.request_id,
            operation=request.operation,
            requested_by=request.requested_by,
            approval=request.approval,
            aws_request_id=witness.aws_request_id,
            attempts=witness.attempts,
        )
        for witness in ending.witnesses
    )


# -- account and change --------------------------------------------------------------------------------------------


def _to_record(ending: Ending) -> AccountRecord | None:
    """The user after the request; None where nothing is known of it."""
    account_id, last, window = ending.account_id, ending.last_known, ending.window
    if account_id is None or ending.seen is None or ending.seen_at is None:
        return None
    state, at = ending.seen.overlaid, ending.seen_at
    if ending.created is not None:
        # Brand-new: nothing hangs on it but what this life has put there.
        empty: Items = dict.fromkeys(FIELDS, ())
        state = UserState(ending.created, empty)
    if state.identity is None:
        return _to_absent(ending)
    if ending.writes:
        at = ending.ended_at
    record = merge_reading(last, account_id, state, at, ending.writes, window=window)
    if ending.gone and state.identity.user_id == ending.user_id:
        return _looked_at_again(ending, to_deleted(record, ending.ended_at))
    if (soon := _looked_at_again(ending, record)) is not record:
        return soon
    if ending.uncertain or ending.seen.told != ending.seen.overlaid:
        return replace(record, look_again_at=ending.ended_at + window)
    return record


def _looked_at_again(ending: Ending, record: AccountRecord) -> AccountRecord:
    """After access was taken away, or could not be, the user is looked at once more before long."""
    if ending.request.operation not in {Operation.DISABLE_ACCOUNT, Operation.DELETE_ACCOUNT}:
        return record
    if all(step.outcome is StepOutcome.ALREADY_SO for step in ending.steps):
        return record
    return replace(record, look_again_at=ending.ended_at + ending.second_look)


def _to_absent(ending: Ending) -> AccountRecord | None:
    last = ending.last_known
    if last is None or last.deleted:
        return None
    deleted = any(w.key == USER and w.action == "DeleteUser" for w in ending.witnesses)
    if deleted:
        return _looked_at_again(ending, to_deleted(last, ending.ended_at))
    return note_absence(last, ending.ended_at, ending.window)


def _to_change(ending: Ending, record: AccountRecord) -> AccountChange | None:
    last, seen, seen_at = ending.last_known, ending.seen, ending.seen_at
    before = last
    if last is not None and seen is not None and seen_at is not None and seen.overlaid.identity is not None:
        read = merge_reading(last, last.aws_account_id, seen.overlaid, seen_at, window=ending.window)
        before = fill_unknown(last, read)
    fields = diff_account(before, record)
    created = any(w.key == USER and w.action == "CreateUser" for w in ending.witnesses)
    if ending.witnesses and ending.caller is not None:
        cause = Cause("IDHUB", ending.ended_at, ending.caller.arn, ending.request.request_id)
    else:
        cause = Cause("FOREIGN", ending.ended_at)
    return to_change(last, record, fields, cause, created=created)
