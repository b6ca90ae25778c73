"""THE table: one row for each operation. Whoever adds an operation writes a body class, a planner and a row.

From it come what is read of the user, the IAM permissions that the connector needs, and what is UNSUPPORTED_OPERATION.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.model.iam import Facet, Identity
from connector.model.requests import (
    Body,
    CreateAccount,
    DeleteAccount,
    DisableAccount,
    EnableAccount,
    GrantEntitlements,
    Operation,
    Request,
    ResetPassword,
    RevokeEntitlements,
    SetEntitlements,
    UpdateAccount,
)
from connector.model.results import ReplyError

from .calls import Context, Plan, Seen, body_of
from .create import check_create, is_ours, plan_create
from .delete import plan_delete
from .disable import plan_disable
from .enable import plan_enable
from .entitlements import facets_of, inline_names
from .grant import plan_grant
from .reset import plan_reset
from .revoke import plan_revoke
from .rules import Rules
from .set_entitlements import FACETS, plan_set
from .switches import SWITCHES, to_record
from .update import check_update, plan_update

Facets = Callable[[Request, Identity], frozenset[Facet]]
Planner = Callable[[Request, Seen, Context], Plan]


@dataclass(frozen=True, slots=True)
class Row:
    """How one operation is run."""

    body: type[Body]
    facets: Facets
    """What the planner looks at besides the identity, which is read first; asked only for a user that is there."""
    plan: Planner
    permissions: tuple[str, ...]
    """IAM actions, those of the readings included. GetCallerIdentity needs none."""
    check: Callable[[Request, Rules], ReplyError | None] = lambda _request, _rules: None
    """What fails a request, or rejects it (RequestRefused), without a look at the user."""
    complete: bool = False
    """The plan needs every facet: one that IAM would not list (yet) is asked for again."""
    documents: Callable[[Request], frozenset[str]] = lambda _request: frozenset()
    """Inline policies, by their item keys, whose documents the planner compares."""
    ends_absent: bool = False
    """Read back at the end until the user is gone."""


def _of_grant(request: Request, _identity: Identity) -> frozenset[Facet]:
    return facets_of(body_of(request, GrantEntitlements).entitlements)


def _of_revocation(request: Request, _identity: Identity) -> frozenset[Facet]:
    return facets_of(body_of(request, RevokeEntitlements).entitlements)


def _of_creation(request: Request, identity: Identity) -> frozenset[Facet]:
    """A new user has nothing to read; one of ours is gone on from."""
    if not is_ours(identity, request):
        return frozenset()
    return facets_of(body_of(request, CreateAccount).entitlements) | {Facet.LOGIN}


_OF_ACCESS = frozenset({Facet.LOGIN, Facet.INLINE_POLICIES, Facet.ATTACHED_POLICIES})
"""Where the console password and a deny can be seen."""


def _of_disabling(_request: Request, _identity: Identity) -> frozenset[Facet]:
    return _OF_ACCESS | {row.facet for row in SWITCHES}


def _of_enabling(_request: Request, identity: Identity) -> frozenset[Facet]:
    """Of the credentials only those kinds that the record names."""
    record = to_record(identity.tags)
    return _OF_ACCESS | {Facet(item.detail or "") for item in (record.items if record is not None else ())}


def _of_login(_request: Request, _identity: Identity) -> frozenset[Facet]:
    return frozenset({Facet.LOGIN})


def _documents(request: Request) -> frozenset[str]:
    body = request.body
    return (
        inline_names(body.entitlements)
        if isinstance(body, CreateAccount | GrantEntitlements | SetEntitlements)
        else frozenset()
    )


def _of_set(_request: Request, _identity: Identity) -> frozenset[Facet]:
    return FACETS


def _nothing(_request: Request, _identity: Identity) -> frozenset[Facet]:
    """The identity tells it all."""
    return frozenset()


def _everything(_request: Request, _identity: Identity) -> frozenset[Facet]:
    return frozenset(Facet) - {Facet.IDENTITY}


OPERATIONS: Mapping[Operation, Row] = {
    Operation.CREATE_ACCOUNT: Row(
        CreateAccount,
        _of_creation,
        plan_create,
        (
            "iam:GetUser",
            "iam:CreateUser",
            "iam:TagUser",  # CreateUser with tags asks for it
            "iam:GetAccountPasswordPolicy",
            "iam:GetLoginProfile",
            "iam:CreateLoginProfile",
            "iam:UpdateLoginProfile",
            "iam:ListGroupsForUser",
            "iam:AddUserToGroup",
            "iam:ListAttachedUserPolicies",
            "iam:AttachUserPolicy",
            "iam:ListUserPolicies",
            "iam:GetUserPolicy",
            "iam:PutUserPolicy",
            "iam:PutUserPermissionsBoundary",
        ),
        check=check_create,
        documents=_documents,
    ),
    Operation.UPDATE_ACCOUNT: Row(
        UpdateAccount,
        _nothing,
        plan_update,
        ("iam:GetUser", "iam:TagUser", "iam:UntagUser", "iam:UpdateUser"),
        check=check_update,
    ),
    Operation.DELETE_ACCOUNT: Row(
        DeleteAccount,
        _everything,
        plan_delete,
        (
            "iam:GetUser",
            "iam:PutUserPolicy",
            "iam:AttachUserPolicy",
            "iam:GetLoginProfile",
            "iam:DeleteLoginProfile",
            "iam:ListAccessKeys",
            "iam:DeleteAccessKey",
            "iam:ListServiceSpecificCredentials",
            "iam:DeleteServiceSpecificCredential",
            "iam:ListSSHPublicKeys",
            "iam:DeleteSSHPublicKey",
            "iam:ListSigningCertificates",
            "iam:DeleteSigningCertificate",
            "iam:ListMFADevices",
            "iam:DeactivateMFADevice",
            "iam:DeleteVirtualMFADevice",
            "iam:ListGroupsForUser",
            "iam:RemoveUserFromGroup",
            "iam:ListAttachedUserPolicies",
            "iam:DetachUserPolicy",
            "iam:ListUserPolicies",
            "iam:DeleteUserPolicy",
            "iam:DeleteUser",
        ),
        ends_absent=True,
    ),
    Operation.DISABLE_ACCOUNT: Row(
        DisableAccount,
        _of_disabling,
        plan_disable,
        (
            "iam:GetUser",
            "iam:ListUserPolicies",
            "iam:PutUserPolicy",
            "iam:ListAttachedUserPolicies",
            "iam:AttachUserPolicy",
            "iam:TagUser",
            "iam:GetLoginProfile",
            "iam:DeleteLoginProfile",
            "iam:ListAccessKeys",
            "iam:UpdateAccessKey",
            "iam:ListServiceSpecificCredentials",
            "iam:UpdateServiceSpecificCredential",
            "iam:ListSSHPublicKeys",
            "iam:UpdateSSHPublicKey",
            "iam:ListSigningCertificates",
            "iam:UpdateSigningCertificate",
        ),
        complete=True,
    ),
    Operation.ENABLE_ACCOUNT: Row(
        EnableAccount,
        _of_enabling,
        plan_enable,
        (
            "iam:GetUser",
            "iam:GetAccountPasswordPolicy",
            "iam:GetLoginProfile",
            "iam:CreateLoginProfile",
            "iam:UpdateLoginProfile",
            "iam:ListAccessKeys",
            "iam:UpdateAccessKey",
            "iam:ListServiceSpecificCredentials",
            "iam:UpdateServiceSpecificCredential",
            "iam:ListSSHPublicKeys",
            "iam:UpdateSSHPublicKey",
            "iam:ListSigningCertificates",
            "iam:UpdateSigningCertificate",
            "iam:ListUserPolicies",
            "iam:DeleteUserPolicy",
            "iam:ListAttachedUserPolicies",
            "iam:DetachUserPolicy",
            "iam:UntagUser",
        ),
        complete=True,
    ),
    Operation.RESET_PASSWORD: Row(
        ResetPassword,
        _of_login,
        plan_reset,
        ("iam:GetUser", "iam:GetAccountPasswordPolicy", "iam:GetLoginProfile", "iam:UpdateLoginProfile"),
    ),
    Operation.GRANT_ENTITLEMENTS: Row(
        GrantEntitlements,
        _of_grant,
        plan_grant,
        (
            "iam:GetUser",
            "iam:ListGroupsForUser",
            "iam:AddUserToGroup",
            "iam:ListAttachedUserPolicies",
            "iam:AttachUserPolicy",
            "iam:ListUserPolicies",
            "iam:GetUserPolicy",
            "iam:PutUserPolicy",
            "iam:PutUserPermissionsBoundary",
        ),
        documents=_documents,
    ),
    Operation.REVOKE_ENTITLEMENTS: Row(
        RevokeEntitlements,
        _of_revocation,
        plan_revoke,
        (
            "iam:GetUser",
            "iam:ListGroupsForUser",
            "iam:RemoveUserFromGroup",
            "iam:ListAttachedUserPolicies",
            "iam:DetachUserPolicy",
            "iam:ListUserPolicies",
            "iam:DeleteUserPolicy",
            "iam:DeleteUserPermissionsBoundary",
        ),
    ),
    Operation.SET_ENTITLEMENTS: Row(
        SetEntitlements,
        _of_set,
        plan_set,
        (
            "iam:GetUser",
            "iam:ListGroupsForUser",
            "iam:AddUserToGroup",
            "iam:RemoveUserFromGroup",
            "iam:ListAttachedUserPolicies",
            "iam:AttachUserPolicy",
            "iam:DetachUserPolicy",
            "iam:ListUserPolicies",
            "iam:GetUserPolicy",
            "iam:PutUserPolicy",
            "iam:DeleteUserPolicy",
            "iam:PutUserPermissionsBoundary",
        ),
        complete=True,
        documents=_documents,
    ),
}


def permissions() -> tuple[str, ...]:
    """Every IAM permission that the operations need, once."""
    return tuple(sorted({one for row in OPERATIONS.values() for one in row.permissions}))
