"""IDHub's attributes as IAM can hold them: in tags.

IAM knows nothing of a department or a surname, so tags carry them (IAM user guide, "Rules for tagging in IAM and
AWS STS"). What does not fit is refused with every reason at once: nothing is cut, nothing is replaced.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from connector.errors import RequestRefused
from connector.model.requests import AttributeValue, CreateAccount

from .names import OWN_TAGS, REQUEST_ID_TAG, is_path, request_tag

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256

_SIGNS = frozenset("_.:/=+-@")

NOT_TAGS = frozenset({"path", "userName", "arn"})
"""Attributes that IAM has a place of its own for."""


@dataclass(frozen=True, slots=True)
class UserAttributes:
    """What CreateUser takes of a request, and why it would not."""

    path: str
    tags: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


def to_user_attributes(body: CreateAccount, user_name: str, request_id: str) -> UserAttributes:
    """Attributes and tags of a request as a path and tags, ours included.

    Raises:
        RequestRefused: RESERVED_TAG, when the request asks for a tag that belongs to the connector.
    """
    problems: list[str] = []
    tags: dict[str, str] = {}
    for name, value in body.attributes.items():
        if name in NOT_TAGS or value is None:
            continue
        if isinstance(value, tuple):
            problems.append(f"{name}: a tag holds one value and not {len(value)}; join them into one string")
            continue
        tags[name] = value
    for name, value in body.tags.items():
        if name in tags:
            problems.append(f"{name}: given as an attribute and as a tag; leave one out")
        tags[name] = value
    _refuse_reserved(tags)
    path = _to_path(body.attributes.get("path"), problems)
    wanted = body.attributes.get("userName")
    if wanted is not None and (not isinstance(wanted, str) or wanted.casefold() != user_name.casefold()):
        problems.append(f"userName: {wanted!r} differs from the request's userName {user_name!r}")
    problems.extend(_tag_problems(tags))
    tags[REQUEST_ID_TAG] = request_tag(request_id)
    if len(tags) > MAX_TAGS:
        problems.append(f"{len(tags)} tags with the connector's own; IAM allows {MAX_TAGS}")
    return UserAttributes(path, tuple(tags.items()), tuple(problems))


def _refuse_reserved(tags: Mapping[str, str]) -> None:
    reserved = sorted(name for name in tags if name.casefold().startswith(OWN_TAGS))
    if reserved:
        raise RequestRefused("RESERVED_TAG", f"{', '.join(reserved)}: tags under {OWN_TAGS} belong to the connector")


def _to_path(value: AttributeValue, problems: list[str]) -> str:
    if value is None:
        return "/"
    if isinstance(value, str) and is_path(value):
        return value
    problems.append(
        f"path: {value!r} is no path; it begins and ends with / and has at most 512 printable ASCII characters"
    )
    return "/"


def _tag_problems(tags: Mapping[str, str]) -> list[str]:
    problems: list[str] = []
    seen: dict[str, str] = {}
    for key, value in tags.items():
        if not 1 <= len(key) <= MAX_KEY:
            problems.append(f"{key!r}: a tag's key has 1 to {MAX_KEY} characters and not {len(key)}")
        if len(value) > MAX_VALUE:
            problems.append(f"{key}: {len(value)} characters; a tag's value has at most {MAX_VALUE}")
        if strange := _strange(key):
            problems.append(f"{key!r}: {strange} cannot stand in a tag's key")
        if strange := _strange(value):
            problems.append(f"{key}: {strange} cannot stand in a tag's value")
        if key.casefold().startswith("aws:"):
            problems.append(f"{key}: tags under aws: belong to AWS")
        if other := seen.get(key.casefold()):
            problems.append(f"{key}: differs from {other} only by case, which IAM ignores")
        seen[key.casefold()] = key
    return problems


def _strange(text: str) -> str:
    r"""The characters of a text that IAM's tags cannot hold (its pattern is `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`)."""
    found = {c for c in text if c not in _SIGNS and unicodedata.category(c)[0] not in "LZN"}
    return " ".join(sorted(repr(c) for c in found))


def to_attributes(tags: Mapping[str, str]) -> dict[str, str]:
    """The other way: the attributes that a user's tags hold; the connector's own tags are none."""
    return {key: value for key, value in tags.items() if not key.casefold().startswith(OWN_TAGS)}
