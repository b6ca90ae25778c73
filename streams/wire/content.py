"""What a request asks, as one hash: a repeat has the same, anything else another.

The hash outlives versions of the schema: a field that has its default counts as not stated, so that a field which a
later version adds changes no hash. A default that landed therefore never changes (a contract test sees to it), and
the hashes stand in the ledger, so the rules here never change either.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from . import schemas
from .times import milliseconds

NOT_CONTENT = frozenset({"requestedAt"})
"""When a record was made, told by its producer: somebody who asks again makes the record again."""

Canon = Callable[[Any], Any]
"""A value as JSON, without what its schema would fill in."""

_NOT_STATED = object()
_compiled: dict[tuple[str, bytes], Canon] = {}


def content_hash(name: str, fields: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over everything that a decoded record states, however it was framed and ordered."""
    schema = schemas.current(name)
    canon = _compiled.get((name, schema.fingerprint))
    if canon is None:
        canon = _compiled[name, schema.fingerprint] = _record(schema.text, NOT_CONTENT)
    text = json.dumps(canon(fields), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _compile(schema: Any) -> Canon:
    """One function for each part of the schema, made once: this runs for every request.

    A named type that the schema only refers to is taken as it is: `ProvisioningRequest` refers to none.
    """
    match schema:
        case list():
            return _union(schema)
        case {"type": "record"}:
            return _record(schema)
        case {"type": "array", "items": items}:
            item = _compile(items)
            return lambda value: [item(one) for one in value]
        case {"type": "map", "values": values}:
            inner = _compile(values)
            return lambda value: {key: inner(one) for key, one in value.items()}
        case {"logicalType": "timestamp-millis"}:
            return lambda value: milliseconds(value) if isinstance(value, datetime) else value
        case _:
            return lambda value: value


def _record(schema: Any, left_out: frozenset[str] = frozenset()) -> Canon:
    members = []
    for member in schema["fields"]:
        if member["name"] not in left_out:
            canon = _compile(member["type"])
            default = canon(member["default"]) if "default" in member else _NOT_STATED
            members.append((member["name"], canon, default))

    def to_stated(record: Mapping[str, Any]) -> dict[str, Any]:
        stated = {}
        for name, canon, default in members:
            value = record.get(name, _NOT_STATED)
            if value is not _NOT_STATED and (value := canon(value)) != default:
                stated[name] = value
        return stated

    return to_stated


def _union(branches: list[Any]) -> Canon:
    """By the kind of the value: no union of ours has two records, arrays or maps, or a record and a map."""
    mapping = next((_compile(b) for b in branches if isinstance(b, dict) and b["type"] in {"record", "map"}), None)
    array = next((_compile(b) for b in branches if isinstance(b, dict) and b["type"] == "array"), None)

    def to_canonical(value: Any) -> Any:
        if mapping is not None and isinstance(value, Mapping):
            return mapping(value)
        if array is not None and isinstance(value, list | tuple):
            return array(value)
        return milliseconds(value) if isinstance(value, datetime) else value

    return to_canonical
