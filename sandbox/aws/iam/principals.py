"""The policies that have a say over a user or a role, and the trust policy of a role."""

from collections.abc import Iterator

from .model import Group, Role, User
from .rights import Keys, Layers, Source, conditions_hold, like, listed, statements
from .state import View


def layers_of(view: View, entity: User | Role) -> Layers:
    """Identity policies (a user's groups' among them) and the permissions boundary."""
    holders: list[User | Role | Group] = [entity]
    if isinstance(entity, User):
        holders += view.groups_of(entity)
    boundary = None if entity.boundary is None else view.policy(entity.boundary)
    return Layers(
        identity=tuple(source for holder in holders for source in _sources(view, holder)),
        boundary=None
        if boundary is None
        else (Source(boundary.versions[boundary.default].document, boundary.name, "IAM Policy"),),
    )


def _sources(view: View, holder: User | Role | Group) -> Iterator[Source]:
    kind = type(holder).__name__.lower()
    for name, document in holder.inline.items():
        yield Source(document, f"{kind}_{holder.name}_{name}", "IAM Policy")
    for arn in holder.attached:
        policy = view.policy(arn)
        if policy is not None:
            yield Source(policy.versions[policy.default].document, policy.name, "IAM Policy")


def trusts(role: Role, action: str, names: frozenset[str], keys: Keys) -> bool:
    """Whether a role's trust policy lets one in who goes by these names.

    Args:
        role: whose trust policy is asked.
        action: `sts:AssumeRole`.
        names: the caller's own ARN, its account's root ARN, and its account id.
        keys: the request's context.
    """

    def about(statement: object, effect: str) -> bool:
        assert isinstance(statement, dict)
        return (
            statement["Effect"] == effect
            and any(like(one, action, fold=True) for one in listed(statement.get("Action", [])))
            and _names(statement.get("Principal", {}), names)
            and conditions_hold(statement.get("Condition", {}), keys, denies=effect == "Deny")
        )

    told = statements(role.trust)
    return any(about(one, "Allow") for one in told) and not any(about(one, "Deny") for one in told)


def _names(principal: object, names: frozenset[str]) -> bool:
    if principal == "*":
        return True
    wanted = listed(principal.get("AWS", [])) if isinstance(principal, dict) else []
    return any(one == "*" or one in names for one in wanted)
