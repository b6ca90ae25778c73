"""IDHub's attributes as IAM can hold them: in tags.

IAM knows nothing of a department or a surname, so tags carry them (IAM user guide, "Rules for tagging in IAM and
AWS STS"). What does not fit is refused with every reason at once: nothing is cut, nothing is replaced.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connector.errors import RequestRefused
from connector.model.requests import AttributeValue, CreateAccount, UpdateAccount

from .names import OWN_TAGS, REQUEST_ID_TAG, is_path, request_tag
from .rules import Rules
from .schema import Checked, check_attributes

MAX_TAGS = 50
MAX_KEY = 128
MAX_VALUE = 256

_SIGNS = frozenset("_.:/=+-@")

NOT_TAGS = frozenset({"path", "userName", "arn"})
"""Attributes that IAM has a place of its own for."""


@dataclass(frozen=True, slots=True)
class UserAttributes:
    """What IAM is to hold of a request's attributes and tags, and why it could not."""

    path: str | None
    """None: as it is."""
    tags: Mapping[str, str]
    cleared: tuple[str, ...]
    """Keys of tags that are to go."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def to_user_attributes(
    body: CreateAccount | UpdateAccount, user_name: str, rules: Rules, *, request_id: str | None = None
) -> UserAttributes:
    """Attributes and tags of a request as a path and tags; those of a creation (`request_id`) with the connector's own.

    Raises:
        RequestRefused: RESERVED_TAG, when the request asks for a tag that belongs to the connector.
    """
    creating = isinstance(body, CreateAccount)
    checked = Checked(body.attributes)
    if rules.account_schema is not None:
        checked = check_attributes(rules.account_schema, body.attributes, creating=creating)
    problems = list(checked.problems)
    tags, cleared = _split(checked.attributes, problems)
    for name, value in body.tags.items():
        if name in tags:
            problems.append(f"{name}: given as an attribute and as a tag; leave one out")
        tags[name] = value
    remove = body.remove_tags if isinstance(body, UpdateAccount) else ()
    problems += [f"{name}: to be set and to be removed; leave one out" for name in remove if name in tags]
    cleared += [name for name in remove if name not in cleared]
    _refuse_reserved((*tags, *cleared))
    path = _to_path(checked.attributes, rules, problems, creating=creating)
    names = {user_name.casefold()}
    if isinstance(body, UpdateAccount) and body.new_user_name is not None:
        names.add(body.new_user_name.casefold())
    wanted = checked.attributes.get("userName")
    if wanted is not None and (not isinstance(wanted, str) or wanted.casefold() not in names):
        problems.append(f"userName: {wanted!r} differs from the request's userName {user_name!r}")
    problems.extend(_tag_problems(tags))
    if request_id is not None:
        tags[REQUEST_ID_TAG] = request_tag(request_id)
    if len(tags) > MAX_TAGS:
        problems.append(f"{len(tags)} tags with the connector's own; IAM allows {MAX_TAGS}")
    return UserAttributes(path, tags, tuple(cleared), tuple(problems), checked.notes)


def _split(attributes: Mapping[str, AttributeValue], problems: list[str]) -> tuple[dict[str, str], list[str]]:
    """Attributes that become tags, and those that are null: nothing to write where an account is made."""
    tags: dict[str, str] = {}
    cleared: list[str] = []
    for name, value in attributes.items():
        if name in NOT_TAGS:
            continue
        if value is None:
            cleared.append(name)
        elif isinstance(value, tuple):
            problems.append(f"{name}: a tag holds one value and not {len(value)}; join them into one string")
        else:
            tags[name] = value
    return tags, cleared


def _refuse_reserved(names: Iterable[str]) -> None:
    reserved = sorted(name for name in names if name.casefold().startswith(OWN_TAGS))
    if reserved:
        raise RequestRefused("RESERVED_TAG", f"{', '.join(reserved)}: tags under {OWN_TAGS} belong to the connector")


def _to_path(
    attributes: Mapping[str, AttributeValue], rules: Rules, problems: list[str], *, creating: bool
) -> str | None:
    """A path that is given; for a new user, or one whose path is cleared, the operator's own, else the root."""
    if "path" not in attributes and not creating:
        return None
    value = attributes.get("path")
    if value is None:
        return rules.path_prefix
    if not isinstance(value, str) or not is_path(value):
        problems.append(
            f"path: {value!r} is no path; it begins and ends with / and has at most 512 printable ASCII characters"
        )
    elif not value.startswith(rules.path_prefix):
        problems.append(
            f"path: {value} lies outside {rules.path_prefix}, the only place for users (IDHUB_AWS_PATH_PREFIX)"
        )
    return value if isinstance(value, str) else None


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
