"""Field by field, and never another verdict than Apache Avro's own checker."""

from hypothesis import given
from hypothesis import strategies as st

from streams.wire import schemas
from streams.wire.compatible import clashes, gaps
from tests.support.avro import PRIMITIVES, avro_says

VALUE = {"null": None, "boolean": True, "int": 1, "long": 1, "float": 1.0, "double": 1.0, "bytes": "", "string": ""}


def types(depth, name):
    """A type; named ones are called after their place, so that two schemas have the same names in the same places."""
    plain = st.sampled_from(PRIMITIVES)
    enum = st.builds(
        lambda symbols, default, other: {
            "type": "enum",
            "name": name + ("Other" if other else ""),
            "symbols": sorted(symbols),
            **({"default": min(symbols)} if default else {}),
        },
        st.sets(st.sampled_from("ABC"), min_size=1),
        st.booleans(),
        st.integers(0, 9).map(lambda roll: roll == 0),
    )
    fixed = st.builds(lambda size: {"type": "fixed", "name": name, "size": size}, st.integers(1, 2))
    kinds = [plain, plain, enum, fixed]
    if depth:
        inner = types(depth - 1, f"{name}I")
        kinds += [
            st.builds(lambda items: {"type": "array", "items": items}, inner),
            st.builds(lambda values: {"type": "map", "values": values}, inner),
            records(depth - 1, name),
            st.builds(lambda branch: branch if branch == "null" else ["null", branch], inner),
            st.lists(plain, min_size=1, max_size=3, unique=True),
        ]
    return st.one_of(kinds)


def records(depth, name):
    def record(chosen):
        return {"type": "record", "name": name, "fields": [field for field in chosen if field is not None]}

    return st.tuples(*(st.none() | fields(depth, name, letter) for letter in "xyz")).map(record)


def fields(depth, name, letter):
    def field(kind, default):
        given = {"name": letter, "type": kind}
        if default and isinstance(kind, str):
            given["default"] = VALUE[kind]
        elif default and isinstance(kind, list) and isinstance(kind[0], str):
            given["default"] = VALUE[kind[0]]
        return given

    return st.builds(field, types(depth, f"{name}{letter.upper()}"), st.booleans())


def flat(schema):
    """Avro has no unions in unions."""
    match schema:
        case list():
            branches = []
            for branch in schema:
                inner = flat(branch)
                branches += [b for b in (inner if isinstance(inner, list) else [inner]) if b not in branches]
            return branches
        case dict():
            return {
                key: flat(value) if key in {"items", "values", "type"} else value for key, value in schema.items()
            } | ({"fields": [{**f, "type": flat(f["type"])} for f in schema["fields"]]} if "fields" in schema else {})
        case _:
            return schema


TOP = records(2, "T").map(flat)


@given(TOP, TOP)
def test_the_verdict_is_apache_avros(reader, writer):
    found = gaps(schemas.parse("T", reader).parsed, schemas.parse("T", writer).parsed)
    assert (not found) == avro_says(reader, writer), found


@given(TOP, TOP)
def test_both_ways_are_looked_at(new, old):
    both = avro_says(new, old) and avro_says(old, new)
    assert (not clashes(schemas.parse("T", new), schemas.parse("T", old), "version 1")) == both
