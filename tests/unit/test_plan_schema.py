"""IDHub's schema files: read as they are in the field, and kept to in both directions of a request."""

import json

import pytest

from connector.factory import SCHEMAS
from connector.plan.schema import SchemaProblem, check_attributes, to_schema


def schema(*attributes):
    return to_schema(json.dumps({"attributes": attributes}))


def built_in(name="accountSchema"):
    return to_schema((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


GOOD = {"displayName": "Alice A", "userName": "alice"}


def problems(given, *, creating=True, of=None):
    return "; ".join(check_attributes(of or built_in(), given, creating=creating).problems)


def test_the_guides_schemas_are_built_in():
    assert len(built_in().attributes) == 19
    assert built_in().find("displayName").required
    assert [one.name for one in built_in("entitlementSchema").attributes][-1] == "used as"
    assert problems({**GOOD, "department": "Sales", "usageLocation": "de", "employeeType": "Vendor"}) == ""


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"department": "x" * 65}, "department"),
        ({"usageLocation": "DE"}, "usageLocation"),
        ({"employeeType": "Freelancer"}, "Employee, Contractor"),
        ({"employeeType": "vendor"}, "Vendor"),
        ({"mail": ("a", "b")}, "no list"),
        ({"shoeSize": "44"}, "no such attribute"),
        ({"givenName": "A", "firstName": "B"}, "twice"),
        ({"city": "two\nlines"}, "city"),
    ],
)
def test_what_the_schema_does_not_allow_is_told(attributes, words):
    assert words in problems({**GOOD, **attributes})


def test_every_problem_is_told_at_once():
    told = problems({"department": "x" * 65, "shoeSize": "44"})
    assert all(word in told for word in ("department", "shoeSize", "displayName: is required"))


@pytest.mark.parametrize(
    ("alias", "name"), [("firstName", "givenName"), ("lastName", "surname"), ("location", "usageLocation")]
)
def test_the_names_of_both_versions_of_the_guide_are_known(alias, name):
    checked = check_attributes(built_in(), {**GOOD, alias: "de"}, creating=True)
    assert checked.attributes[name] == "de"
    newer = schema({"name": alias})
    assert check_attributes(newer, {name: "de"}, creating=True).attributes == {alias: "de"}


def test_names_ignore_case():
    assert check_attributes(built_in(), {"DEPARTMENT": "x"}, creating=False).attributes == {"department": "x"}


def test_what_is_required_cannot_be_missing_or_cleared():
    of = schema({"name": "mail", "required": True})
    assert problems({}, of=of) == "mail: is required"
    assert problems({"mail": None}, of=of) == "mail: is required"
    assert problems({}, creating=False, of=of) == ""
    assert problems({"mail": None}, creating=False, of=of) == "mail: is required"


def test_display_name_is_taken_once_and_then_kept():
    made = check_attributes(built_in(), GOOD, creating=True)
    assert made.attributes["displayName"] == "Alice A"
    kept = check_attributes(built_in(), {"displayName": "Another"}, creating=False)
    assert kept.attributes == {}
    assert "readOnly" in kept.notes[0]


@pytest.mark.parametrize(("direction", "written"), [
    ("bi-directional", True), ("idhub-to-app", True), ("app-to-idhub", False), ("no-sync", False)
])  # fmt: skip
def test_the_sync_direction_decides_what_is_written(direction, written):
    checked = check_attributes(schema({"name": "mail", "syncDirection": direction}), {"mail": "a"}, creating=True)
    assert (checked.attributes, len(checked.notes)) == (({"mail": "a"}, 0) if written else ({}, 1))


def test_an_immutable_attribute_is_written_once():
    of = schema({"name": "badge", "mutability": "immutable"})
    assert check_attributes(of, {"badge": "1"}, creating=True).attributes == {"badge": "1"}
    assert check_attributes(of, {"badge": "2"}, creating=False).attributes == {}


@pytest.mark.parametrize("flag", ["multiValued", "multivalue"])
def test_one_value_in_a_list_is_one_value(flag):
    of = schema({"name": "mail", flag: True})
    assert check_attributes(of, {"mail": ("a",)}, creating=True).attributes == {"mail": "a"}
    assert check_attributes(of, {"mail": ()}, creating=False).attributes == {"mail": None}


def test_a_case_that_does_not_matter():
    of = schema({"name": "type", "canonicalValues": ["Employee"]})
    assert problems({"type": "employee"}, of=of) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("{}", '"attributes"'),
        ('{"attributes": [{}]}', '"name"'),
        ('{"attributes": [{"name": "a", "canonicalValues": ["$REGEX ["]}]}', "no regular expression"),
        ('{"attributes": [{"name": "a", "syncDirection": "sideways"}]}', "syncDirection"),
        ('{"attributes": [{"name": "a", "mutability": "maybe"}]}', "mutability"),
        ('{"attributes": [{"name": "a", "required": "yes"}]}', "true or false"),
        ('{"attributes": [{"name": "a"}, {"name": "A"}]}', "twice"),
        ('[{"name": "a", "uniqueness": "server"}, {"name": "b", "uniqueness": "global"}]', "only one"),
    ],
)
def test_a_schema_that_cannot_be_kept_to_is_refused(text, words):
    with pytest.raises(SchemaProblem) as refused:
        to_schema(text)
    assert words in str(refused.value)
