"""Bytes ↔ records ↔ the model, for whatever hypothesis thinks of."""

from dataclasses import fields as members
from dataclasses import replace
from enum import Enum

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connector.model.results import AccountChange, AuditRecord, Reply
from streams.outbox import Outbox
from streams.topics import TopicNames
from streams.wire import accounts, decode_record, encode_record, ledger, requests, results, schemas
from streams.wire import refreshes as wire_refreshes
from streams.wire.content import content_hash
from streams.wire.errors import WireError
from tests.support import records

any_record = st.sampled_from(schemas.NAMES).flatmap(lambda name: st.tuples(st.just(name), records.fields_of(name)))
OUTBOX = Outbox(TopicNames("idhub.aws"), max_request_bytes=262_144)


# -- bytes ↔ records -----------------------------------------------------------------------------------------------


@given(any_record)
def test_what_is_decoded_is_what_was_encoded(record):
    name, fields = record
    assert decode_record(encode_record(name, fields), name) == (name, fields)


@given(any_record)
def test_encoding_twice_gives_the_same_bytes(record):
    """A repeat is found equal byte for byte; nothing depends on an order that nobody stated."""
    name, fields = record
    first = encode_record(name, fields)
    assert encode_record(name, decode_record(first)[1]) == first


def read_everything(value):
    """Bytes as each handler would read them; nothing but a WireError comes out."""
    try:
        name, fields = decode_record(value)
        to_model = {
            requests.NAME: requests.to_request,
            wire_refreshes.NAME: wire_refreshes.to_refresh,
            accounts.NAME: accounts.to_record,
            ledger.NAME: ledger.to_entry,
        }.get(name)
        if to_model is not None:
            to_model(fields)
    except WireError as error:
        return error
    return None


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xc3")
@example(b"\xc3\x01")
@example(b"\x00\x00\x00\x00\x01")
def test_garbage_is_refused_and_breaks_nothing(value):
    assert read_everything(value) is not None


@given(st.sampled_from(schemas.NAMES), st.binary(max_size=200))
def test_garbage_behind_a_known_fingerprint_breaks_nothing(name, body):
    read_everything(b"\xc3\x01" + schemas.current(name).fingerprint + body)


@given(any_record, st.data())
def test_a_record_that_was_cut_off_is_refused(record, data):
    whole = encode_record(*record)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert read_everything(whole[:cut]) is not None


@given(any_record, st.data())
def test_a_record_in_which_a_byte_was_changed_breaks_nothing(record, data):
    whole = bytearray(encode_record(*record))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    read_everything(bytes(whole))


@given(any_record, st.binary(min_size=1, max_size=20))
def test_something_behind_a_record_is_refused(record, more):
    assert read_everything(encode_record(*record) + more) is not None


@given(st.binary(max_size=60))
def test_the_reason_of_a_refusal_never_quotes_the_bytes(body):
    assume(len(body) > 3)
    error = read_everything(b"\xc3\x01" + schemas.current("ProvisioningReply").fingerprint + body)
    if error is not None:
        assert repr(body)[2:-1] not in str(error)
        assert body.hex() not in str(error)


# -- records ↔ the model -------------------------------------------------------------------------------------------


@given(records.account_records())
def test_an_account_comes_back_from_its_topic(record):
    value = encode_record(accounts.NAME, accounts.from_record(record))
    assert accounts.to_record(decode_record(value, accounts.NAME)[1]) == record


@given(records.refreshes)
def test_a_refresh_comes_back_from_its_topic(refresh):
    value = encode_record(wire_refreshes.NAME, wire_refreshes.from_refresh(refresh))
    assert wire_refreshes.to_refresh(decode_record(value)[1]) == refresh


@given(records.intents, st.integers(0, 2**62))
def test_an_intent_comes_back_from_the_ledger(intent, offset):
    value = encode_record(ledger.NAME, ledger.started("requests", offset, intent))
    entry = OUTBOX.ledger_entry(value)
    assert entry == ledger.LedgerEntry(False, intent.request_hash, intent, None)


@given(st.binary(max_size=50), records.texts, records.maybe_texts)
def test_a_finished_entry_comes_back_with_its_reply_byte_for_byte(reply, request_hash, request_id):
    fields = ledger.finished("requests", 3, request_id=request_id, request_hash=request_hash, reply=reply)
    assert OUTBOX.ledger_entry(encode_record(ledger.NAME, fields)) == ledger.LedgerEntry(
        True, request_hash, None, reply
    )


def camel(name):
    first, *rest = name.split("_")
    return "".join((first, *(word.capitalize() for word in rest)))


def unhinted(value):
    """Without fastavro's hints, which name the branch of a union: ("array", [...])."""
    match value:
        case (str(), inner):
            return unhinted(inner)
        case list():
            return [unhinted(item) for item in value]
        case dict():
            return {name: unhinted(item) for name, item in value.items()}
        case _:
            return value


def as_record(value):
    """A value of the model as its record has to tell it: the same fields under the same names."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [as_record(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {camel(member.name): as_record(getattr(value, member.name)) for member in members(value)}
    return value


@given(records.replies)
def test_a_reply_tells_everything_that_the_model_knows(reply: Reply):
    told = decode_record(encode_record(results.REPLY, results.from_reply(reply)))[1]
    assert told == as_record(reply)


@given(records.audits)
def test_an_audit_record_tells_everything_that_the_model_knows(audit: AuditRecord):
    told = decode_record(encode_record(results.AUDIT, results.from_audit(audit)))[1]
    assert told == as_record(audit)


@given(records.changes)
def test_a_change_tells_everything_that_the_model_knows(change: AccountChange):
    told = decode_record(encode_record(results.CHANGE, results.from_change(change)))[1]
    snapshots = {"before": change.before, "after": change.after}
    states = {name: unhinted(accounts.from_record(state)) if state else None for name, state in snapshots.items()}
    assert told == as_record(change) | states


@given(records.changes)
def test_a_change_that_would_be_too_large_leaves_only_its_states_out(change):
    whole, short = results.from_change(change), results.from_change(change, whole=False)
    assert short == whole | {"before": None, "after": None}


# -- requests ------------------------------------------------------------------------------------------------------


@given(records.fields_of(requests.NAME))
def test_every_readable_request_becomes_one_of_the_model(fields):
    request = requests.to_request(fields)
    assert request.request_id == fields["requestId"]
    assert request.content_hash == requests.hash_of(fields)


@given(records.fields_of(requests.NAME))
def test_what_a_producer_of_ours_publishes_is_the_request_it_has(fields):
    """Only what its operation has no use for is left out."""
    request = requests.to_request(fields)
    published = decode_record(encode_record(requests.NAME, requests.from_request(request)))[1]
    assert replace(requests.to_request(published), content_hash=request.content_hash) == request
    assert {name for name in published if published[name] != fields[name]} <= UNUSED


UNUSED = {"newUserName", "attributes", "entitlements", "tags", "credential"}
"""Fields of a request that some operations do not look at."""


def hash_of(fields):
    return content_hash(requests.NAME, fields)


request_pairs = st.tuples(records.fields_of(requests.NAME), records.fields_of(requests.NAME))


@given(records.fields_of(requests.NAME), records.moments)
def test_the_hash_is_of_the_content_not_of_its_telling(fields, another_time):
    """Another order of maps, defaults left out, another time of making: the same request."""
    shuffled = {name: fields[name] for name in reversed(fields)}
    shuffled["attributes"] = dict(reversed(fields["attributes"].items()))
    assert hash_of(shuffled) == hash_of(fields)
    assert hash_of(fields | {"requestedAt": another_time}) == hash_of(fields)
    decoded = decode_record(encode_record(requests.NAME, fields))[1]
    assert hash_of(decoded) == hash_of(fields)


@given(request_pairs, st.sampled_from([m["name"] for m in schemas.current(requests.NAME).text["fields"]]))
@pytest.mark.parametrize("ignored", [frozenset({"requestedAt"})])
def test_the_hash_differs_when_any_field_does(ignored, pair, name):
    one, other = pair
    changed = one | {name: other[name]}
    same = changed == one or name in ignored
    assert (hash_of(changed) == hash_of(one)) is same
