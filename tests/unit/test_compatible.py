"""What a person is told when two versions of a schema do not go together."""

import copy
import itertools

import pytest

from streams.wire import schemas
from streams.wire.compatible import Kind, clashes, gaps
from tests.support.avro import PRIMITIVES, avro_says

REFRESH = schemas.current("Refresh")
REPLY = schemas.current("ProvisioningReply")


def changed(schema, change):
    text = copy.deepcopy(schema.text)
    change(text)
    return schemas.parse(schema.name, text)


def field(text, name):
    return next(f for f in text["fields"] if f["name"] == name)


def told(new, old):
    return [f"{clash.problem}; {clash.mend}" for clash in clashes(new, old, "version 1")]


def test_every_version_that_landed_goes_with_every_other():
    for name in schemas.NAMES:
        versions = (*schemas.landed(name), schemas.current(name))
        assert [told(new, old) for new, old in itertools.permutations(versions, 2)] == [[]] * len(
            list(itertools.permutations(versions, 2))
        )


@pytest.mark.parametrize(
    ("schema", "change", "says"),
    [
        (
            REFRESH,
            lambda text: text["fields"].append({"name": "extra", "type": "string"}),
            "extra is new and has no default: records of version 1 cannot be read; give it a default",
        ),
        (
            REFRESH,
            lambda text: text["fields"].remove(field(text, "userName")),
            "userName is gone, and readers of version 1 need it; keep it",
        ),
        (
            REFRESH,
            lambda text: field(text, "actor").update(type=["null", "long"]),
            "actor was null|string in version 1 and is null|long; keep the type, and put the new one in a new field",
        ),
        (
            REFRESH,
            lambda text: field(text, "facets")["type"]["items"].pop("default"),
            None,  # no symbol is new: nothing is wrong yet
        ),
        (
            REPLY,
            lambda text: field(text, "steps")["type"]["items"]["fields"].append({"name": "cost", "type": "int"}),
            "steps[].cost is new and has no default: records of version 1 cannot be read; give it a default",
        ),
    ],
)
def test_the_field_and_the_mend_are_named(schema, change, says):
    said = told(changed(schema, change), schema)
    assert says in said if says else said == []


def test_a_new_symbol_is_no_matter_where_the_readers_have_a_default():
    def add(text):
        field(text, "facets")["type"]["items"]["symbols"].append("NEW")

    def add_without_default(text):
        add(text)
        field(text, "facets")["type"]["items"].pop("default")

    assert told(changed(REFRESH, add), REFRESH) == []
    bare = changed(REFRESH, lambda text: field(text, "facets")["type"]["items"].pop("default"))
    assert told(changed(REFRESH, add_without_default), bare) == [
        (
            "facets[] has the new NEW, for which readers of version 1 have no default; "
            "leave the enum as it is, and say the new things in a new field"
        )
    ]
    assert told(bare, changed(REFRESH, add)) == [
        (
            "facets[] has lost NEW, and the enum has no default: records of version 1 cannot be read; "
            "keep them, or give the enum a default"
        )
    ]


def test_a_namespace_may_differ():
    assert told(changed(REFRESH, lambda text: text.update(namespace="elsewhere")), REFRESH) == []
    assert (
        "the record was Refresh in version 1 and is Other"
        in told(changed(REFRESH, lambda text: text.update(name="Other")), REFRESH)[0]
    )


def top(kind):
    return {"type": "record", "name": "T", "fields": [{"name": "x", "type": kind}]}


def inner(kind):
    return {"type": "record", "name": "I", "fields": [{"name": "y", "type": kind}]}


PAIRS = [
    *itertools.product(PRIMITIVES, PRIMITIVES),
    *itertools.product(["long", ["null", "long"], ["null", "int"], ["string", "null"], ["double"]], repeat=2),
    (["null", inner("long")], inner("int")),
    (["null", inner("int")], inner("long")),
    (["null", {"type": "array", "items": "int"}], {"type": "array", "items": "string"}),
    ({"type": "map", "values": inner("string")}, {"type": "map", "values": inner("string")}),
]


@pytest.mark.parametrize(("reader", "writer"), PAIRS, ids=str)
def test_types_resolve_as_apache_avro_says(reader, writer):
    found = gaps(schemas.parse("T", top(reader)).parsed, schemas.parse("T", top(writer)).parsed)
    assert (not found) == avro_says(top(reader), top(writer))
    assert all(gap.kind is Kind.TYPE and gap.where.startswith("x") for gap in found)


def test_a_type_that_holds_itself_ends():
    def tree(value):
        return {
            "type": "record",
            "name": "T",
            "fields": [
                {"name": "value", "type": value},
                {"name": "children", "type": {"type": "array", "items": "T"}},
                {"name": "parent", "type": ["null", "T"]},
            ],
        }

    same, other = (schemas.parse("T", tree(kind)) for kind in ("int", "string"))
    assert gaps(same.parsed, same.parsed) == ()
    assert {gap.where for gap in gaps(same.parsed, other.parsed)} == {"value"}
