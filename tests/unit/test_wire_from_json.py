"""JSON as a person writes it: everything wrong is said at once, and nothing is guessed."""

from datetime import UTC, datetime

import pytest

from streams.wire import encode_record
from streams.wire.from_json import from_json

GOOD = {"requestId": "r-1", "operation": "CREATE_ACCOUNT", "userName": "alice"}


def problems(**fields):
    with pytest.raises(ValueError, match=r".") as error:
        from_json("ProvisioningRequest", {**GOOD, **fields})
    return str(error.value)


def test_what_is_right_can_be_encoded():
    given = {
        **GOOD,
        "awsAccountId": "012345678901",
        "attributes": {"a": "x", "b": ["y", "z"], "c": None},
        "entitlements": [{"type": "GROUP", "name": "admins"}],
        "tags": {"set": {"k": "v"}},
        "dryRun": True,
        "notAfter": "2026-03-01T12:00:00+02:00",
        "requestedAt": 1_772_366_400_000,
        "approval": {"ticket": "T-1"},
    }
    fields = from_json("ProvisioningRequest", given)
    assert fields["notAfter"] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert encode_record("ProvisioningRequest", fields)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"entitlments": []}, "entitlments: no such field; did you mean entitlements?"),
        ({"zzz": 1}, "zzz: no such field"),
        ({"operation": "CREATE_ACOUNT"}, "did you mean CREATE_ACCOUNT?"),
        ({"operation": 5}, "operation: this int is none of CREATE_ACCOUNT"),
        ({"userName": 5}, "userName must be a string"),
        ({"awsAccountId": 123456789012}, "awsAccountId must be null or a string"),
        ({"dryRun": "no"}, "dryRun must be true or false"),
        ({"dryRun": 0}, "dryRun must be true or false"),
        ({"attributes": {"a": 5}}, "attributes.a must be null or a string or a list"),
        ({"attributes": {"b": ["x", 4]}}, "attributes.b[1] must be a string"),
        ({"attributes": []}, "attributes must be an object"),
        ({"entitlements": {}}, "entitlements must be a list"),
        ({"entitlements": [{"type": "GROUP"}]}, "entitlements[0].name is missing"),
        ({"entitlements": [{"type": "GROUP", "name": "x", "nam": 1}]}, "entitlements[0].nam: no such field; did you mean name?"),
        ({"notAfter": "tomorrow"}, "notAfter: 'tomorrow' is no time in ISO 8601"),
        ({"notAfter": "2026-03-01T12:00:00"}, "notAfter: a time needs its zone"),
        ({"notAfter": True}, "notAfter must be null or a time in ISO 8601 or in milliseconds"),
        ({"approval": "ann"}, "approval must be null or an object"),
        ({"tags": None}, "tags must be an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(wrong, said):
    assert said in problems(**wrong)


def test_everything_wrong_is_said_at_once():
    told = problems(userName=5, dryRun="no", oops=1)
    assert told.count(";") == 2
    assert all(name in told for name in ("userName", "dryRun", "oops"))


@pytest.mark.parametrize("given", [None, [], "x", 5])
def test_what_is_no_object_is_refused(given):
    with pytest.raises(ValueError, match="must be an object"):
        from_json("ProvisioningRequest", given)


def test_the_value_of_a_credential_is_never_quoted():
    assert "hunter2" not in problems(credential=["hunter2"])
