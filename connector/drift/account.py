"""One user: what was last known, what is read now, and the difference between the two.

IAM's reads may be stale for two minutes after a change, so a reading is overlaid with what the connector itself
wrote lately before it is compared with anything. "Gone" is never concluded from one reading (`note_absence`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.model.iam import (
    BOUNDARY_ITEM,
    PATH_ITEM,
    TAG_ITEMS,
    AccountRecord,
    Facet,
    Identity,
    Item,
    OwnWrite,
    UserState,
)
from connector.model.results import AccountChange, ChangeKind, FieldChange

FIELDS: Mapping[Facet, str] = {
    Facet.LOGIN: "loginProfile",
    Facet.ACCESS_KEYS: "accessKeys",
    Facet.SERVICE_CREDENTIALS: "serviceCredentials",
    Facet.SSH_KEYS: "sshKeys",
    Facet.SIGNING_CERTIFICATES: "signingCertificates",
    Facet.MFA_DEVICES: "mfaDevices",
    Facet.GROUPS: "groups",
    Facet.ATTACHED_POLICIES: "attachedPolicies",
    Facet.INLINE_POLICIES: "inlinePolicies",
}
"""What each facet is called in a change, and in the AccountState that it changes."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Who changed a user, and by what the connector knows."""

    origin: str
    """IDHUB or FOREIGN."""
    occurred_at: datetime
    actor: str | None = None
    request_id: str | None = None
    event_ids: tuple[str, ...] = ()


def within(moment: datetime | None, now: datetime, window: timedelta) -> bool:
    """Whether a moment lies less than the window ago."""
    return moment is not None and now - moment < window


def overlay(told: UserState, writes: Iterable[OwnWrite], now: datetime, window: timedelta) -> UserState:
    """The reading with our own younger writes put over it, oldest first; facets that were not read stay unread."""
    items, identity = dict(told.items), told.identity
    for write in writes:
        if not within(write.at, now, window):
            continue
        if write.facet in items:
            items[write.facet] = _write(items[write.facet], write)
        elif write.facet is Facet.IDENTITY and identity is not None:
            identity = write_identity(identity, write)
    if identity is told.identity and items == told.items:
        return told
    return replace(told, identity=identity, items=items)


def write_identity(identity: Identity, write: OwnWrite) -> Identity:
    """The identity with one of its parts written."""
    name, value = write.item.id, write.item.detail
    if name == PATH_ITEM:
        return identity if value is None else _moved(identity, value)
    if name == BOUNDARY_ITEM:
        return replace(identity, boundary=value if write.present else None)
    key = name.removeprefix(TAG_ITEMS)
    if write.present and identity.tags.get(key) == value:
        return identity
    tags = {one: told for one, told in identity.tags.items() if one.casefold() != key.casefold()}
    if write.present:
        tags[key] = value or ""
    return replace(identity, tags=tags)


def _moved(identity: Identity, path: str) -> Identity:
    arn = identity.arn.partition(":user/")[0]
    return replace(identity, path=path, arn=f"{arn}:user{path}{identity.user_name}")


def own_writes_of(last: AccountRecord | None, identity: Identity | None) -> tuple[OwnWrite, ...]:
    """Our own writes to this very user; those to a former user of its name say nothing of it."""
    if last is None or identity is None or last.identity is None or last.identity.user_id != identity.user_id:
        return ()
    return last.own_writes


def _write(items: tuple[Item, ...], write: OwnWrite) -> tuple[Item, ...]:
    others = tuple(item for item in items if item.key != write.item.key)
    if not write.present:
        return others
    return items if write.item in items else (*others, write.item)


def is_gone(last: AccountRecord | None, identity: Identity | None, now: datetime, window: timedelta) -> bool:
    """Whether a reading shows a user that is not there any more, because it is older than what is known.

    That is the very UserId that was deleted just now, or one that had the name before the user that has it now: IAM's
    CreateDate, in whole seconds, tells them apart.
    """
    if identity is None or last is None or last.identity is None:
        return False
    if last.identity.user_id == identity.user_id:
        return last.deleted and within(last.deleted_at, now, window)
    then, since = identity.created_at, last.identity.created_at
    return then is not None and since is not None and then <= since and within(last.changed_at, now, window)


def merge_reading(
    last: AccountRecord | None,
    aws_account_id: str,
    state: UserState,
    at: datetime,
    writes: tuple[OwnWrite, ...] = (),
    *,
    window: timedelta,
) -> AccountRecord:
    """The record after a reading (already overlaid) and our own writes since; what was not read is carried over.

    A user of another UserId is another user: nothing of the old one is carried over. A reading that contradicts what
    is known may be out of the past as long as the window is open, and is looked at again.
    """
    identity = state.identity
    if identity is None:
        raise ValueError("an absent user is no reading to merge; see note_absence and to_deleted")
    same = last if last is not None and _same_user(last, identity) else None
    items = dict(same.items) if same else {}
    observed = dict(same.observed_at) if same else {}
    items.update(state.items)
    observed.update(dict.fromkeys((Facet.IDENTITY, *state.items), at))
    for write in writes:
        if write.facet in items:
            items[write.facet] = _write(items[write.facet], write)
            observed[write.facet] = write.at
        elif write.facet is Facet.IDENTITY:
            identity = write_identity(identity, write)
    kept = {(w.facet, w.item.key): w for w in (*(same.own_writes if same else ()), *writes) if within(w.at, at, window)}
    return AccountRecord(
        aws_account_id=aws_account_id,
        user_name=identity.user_name,
        identity=identity,
        items=items,
        observed_at=observed,
        changed_at=max((w.at for w in writes), default=last.changed_at if last is not None else None),
        own_writes=tuple(kept.values()),
        look_again_at=_next_look(same, state, at, window) if same is not None else None,
    )


def _next_look(last: AccountRecord, state: UserState, at: datetime, window: timedelta) -> datetime | None:
    """When to look again: at a moment still to come that was set before, or when a doubtful reading has had its time."""
    pending = last.look_again_at if last.absent_since is None else None
    pending = pending if pending is not None and pending > at else None
    doubt = at + window if _contradicts(last, state, at, window) else None
    return min(filter(None, (pending, doubt)), default=None)


def _contradicts(last: AccountRecord, state: UserState, at: datetime, window: timedelta) -> bool:
    """Whether a reading within the window differs from what is known in a way that no write of ours explains."""
    return within(last.changed_at, at, window) and any(
        {item.key for item in items} != {item.key for item in last.items[facet]}
        for facet, items in state.items.items()
        if facet in last.items
    )


def _same_user(last: AccountRecord, identity: Identity) -> bool:
    return not last.deleted and last.identity is not None and last.identity.user_id == identity.user_id


def to_deleted(last: AccountRecord, at: datetime) -> AccountRecord:
    """The record of a user that is gone: the identity is kept, so that its id stays known."""
    return AccountRecord(
        aws_account_id=last.aws_account_id,
        user_name=last.user_name,
        identity=last.identity,
        observed_at={Facet.IDENTITY: at},
        deleted=True,
        deleted_at=at,
        changed_at=at,
    )


def note_absence(last: AccountRecord, at: datetime, window: timedelta) -> AccountRecord:
    """After a NoSuchEntity that no deletion of ours explains: gone when a second one, a window later, agrees."""
    if last.deleted:
        return last
    if last.absent_since is None:
        return replace(last, absent_since=at, look_again_at=at + window)
    if within(last.absent_since, at, window):
        return last
    return to_deleted(last, at)


def fill_unknown(last: AccountRecord | None, read: AccountRecord) -> AccountRecord | None:
    """What was last known, with the facets that were unknown taken from a reading: seeing is no changing."""
    if last is None or read.identity is None or not _same_user(last, read.identity):
        return last
    return replace(last, items={**read.items, **last.items})


def diff_account(last: AccountRecord | None, now: AccountRecord) -> tuple[FieldChange, ...]:
    """Every difference that is known for certain: a facet unknown before is none, unless the user itself is new.

    When a password was last used is no change of the account.
    """
    before = _identity_fields(last)
    after = _identity_fields(now)
    changes = [
        FieldChange(name, before.get(name), after.get(name))
        for name in (*after, *(name for name in before if name not in after))
        if before.get(name) != after.get(name)
    ]
    known = last.items if last is not None and not last.deleted else {}
    same = last is not None and now.identity is not None and _same_user(last, now.identity)
    for facet, name in FIELDS.items():
        if now.deleted or (facet in now.items and (facet in known or not same)):
            changes.extend(_item_changes(name, known.get(facet, ()), now.items.get(facet, ())))
    return tuple(changes)


def _identity_fields(record: AccountRecord | None) -> dict[str, str | None]:
    if record is None or record.deleted or record.identity is None:
        return {}
    identity = record.identity
    return {
        "userName": identity.user_name,
        "userId": identity.user_id,
        "arn": identity.arn,
        "path": identity.path,
        "boundary": identity.boundary,
        **{f"tags/{key}": value for key, value in sorted(identity.tags.items())},
    }


def _item_changes(name: str, before: tuple[Item, ...], after: tuple[Item, ...]) -> list[FieldChange]:
    old = {item.key: item for item in before}
    new = {item.key: item for item in after}
    changes = [FieldChange(name, item.id, None) for key, item in old.items() if key not in new]
    for key, item in new.items():
        was = old.get(key)
        if was is None:
            changes.append(FieldChange(name, None, item.id))
        elif was.status != item.status:
            changes.append(FieldChange(f"{name}/{item.id}", was.status, item.status))
        elif (
            name == FIELDS[Facet.INLINE_POLICIES]
            and None not in (was.detail, item.detail)
            and was.detail != item.detail
        ):
            changes.append(FieldChange(f"{name}/{item.id}", was.detail, item.detail))
    return changes


def to_change(
    last: AccountRecord | None,
    now: AccountRecord,
    fields: tuple[FieldChange, ...],
    cause: Cause,
    *,
    created: bool = False,
    renamed: bool = False,
) -> AccountChange | None:
    """The change to publish; None where nothing differs and the user is no stranger.

    `created`: the connector itself created the user, so that it is not merely seen for the first time.
    `renamed`: the same of a name that the connector gave to a user.
    """
    kind = _kind(last, now, fields, created=created)
    if renamed and kind in {ChangeKind.DISCOVERED, ChangeKind.CREATED}:
        kind = ChangeKind.RENAMED
    if kind is None:
        return None
    return AccountChange(
        kind=kind,
        aws_account_id=now.aws_account_id,
        user_name=now.user_name,
        user_id=now.identity.user_id if now.identity is not None else None,
        fields=fields,
        origin=cause.origin,
        actor=cause.actor,
        request_id=cause.request_id,
        event_ids=cause.event_ids,
        occurred_at=cause.occurred_at,
        before=last,
        after=now,
    )


def _kind(
    last: AccountRecord | None, now: AccountRecord, fields: tuple[FieldChange, ...], *, created: bool
) -> ChangeKind | None:
    if now.deleted:
        return None if last is not None and last.deleted else ChangeKind.DELETED
    if last is None:
        return ChangeKind.CREATED if created else ChangeKind.DISCOVERED
    if now.identity is not None and not _same_user(last, now.identity):
        return ChangeKind.CREATED
    return ChangeKind.UPDATED if fields else None


def says_more(last: AccountRecord | None, now: AccountRecord) -> bool:
    """Whether a record is worth publishing: it differs in more than the time of its readings."""
    return last is None or replace(now, observed_at={}) != replace(last, observed_at={})
