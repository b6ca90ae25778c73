"""Entitlements of a request as things of IAM: one row per kind, each with the calls that grant and revoke it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from connector.model.iam import BOUNDARY_ITEM, Facet, Item, UserState
from connector.model.requests import Entitlement, EntitlementType
from connector.model.results import ReplyError, StepOutcome

from .calls import Call, Context, Effect, Seen, Step, ensure, remove
from .documents import fingerprint, to_document
from .names import DENY_POLICY, aws_policy_arn, customer_policy_arn, is_name, is_policy_name, to_arn


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

    def key(self, item: Item) -> str:
        """Of the step; there is one boundary, whichever it is."""
        return self.prefix if self.facet is Facet.IDENTITY else f"{self.prefix}:{item.key}"

    def effect(self, item: Item, *, present: bool) -> Effect:
        """What a reading will show afterwards."""
        shown = Item(BOUNDARY_ITEM, detail=item.id) if self.facet is Facet.IDENTITY else item
        return Effect(self.facet, shown, present)

    def is_in(self, state: UserState, item: Item, *, exactly: bool) -> bool:
        """Whether a reading shows it; `exactly`: with the same document, where it has one."""
        if self.facet is Facet.IDENTITY:
            return state.identity is not None and state.identity.boundary == item.id
        if not (exactly and self.facet is Facet.INLINE_POLICIES):
            return state.has(self.facet, item.id)
        return any(one.key == item.key and one.detail == item.detail for one in state.items.get(self.facet, ()))


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


def _to_boundary(name: str, account: str, partition: str) -> Item:
    """A policy of the account by its name, or one of AWS's own by its ARN."""
    arn = to_arn(name)
    if arn is not None and arn.account == "aws":
        return _to_aws_policy(name, account, partition)
    return _to_customer_policy(name, account, partition)


def _to_inline(name: str, _account: str, _partition: str) -> Item:
    if not is_name(name):
        raise _Unusable(f"{name!r} is no name of an inline policy: 1 to 128 letters, digits and _+=,.@-")
    if name == DENY_POLICY:
        raise _Unusable(f"{name} is the connector's own: DISABLE_ACCOUNT puts it, ENABLE_ACCOUNT lifts it")
    return Item(name)


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
    EntitlementType.INLINE_POLICY: Kind(
        Facet.INLINE_POLICIES, "inline", _to_inline, "PutUserPolicy", "DeleteUserPolicy", "PolicyName"
    ),
    EntitlementType.PERMISSIONS_BOUNDARY: Kind(
        Facet.IDENTITY,
        "boundary",
        _to_boundary,
        "PutUserPermissionsBoundary",
        "DeleteUserPermissionsBoundary",
        "PermissionsBoundary",
    ),
}
BY_FACET: Mapping[Facet, Kind] = {kind.facet: kind for kind in KINDS.values()}
BY_REVOCATION: Mapping[str, Kind] = {kind.revoke: kind for kind in KINDS.values()}


@dataclass(frozen=True, slots=True)
class Resolved:
    """An entitlement as IAM's thing; `problem` says why it is none."""

    key: str
    target: str
    kind: Kind | None = None
    item: Item | None = None
    document: str | None = None
    problem: ReplyError | None = None


def resolve(entitlements: Iterable[Entitlement], account: str, partition: str) -> tuple[Resolved, ...]:
    """Every entitlement once: what IAM takes for the same thing is one."""
    found: dict[str, Resolved] = {}
    for entitlement in entitlements:
        one = _resolve(entitlement, account, partition)
        before = found.setdefault(one.key, one)
        if before.item != one.item:
            found[one.key] = replace(before, problem=_twice(one))
    return tuple(found.values())


def _twice(one: Resolved) -> ReplyError:
    message = f"{one.target}: asked for twice, and differently: one user has one permissions boundary, and one policy of a name"
    return ReplyError("INVALID_ENTITLEMENT", message)


def _resolve(entitlement: Entitlement, account: str, partition: str) -> Resolved:
    kind = KINDS.get(entitlement.type)
    if kind is None:
        known = ", ".join(KINDS)
        message = f"{entitlement.name!r}: this version grants no {entitlement.type}; it knows {known}"
        return _unusable(entitlement, message)
    try:
        item = kind.to_item(entitlement.name, account, partition)
        if kind.facet is Facet.INLINE_POLICIES and entitlement.document is not None:
            item = replace(item, detail=_to_fingerprint(entitlement.name, entitlement.document))
    except _Unusable as why:
        return _unusable(entitlement, str(why))
    return Resolved(kind.key(item), item.id, kind, item, entitlement.document)


def _to_fingerprint(name: str, document: str) -> str:
    if to_document(document) is None:
        raise _Unusable(f"{name}: its document is no policy: a JSON object with a Statement")
    return fingerprint(document)


def _unusable(entitlement: Entitlement, message: str) -> Resolved:
    key = f"{entitlement.type.casefold()}:{entitlement.name.casefold()}"
    return Resolved(key, entitlement.name, problem=ReplyError("INVALID_ENTITLEMENT", message))


def facets_of(entitlements: Iterable[Entitlement]) -> frozenset[Facet]:
    """The facets that show whether these are granted, besides the identity."""
    kinds = (KINDS.get(one.type) for one in entitlements)
    return frozenset(kind.facet for kind in kinds if kind is not None) - {Facet.IDENTITY}


def inline_names(entitlements: Iterable[Entitlement]) -> frozenset[str]:
    """The inline policies, by their item keys, whose documents have to be read to know whether they are granted."""
    return frozenset(Item(e.name).key for e in entitlements if e.type is EntitlementType.INLINE_POLICY and e.document)


def grant_steps(
    entitlements: Iterable[Entitlement], seen: Seen, user_name: str, context: Context, *, needs: tuple[str, ...] = ()
) -> tuple[Step, ...]:
    """A step for each: independent of each other, `needs` apart."""
    steps = []
    for one in resolve(entitlements, context.account, context.partition):
        if one.problem is None and one.kind is not None and one.item is not None:
            steps.append(
                _grant_step(one, one.kind, one.item, seen=seen, user_name=user_name, context=context, needs=needs)
            )
        else:
            steps.append(_refused(one, "Grant"))
    return tuple(steps)


def _grant_step(
    one: Resolved, kind: Kind, item: Item, *, seen: Seen, user_name: str, context: Context, needs: tuple[str, ...]
) -> Step:
    params = {"UserName": user_name, kind.parameter: item.id}
    if kind.facet is Facet.INLINE_POLICIES:
        if one.document is None:
            why = ReplyError("INVALID_ENTITLEMENT", f"{item.id}: an inline policy is granted with its document")
            return _refused(replace(one, problem=why), "Grant")
        params["PolicyDocument"] = one.document
    call = Call(kind.grant, params, item.id, (kind.effect(item, present=True),))
    return ensure(one.key, call, context, shown=kind.is_in(seen.overlaid, item, exactly=True), needs=needs)


def revoke_steps(entitlements: Iterable[Entitlement], seen: Seen, user_name: str, context: Context) -> tuple[Step, ...]:
    """A removal for each, all independent."""
    steps = []
    for one in resolve(entitlements, context.account, context.partition):
        kind, item = one.kind, one.item
        if one.problem is not None or kind is None or item is None:
            steps.append(_refused(one, "Revoke"))
            continue
        shown = any(kind.is_in(state, item, exactly=False) for state in (seen.overlaid, seen.told))
        if kind.facet is Facet.IDENTITY and _has_other_boundary(seen, item):
            # The call takes no name: it would take away a boundary that nobody asked to take away.
            call = Call(kind.revoke, {"UserName": user_name}, item.id)
            steps.append(Step(one.key, call, removal=True, shown=True, found=StepOutcome.ALREADY_SO))
        else:
            steps.append(revoke_step(kind, item, user_name, context, shown=shown))
    return tuple(steps)


def _has_other_boundary(seen: Seen, item: Item) -> bool:
    boundary = seen.overlaid.identity.boundary if seen.overlaid.identity is not None else None
    return boundary is not None and boundary != item.id


def revoke_step(kind: Kind, item: Item, user_name: str, context: Context, *, shown: bool) -> Step:
    """One thing taken away."""
    params = {"UserName": user_name}
    if kind.facet is not Facet.IDENTITY:
        params[kind.parameter] = item.id
    call = Call(kind.revoke, params, item.id, (kind.effect(item, present=False),))
    return remove(kind.key(item), call, context, shown=shown)


def _refused(one: Resolved, verb: str) -> Step:
    return Step(one.key, Call(verb, {}, one.target), found=StepOutcome.FAILED, problem=one.problem)
