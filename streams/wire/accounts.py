"""AccountState records ↔ the model. A facet that was never read is null, an empty one is an empty array."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.drift.account import FIELDS
from connector.drift.enabled import is_enabled
from connector.model.iam import AccountRecord, Facet, Identity, Item, OwnWrite
from connector.plan.names import DENY_MANAGED, DENY_POLICY

NAME = "AccountState"


def from_items(items: Sequence[Item]) -> list[dict[str, Any]]:
    return [{"id": item.id, "status": item.status, "detail": item.detail} for item in items]


def to_items(values: Sequence[Mapping[str, Any]]) -> tuple[Item, ...]:
    return tuple(Item(value["id"], value["status"], value["detail"]) for value in values)


def from_record(record: AccountRecord) -> dict[str, Any]:
    """The fields of an AccountState (and of an AccountSnapshot in a change)."""
    identity = record.identity
    fields: dict[str, Any] = {
        "awsAccountId": record.aws_account_id,
        "userName": record.user_name,
        "userId": identity.user_id if identity else None,
        "arn": identity.arn if identity else None,
        "path": identity.path if identity else None,
        "createdAt": identity.created_at if identity else None,
        "tags": dict(identity.tags) if identity else {},
        "boundary": identity.boundary if identity else None,
        "passwordLastUsed": identity.password_last_used if identity else None,
        "enabled": _enabled(record),
        "observedAt": {facet.value: at for facet, at in record.observed_at.items()},
        "deleted": record.deleted,
        "deletedAt": record.deleted_at,
        "renamedTo": record.renamed_to,
        "changedAt": record.changed_at,
        "ownWrites": [
            {
                "facet": write.facet.value,
                "item": from_items((write.item,))[0],
                "present": write.present,
                "at": write.at,
            }
            for write in record.own_writes
        ],
        "absentSince": record.absent_since,
        "lookAgainAt": record.look_again_at,
    }
    for facet, name in FIELDS.items():
        # The branch of the union is named: fastavro would find it by validating the whole value, three times as slow.
        fields[name] = ("array", from_items(record.items[facet])) if facet in record.items else None
    return fields


def _enabled(record: AccountRecord) -> bool | None:
    """False also for a user that is gone."""
    return False if record.deleted else is_enabled(record.items, deny_policy=DENY_POLICY, deny_managed=DENY_MANAGED)


def to_record(fields: Mapping[str, Any]) -> AccountRecord:
    """What a decoded AccountState says."""
    return AccountRecord(
        aws_account_id=fields["awsAccountId"],
        user_name=fields["userName"],
        identity=_identity(fields),
        items={facet: to_items(fields[name]) for facet, name in FIELDS.items() if fields[name] is not None},
        observed_at={Facet(name): at for name, at in fields["observedAt"].items() if name in Facet.__members__},
        deleted=fields["deleted"],
        deleted_at=fields["deletedAt"],
        renamed_to=fields["renamedTo"],
        changed_at=fields["changedAt"],
        own_writes=tuple(
            OwnWrite(Facet(write["facet"]), to_items((write["item"],))[0], write["present"], write["at"])
            for write in fields["ownWrites"]
            if write["facet"] in Facet.__members__
        ),
        absent_since=fields["absentSince"],
        look_again_at=fields["lookAgainAt"],
    )


def _identity(fields: Mapping[str, Any]) -> Identity | None:
    user_id = fields["userId"]
    if user_id is None:
        return None
    return Identity(
        user_name=fields["userName"],
        user_id=user_id,
        arn=fields["arn"] or "",
        path=fields["path"] or "/",
        created_at=fields["createdAt"],
        tags=dict(fields["tags"]),
        boundary=fields["boundary"],
        password_last_used=fields["passwordLastUsed"],
    )
