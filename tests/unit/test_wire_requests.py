"""Requests as they are read: bodies, the envelope, and what is refused at once."""

from datetime import UTC, datetime, timedelta

import pytest

from connector.model.requests import (
    Approval,
    CreateAccount,
    DeleteAccount,
    DisableAccount,
    EnableAccount,
    Entitlement,
    EntitlementType,
    GrantEntitlements,
    Operation,
    RequestedBy,
    ResetPassword,
    RevokeEntitlements,
    UnsupportedOperation,
)
from streams.send import entitlement, new_request
from streams.wire import decode_record, encode_record
from streams.wire.requests import refusal_of, to_request

NOW = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def decoded(operation="CREATE_ACCOUNT", **fields):
    made = new_request(operation, "012345678901", "Alice", **{"requestId": "r-1", "requestedAt": NOW, **fields})
    return decode_record(encode_record("ProvisioningRequest", made))[1]


# -- bodies --------------------------------------------------------------------------------------------------------


def test_a_creation_has_attributes_tags_and_entitlements():
    request = to_request(
        decoded(
            attributes={"department": "Finance", "mail": ["a", "b"], "phone": None},
            tags={"set": {"team": "x"}, "remove": []},
            entitlements=[entitlement("GROUP", "admins")],
            credential="a.jwe",
        )
    )
    assert request.body == CreateAccount(
        {"department": "Finance", "mail": ("a", "b"), "phone": None},
        {"team": "x"},
        (Entitlement(EntitlementType.GROUP, "admins"),),
        "a.jwe",
    )


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("DELETE_ACCOUNT", DeleteAccount()),
        ("GRANT_ENTITLEMENTS", GrantEntitlements((Entitlement(EntitlementType.GROUP, "admins"),))),
        ("REVOKE_ENTITLEMENTS", RevokeEntitlements((Entitlement(EntitlementType.GROUP, "admins"),))),
        ("UNKNOWN", UnsupportedOperation("UNKNOWN")),
        ("DISABLE_ACCOUNT", DisableAccount()),
        ("ENABLE_ACCOUNT", EnableAccount()),
        ("RESET_PASSWORD", ResetPassword()),
    ],
)
def test_each_operation_has_its_body(operation, body):
    assert to_request(decoded(operation, entitlements=[entitlement("GROUP", "admins")])).body == body


def test_every_operation_of_the_schema_is_one_of_the_model():
    for operation in Operation:
        assert to_request(decoded(operation.value)).operation is operation


def test_the_envelope_is_carried_over():
    later = NOW + timedelta(days=1)
    request = to_request(
        decoded(
            awsAccountId=None,
            expectedUserId="AIDA1",
            dryRun=True,
            planHash="p",
            resumes="r-0",
            notAfter=later,
            requestedBy={"system": "IDHub", "user": "jerome"},
            approval={"ticket": "T-1", "approver": "ann"},
        ),
        traceparent="00-1-2-01",
    )
    assert (request.aws_account_id, request.user_name, request.expected_user_id) == (None, "Alice", "AIDA1")
    assert (request.dry_run, request.plan_hash, request.resumes) == (True, "p", "r-0")
    assert (request.not_after, request.requested_at) == (later, NOW)
    assert request.requested_by == RequestedBy("IDHub", "jerome")
    assert request.approval == Approval("T-1", "ann")
    assert request.traceparent == "00-1-2-01"


# -- refused at once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_id", ["", "x" * 129, "with space", "pipe|", "umläut", "a\n", "tab\t", "#1"])
def test_an_id_that_no_tag_or_user_agent_can_hold_is_refused(request_id):
    assert refusal_of(to_request(decoded(requestId=request_id))).code == "BAD_REQUEST_ID"


@pytest.mark.parametrize("request_id", ["x" * 128, "A-Z_0.9:/=+@", "f3d2f8f6-6a2c-4d43-9b5e-3b1c7f2b9d10"])
def test_the_ids_that_the_contract_promises_are_taken(request_id):
    assert refusal_of(to_request(decoded(requestId=request_id))) is None


@pytest.mark.parametrize(
    "account", ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２", "012345678901\n"]
)
def test_an_account_that_is_not_twelve_digits_is_refused(account):
    assert refusal_of(to_request(decoded(awsAccountId=account))).code == "BAD_ACCOUNT_ID"


def test_no_account_means_the_connectors_own():
    assert refusal_of(to_request(decoded(awsAccountId=None))) is None


@pytest.mark.parametrize("name", ["", " ", "\t\n"])
def test_a_request_for_nobody_is_refused(name):
    refusal = refusal_of(to_request(decoded(userName=name)))
    assert refusal is not None
    assert refusal.code == "MISSING_USER_NAME"
