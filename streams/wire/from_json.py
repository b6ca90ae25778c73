"""JSON as a person writes it → the fields of a record. Everything that is wrong is said at once, with the nearest name.

Stricter than Avro's encoder, which takes "no" for a boolean true, and knows times as ISO 8601.
"""

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from . import schemas

WORDS = {str: "a string", bool: "true or false", int: "a whole number", list: "a list", dict: "an object"}
"""What JSON has, in words."""

PLAIN: Mapping[str, type] = {"string": str, "boolean": bool, "int": int, "long": int}


def from_json(name: str, given: Any) -> dict[str, Any]:
    """The fields that `encode_record` takes.

    Raises:
        ValueError: with every problem, one sentence each.
    """
    problems: list[str] = []
    fields = _read(given, schemas.current(name).text, "", problems)
    if problems:
        raise ValueError("; ".join(problems))
    told: dict[str, Any] = fields
    return told


def _read(value: Any, schema: Any, where: str, problems: list[str]) -> Any:
    if isinstance(schema, list):
        return _read_union(value, schema, where, problems)
    match schema:
        case {"logicalType": "timestamp-millis"}:
            return _read_time(value, where, problems)
        case {"type": "record"} if isinstance(value, Mapping):
            return _read_record(value, schema, where, problems)
        case {"type": "array", "items": items} if isinstance(value, list | tuple):
            return [_read(item, items, f"{where}[{number}]", problems) for number, item in enumerate(value)]
        case {"type": "map", "values": values} if isinstance(value, Mapping):
            return {key: _read(item, values, f"{where}.{key}", problems) for key, item in value.items()}
        case {"type": "enum", "symbols": symbols}:
            if value not in symbols:
                problems.append(f"{where}: {_shown(value)} is none of {', '.join(symbols[1:])}{_near(value, symbols)}")
        case _:
            if type(value) is not PLAIN.get(schema if isinstance(schema, str) else ""):
                problems.append(f"{where or 'the request'} must be {_word(schema)}")
    return value


def _read_record(value: Mapping[str, Any], schema: Any, where: str, problems: list[str]) -> dict[str, Any]:
    inside = f"{where}." if where else ""
    known = {member["name"]: member for member in schema["fields"]}
    problems += [f"{inside}{name}: no such field{_near(name, known)}" for name in value if name not in known]
    problems += [f"{inside}{n} is missing" for n, m in known.items() if n not in value and "default" not in m]
    return {
        name: _read(value[name], member["type"], f"{inside}{name}", problems)
        for name, member in known.items()
        if name in value
    }


def _read_union(value: Any, union: list[Any], where: str, problems: list[str]) -> Any:
    """Of ours no two branches are written alike in JSON, but for a time and a number, which are one branch."""
    if value is None and "null" in union:
        return None
    branch = next((branch for branch in union if branch != "null" and _fits(value, branch)), None)
    if branch is None:
        problems.append(f"{where} must be {' or '.join(_word(branch) for branch in union)}")
        return value
    return _read(value, branch, where, problems)


def _fits(value: Any, branch: Any) -> bool:
    """Whether the JSON is of the branch's kind; what is inside is looked at later."""
    match branch:
        case {"logicalType": "timestamp-millis"}:
            return isinstance(value, str | int | datetime) and not isinstance(value, bool)
        case {"type": "record" | "map"}:
            return isinstance(value, Mapping)
        case {"type": "array"}:
            return isinstance(value, list | tuple)
        case {"type": "enum"}:
            return isinstance(value, str)
        case str():
            return type(value) is PLAIN.get(branch)
        case _:
            return False


def _read_time(value: Any, where: str, problems: list[str]) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            problems.append(f"{where}: {_shown(value)} is no time in ISO 8601, such as 2026-03-01T12:00:00Z")
            return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            problems.append(f"{where}: a time needs its zone, such as Z at its end")
    elif type(value) is not int:
        problems.append(f"{where} must be {_word({'logicalType': 'timestamp-millis'})}")
    return value


def _word(schema: Any) -> str:
    match schema:
        case "null":
            return "null"
        case str():
            return WORDS[PLAIN[schema]]
        case {"logicalType": "timestamp-millis"}:
            return "a time in ISO 8601 or in milliseconds"
        case {"type": "array"}:
            return WORDS[list]
        case _:
            return WORDS[dict]


def _near(name: Any, known: Any) -> str:
    near = difflib.get_close_matches(str(name), [str(one) for one in known], n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) and len(value) <= 64 else f"this {type(value).__name__}"
