"""ProvisioningRequest records ↔ the model, and what is wrong with one that can be read but not run."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from connector.errors import RequestRefused
from connector.model.requests import (
    Approval,
    AttributeValue,
    Body,
    CreateAccount,
    DeleteAccount,
    DisableAccount,
    EnableAccount,
    Entitlement,
    EntitlementType,
    GrantEntitlements,
    Operation,
    Request,
    RequestedBy,
    ResetPassword,
    RevokeEntitlements,
    SetEntitlements,
    UnsupportedOperation,
    UpdateAccount,
)

from .content import content_hash

NAME = "ProvisioningRequest"
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+@-]{1,128}")
"""It becomes a tag's value and part of a user-agent, so it keeps to what both can hold."""
ACCOUNT_ID = re.compile("[0-9]{12}")

_BODIES: Mapping[Operation, Callable[[Mapping[str, Any]], Body]] = {
    Operation.CREATE_ACCOUNT: lambda f: CreateAccount(
        attributes=_attributes(f["attributes"]),
        tags=dict(f["tags"]["set"]),
        entitlements=_entitlements(f),
        credential=f["credential"],
    ),
    Operation.UPDATE_ACCOUNT: lambda f: UpdateAccount(
        attributes=_attributes(f["attributes"]),
        tags=dict(f["tags"]["set"]),
        remove_tags=tuple(f["tags"]["remove"]),
        new_user_name=f["newUserName"],
    ),
    Operation.DELETE_ACCOUNT: lambda _: DeleteAccount(),
    Operation.DISABLE_ACCOUNT: lambda _: DisableAccount(),
    Operation.ENABLE_ACCOUNT: lambda f: EnableAccount(f["credential"]),
    Operation.RESET_PASSWORD: lambda f: ResetPassword(f["credential"]),
    Operation.GRANT_ENTITLEMENTS: lambda f: GrantEntitlements(_entitlements(f)),
    Operation.REVOKE_ENTITLEMENTS: lambda f: RevokeEntitlements(_entitlements(f)),
    Operation.SET_ENTITLEMENTS: lambda f: SetEntitlements(_entitlements(f)),
}


def hash_of(fields: Mapping[str, Any]) -> str:
    """The `requestHash` of a decoded request."""
    return content_hash(NAME, fields)


def to_request(fields: Mapping[str, Any], *, traceparent: str | None = None) -> Request:
    """The request that a decoded record holds. Nothing of it is judged here but its shape: see `refusal_of`."""
    operation = Operation(fields["operation"])
    to_body = _BODIES.get(operation)
    body = to_body(fields) if to_body is not None else UnsupportedOperation(operation.value)
    return Request(
        request_id=fields["requestId"],
        operation=operation,
        aws_account_id=fields["awsAccountId"],
        user_name=fields["userName"],
        body=body,
        content_hash=hash_of(fields),
        expected_user_id=fields["expectedUserId"],
        dry_run=fields["dryRun"],
        plan_hash=fields["planHash"],
        resumes=fields["resumes"],
        not_after=fields["notAfter"],
        requested_by=_requested_by(fields["requestedBy"]),
        approval=_approval(fields["approval"]),
        requested_at=fields["requestedAt"],
        traceparent=traceparent,
    )


def refusal_of(request: Request) -> RequestRefused | None:
    """Why a readable request cannot be taken at all; None where it can."""
    if not REQUEST_ID.fullmatch(request.request_id):
        return RequestRefused(
            "BAD_REQUEST_ID", "requestId must be 1 to 128 of A-Z a-z 0-9 . _ : / = + @ -: choose another id"
        )
    if request.aws_account_id is not None and not ACCOUNT_ID.fullmatch(request.aws_account_id):
        return RequestRefused(
            "BAD_ACCOUNT_ID", "awsAccountId must be the 12 digits of an AWS account, leading zeros included, or null"
        )
    if not request.user_name.strip():
        return RequestRefused("MISSING_USER_NAME", "userName is empty: say whose account is meant")
    return None


def from_request(request: Request) -> dict[str, Any]:
    """What a producer publishes for this request. Of an UnsupportedOperation only the envelope is known."""
    return {
        "requestId": request.request_id,
        "operation": request.operation.value,
        "awsAccountId": request.aws_account_id,
        "userName": request.user_name,
        "expectedUserId": request.expected_user_id,
        **_from_body(request.body),
        "dryRun": request.dry_run,
        "planHash": request.plan_hash,
        "resumes": request.resumes,
        "notAfter": request.not_after,
        "requestedBy": from_requested_by(request.requested_by),
        "approval": from_approval(request.approval),
        "requestedAt": request.requested_at,
    }


def _from_body(body: Body) -> dict[str, Any]:
    match body:
        case CreateAccount():
            return {
                "attributes": _from_attributes(body.attributes),
                "tags": {"set": dict(body.tags), "remove": []},
                "entitlements": _from_entitlements(body.entitlements),
                "credential": body.credential,
            }
        case UpdateAccount():
            return {
                "attributes": _from_attributes(body.attributes),
                "tags": {"set": dict(body.tags), "remove": list(body.remove_tags)},
                "newUserName": body.new_user_name,
            }
        case EnableAccount() | ResetPassword():
            return {"credential": body.credential}
        case GrantEntitlements() | RevokeEntitlements() | SetEntitlements():
            return {"entitlements": _from_entitlements(body.entitlements)}
        case DeleteAccount() | DisableAccount() | UnsupportedOperation():
            return {}


def _from_attributes(values: Mapping[str, AttributeValue]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _from_entitlements(entitlements: tuple[Entitlement, ...]) -> list[dict[str, Any]]:
    return [{"type": e.type.value, "name": e.name, "document": e.document} for e in entitlements]


def _attributes(values: Mapping[str, Any]) -> dict[str, AttributeValue]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _entitlements(fields: Mapping[str, Any]) -> tuple[Entitlement, ...]:
    return tuple(Entitlement(EntitlementType(e["type"]), e["name"], e["document"]) for e in fields["entitlements"])


def _requested_by(value: Mapping[str, Any] | None) -> RequestedBy | None:
    return RequestedBy(value["system"], value["user"]) if value else None


def from_requested_by(value: RequestedBy | None) -> dict[str, Any] | None:
    return {"system": value.system, "user": value.user} if value else None


def _approval(value: Mapping[str, Any] | None) -> Approval | None:
    return Approval(value["ticket"], value["approver"]) if value else None


def from_approval(value: Approval | None) -> dict[str, Any] | None:
    return {"ticket": value.ticket, "approver": value.approver} if value else None
