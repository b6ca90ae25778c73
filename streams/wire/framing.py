"""Framing: how the writer's schema is named before the body. Both kinds are read, each is written where asked for.

Single-object encoding (Avro 1.12 specification): C3 01, eight bytes of CRC-64-AVRO fingerprint, the body.
Confluent's wire format (Schema Registry documentation, "Wire format"): 00, four bytes of schema id, the body.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro
from fastavro.validation import ValidationError, validate

from . import schemas
from .errors import Undecodable, UnknownSchema

MARKER = b"\xc3\x01"
CONFLUENT_MAGIC = b"\x00"
MAX_SCHEMA_ID = 2**31 - 1
"""A registry counts from 1, and Java's clients read the four bytes as a signed number."""
_HEAD = len(MARKER) + 8

SchemaById = Callable[[int], schemas.Schema]
"""Finds the writer's schema of a Confluent-framed record; raises SchemaNotCached where it has to be fetched first."""


def encode_record(name: str, fields: dict[str, Any], schema_id: int | None = None) -> bytes:
    """One record, framed. Fields that have a default may be missing; a field that the schema has not is an error.

    `schema_id`: the registry's, for Confluent's wire format; None: single-object encoding.

    Raises:
        ValueError: the fields do not fit the schema; says which, and not what stands in them.
    """
    schema = schemas.current(name)
    out = BytesIO()
    if schema_id is None:
        out.write(MARKER)
        out.write(schema.fingerprint)
    else:
        out.write(CONFLUENT_MAGIC)
        out.write(schema_id.to_bytes(4, "big"))
    try:
        fastavro.schemaless_writer(out, schema.parsed, fields, strict_allow_default=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        # fastavro's own text quotes the value, a person's or a secret, and ours goes into logs.
        raise ValueError(f"not a {name}: {_misfit(schema, fields)}") from None
    return out.getvalue()


def _misfit(schema: schemas.Schema, fields: dict[str, Any]) -> str:
    """Which field it is."""
    if extra := set(fields) - {member["name"] for member in schema.text["fields"]}:
        return f"it has no field {', '.join(sorted(map(str, extra)))}"
    try:
        validate(fields, schema.parsed)
    except ValidationError as error:
        own = f"{schema.text['namespace']}."
        names = {str(e.field).removeprefix(own).removeprefix(f"{schema.name}.") for e in error.errors}
        return f"{', '.join(sorted(names))} is missing or does not fit"
    except Exception:  # noqa: BLE001 - what does not fit may break the search for it too
        return "a value does not fit"
    return "a record in it has a field too many, or a text is no Unicode"


def decode_record(
    value: bytes, expected: str | None = None, schema_by_id: SchemaById | None = None
) -> tuple[str, dict[str, Any]]:
    """The record's name and fields, resolved to this version's schema.

    Raises:
        Undecodable: these bytes are not such a record and never will be.
        UnknownSchema: the schema that they name is not known here.
        SchemaNotCached: it is to be fetched from the registry first; raised by `schema_by_id`.
    """
    if len(value) < len(MARKER):
        raise Undecodable(f"{len(value)} bytes are no record")
    if value.startswith(MARKER):
        writer, body = _by_fingerprint(value)
    elif value.startswith(CONFLUENT_MAGIC):
        writer, body = _by_id(value, schema_by_id)
    else:
        raise Undecodable("neither Avro's single-object encoding nor Confluent's framing")
    if expected is not None and writer.name != expected:
        raise Undecodable(f"a {writer.name} where a {expected} belongs")
    return writer.name, _read(writer, body)


def _by_fingerprint(value: bytes) -> tuple[schemas.Schema, bytes]:
    found = value[len(MARKER) : _HEAD]
    writer = schemas.by_fingerprint().get(found)
    if writer is None:
        raise UnknownSchema(
            f"no schema with the fingerprint {found.hex()}: publish with a schema of avro/, or update the connector"
        )
    return writer, value[_HEAD:]


def _by_id(value: bytes, schema_by_id: SchemaById | None) -> tuple[schemas.Schema, bytes]:
    if len(value) < 5:
        raise Undecodable(f"{len(value)} bytes are no record")
    number = int.from_bytes(value[1:5], "big")
    if not 0 < number <= MAX_SCHEMA_ID:
        raise Undecodable(f"framed with the schema id {number}, which no registry gives")
    if schema_by_id is None:
        raise UnknownSchema(
            f"framed for a schema registry (id {number}), and none is configured: use Avro's single-object encoding"
        )
    return schema_by_id(number), value[5:]


def _read(writer: schemas.Schema, body: bytes) -> dict[str, Any]:
    stream = BytesIO(body)
    reader = schemas.current(writer.name)
    resolve_to = None if writer.fingerprint == reader.fingerprint else reader.parsed
    try:
        fields = fastavro.schemaless_reader(stream, writer.parsed, resolve_to)
    except Exception as error:  # noqa: BLE001 - fuzzed bytes make fastavro raise nearly anything
        # Its text may quote the bytes, so only its class is told.
        raise Undecodable(f"the body does not fit the schema {writer.name} ({type(error).__name__})") from None
    if stream.read(1):
        raise Undecodable(f"something stands behind the {writer.name}")
    if not isinstance(fields, dict):
        raise Undecodable(f"not a {writer.name}")
    return fields
