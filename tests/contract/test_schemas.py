"""The schemas: documented, agreeing with the model, and every version readable by every other.

Apache Avro's own compatibility checker is the judge; the records of the past are read by what landed.
"""

import io
import itertools
import json
from enum import StrEnum

import avro.io
import avro.schema
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from hypothesis import given, settings

from connector.drift.account import FIELDS
from connector.model.iam import Facet
from connector.model.refreshes import RefreshReason
from connector.model.requests import EntitlementType, Operation
from connector.model.results import ChangeKind, ReplyStatus, StepOutcome
from streams.topics import TOPICS
from streams.wire import encode_record, land, schemas
from tests.support import records

NAMED = ("record", "enum", "fixed")
VERSIONS = [(name, schemas.landed(name)) for name in schemas.NAMES]
MODEL: dict[str, type[StrEnum]] = {
    "Operation": Operation,
    "EntitlementType": EntitlementType,
    "Facet": Facet,
    "ReplyStatus": ReplyStatus,
    "StepOutcome": StepOutcome,
    "ChangeKind": ChangeKind,
    "RefreshReason": RefreshReason,
}
"""The enums of the schemas that the model has too."""


def parts(schema, where=""):
    """Every named type and every field of a schema, with its place."""
    if isinstance(schema, list):
        for branch in schema:
            yield from parts(branch, where)
    elif isinstance(schema, dict):
        if schema["type"] in NAMED:
            where = f"{where}/{schema['name']}"
            yield where, schema
        for member in schema.get("fields", ()):
            yield f"{where}.{member['name']}", member
            yield from parts(member["type"], where)
        for inner in ("items", "values"):
            if inner in schema:
                yield from parts(schema[inner], where)


def all_parts():
    return [part for name in schemas.NAMES for part in parts(schemas.current(name).text)]


def enums():
    return {where: part for where, part in all_parts() if part.get("type") == "enum"}


# -- what each says of itself --------------------------------------------------------------------------------------


def test_every_type_and_field_is_documented():
    assert [where for where, part in all_parts() if not part.get("doc", "").strip()] == []


def test_every_enum_has_unknown_as_its_default():
    """An older reader then gets on with a newer writer."""
    assert [
        w for w, enum in enums().items() if enum.get("default") != "UNKNOWN" or "UNKNOWN" not in enum["symbols"]
    ] == []


def test_every_optional_field_is_null_by_default():
    """Or a producer that leaves it out would be refused."""
    optional = [(w, p) for w, p in all_parts() if isinstance(p.get("type"), list) and p["type"][0] == "null"]
    assert [where for where, part in optional if "default" not in part or part["default"] is not None] == []


def test_no_default_is_shadowed_by_a_union_in_the_wrong_order():
    """Avro 1.12: a default belongs to the first branch."""
    unions = [(where, part) for where, part in all_parts() if isinstance(part.get("type"), list) and "default" in part]
    assert [where for where, part in unions if part["default"] is None and part["type"][0] != "null"] == []


def test_all_have_one_namespace_and_are_named_like_their_files():
    assert {schemas.current(name).text["namespace"] for name in schemas.NAMES} == {"idhub.aws"}
    assert [schemas.current(name).text["name"] for name in schemas.NAMES] == list(schemas.NAMES)


def test_there_is_no_schema_that_nobody_reads():
    assert sorted(path.stem for path in schemas.directory().glob("*.avsc")) == sorted(schemas.NAMES)
    assert {topic.schema for topic in TOPICS if topic.schema} == set(schemas.NAMES)


def test_no_item_of_an_array_is_empty_on_the_wire():
    """A few bytes could claim any number of such items, and a reader would make them all."""
    arrays = [
        (where, kind["items"])
        for where, part in all_parts()
        for kind in (part.get("type") if isinstance(part.get("type"), list) else [part.get("type")])
        if isinstance(kind, dict) and kind["type"] == "array"
    ]
    assert arrays
    assert [
        where for where, items in arrays if items == "null" or (isinstance(items, dict) and items.get("fields") == [])
    ] == []


# -- the model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODEL)
def test_an_enum_is_that_of_the_model(name):
    """`Facet` has no UNKNOWN in the model: a facet of a newer version is left out where a record is read."""
    found = [enum["symbols"] for where, enum in enums().items() if where.endswith(f"/{name}")]
    assert found
    for symbols in found:
        assert [s for s in symbols if s != "UNKNOWN"] == [m.value for m in MODEL[name] if m.value != "UNKNOWN"]


def test_every_enum_is_of_the_model_or_known_to_have_none():
    assert {where.rpartition("/")[2] for where in enums()} - set(MODEL) == {"Origin", "LedgerState"}


def test_every_facet_has_a_field_in_the_account():
    fields = {member["name"] for member in schemas.current("AccountState").text["fields"]}
    assert set(FIELDS.values()) <= fields


def test_a_change_holds_whole_accounts():
    """Before and after are what the accounts topic had and has."""
    change = {m["name"]: m for m in schemas.current("AccountChange").text["fields"]}
    snapshot = change["before"]["type"][1]
    assert land.to_structure(snapshot["fields"]) == land.to_structure(schemas.current("AccountState").text["fields"])


# -- what landed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "landed"), VERSIONS, ids=schemas.NAMES)
def test_what_is_written_has_landed(name, landed):
    assert landed, f"{name} never landed: run `python -m streams.wire.land`"
    assert landed[-1].text == schemas.current(name).text, "it differs: run `python -m streams.wire.land`"


@pytest.mark.parametrize("name", schemas.NAMES)
def test_versions_are_numbered_without_a_gap(name):
    numbers = [int(path.stem) for path in (schemas.directory() / "landed" / name).iterdir()]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def clashes(reader, writer):
    """Why a reader with the one schema cannot read what was written with the other; empty: it can."""
    parsed = [avro.schema.parse(json.dumps(text)) for text in (reader, writer)]
    result = ReaderWriterCompatibilityChecker().get_compatibility(*parsed)
    compatible = result.compatibility is SchemaCompatibilityType.compatible
    return (
        [] if compatible else [f"{place}: {why}" for place, why in zip(result.locations, result.messages, strict=False)]
    )


def defaults(text):
    return {where: part["default"] for where, part in parts(text) if "default" in part}


def meanings(text):
    """Of every field what the checker takes no notice of: the kind of its times, and whether it is text or bytes."""
    return {
        where: set(_meanings(part["type"])) for where, part in parts(text) if "name" in part and "symbols" not in part
    }


def _meanings(kind):
    match kind:
        case list():
            for branch in kind:
                yield from _meanings(branch)
        case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
            yield from _meanings(inner)
        case {"logicalType": logical}:
            yield logical
        case "string" | "bytes":
            yield kind


def full_transitive(texts):
    """What is wrong with a history of versions: each must read each, and neither a default nor a meaning changes.

    A time in another unit is read without a word as another time: even the fingerprints are the same.
    """
    wrong = [
        f"{i + 1} cannot read {j + 1}: {why}"
        for i, reader in enumerate(texts)
        for j, writer in enumerate(texts)
        for why in clashes(reader, writer)
    ]
    for number, (one, other) in enumerate(itertools.pairwise(texts), 2):
        was = defaults(one)
        wrong += [
            f"{number} changes the default of {w}" for w, d in defaults(other).items() if w in was and was[w] != d
        ]
        meant = meanings(one)
        wrong += [f"{number} changes the meaning of {w}" for w, m in meanings(other).items() if meant.get(w, m) != m]
    return wrong


@pytest.mark.parametrize(("name", "landed"), VERSIONS, ids=schemas.NAMES)
def test_every_version_reads_every_other(name, landed):
    assert full_transitive([*(version.text for version in landed), schemas.current(name).text]) == []


def changed(**fields):
    """The request's schema with some fields put in, taken out (None) or replaced."""
    text = schemas.current("ProvisioningRequest").text
    kept = [fields.pop(member["name"], member) for member in text["fields"]]
    return {**text, "fields": [member for member in (*kept, *fields.values()) if member is not None]}


def member(name, kind, **more):
    return {"name": name, "type": kind, "doc": "x", **more}


REQUEST = schemas.current("ProvisioningRequest").text
OPERATION = next(one for one in REQUEST["fields"] if one["name"] == "operation")
SYMBOLS = OPERATION["type"]["symbols"]


def enum_with(symbols, **more):
    return {**OPERATION, "type": {**OPERATION["type"], "symbols": symbols, **more}}


@pytest.mark.parametrize(
    "text",
    [
        changed(priority=member("priority", ["null", "string"], default=None)),
        changed(planHash=None),
        changed(operation=enum_with([*SYMBOLS, "ROTATE_KEYS"])),
        changed(operation=enum_with(SYMBOLS[:-1])),
    ],
    ids=["an optional field comes", "an optional field goes", "a symbol comes", "a symbol goes"],
)
def test_what_may_change(text):
    assert full_transitive([REQUEST, text]) == []


@pytest.mark.parametrize(
    "text",
    [
        changed(priority=member("priority", "string")),
        changed(userName=None),
        changed(userName=member("userName", "long")),
        changed(userName=member("name", "string")),
        changed(awsAccountId=member("awsAccountId", "string")),
        changed(dryRun=member("dryRun", "boolean", default=True)),
        changed(userName=member("userName", "bytes")),
        changed(
            notAfter=member("notAfter", ["null", {"type": "long", "logicalType": "timestamp-micros"}], default=None)
        ),
        changed(notAfter=member("notAfter", ["null", "long"], default=None)),
        {**REQUEST, "name": "Request"},
    ],
    ids=[
        "required comes",
        "required goes",
        "another type",
        "renamed",
        "null goes",
        "another default",
        "text is bytes",
        "another kind of time",
        "no time",
        "another name",
    ],
)
def test_a_change_that_breaks_somebody_is_found(text):
    assert full_transitive([REQUEST, text]) != []


def test_a_symbol_more_without_a_default_is_found():
    bare = {key: value for key, value in OPERATION["type"].items() if key != "default"}
    one = changed(operation={**OPERATION, "type": bare})
    other = changed(operation={**OPERATION, "type": {**bare, "symbols": [*SYMBOLS, "ROTATE_KEYS"]}})
    assert full_transitive([one, other]) != []


def test_a_break_between_versions_that_are_not_neighbours_is_found():
    """Transitive: each step alone is fine, the whole way is not."""
    gone = changed(planHash=None)
    back = changed(planHash=member("planHash", ["null", "long"], default=None))
    assert full_transitive([REQUEST, gone]) == []
    assert full_transitive([gone, back]) == []
    assert full_transitive([REQUEST, gone, back]) != []


# -- landing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkout with one schema of its own, looked at anew each time."""
    home = tmp_path / "avro"
    home.mkdir()
    monkeypatch.setattr(schemas, "directory", lambda: home)
    monkeypatch.setattr(schemas, "NAMES", ("Refresh",))
    for cached in (schemas.current, schemas.landed):
        monkeypatch.setattr(schemas, cached.__name__, cached.__wrapped__)

    def land_it(*fields, doc="x"):
        text = {"type": "record", "name": "R", "doc": doc, "fields": list(fields)}
        (home / "Refresh.avsc").write_text(json.dumps(text), encoding="utf-8")
        return land.main()

    return land_it


def docs_landed():
    return [version.text["doc"] for version in schemas.landed("Refresh")]


OPTIONAL = member("b", ["null", "string"], default=None)


def test_a_changed_doc_lands_in_place_and_a_changed_field_under_a_new_number(folder):
    required = member("a", "string")
    assert folder(required, doc="first") == 0
    assert folder(required, doc="first") == 0
    assert docs_landed() == ["first"]
    assert folder(required, doc="better said") == 0
    assert docs_landed() == ["better said"]
    assert folder(required, OPTIONAL, doc="more") == 0
    assert docs_landed() == ["better said", "more"]


def test_what_breaks_a_reader_does_not_land_and_says_what_and_how_to_mend_it(folder, capsys):
    folder(member("a", "string"))
    assert folder(member("a", "string"), member("b", "string")) == 1
    assert (
        "b is new and has no default: records of version 1 cannot be read: give it a default" in capsys.readouterr().out
    )
    assert len(docs_landed()) == 1


def test_an_installation_is_no_place_to_land(folder, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(schemas, "directory", lambda: tmp_path)
    assert land.main() == 2
    assert "in a checkout" in capsys.readouterr().err


# -- another implementation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", schemas.NAMES)
@settings(max_examples=15)
@given(data=records.st.data())
def test_apache_avro_reads_what_we_write(name, data):
    fields = data.draw(records.fields_of(name))
    body = encode_record(name, fields)[10:]
    schema = avro.schema.parse(json.dumps(schemas.current(name).text))
    assert avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(io.BytesIO(body))) == fields
