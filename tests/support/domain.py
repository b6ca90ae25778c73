"""Requests, readings and contexts for tests of the domain, each with only what the test is about."""

from datetime import UTC, datetime, timedelta

from connector.model.iam import AccountRecord, Facet, Identity, Item, UserState
from connector.model.requests import (
    CreateAccount,
    DeleteAccount,
    DisableAccount,
    EnableAccount,
    Entitlement,
    EntitlementType,
    GrantEntitlements,
    Operation,
    Request,
    ResetPassword,
    RevokeEntitlements,
    SetEntitlements,
    UpdateAccount,
)
from connector.plan.calls import Context, Seen

ACCOUNT = "123456789012"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OPERATION_OF = {
    CreateAccount: Operation.CREATE_ACCOUNT,
    DeleteAccount: Operation.DELETE_ACCOUNT,
    UpdateAccount: Operation.UPDATE_ACCOUNT,
    DisableAccount: Operation.DISABLE_ACCOUNT,
    EnableAccount: Operation.ENABLE_ACCOUNT,
    ResetPassword: Operation.RESET_PASSWORD,
    GrantEntitlements: Operation.GRANT_ENTITLEMENTS,
    RevokeEntitlements: Operation.REVOKE_ENTITLEMENTS,
    SetEntitlements: Operation.SET_ENTITLEMENTS,
}


class FakeClock:
    """Time that a test moves."""

    def __init__(self, now=NOW):
        self._now = now
        self._monotonic = 1000.0

    def now(self):
        return self._now

    def monotonic(self):
        return self._monotonic

    def advance(self, seconds):
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


def group(name):
    return Entitlement(EntitlementType.GROUP, name)


def aws_policy(name):
    return Entitlement(EntitlementType.AWS_MANAGED_POLICY, name)


def customer_policy(name):
    return Entitlement(EntitlementType.CUSTOMER_MANAGED_POLICY, name)


def inline(name, document=None):
    return Entitlement(EntitlementType.INLINE_POLICY, name, document)


def boundary(name):
    return Entitlement(EntitlementType.PERMISSIONS_BOUNDARY, name)


def set_to(*entitlements):
    return SetEntitlements(entitlements)


def create(*entitlements, attributes=None, tags=None, credential=None):
    return CreateAccount(attributes or {}, tags or {}, entitlements, credential)


def update(attributes=None, tags=None, remove=(), name=None):
    return UpdateAccount(attributes or {}, tags or {}, tuple(remove), name)


def grant(*entitlements):
    return GrantEntitlements(entitlements)


def revoke(*entitlements):
    return RevokeEntitlements(entitlements)


def request(body, user_name="alice", request_id="req-1", **fields):
    fields.setdefault("operation", OPERATION_OF.get(type(body), Operation.UNKNOWN))
    fields.setdefault("aws_account_id", ACCOUNT)
    fields.setdefault("content_hash", f"hash-of-{request_id}")
    return Request(request_id=request_id, user_name=user_name, body=body, **fields)


def identity(user_name="alice", user_id="AIDAALICE", tags=None, **fields):
    return Identity(user_name, user_id, f"arn:aws:iam::{ACCOUNT}:user/{user_name}", "/", tags=tags or {}, **fields)


def items(*ids):
    return tuple(Item(one) for one in ids)


def state(who=None, **facets):
    """`state(identity(), groups=items("admins"))`."""
    return UserState(who, {Facet[name.upper()]: value for name, value in facets.items()})


def seen(who=None, **facets):
    told = state(who, **facets)
    return Seen(told, told)


def context(**fields):
    return Context(ACCOUNT, "aws", **fields)


def record(who, items_by_facet=None, **fields):
    return AccountRecord(ACCOUNT, who.user_name, who, items_by_facet or {}, **fields)
