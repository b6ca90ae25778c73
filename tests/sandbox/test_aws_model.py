"""The stand-in's tables against botocore's copy of AWS's service model: names, bounds, patterns, codes."""

import re

import botocore.session
import pytest

from sandbox.aws.iam.actions import ACTIONS, TEMPORARILY_UNMODIFIABLE
from sandbox.aws.iam.errors import STATUS
from sandbox.aws.iam.shapes import SHAPES

MODEL = botocore.session.Session().get_service_model("iam")

SAMPLES = (
    "a",
    "Zoë",
    "a b",
    "/",
    "/a/",
    "/a b/",
    "x/y",
    "",
    "v1",
    "v0",
    "123456",
    "12345a",
    "a\tb",
    "€",
    "arn:aws:iam::1:x/y+=,.@-_",
)


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_an_action_takes_the_parameters_of_the_service_model(name):
    shape = MODEL.operation_model(name).input_shape
    members = {} if shape is None else shape.members
    assert set(ACTIONS[name].shapes) == set(members)
    required = [] if shape is None else shape.required_members
    assert set(ACTIONS[name].required) == set(required)


def test_what_begins_with_get_list_generate_or_simulate_reads_and_all_else_writes():
    assert {name for name, action in ACTIONS.items() if not action.writes} == {
        name for name in ACTIONS if name.startswith(("Get", "List", "Generate", "Simulate"))
    }


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_a_parameter_has_the_bounds_and_the_pattern_of_the_service_model(name):
    shape = MODEL.operation_model(name).input_shape
    for parameter, model in ({} if shape is None else shape.members).items():
        ours = ACTIONS[name].shapes[parameter]
        where = f"{name}.{parameter}"
        kind = {"list": ("texts", "tags", "contexts")}.get(
            model.type_name, (model.type_name.replace("string", "text"),)
        )
        assert ours.kind in kind, where
        if model.type_name == "list":
            continue
        assert list(ours.choices) == list(getattr(model, "enum", ())), where
        told = model.metadata
        assert (ours.low or 0, ours.high) == (told.get("min", 0), told.get("max")), where
        if "pattern" in told and not ours.choices:
            theirs = re.compile(_python(told["pattern"]), re.ASCII)
            assert ours.pattern is not None, where
            for sample in SAMPLES:
                assert bool(theirs.fullmatch(sample)) == bool(ours.pattern.fullmatch(sample)), (where, sample)


def _python(pattern: str) -> str:
    """The model's patterns are Java's."""
    return pattern.replace("\\u002F", "/")


def test_tags_have_the_bounds_of_the_service_model():
    tag = MODEL.shape_for("Tag")
    assert (tag.members["Key"].metadata["min"], tag.members["Key"].metadata["max"]) == (1, 128)
    assert tag.members["Value"].metadata["max"] == 256
    assert MODEL.shape_for("tagListType").metadata["max"] == SHAPES["tags"].high


def test_errors_have_the_http_status_of_the_service_model():
    for shape in MODEL.error_shapes:
        code, status = (
            shape.metadata.get("error", {}).get("code"),
            shape.metadata.get("error", {}).get("httpStatusCode"),
        )
        if code in STATUS:
            assert STATUS[code] == status, code


def test_the_temporarily_unmodifiable_are_those_of_the_service_model():
    may = {
        name
        for name in MODEL.operation_names
        if any(
            shape.metadata.get("error", {}).get("code") == "EntityTemporarilyUnmodifiable"
            for shape in MODEL.operation_model(name).error_shapes
        )
    }
    assert may == TEMPORARILY_UNMODIFIABLE


def test_every_action_that_works_on_the_caller_by_default_is_one_whose_user_name_is_optional():
    optional = {
        name for name, action in ACTIONS.items() if "UserName" in action.shapes and "UserName" not in action.required
    }
    assert len(optional) == 20
