"""Entitlements of a request as things of IAM: one row per kind, each with the calls that grant and revoke it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from connector.model.iam import Facet, Item
from connector.model.requests import Entitlement, EntitlementType
from connector.model.results import ReplyError, StepOutcome

from .calls import Call, Context, Effect, Seen, Step, ensure, remove
from .names import aws_policy_arn, customer_policy_arn, is_name, is_policy_name, to_arn


class _Unusable(ValueError):
    """Says for a person why an entitlement cannot be what it says it is."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one type of entitlement is named, granted and taken away."""

    facet: Facet
    prefix: str
    """Of the step key."""
    to_item: Callable[[str, str, str], Item]
    """(name or ARN, account, partition) → the item that a reading of the facet shows."""
    grant: str
    revoke: str
    parameter: str
    """The parameter of both calls that takes the item's id."""


def _to_group(name: str, account: str, partition: str) -> Item:
    if not name.startswith("arn:"):
        if not is_name(name):
            raise _Unusable(f"{name!r} is no name of a group: 1 to 128 letters, digits and _+=,.@-")
        return Item(name)
    arn = to_arn(name)
    if arn is None or arn.service != "iam" or arn.kind != "group" or not is_name(arn.name):
        raise _Unusable(f"{name!r} is no ARN of a group; one looks like arn:{partition}:iam::{account}:group/admins")
    _must_be_ours(name, (arn.partition, arn.account), (partition, account))
    return Item(arn.name)


def _to_aws_policy(name: str, _account: str, partition: str) -> Item:
    return _to_policy(name, aws_policy_arn(partition, name), (partition, "aws"))


def _to_customer_policy(name: str, account: str, partition: str) -> Item:
    return _to_policy(name, customer_policy_arn(partition, account, name), (partition, account))


def _to_policy(name: str, arn_by_name: str, owner: tuple[str, str]) -> Item:
    if not name.startswith("arn:"):
        if not is_policy_name(name):
            raise _Unusable(
                f"{name!r} is no name of a policy: 1 to 128 letters, digits and _+=,.@-, with its path or not"
            )
        return Item(arn_by_name, detail=name.rpartition("/")[2])
    arn = to_arn(name)
    if arn is None or arn.service != "iam" or arn.kind != "policy" or not is_policy_name(arn.resource):
        raise _Unusable(f"{name!r} is no ARN of a policy; one looks like arn:{owner[0]}:iam::{owner[1]}:policy/Reader")
    _must_be_ours(name, (arn.partition, arn.account), owner)
    return Item(name, detail=arn.name)


def _must_be_ours(name: str, told: tuple[str, str], wanted: tuple[str, str]) -> None:
    if told != wanted:
        raise _Unusable(f"{name!r} belongs to {'/'.join(told)}; this type in this account has {'/'.join(wanted)}")


KINDS: Mapping[EntitlementType, Kind] = {
    EntitlementType.GROUP: Kind(Facet.GROUPS, "group", _to_group, "AddUserToGroup", "RemoveUserFromGroup", "GroupName"),
    # The two kinds of managed policies differ only in who owns them.
    EntitlementType.AWS_MANAGED_POLICY: Kind(
        Facet.ATTACHED_POLICIES, "policy", _to_aws_policy, "AttachUserPolicy", "DetachUserPolicy", "PolicyArn"
    ),
    EntitlementType.CUSTOMER_MANAGED_POLICY: Kind(
        Facet.ATTACHED_POLICIES, "policy", _to_customer_policy, "AttachUserPolicy", "DetachUserPolicy", "PolicyArn"
    ),
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """An entitlement as IAM's thing; `problem` says why it is none."""

    key: str
    target: str
    kind: Kind | None = None
    item: Item | None = None
    problem: ReplyError | None = None


def resolve(entitlements: Iterable[Entitlement], account: str, partition: str) -> tuple[Resolved, ...]:
    """Every entitlement once: what IAM takes for the same thing is one."""
    found: dict[str, Resolved] = {}
    for entitlement in entitlements:
        one = _resolve(entitlement, account, partition)
        found.setdefault(one.key, one)
    return tuple(found.values())


def _resolve(entitlement: Entitlement, account: str, partition: str) -> Resolved:
    kind = KINDS.get(entitlement.type)
    if kind is None:
        known = ", ".join(KINDS)
        message = f"{entitlement.name!r}: this version grants no {entitlement.type}; it knows {known}"
        return _unusable(entitlement, message)
    try:
        item = kind.to_item(entitlement.name, account, partition)
    except _Unusable as why:
        return _unusable(entitlement, str(why))
    return Resolved(f"{kind.prefix}:{item.key}", item.id, kind, item)


def _unusable(entitlement: Entitlement, message: str) -> Resolved:
    key = f"{entitlement.type.casefold()}:{entitlement.name.casefold()}"
    return Resolved(key, entitlement.name, problem=ReplyError("INVALID_ENTITLEMENT", message))


def facets_of(entitlements: Iterable[Entitlement]) -> frozenset[Facet]:
    """The facets that show whether these are granted."""
    return frozenset(kind.facet for e in entitlements if (kind := KINDS.get(e.type)) is not None)


def grant_steps(
    entitlements: Iterable[Entitlement], seen: Seen, user_name: str, context: Context, *, needs: tuple[str, ...] = ()
) -> tuple[Step, ...]:
    """A step for each: independent of each other, `needs` apart."""
    steps = []
    for one in resolve(entitlements, context.account, context.partition):
        if one.kind is None or one.item is None:
            steps.append(_refused(one, "Grant"))
            continue
        params = {"UserName": user_name, one.kind.parameter: one.item.id}
        call = Call(one.kind.grant, params, one.item.id, (Effect(one.kind.facet, one.item, present=True),))
        steps.append(ensure(one.key, call, context, shown=seen.overlaid.has(one.kind.facet, one.item.id), needs=needs))
    return tuple(steps)


def revoke_steps(entitlements: Iterable[Entitlement], seen: Seen, user_name: str, context: Context) -> tuple[Step, ...]:
    """A removal for each, all independent."""
    steps = []
    for one in resolve(entitlements, context.account, context.partition):
        if one.kind is None or one.item is None:
            steps.append(_refused(one, "Revoke"))
            continue
        params = {"UserName": user_name, one.kind.parameter: one.item.id}
        call = Call(one.kind.revoke, params, one.item.id, (Effect(one.kind.facet, one.item, present=False),))
        shown = seen.overlaid.has(one.kind.facet, one.item.id) or seen.told.has(one.kind.facet, one.item.id)
        steps.append(remove(one.key, call, context, shown=shown))
    return tuple(steps)


def _refused(one: Resolved, verb: str) -> Step:
    return Step(one.key, Call(verb, {}, one.target), found=StepOutcome.FAILED, problem=one.problem)
