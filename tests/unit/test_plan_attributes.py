"""What IAM's tags can hold of IDHub's attributes, and that nothing is ever cut."""

import pytest

from connector.errors import RequestRefused
from connector.plan.attributes import to_attributes, to_user_attributes
from connector.plan.rules import NO_RULES
from tests.support.domain import create


def wanted(attributes=None, tags=None, rules=NO_RULES):
    return to_user_attributes(create(attributes=attributes, tags=tags), "alice", rules, request_id="req-1")


def test_attributes_become_tags_and_the_request_is_named():
    made = wanted({"department": "R&D".replace("&", " "), "mail": "a@b.c", "city": None, "arn": "x"}, {"team": "blue"})
    assert made.problems == ()
    assert dict(made.tags) == {"department": "R D", "mail": "a@b.c", "team": "blue", "idhub:request-id": "req-1"}
    assert made.path == "/"


def test_path_has_a_place_of_its_own():
    assert wanted({"path": "/staff/"}).path == "/staff/"


def test_letters_of_all_scripts_and_an_empty_value_fit():
    assert wanted({"surname": "Müller-Łukasz 名前", "state": ""}).problems == ()


def test_every_reason_is_given_at_once():
    made = wanted(
        {"mail": ("a@b.c", "d@e.f"), "streetAddress": "x" * 257, "jobTitle": "R&D", "path": "staff", "userName": "bob"},
        {"k" * 129: "v", "aws:x": "y"},
    )
    text = "\n".join(made.problems)
    for part in (
        "mail: a tag holds one value",
        "streetAddress: 257",
        "'&'",
        "path: 'staff'",
        "userName: 'bob'",
        "129",
        "aws:x",
    ):
        assert part in text
    assert len(made.problems) == 7


def test_the_names_case_does_not_matter():
    assert wanted({"userName": "ALICE"}).problems == ()


def test_keys_that_differ_only_by_case_are_one_for_iam():
    assert "only by case" in wanted({"Team": "a"}, {"team": "b"}).problems[0]


def test_the_same_name_as_attribute_and_tag_is_told():
    assert "as an attribute and as a tag" in wanted({"team": "a"}, {"team": "b"}).problems[0]


def test_fifty_tags_are_the_limit_with_ours():
    assert wanted(tags={f"k{n}": "v" for n in range(49)}).problems == ()
    assert "51 tags" in wanted(tags={f"k{n}": "v" for n in range(50)}).problems[0]


@pytest.mark.parametrize("name", ["idhub:request-id", "IDHub:anything"])
def test_our_own_tags_cannot_be_asked_for(name):
    with pytest.raises(RequestRefused) as refused:
        wanted({}, {name: "x"})
    assert refused.value.code == "RESERVED_TAG"


def test_the_way_back_leaves_our_tags_out():
    assert to_attributes({"team": "blue", "idhub:request-id": "req-1"}) == {"team": "blue"}
