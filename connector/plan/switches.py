"""Credentials that can be switched off and on again: one row for each kind, and their record in the user's own tags.

IAM remembers no former state, so DISABLE writes down what it is about to switch off where ENABLE will find it, also
when another worker, another installation or a person with the console looks for it: in tags of the user.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from connector.model.iam import Facet, Identity, Item, UserState, tag_item

from .attributes import MAX_VALUE
from .calls import Call, Effect
from .names import OWN_TAGS

ACTIVE, INACTIVE, EXPIRED = "Active", "Inactive", "Expired"

RECORD = "record"
"""Key of the step that writes the record."""
CLEAR = "record-clear"
"""Key of the step that removes it."""

RECORD_TAG = f"{OWN_TAGS}active"
"""The first tag of a record; further ones end in -2, -3 …"""
FOREIGN_DENY = "foreign-deny"
"""In a record: somebody else had attached AWS's deny before, so it stays when ours is lifted."""


@dataclass(frozen=True, slots=True)
class Switch:
    """How one kind of credential is switched."""

    facet: Facet
    prefix: str
    """Of the step key and in the record; the same that the delete plan uses."""
    action: str
    parameter: str


SWITCHES: tuple[Switch, ...] = (
    Switch(Facet.ACCESS_KEYS, "key", "UpdateAccessKey", "AccessKeyId"),
    Switch(
        Facet.SERVICE_CREDENTIALS,
        "service-credential",
        "UpdateServiceSpecificCredential",
        "ServiceSpecificCredentialId",
    ),
    Switch(Facet.SSH_KEYS, "ssh-key", "UpdateSSHPublicKey", "SSHPublicKeyId"),
    Switch(Facet.SIGNING_CERTIFICATES, "certificate", "UpdateSigningCertificate", "CertificateId"),
)
BY_FACET: Mapping[Facet, Switch] = {row.facet: row for row in SWITCHES}
BY_PREFIX: Mapping[str, Switch] = {row.prefix: row for row in SWITCHES}


def switch_key(row: Switch, item_id: str) -> str:
    return f"{row.prefix}:{item_id}"


def switch_call(row: Switch, item: Item, user_name: str, status: str) -> Call:
    """The credential switched to a status; IAM takes it also when it has that status already."""
    return Call(
        row.action,
        {"UserName": user_name, row.parameter: item.id, "Status": status},
        item.id,
        (Effect(row.facet, replace(item, status=status), present=True),),
    )


def active_items(state: UserState) -> tuple[Item, ...]:
    """What is active now, each with its facet as `detail`, so that it can be found again."""
    return tuple(
        Item(item.id, ACTIVE, row.facet.value)
        for row in SWITCHES
        for item in state.items.get(row.facet, ())
        if item.status == ACTIVE
    )


# -- the record ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """What was active when the user was disabled."""

    items: tuple[Item, ...]
    """With their facet as `detail`."""
    foreign_deny: bool = False

    def to_items(self) -> tuple[Item, ...]:
        """The record as an intent keeps it."""
        return (*self.items, Item(FOREIGN_DENY)) if self.foreign_deny else self.items

    @classmethod
    def of(cls, items: Iterable[Item]) -> "Record":
        """The other way."""
        kept = tuple(items)
        return cls(
            tuple(item for item in kept if item.id != FOREIGN_DENY), any(item.id == FOREIGN_DENY for item in kept)
        )

    def says(self, other: "Record") -> bool:
        """Whether both say the same, in whatever order."""
        mine, others = ({item.key for item in one.to_items()} for one in (self, other))
        return mine == others


def to_tags(record: Record) -> dict[str, str]:
    """The record as tags; the first one tells how many there are, so that left-overs of a longer one do no harm."""
    words = [f"{BY_FACET[Facet(item.detail or '')].prefix}:{item.id}" for item in record.items]
    if record.foreign_deny:
        words.append(FOREIGN_DENY)
    lines = [""]
    # Room for the count in front.
    room = MAX_VALUE - 3
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    lines[0] = f"{len(lines)} {lines[0]}".strip()
    return {RECORD_TAG if number == 1 else f"{RECORD_TAG}-{number}": line for number, line in enumerate(lines, 1)}


def to_record(tags: Mapping[str, str]) -> Record | None:
    """The record that a user's tags hold; None where there is none, or no whole one."""
    count, _, first = tags.get(RECORD_TAG, "").partition(" ")
    if not (count.isascii() and count.isdigit()):
        return None
    rest = [tags.get(f"{RECORD_TAG}-{number}") for number in range(2, int(count) + 1)]
    if None in rest:
        return None
    words = " ".join([first, *(one for one in rest if one is not None)]).split()
    items = []
    for word in words:
        prefix, _, item_id = word.partition(":")
        row = BY_PREFIX.get(prefix)
        if row is not None and item_id:
            items.append(Item(item_id, ACTIVE, row.facet.value))
    return Record(tuple(items), FOREIGN_DENY in words)


def record_tags(identity: Identity) -> tuple[str, ...]:
    """The keys of every tag that belongs, or belonged, to a record."""
    return tuple(key for key in identity.tags if key == RECORD_TAG or key.startswith(f"{RECORD_TAG}-"))


def tag_call(user_name: str, tags: Mapping[str, str], target: str = "") -> Call:
    """Set tags; IAM keeps the others."""
    return Call(
        "TagUser",
        {"UserName": user_name, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]},
        target,
        tuple(Effect(Facet.IDENTITY, tag_item(key, value), present=True) for key, value in tags.items()),
    )


def untag_call(user_name: str, keys: Iterable[str], target: str = "") -> Call:
    """Remove tags; IAM takes it also for those that are not there."""
    names = list(keys)
    return Call(
        "UntagUser",
        {"UserName": user_name, "TagKeys": names},
        target,
        tuple(Effect(Facet.IDENTITY, tag_item(key), present=False) for key in names),
    )
