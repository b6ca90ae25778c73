"""What a request asks, as one hash: a repeat has the same, anything else another.

The hash outlives versions of the schema: a field that has its default counts as not stated, so that a field which a
later version adds changes no hash. A default that landed therefore never changes (a contract test sees to it), and
the hashes stand in the ledger, so the rules here never change either.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import schemas
from .times import milliseconds

NOT_CONTENT = frozenset({"requestedAt"})
"""When a record was made, told by its producer: somebody who asks again makes the record again."""


def content_hash(name: str, fields: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over everything that a decoded record states, however it was framed and ordered."""
    stated = {field: value for field, value in fields.items() if field not in NOT_CONTENT}
    content = _canonical(stated, schemas.current(name).text)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any, schema: Any) -> Any:
    """The value as JSON, without what its schema would fill in.

    A named type that the schema only refers to is taken as it is: `ProvisioningRequest` refers to none.
    """
    match schema, value:
        case {"type": "record", "fields": members}, Mapping():
            return {m["name"]: stated for m in members if (stated := _stated(value, m)) is not _NOT_STATED}
        case {"type": "array", "items": items}, list() | tuple():
            return [_canonical(item, items) for item in value]
        case {"type": "map", "values": values}, Mapping():
            return {key: _canonical(item, values) for key, item in value.items()}
        case list(), _:
            return _canonical(value, _branch(value, schema))
        case _, datetime():
            return milliseconds(value)
        case _:
            return value


_NOT_STATED = object()


def _stated(record: Mapping[str, Any], member: Mapping[str, Any]) -> Any:
    """The canonical value of a field; _NOT_STATED where it is missing or has its default."""
    if member["name"] not in record:
        return _NOT_STATED
    value = _canonical(record[member["name"]], member["type"])
    if "default" in member and value == _canonical(member["default"], member["type"]):
        return _NOT_STATED
    return value


def _branch(value: Any, union: list[Any]) -> Any:
    """The branch of a union that says how a value is built; None for a value without parts."""
    kinds = {"record", "map"} if isinstance(value, Mapping) else {"array"} if isinstance(value, list | tuple) else set()
    return next((branch for branch in union if isinstance(branch, Mapping) and branch["type"] in kinds), None)
