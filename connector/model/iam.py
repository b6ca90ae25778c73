"""What IAM looks like: a user as facets, each read and compared on its own.

Facets are uniform on purpose: a facet is a set of items, each with an id and sometimes a status. So the
delete plan, the comparison and the overlay of our own writes are loops over one table and not ten branches.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Facet(StrEnum):
    """The parts of a user that are read separately (the IAM calls stand in `connector.aws.reads`)."""

    IDENTITY = "IDENTITY"
    """GetUser: name, id, ARN, path, tags, permissions boundary, password last used."""
    LOGIN = "LOGIN"
    """The login profile: no item, or one with the id `password`."""
    ACCESS_KEYS = "ACCESS_KEYS"
    SERVICE_CREDENTIALS = "SERVICE_CREDENTIALS"
    SSH_KEYS = "SSH_KEYS"
    SIGNING_CERTIFICATES = "SIGNING_CERTIFICATES"
    MFA_DEVICES = "MFA_DEVICES"
    GROUPS = "GROUPS"
    ATTACHED_POLICIES = "ATTACHED_POLICIES"
    INLINE_POLICIES = "INLINE_POLICIES"


PASSWORD_ITEM = "password"  # noqa: S105 - the id of the one item that the LOGIN facet can have


@dataclass(frozen=True, slots=True)
class Item:
    """One child of a user.

    `id` is the group's name, the policy's ARN, the inline policy's name, the key's id, the serial number.
    """

    id: str
    status: str | None = None
    """Active, Inactive or Expired, where IAM has one."""
    detail: str | None = None
    """The service of a service-specific credential, the name of an attached policy."""

    @property
    def key(self) -> str:
        """What makes two readings the same item: IAM's names ignore case."""
        return self.id.casefold()


@dataclass(frozen=True, slots=True)
class Identity:
    """What GetUser tells."""

    user_name: str
    user_id: str
    """AIDA…: survives a rename, differs after a re-creation under the same name."""
    arn: str
    path: str
    created_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str | None = None
    """The ARN of the permissions boundary."""
    password_last_used: datetime | None = None


PATH_ITEM, BOUNDARY_ITEM = "path", "boundary"
TAG_ITEMS = "tags/"
"""What a part of the identity is called where it has to be an item: in the connector's own writes."""


def tag_item(key: str, value: str | None = None) -> Item:
    """A tag as an item of the identity."""
    return Item(f"{TAG_ITEMS}{key}", detail=value)


Items = Mapping[Facet, tuple[Item, ...]]
"""The items of the facets that were read; a facet that is missing is unknown, an empty one is empty."""


@dataclass(frozen=True, slots=True)
class UserState:
    """One reading of a user. `identity` None: GetUser answered NoSuchEntity."""

    identity: Identity | None
    items: Items = field(default_factory=dict)

    def has(self, facet: Facet, item_id: str) -> bool:
        """Whether the item is there; False also where the facet was not read."""
        wanted = item_id.casefold()
        return any(item.key == wanted for item in self.items.get(facet, ()))


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """A change that the connector made: stale reads are overlaid with it for two minutes.

    Of the IDENTITY the item is a part: `path`, `boundary` or `tags/<key>`, with the value as its detail.
    """

    facet: Facet
    item: Item
    present: bool
    """True: added or changed, False: removed."""
    at: datetime


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """What the connector last knew of a user: the value of the accounts topic."""

    aws_account_id: str
    user_name: str
    identity: Identity | None
    """The last identity seen; kept when the user is deleted, so that its id stays known."""
    items: Items = field(default_factory=dict)
    observed_at: Mapping[Facet, datetime] = field(default_factory=dict)
    """When each facet was last read, or written by us."""
    deleted: bool = False
    deleted_at: datetime | None = None
    renamed_to: str | None = None
    changed_at: datetime | None = None
    """The newest change of this user that is known, ours or the trail's: opens the two-minute window."""
    own_writes: tuple[OwnWrite, ...] = ()
    """Ours of the last two minutes."""
    absent_since: datetime | None = None
    """A first NoSuchEntity outside any deletion of ours; gone only when a second reading agrees."""
    look_again_at: datetime | None = None
    """When the partition's owner has to look at this user again."""
