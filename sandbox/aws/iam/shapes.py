"""The shapes of parameters, from the service model iam/2010-05-08: what IAM refuses before it looks at any state.

Values come off the wire as text and from a property test as Python's types; both leave as Python's. A test holds this
table to botocore's copy of the model.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import AwsError

Params = Mapping[str, Any]

_NAME = r"[\w+=,.@-]+"
_TEXT = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
_TAG = r"[\w\s.:/=+\-@]"
"""Letters, digits and separators of any script; `\\w` and `\\s` of Python's Unicode."""

_SAY_NAME = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
_SAY_PATH = "It must begin and end with / and contain only alphanumeric characters and/or / characters."


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value must be."""

    kind: str = "text"
    """text, integer, boolean, texts (a list), tags or contexts."""
    low: int | None = None
    high: int | None = None
    """Least and greatest length, or value of an integer."""
    pattern: re.Pattern[str] | None = None
    choices: tuple[str, ...] = ()
    saying: str = ""
    """IAM's own sentence for a wrong pattern, where it has one."""
    longest: int | None = 128
    """Greatest length of a list's member."""
    secret: bool = False
    """Never repeated in a message."""


def _text(low: int, high: int | None, pattern: str | None = None, saying: str = "", *, secret: bool = False) -> Shape:
    return Shape("text", low, high, re.compile(pattern, re.ASCII) if pattern else None, (), saying, secret=secret)


def _one_of(*choices: str) -> Shape:
    return Shape(choices=choices)


_TAG_KEY = Shape("text", 1, 128, re.compile(_TAG + "+"))
_TAG_VALUE = Shape("text", 0, 256, re.compile(_TAG + "*"))

SHAPES: Mapping[str, Shape] = {
    "userName": _text(1, 64, _NAME, _SAY_NAME),
    "existingUserName": _text(1, 128, _NAME, _SAY_NAME),
    "roleName": _text(1, 64, _NAME, _SAY_NAME),
    "roleDescription": _text(0, 1000, r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"),
    "roleSessionSeconds": Shape("integer", 3600, 43200),
    "alias": _text(3, 63, r"[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]"),
    "actionNames": Shape("texts"),
    "documents": Shape("texts", longest=131072),
    "arns": Shape("texts", longest=2048),
    "resource": _text(1, 2048),
    "option": _text(1, 64),
    "contexts": Shape("contexts"),
    "organizationPolicies": Shape("contexts", high=7),
    "exclusions": Shape("texts", high=256),
    "name": _text(1, 128, _NAME, _SAY_NAME),
    "deviceName": _text(1, None, _NAME, _SAY_NAME),
    "path": _text(1, 512, r"/|/[\u0021-\u007E]+/", _SAY_PATH),
    "policyPath": _text(1, 512, r"((/[A-Za-z0-9.,+@=_-]+)*)/", _SAY_PATH),
    "pathPrefix": _text(1, 512, r"/[\u0021-\u007F]*"),
    "arn": _text(20, 2048),
    "document": _text(1, 131072, _TEXT),
    "description": _text(0, 1000),
    "versionId": _text(0, None, r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?"),
    "password": _text(1, 128, _TEXT, secret=True),
    "accessKeyId": _text(16, 128, r"\w+"),
    "publicKeyId": _text(20, 128, r"\w+"),
    "certificateId": _text(24, 128, r"\w+"),
    "credentialId": _text(20, 128, r"\w+"),
    "keyMaterial": _text(1, 16384, _TEXT),
    "serialNumber": _text(9, 256, r"[\w+=/:,.@-]+"),
    "code": _text(6, 6, r"\d+", secret=True),
    "serviceName": _text(0, None),
    "marker": _text(1, 320, r"[\u0020-\u00FF]+"),
    "status": _one_of("Active", "Inactive", "Expired"),
    "encoding": _one_of("SSH", "PEM"),
    "assignment": _one_of("Assigned", "Unassigned", "Any"),
    "scope": _one_of("All", "AWS", "Local"),
    "usage": _one_of("PermissionsPolicy", "PermissionsBoundary"),
    "entity": _one_of("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"),
    "entities": Shape("texts", choices=("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")),
    "maxItems": Shape("integer", 1, 1000),
    "sessionSeconds": Shape("integer", 3600, 7776000),
    "ageDays": Shape("integer", 1, 36600),
    "passwordLength": Shape("integer", 6, 128),
    "maxPasswordAge": Shape("integer", 1, 1095),
    "reusePrevention": Shape("integer", 1, 24),
    "boolean": Shape("boolean"),
    "tags": Shape("tags", 0, 50),
    "tagKeys": Shape("texts", 0, 50, _TAG_KEY.pattern),
}


def check(name: str, shape: Shape, value: Any) -> Any:
    """The value as a handler takes it.

    Raises:
        AwsError: ValidationError, in IAM's words.
    """
    return _CHECKS[shape.kind](name[0].lower() + name[1:], shape, value)


def missing(name: str) -> AwsError:
    """A required parameter is not there."""
    return _refused(name[0].lower() + name[1:], None, "Member must not be null")


def _check_text(name: str, shape: Shape, value: Any) -> str:
    if not isinstance(value, str):
        raise AwsError("ValidationError", f"The value for {name} is not a string.")
    if shape.choices:
        if value not in shape.choices:
            raise _refused(name, value, f"Member must satisfy enum value set: [{', '.join(shape.choices)}]")
        return value
    told = None if shape.secret else value
    if shape.high is not None and len(value) > shape.high:
        raise _refused(name, told, f"Member must have length less than or equal to {shape.high}")
    if len(value) < (shape.low or 0):
        raise _refused(name, told, f"Member must have length greater than or equal to {shape.low}")
    if shape.pattern is not None and shape.pattern.fullmatch(value) is None:
        if shape.saying:
            raise AwsError("ValidationError", f"The specified value for {name} is invalid. {shape.saying}")
        raise _refused(name, told, f"Member must satisfy regular expression pattern: {shape.pattern.pattern}")
    return value


def _check_integer(name: str, shape: Shape, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise AwsError("ValidationError", f"The value {value!r} for {name} is not a number.") from None
    if shape.high is not None and number > shape.high:
        raise _refused(name, value, f"Member must have value less than or equal to {shape.high}")
    if shape.low is not None and number < shape.low:
        raise _refused(name, value, f"Member must have value greater than or equal to {shape.low}")
    return number


_BOOLEANS = {True: True, False: False, "true": True, "false": False}


def _check_boolean(name: str, _shape: Shape, value: Any) -> bool:
    if value not in _BOOLEANS:
        raise AwsError("ValidationError", f"The value {value!r} for {name} is not a boolean.")
    return _BOOLEANS[value]


def _check_texts(name: str, shape: Shape, value: Any) -> list[str]:
    texts = _listed(name, shape, value)
    member = Shape("text", None if shape.choices else 1, shape.longest, shape.pattern, shape.choices)
    return [_check_text(f"{name}.{n}.member", member, text) for n, text in enumerate(texts, 1)]


def _check_tags(name: str, shape: Shape, value: Any) -> list[dict[str, str]]:
    tags = _listed(name, shape, value)
    checked = []
    for n, tag in enumerate(tags, 1):
        at = f"{name}.{n}.member"
        if not isinstance(tag, Mapping) or "Key" not in tag:
            raise _refused(f"{at}.key", None, "Member must not be null")
        if "Value" not in tag:
            raise _refused(f"{at}.value", None, "Member must not be null")
        checked.append(
            {
                "Key": _check_text(f"{at}.key", _TAG_KEY, tag["Key"]),
                "Value": _check_text(f"{at}.value", _TAG_VALUE, tag["Value"]),
            }
        )
    return checked


def _check_contexts(name: str, shape: Shape, value: Any) -> list[dict[str, Any]]:
    checked = []
    for n, entry in enumerate(_listed(name, shape, value), 1):
        key = entry.get("ContextKeyName") if isinstance(entry, Mapping) else None
        if not isinstance(key, str):
            raise _refused(f"{name}.{n}.member.contextKeyName", None, "Member must not be null")
        values = entry.get("ContextKeyValues", [])
        checked.append({"ContextKeyName": key, "ContextKeyValues": [values] if isinstance(values, str) else values})
    return checked


def _listed(name: str, shape: Shape, value: Any) -> list[Any]:
    if value == "":  # botocore's way to send an empty list
        return []
    if not isinstance(value, (list, tuple)):
        raise AwsError("ValidationError", f"The value for {name} is not a list.")
    if shape.high is not None and len(value) > shape.high:
        raise _refused(name, f"[{len(value)} items]", f"Member must have length less than or equal to {shape.high}")
    return list(value)


def _refused(name: str, value: object, constraint: str) -> AwsError:
    told = "null" if value is None else f"'{value}'"
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value {told} at '{name}' failed to satisfy constraint: {constraint}",
    )


_CHECKS: Mapping[str, Callable[[str, Shape, Any], Any]] = {
    "text": _check_text,
    "integer": _check_integer,
    "boolean": _check_boolean,
    "texts": _check_texts,
    "tags": _check_tags,
    "contexts": _check_contexts,
}
