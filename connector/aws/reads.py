"""IAM's answers as facets: one row for each list call. Every page is followed, at the largest page size.

boto3's paginators are not used: there is none for ListServiceSpecificCredentials, and they are slower.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from connector.model.iam import PASSWORD_ITEM, Facet, Identity, Item
from connector.plan.documents import fingerprint

from .errors import AwsError, ErrorClass

Ask = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""(action, parameters) → boto3's answer; raises AwsError or CallForbidden."""

PAGE = 1000
"""The most that IAM returns at once; it may return less."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How one facet is read."""

    action: str
    result: str
    """Where the answer holds the items."""
    to_item: Callable[[Any], Item]


def _of(id_name: str, status: str | None = None, detail: str | None = None) -> Callable[[Any], Item]:
    def to_item(told: Any) -> Item:
        return Item(
            told[id_name],
            told.get(status) if status is not None else None,
            told.get(detail) if detail is not None else None,
        )

    return to_item


LISTINGS: Mapping[Facet, Listing] = {
    Facet.ACCESS_KEYS: Listing("ListAccessKeys", "AccessKeyMetadata", _of("AccessKeyId", "Status")),
    Facet.SERVICE_CREDENTIALS: Listing(
        "ListServiceSpecificCredentials",
        "ServiceSpecificCredentials",
        _of("ServiceSpecificCredentialId", "Status", "ServiceName"),
    ),
    Facet.SSH_KEYS: Listing("ListSSHPublicKeys", "SSHPublicKeys", _of("SSHPublicKeyId", "Status")),
    Facet.SIGNING_CERTIFICATES: Listing("ListSigningCertificates", "Certificates", _of("CertificateId", "Status")),
    Facet.MFA_DEVICES: Listing("ListMFADevices", "MFADevices", _of("SerialNumber")),
    Facet.GROUPS: Listing("ListGroupsForUser", "Groups", _of("GroupName")),
    Facet.ATTACHED_POLICIES: Listing(
        "ListAttachedUserPolicies", "AttachedPolicies", _of("PolicyArn", detail="PolicyName")
    ),
    Facet.INLINE_POLICIES: Listing("ListUserPolicies", "PolicyNames", Item),
}


def read_identity(ask: Ask, user_name: str) -> Identity | None:
    """What GetUser tells; None for NoSuchEntity.

    Raises:
        AwsError: of any class but MISSING.
    """
    try:
        return to_identity(ask("GetUser", {"UserName": user_name})["User"])
    except AwsError as error:
        if error.kind is ErrorClass.MISSING:
            return None
        raise


def to_identity(user: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> Identity:
    """IAM's User structure as a value; `tags` where the answer need not repeat them (CreateUser)."""
    boundary = user.get("PermissionsBoundary")
    return Identity(
        user_name=user["UserName"],
        user_id=user["UserId"],
        arn=user["Arn"],
        path=user["Path"],
        created_at=user.get("CreateDate"),
        tags={tag["Key"]: tag["Value"] for tag in user.get("Tags", ())} if tags is None else tags,
        boundary=boundary.get("PermissionsBoundaryArn") if boundary else None,
        password_last_used=user.get("PasswordLastUsed"),
    )


def read_items(ask: Ask, user_name: str, facet: Facet) -> tuple[Item, ...] | None:
    """Every item of a facet; None where IAM knows no such user (yet, or any more), so that nothing is known.

    Raises:
        AwsError: of any class but MISSING.
    """
    try:
        if facet is Facet.LOGIN:
            return _read_login(ask, user_name)
        listing = LISTINGS[facet]
        items: list[Item] = []
        params: dict[str, Any] = {"UserName": user_name, "MaxItems": PAGE}
        while True:
            page = ask(listing.action, params)
            items.extend(map(listing.to_item, page.get(listing.result, ())))
            if not page.get("IsTruncated"):
                return tuple(items)
            params = {**params, "Marker": page["Marker"]}
    except AwsError as error:
        if error.kind is ErrorClass.MISSING:
            return None
        raise


def read_document(ask: Ask, user_name: str, item: Item) -> Item:
    """An inline policy with the fingerprint of its document as detail; as it was where it is gone meanwhile.

    Raises:
        AwsError: of any class but MISSING.
    """
    try:
        told = ask("GetUserPolicy", {"UserName": user_name, "PolicyName": item.id})
    except AwsError as error:
        if error.kind is ErrorClass.MISSING:
            return item
        raise
    return replace(item, detail=fingerprint(told["PolicyDocument"]))


def _read_login(ask: Ask, user_name: str) -> tuple[Item, ...]:
    try:
        ask("GetLoginProfile", {"UserName": user_name})
    except AwsError as error:
        if error.kind is ErrorClass.MISSING:
            return ()
        raise
    return (Item(PASSWORD_ITEM),)
