"""What a person reads: every kind of record in one line, nothing taken for markup or for a terminal's command."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from rich.console import Console

from streams.show import event_line, harmless, print_reply
from streams.wire import decode_record, encode_record, schemas
from streams.wire.headers import DEAD_LETTER
from tests.support import records

REPLY = {
    "requestId": "r-1", "operation": "GRANT_ENTITLEMENTS", "status": "PARTIAL", "requestHash": "h", "userName": "alice",
    "awsAccountId": "123456789012",
    "steps": [
        {"number": 1, "action": "AddUserToGroup", "target": "admins", "outcome": "DONE", "awsRequestId": "aws-1"},
        {
            "number": 2, "action": "AddUserToGroup", "target": "[red]x[/red]", "outcome": "FAILED",
            "errorCode": "NoSuchEntity", "errorMessage": "no group",
        },
    ],
    "account": {
        "userName": "alice", "userId": "AIDA1", "arn": "arn:aws:iam::123456789012:user/alice", "enabled": False,
        "groups": ["admins"], "attachedPolicies": [], "inlinePolicies": None,
    },
    "credential": "ey.jwe", "notes": ["sessions live on"],
    "error": {"code": "NoSuchEntity", "message": "no group", "retryable": True},
}  # fmt: skip


def shown(fields, *, terminal=False):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200, highlight=False, soft_wrap=True)
    print_reply(decode_record(encode_record("ProvisioningReply", fields))[1], console)
    return out.getvalue()


def test_a_reply_is_told_with_its_reason_its_steps_and_the_account():
    told = shown(REPLY)
    assert told.splitlines()[0] == "PARTIAL  GRANT_ENTITLEMENTS alice  (request r-1)"
    for part in (
        "NoSuchEntity: no group; the same may succeed later",
        "AddUserToGroup  admins",
        "aws-1",
        "note: sessions live on",
        "(AIDA1), disabled, groups: admins, policies: none",
        "password: delivered as a JWE",
    ):
        assert part in told
    assert "inline" not in told


def test_the_password_is_not_shown_and_neither_is_its_jwe():
    assert "ey.jwe" not in shown(REPLY)


def test_a_plan_is_told_with_its_hash():
    assert "plan hash: p-1" in shown({**REPLY, "status": "PLANNED", "planHash": "p-1"})


def test_names_are_no_markup():
    assert "[red]x[/red]" in shown(REPLY)


def test_there_is_colour_for_a_person_only():
    assert "\x1b[" in shown(REPLY, terminal=True)
    assert "\x1b[" not in shown(REPLY)


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb\x08", "\x00"])
def test_nothing_that_others_wrote_commands_the_terminal(evil):
    told = shown({**REPLY, "userName": f"al{evil}ice", "notes": [evil]})
    assert not set(evil) & set(told) & {chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))}


def test_text_of_others_stays_on_one_line():
    assert harmless("a\nb\tc") == "a b c"


@pytest.mark.parametrize("name", schemas.NAMES)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=records.st.data())
def test_every_record_has_a_line(name, data):
    fields = decode_record(encode_record(name, data.draw(records.fields_of(name))))[1]
    line = event_line(name, fields).plain
    assert line
    assert "\n" not in line


def test_a_dead_letter_has_a_line():
    told = dict.fromkeys(DEAD_LETTER, "x") | {"key": "k", "error-class": "Undecodable", "error-message": "why"}
    assert event_line("DeadLetter", told).plain == "buried   k at x: Undecodable: why (x, partition x, offset x)"


def test_what_cannot_be_read_has_a_line():
    assert event_line("Unreadable", {"topic": "t", "offset": 3, "error": "no"}).plain == "broken   t, offset 3: no"
