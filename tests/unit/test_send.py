"""What `send` makes of its flags and of a file."""

import io
import json
from pathlib import Path

import pytest

from streams.send import SendOptions, entitlement, new_request, to_fields
from streams.wire import decode_record, encode_record

ACCOUNT = "012345678901"


def fields_of(**given):
    return to_fields(SendOptions(**{"operation": "create", "user": "alice", "account": ACCOUNT, **given}))


def problem(**given):
    with pytest.raises(ValueError, match=r".") as error:
        fields_of(**given)
    return str(error.value)


@pytest.fixture
def from_file(tmp_path):
    def write(content, **given):
        file = tmp_path / "request.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return to_fields(SendOptions(file=file, **given))

    return write


# -- flags ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "operation"),
    [
        ("create", "CREATE_ACCOUNT"),
        ("DELETE", "DELETE_ACCOUNT"),
        ("grant", "GRANT_ENTITLEMENTS"),
        ("revoke", "REVOKE_ENTITLEMENTS"),
        ("disable_account", "DISABLE_ACCOUNT"),
    ],
)
def test_short_words_and_full_names(word, operation):
    assert fields_of(operation=word)["operation"] == operation


def test_what_was_made_can_be_published():
    fields = fields_of(
        groups=("devs",), policies=("ReadOnlyAccess",), attributes=("a=1",), tags=("k=v",), request_id="r-1",
        expected_user_id="AIDA1", resumes="r-0", dry_run=True,
    )  # fmt: skip
    told = decode_record(encode_record("ProvisioningRequest", fields))[1]
    assert (told["requestId"], told["expectedUserId"], told["resumes"], told["dryRun"]) == ("r-1", "AIDA1", "r-0", True)
    assert told["tags"] == {"set": {"k": "v"}, "remove": []}
    assert told["requestedBy"]["system"] == "idhub-aws-cli"


def test_every_request_has_an_id_of_its_own():
    assert fields_of()["requestId"] != fields_of()["requestId"]


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ("ReadOnlyAccess", "AWS_MANAGED_POLICY"),
        ("job-function/ViewOnlyAccess", "AWS_MANAGED_POLICY"),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", "AWS_MANAGED_POLICY"),
        ("arn:aws-cn:iam::aws:policy/X", "AWS_MANAGED_POLICY"),
        ("arn:aws:iam::012345678901:policy/Own", "CUSTOMER_MANAGED_POLICY"),
    ],
)
def test_an_arn_tells_whose_policy_it_is(policy, kind):
    assert fields_of(policies=(policy,))["entitlements"] == [entitlement(kind, policy)]


def test_an_attribute_that_is_given_twice_has_two_values():
    assert fields_of(attributes=("a=1", "b=x=y", "a=2"))["attributes"] == {"a": ["1", "2"], "b": "x=y"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"account": None}, "give --account with its 12 digits"),
        ({"account": "1234"}, "1234 is no AWS account"),
        ({"account": "１２３４５６７８９０１２"}, "is no AWS account"),
        ({"user": None}, "say what is to be done to whom"),
        ({"operation": "craete"}, "operation: 'CRAETE' is none of"),
        ({"attributes": ("a",)}, "--attribute 'a': write name=value"),
        ({"tags": ("=b",)}, "--tag '=b': write name=value"),
        ({"tags": ("a=1", "a=2")}, "--tag a: given twice"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(given, said):
    assert said in problem(**given)


# -- a file --------------------------------------------------------------------------------------------------------

FROM_IDHUB = {
    "requestId": "r-9",
    "operation": "CREATE_ACCOUNT",
    "awsAccountId": ACCOUNT,
    "userName": "alice",
    "attributes": {"department": "Finance"},
    "entitlements": [{"type": "GROUP", "name": "devs"}],
    "notAfter": "2026-03-01T12:00:00Z",
}


def test_a_file_says_it_all(from_file):
    fields = from_file(FROM_IDHUB)
    told = decode_record(encode_record("ProvisioningRequest", fields))[1]
    assert {name: told[name] for name in ("requestId", "userName", "attributes")} == {
        "requestId": "r-9",
        "userName": "alice",
        "attributes": {"department": "Finance"},
    }
    assert told["notAfter"].isoformat() == "2026-03-01T12:00:00+00:00"
    assert told["requestedAt"] is not None


def test_a_file_may_leave_id_and_account_to_the_flags(from_file):
    short = {"operation": "DELETE_ACCOUNT", "userName": "alice"}
    assert from_file(short, account=ACCOUNT, request_id="r-1")["requestId"] == "r-1"
    assert from_file(short, account=ACCOUNT)["requestId"]


def test_dry_run_makes_a_file_harmless(from_file):
    """The flag that is left out of account would delete somebody."""
    assert from_file({**FROM_IDHUB, "dryRun": False}, dry_run=True)["dryRun"] is True
    assert from_file({**FROM_IDHUB, "dryRun": True})["dryRun"] is True


def test_a_flag_beside_a_file_is_not_silently_ignored(from_file):
    with pytest.raises(ValueError, match="leave out: operation, groups"):
        from_file(FROM_IDHUB, operation="delete", groups=("x",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "Expecting property name"),
        ("[]", "must be an object"),
        ({**FROM_IDHUB, "entitlments": []}, "did you mean entitlements?"),
        ({**FROM_IDHUB, "awsAccountId": None}, "give --account"),
        ({"awsAccountId": ACCOUNT}, "operation is missing; userName is missing"),
    ],
)
def test_a_file_that_is_no_request_says_why(from_file, content, said):
    with pytest.raises(ValueError, match=r".") as error:
        from_file(content)
    assert said in str(error.value)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        to_fields(SendOptions(file=tmp_path / "none.json"))


def test_a_file_that_is_no_text_says_so(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="x: "):
        to_fields(SendOptions(file=tmp_path / "x"))


def test_a_dash_is_the_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(FROM_IDHUB)))
    assert to_fields(SendOptions(file=Path("-")))["requestId"] == "r-9"


def test_a_new_request_says_who_asks_and_when():
    made = new_request("DELETE_ACCOUNT", ACCOUNT, "alice", requestId="r-1", dryRun=True)
    assert (made["requestId"], made["dryRun"], made["requestedAt"].tzinfo is not None) == ("r-1", True, True)
