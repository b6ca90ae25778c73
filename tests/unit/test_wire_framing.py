"""Avro's single-object encoding, written by us and read as anybody's."""

import traceback

import pytest

from streams.wire import decode_record, encode_record, schemas
from streams.wire.errors import Undecodable, UnknownSchema, WireError

SMALLEST = {"requestId": "r-1", "operation": "DELETE_ACCOUNT", "userName": "alice"}

# From Apache Avro's own tests (share/test/data/schema-tests.txt).
FINGERPRINTS = {
    "null": 7195948357588979594,
    "boolean": -6970731678124411036,
    "int": 8247732601305521295,
    "long": -3434872931120570953,
    "float": 5583340709985441680,
    "double": -8181574048448539266,
    "bytes": 5746618253357095269,
    "string": -8142146995180207161,
}
EMPTY = 0xC15D213AA4D7A795


def crc64(data):
    """CRC-64-AVRO as the specification writes it down, bit by bit."""
    table = []
    for number in range(256):
        entry = number
        for _ in range(8):
            entry = (entry >> 1) ^ (EMPTY & -(entry & 1))
        table.append(entry)
    crc = EMPTY
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc.to_bytes(8, "little")


@pytest.mark.parametrize(("schema", "number"), FINGERPRINTS.items())
def test_fingerprints_are_those_of_apache_avro(schema, number):
    assert schemas.parse("x", schema).fingerprint == number.to_bytes(8, "little", signed=True)
    assert crc64(f'"{schema}"'.encode()) == number.to_bytes(8, "little", signed=True)


def test_a_primitive_with_a_logical_type_has_its_simple_form():
    """[PRIMITIVES] after [STRIP]; Apache's Python library gets this wrong, its Java library right."""
    record = {"type": "record", "name": "R", "fields": [{"name": "at", "type": {"type": "long", "logicalType": "x"}}]}
    simple = '{"name":"R","type":"record","fields":[{"name":"at","type":"long"}]}'
    assert schemas.parse("R", record).fingerprint == crc64(simple.encode())


def test_a_record_begins_with_the_marker_and_the_fingerprint_of_its_schema():
    value = encode_record("ProvisioningRequest", SMALLEST)
    assert value[:2] == b"\xc3\x01"
    assert value[2:10] == schemas.current("ProvisioningRequest").fingerprint


def test_every_schema_has_a_fingerprint_of_its_own():
    assert len(schemas.by_fingerprint()) >= len(schemas.NAMES)
    assert {schema.name for schema in schemas.by_fingerprint().values()} == set(schemas.NAMES)


def test_what_is_not_given_has_its_default():
    _, fields = decode_record(encode_record("ProvisioningRequest", SMALLEST))
    assert fields["tags"] == {"set": {}, "remove": []}
    assert (fields["dryRun"], fields["attributes"], fields["notAfter"]) == (False, {}, None)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"userName": None}, "userName"),
        ({"operation": "NOPE"}, "operation"),
        ({"entitelments": []}, "entitelments"),
        ({"requestedBy": {"system": "x", "usr": "y"}}, "a field too many"),
        ({"requestedBy": {"system": 1, "user": "bob@example.com"}}, "RequestedBy.system"),
        ({"entitlements": [{"type": "GROUP"}]}, "Entitlement.name"),
        ({"userName": "\ud800"}, "Unicode"),
        ({"attributes": {"a": 5}}, "attributes"),
        ({"userName": 5}, "userName"),
    ],
)
def test_fields_that_do_not_fit_are_refused_and_named(wrong, said):
    with pytest.raises(ValueError, match=rf"^not a ProvisioningRequest: .*{said}"):
        encode_record("ProvisioningRequest", {**SMALLEST, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"attributes": {"mail": "bob@example.com", "phone": 5}},
        {"requestedBy": {"system": 1, "user": "bob@example.com"}},
        {"userName": b"bob@example.com"},
        {"credential": ["bob@example.com"]},
    ],
)
def test_what_does_not_fit_is_never_quoted(wrong):
    """The worker logs what nobody foresaw with its traceback; a person's data is not to be in it."""
    with pytest.raises(ValueError, match="not a ProvisioningRequest") as error:
        encode_record("ProvisioningRequest", {**SMALLEST, **wrong})
    assert "bob" not in "".join(traceback.format_exception(error.value))


def test_a_missing_field_without_a_default_is_refused():
    with pytest.raises(ValueError, match="not a ProvisioningRequest"):
        encode_record("ProvisioningRequest", {"requestId": "r-1"})


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (b"", Undecodable, "0 bytes"),
        (b"\xc3", Undecodable, "1 bytes"),
        (b"{}", Undecodable, "neither"),
        (b"\xc3\x01" + b"\x00" * 8, UnknownSchema, "no schema with the fingerprint 0000000000000000"),
        (b"\xc3\x01\x00", UnknownSchema, "no schema with the fingerprint 00"),
        (b"\x00\x01", Undecodable, "2 bytes"),
        (b"\x00\x00\x00\x00\x07body", UnknownSchema, "id 7"),
        (b"\x00" * 40, Undecodable, "the schema id 0, which no registry gives"),
        (b"\x00\xff\xff\xff\xff" + b"body", Undecodable, "4294967295, which no registry gives"),
    ],
)
def test_bytes_that_are_no_record_say_why(value, error, said):
    with pytest.raises(error, match=said):
        decode_record(value)


def test_a_record_of_another_kind_is_refused():
    with pytest.raises(Undecodable, match="a ProvisioningRequest where a Refresh belongs"):
        decode_record(encode_record("ProvisioningRequest", SMALLEST), "Refresh")


def test_something_behind_the_record_is_refused():
    with pytest.raises(Undecodable, match="something stands behind"):
        decode_record(encode_record("ProvisioningRequest", SMALLEST) + b"\x00")


def test_confluents_framing_is_read_where_its_ids_can_be_found():
    """00, four bytes of schema id, the body: the same body behind another head."""
    body = encode_record("ProvisioningRequest", SMALLEST)[10:]
    schema = schemas.current("ProvisioningRequest")
    name, fields = decode_record(b"\x00\x00\x00\x00\x07" + body, schema_by_id={7: schema}.get)
    assert (name, fields["userName"]) == ("ProvisioningRequest", "alice")


def test_a_symbol_of_a_newer_schema_is_read_as_unknown():
    """Enums have a default, so that an older reader gets on with a newer writer."""
    newer = schemas.current("ProvisioningRequest").text
    operation = next(field for field in newer["fields"] if field["name"] == "operation")
    text = {
        **newer,
        "fields": [
            {**operation, "type": {**operation["type"], "symbols": [*operation["type"]["symbols"], "ROTATE_KEYS"]}}
            if field is operation
            else field
            for field in newer["fields"]
        ],
    }
    writer = schemas.parse("ProvisioningRequest", text)
    assert writer.fingerprint != schemas.current("ProvisioningRequest").fingerprint
    symbol = len(operation["type"]["symbols"])
    body = encode_record("ProvisioningRequest", SMALLEST)[10:].replace(b"\x06r-1\x0a", b"\x06r-1" + bytes([symbol * 2]))
    _, fields = decode_record(b"\x00\x00\x00\x00\x07" + body, schema_by_id={7: writer}.get)
    assert fields["operation"] == "UNKNOWN"


def test_the_errors_are_a_tree():
    assert issubclass(Undecodable, WireError)
    assert issubclass(UnknownSchema, WireError)
