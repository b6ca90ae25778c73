"""Names and ARNs of IAM: what they may look like, and how the things of one account are named.

Sources: IAM user guide, "IAM and AWS STS quotas"; the patterns of botocore's IAM model (which are ASCII).
"""

import hashlib
import re
from dataclasses import dataclass

DENY_POLICY = "idhub-deny-all"
"""The inline policy that shuts a user out while it is being taken apart."""
DENY_DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
DENY_MANAGED = "AWSDenyAll"
"""AWS's own policy of the same effect, for users whose inline quota is full."""

OWN_TAGS = "idhub:"
"""Tags with this beginning belong to the connector."""
REQUEST_ID_TAG = "idhub:request-id"
"""Tells which request created a user: IAM has no client token for CreateUser."""

_USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/", re.ASCII)
_POLICY = re.compile(r"(?:[\x21-\x2e\x30-\x7f]+/)*[\w+=,.@-]{1,128}", re.ASCII)
_ARN = re.compile(r"arn:(aws[a-z-]*):(iam|sts)::(\d{12}|aws):([a-z-]+)/(.+)", re.ASCII)
_TAG_VALUE = re.compile(r"[\w .:/=+@-]{1,256}", re.ASCII)


def is_user_name(name: str) -> bool:
    """Whether IAM would take it for a new user: 1–64 of letters, digits and `_+=,.@-`."""
    return _USER_NAME.fullmatch(name) is not None


def is_name(name: str) -> bool:
    """Whether it can name a group or a policy: 1–128 of letters, digits and `_+=,.@-`."""
    return _NAME.fullmatch(name) is not None


def is_policy_name(name: str) -> bool:
    """A policy's name with or without its path, such as `job-function/ViewOnlyAccess`."""
    return _POLICY.fullmatch(name) is not None and is_name(name.rpartition("/")[2]) and len(name) <= 512


def is_path(path: str) -> bool:
    """`/`, or up to 512 printable ASCII characters that begin and end with `/`."""
    return _PATH.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN of IAM or STS, taken apart."""

    partition: str
    service: str
    account: str
    """12 digits, or `aws` for what AWS itself owns."""
    kind: str
    """user, group, policy, assumed-role …"""
    resource: str
    """Path and name, without the slash at the beginning."""

    @property
    def name(self) -> str:
        return self.resource.rpartition("/")[2]


def to_arn(text: str) -> Arn | None:
    """The parts of an ARN of IAM or STS; None where it is none."""
    match = _ARN.fullmatch(text)
    return Arn(*match.groups()) if match else None


def aws_policy_arn(partition: str, name: str) -> str:
    """The ARN of a policy that AWS owns; `name` may begin with its path."""
    return f"arn:{partition}:iam::aws:policy/{name}"


def customer_policy_arn(partition: str, account: str, name: str) -> str:
    """The ARN of a policy of the account; `name` may begin with its path."""
    return f"arn:{partition}:iam::{account}:policy/{name}"


def user_key(aws_account_id: str, user_name: str) -> str:
    """The key of a user in every topic: IAM's names ignore case."""
    return f"{aws_account_id}/{user_name.casefold()}"


def request_tag(request_id: str) -> str:
    """The value of the request-id tag: the id itself, or its hash where a tag cannot hold it."""
    if _TAG_VALUE.fullmatch(request_id):
        return request_id
    return f"sha256:{hashlib.sha256(request_id.encode()).hexdigest()}"
