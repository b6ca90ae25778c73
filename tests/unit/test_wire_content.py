"""What a request asks, as one hash: it tells a repeat from a conflict, over versions of the schema."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.send import entitlement, new_request
from streams.wire import decode_record, encode_record, schemas
from streams.wire.content import content_hash
from streams.wire.times import milliseconds

NOW = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def hash_of(fields):
    return content_hash("ProvisioningRequest", fields)


def decoded(operation="CREATE_ACCOUNT", **fields):
    made = new_request(operation, "012345678901", "Alice", **{"requestId": "r-1", "requestedAt": NOW, **fields})
    return decode_record(encode_record("ProvisioningRequest", made))[1]


def test_the_hash_of_a_request_never_changes():
    """It stands in ledgers and replies: another value here is a new version of the contract."""
    fields = decoded(
        attributes={"department": "Finance", "mail": ["a", "b"], "phone": None},
        entitlements=[entitlement("GROUP", "admins")],
        requestedBy={"system": "IDHub", "user": None},
        notAfter=NOW,
    )
    assert hash_of(fields) == "118e9ad552e39300c9482921dbbe5aaa5554ccac2919e0faac4230d122faecf0"


def test_a_repeat_that_was_made_later_is_the_same_request():
    assert hash_of(decoded()) == hash_of(decoded(requestedAt=NOW + timedelta(hours=1)))
    assert hash_of(decoded()) == hash_of(decoded(requestedAt=None))


def test_a_field_that_a_later_version_adds_changes_no_hash(monkeypatch):
    """Else a request that is sent again over an upgrade would conflict with itself."""
    fields = decoded(attributes={"a": "b"}, entitlements=[entitlement("GROUP", "admins")])
    before = hash_of(fields)
    text = schemas.current("ProvisioningRequest").text
    added = {"name": "priority", "type": ["null", "string"], "default": None}
    inner = [
        {**f, "type": {**f["type"], "items": {**f["type"]["items"], "fields": [*f["type"]["items"]["fields"], added]}}}
        if f["name"] == "entitlements"
        else f
        for f in text["fields"]
    ]
    later = schemas.parse("ProvisioningRequest", {**text, "fields": [*inner, added]})
    monkeypatch.setattr(schemas, "current", lambda _: later)
    entitlements = [{**one, "priority": None} for one in fields["entitlements"]]
    assert hash_of({**fields, "priority": None, "entitlements": entitlements}) == before
    assert hash_of({**fields, "priority": "high", "entitlements": entitlements}) != before


def test_null_and_missing_attributes_are_two_things():
    assert hash_of(decoded(attributes={"phone": None})) != hash_of(decoded(attributes={}))


def test_the_order_of_entitlements_is_content_and_that_of_attributes_is_not():
    one, other = entitlement("GROUP", "a"), entitlement("GROUP", "b")
    assert hash_of(decoded(entitlements=[one, other])) != hash_of(decoded(entitlements=[other, one]))
    assert hash_of(decoded(attributes={"a": "1", "b": "2"})) == hash_of(decoded(attributes={"b": "2", "a": "1"}))


def test_the_hash_is_a_sha256_in_hex():
    assert len(hash_of(decoded())) == 64


# -- times ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 1_772_366_400_123, 4_102_444_799_999, 1_709_251_199_997])
def test_milliseconds_are_exact(number):
    assert milliseconds(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number)) == number
