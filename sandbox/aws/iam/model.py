"""What an account holds, as values: nothing here changes once it is made, so a past state is simply kept.

Mappings are never written to after the entity is built; a change makes a new entity (`dataclasses.replace`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


@dataclass(frozen=True, slots=True)
class LoginProfile:
    """A console password."""

    created: datetime
    created_at: float
    """The same in seconds since the epoch, unrounded."""
    password: str = field(repr=False)
    """A hash of it; see passwords.py."""
    reset_required: bool = False
    max_session: int | None = None
    """MaxSigninSessionDuration in seconds."""
    previous: tuple[str, ...] = field(default=(), repr=False)
    """Hashes of earlier ones, oldest first."""
    changed: datetime | None = None
    """When the password was last set anew."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    key_id: str
    secret: str = field(repr=False)
    created: datetime
    status: str = "Active"
    rotated: datetime | None = None
    """When its status was last changed: what the credential report calls "last rotated"."""


@dataclass(frozen=True, slots=True)
class ServiceCredential:
    """For CodeCommit, Keyspaces or Bedrock."""

    credential_id: str
    service: str
    public_name: str
    """ServiceUserName, or ServiceCredentialAlias of an API key."""
    created: datetime
    status: str = "Active"
    expires: datetime | None = None
    reset_count: int = 0
    """How often its secret was generated anew; the secret itself is not kept."""


@dataclass(frozen=True, slots=True)
class SshKey:
    key_id: str
    encoding: str
    """SSH or PEM."""
    body: str
    fingerprint: str
    uploaded: datetime
    status: str = "Active"


@dataclass(frozen=True, slots=True)
class Certificate:
    certificate_id: str
    body: str
    uploaded: datetime
    status: str = "Active"


@dataclass(frozen=True, slots=True)
class VirtualDevice:
    """A virtual MFA device; lives on when it is deactivated, until it is deleted."""

    serial: str
    seed: str = field(repr=False)
    tags: Mapping[str, str] = field(default_factory=_nothing)
    user_id: str | None = None
    enabled: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    user_id: str
    name: str
    path: str
    created: datetime
    tags: Mapping[str, str] = field(default_factory=_nothing)
    boundary: str | None = None
    """ARN of the policy that is the permissions boundary."""
    login: LoginProfile | None = None
    password_last_used: datetime | None = None
    access_keys: Mapping[str, AccessKey] = field(default_factory=_nothing)
    service_credentials: Mapping[str, ServiceCredential] = field(default_factory=_nothing)
    ssh_keys: Mapping[str, SshKey] = field(default_factory=_nothing)
    certificates: Mapping[str, Certificate] = field(default_factory=_nothing)
    mfa: Mapping[str, datetime] = field(default_factory=_nothing)
    """Serial number → when it was enabled."""
    groups: frozenset[str] = frozenset()
    """Group ids: a group keeps its members when it is renamed."""
    attached: Mapping[str, str] = field(default_factory=_nothing)
    """Policy ARN → policy name."""
    inline: Mapping[str, str] = field(default_factory=_nothing)
    """Policy name → document."""


@dataclass(frozen=True, slots=True)
class Group:
    group_id: str
    name: str
    path: str
    created: datetime
    attached: Mapping[str, str] = field(default_factory=_nothing)
    inline: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Role:
    role_id: str
    name: str
    path: str
    created: datetime
    trust: str
    """The trust policy: who may assume it."""
    description: str | None = None
    max_session_s: int = 3600
    tags: Mapping[str, str] = field(default_factory=_nothing)
    boundary: str | None = None
    attached: Mapping[str, str] = field(default_factory=_nothing)
    inline: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    version_id: str
    document: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """A managed policy, ours or AWS's."""

    policy_id: str
    name: str
    path: str
    arn: str
    created: datetime
    default: str
    versions: Mapping[str, PolicyVersion]
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=_nothing)
    of_aws: bool = False
    attachable: bool = True
    last_version: int = 1
    """Version numbers are not used twice."""


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """The account's, as UpdateAccountPasswordPolicy sets it; the defaults are that call's."""

    min_length: int = 6
    symbols: bool = False
    numbers: bool = False
    uppercase: bool = False
    lowercase: bool = False
    users_may_change: bool = False
    max_age: int | None = None
    """Days."""
    reuse_prevention: int | None = None
    hard_expiry: bool | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One credential report. It shows the account as it was when it was started."""

    started: float
    """Seconds since the epoch."""
    ready: float
    content: bytes


class Document(str):
    """A policy document as it was given; on the wire IAM percent-encodes it (RFC 3986)."""

    __slots__ = ()


def with_item(items: Mapping[str, Any], key: str, item: Any) -> Mapping[str, Any]:
    """A copy with one item added or replaced."""
    return {**items, key: item}


def without_item(items: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A copy with one item left out; equal to one that never had it."""
    return {k: v for k, v in items.items() if k != key}
