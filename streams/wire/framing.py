"""Framing: Avro's single-object encoding is written, and read by the writer's fingerprint.

Single-object encoding (Avro 1.12 specification): C3 01, eight bytes of CRC-64-AVRO fingerprint, the body. A record in
Confluent's format (00 and a four-byte schema id) is recognised; reading it needs a resolver of schema ids.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro

from . import schemas
from .errors import Undecodable, UnknownSchema

MARKER = b"\xc3\x01"
CONFLUENT_MAGIC = b"\x00"
_HEAD = len(MARKER) + 8

SchemaById = Callable[[int], schemas.Schema | None]
"""Finds the writer's schema of a Confluent-framed record; None: the registry does not know the id."""


def encode_record(name: str, fields: dict[str, Any]) -> bytes:
    """One record, framed. Fields that have a default may be missing; a field that the schema has not is an error.

    Raises:
        ValueError: the fields do not fit the schema; says which.
    """
    schema = schemas.current(name)
    out = BytesIO()
    out.write(MARKER)
    out.write(schema.fingerprint)
    try:
        fastavro.schemaless_writer(out, schema.parsed, fields, strict_allow_default=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a {name}: {error}") from error
    return out.getvalue()


def decode_record(
    value: bytes, expected: str | None = None, schema_by_id: SchemaById | None = None
) -> tuple[str, dict[str, Any]]:
    """The record's name and fields, resolved to this version's schema.

    Raises:
        Undecodable: these bytes are not such a record and never will be.
        UnknownSchema: the schema that they name is not known here.
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
    if schema_by_id is None:
        raise UnknownSchema(
            f"framed for a schema registry (id {number}), and none is configured: use Avro's single-object encoding"
        )
    writer = schema_by_id(number)
    if writer is None:
        raise UnknownSchema(f"the schema registry knows no id {number}")
    return writer, value[5:]


def _read(writer: schemas.Schema, body: bytes) -> dict[str, Any]:
    stream = BytesIO(body)
    reader = schemas.current(writer.name)
    try:
        fields = fastavro.schemaless_reader(stream, writer.parsed, None if writer == reader else reader.parsed)
    except Exception as error:  # noqa: BLE001 - fuzzed bytes make fastavro raise nearly anything
        # Its text may quote the bytes, so only its class is told.
        raise Undecodable(f"the body does not fit the schema {writer.name} ({type(error).__name__})") from None
    if stream.read(1):
        raise Undecodable(f"something stands behind the {writer.name}")
    if not isinstance(fields, dict):
        raise Undecodable(f"not a {writer.name}")
    return fields
