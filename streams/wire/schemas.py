"""Finds the schemas, in a checkout (`avro/`) and in a wheel (`streams/_avro`), and parses each once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

NAMES = (
    "ProvisioningRequest",
    "Refresh",
    "ProvisioningReply",
    "AuditEvent",
    "AccountState",
    "AccountChange",
    "LedgerEntry",
)
"""Every record that this version reads or writes."""

_HERE = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Schema:
    """One version of one record's schema."""

    name: str
    text: Any
    """As it stands in its file."""
    parsed: Any
    fingerprint: bytes
    """CRC-64-AVRO of the parsing canonical form, little endian (Avro specification, single-object encoding)."""


def directory() -> Path:
    """Where the schemas are."""
    return next(place for place in (_HERE / "_avro", _HERE.parent / "avro") if place.is_dir())


def parse(name: str, text: Any) -> Schema:
    """Parse one schema and take its fingerprint."""
    number = fingerprint(to_parsing_canonical_form(text), "CRC-64-AVRO")
    return Schema(name, text, fastavro.parse_schema(text), bytes.fromhex(number))


@cache
def current(name: str) -> Schema:
    """The schema that this version writes."""
    return parse(name, json.loads((directory() / f"{name}.avsc").read_text(encoding="utf-8")))


@cache
def landed(name: str) -> tuple[Schema, ...]:
    """Every version of this schema that ever landed, oldest first."""
    files = sorted((directory() / "landed" / name).glob("*.avsc"), key=lambda path: int(path.stem))
    return tuple(parse(name, json.loads(path.read_text(encoding="utf-8"))) for path in files)


@cache
def by_fingerprint() -> dict[bytes, Schema]:
    """Writer schemas that a reader may meet: the current and all landed ones."""
    return {schema.fingerprint: schema for name in NAMES for schema in (*landed(name), current(name))}


def load_all() -> tuple[Schema, ...]:
    """Every current schema; fails where one is missing or broken."""
    return tuple(current(name) for name in NAMES)


def table() -> str:
    """The table of records in avro/README.md: what each is for, and how its bytes are known."""
    rows = ["| record | version | fingerprint | is |", "|---|---|---|---|"]
    for name in NAMES:
        for number, schema in enumerate(landed(name), 1):
            doc = schema.text["doc"].replace("<", "&lt;").replace("|", "\\|")
            rows.append(f"| {name} | {number} | `{schema.fingerprint.hex()}` | {doc} |")
    return "\n".join(rows)


def personal_fields(name: str) -> tuple[str, ...]:
    """The fields of a record that its schema marks as personal data; those inside an optional record by their path."""
    return tuple(_personal(current(name).text, ""))


def _personal(schema: Any, where: str) -> Iterator[str]:
    match schema:
        case {"type": "record", "fields": members}:
            for member in members:
                path = f"{where}.{member['name']}" if where else member["name"]
                if member.get("pii"):
                    yield path
                else:
                    yield from _personal(member["type"], path)
        case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
            yield from _personal(inner, where)
        case list():
            for branch in schema:
                yield from _personal(branch, where)
        case _:
            pass
