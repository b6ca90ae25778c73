"""All tables of one account, the indexes over them, and the view of them at a moment.

Entities are kept by their unique id and found through a table of case-folded names, so that a rename touches neither
memberships nor attachments. Indexes hold for now only; a view of the past, which only tests ask for, looks through all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from .errors import no_such_group, no_such_role, no_such_user
from .model import Group, PasswordPolicy, Policy, Report, Role, User, VirtualDevice
from .tables import Table, Writes

PASSWORD_POLICY = "password-policy"


class State:
    """What an account holds."""

    def __init__(self) -> None:
        self.writes = Writes()
        self.users: Table[User] = Table(self.writes)
        self.user_names: Table[str] = Table(self.writes)
        self.groups: Table[Group] = Table(self.writes)
        self.group_names: Table[str] = Table(self.writes)
        self.roles: Table[Role] = Table(self.writes)
        self.role_names: Table[str] = Table(self.writes)
        self.policies: Table[Policy] = Table(self.writes)
        self.policy_names: Table[str] = Table(self.writes)
        """`<name, case-folded>/aws` or `…/local` → ARN: both may have a policy of one name."""
        self.devices: Table[VirtualDevice] = Table(self.writes)
        self.password_policy: Table[PasswordPolicy] = Table(self.writes)
        self.members: dict[str, dict[str, None]] = {}
        self.attachments: Counter[str] = Counter()
        self.boundaries: Counter[str] = Counter()
        self.key_owner: dict[str, str] = {}
        """Access key id → user id."""
        self.last_used: dict[str, tuple[datetime, str, str]] = {}
        """Access key id → when, service, Region. No change of the account: it has no past and is not counted."""
        self.certificate_bodies: Counter[str] = Counter()
        self.report: Report | None = None
        """The latest credential report. No change of the account either."""
        self.aliases: Table[str] = Table(self.writes)

    def put_user(self, user: User) -> None:
        """Creates or replaces a user; the name's entry with it."""
        before = self.users.get(user.user_id)
        if not self.users.put(user.user_id, user):
            return
        if before is not None and before.name.casefold() != user.name.casefold():
            self.user_names.remove(before.name.casefold())
        self.user_names.put(user.name.casefold(), user.user_id)
        self._index_user(before, user)

    def remove_user(self, user: User) -> None:
        self.users.remove(user.user_id)
        self.user_names.remove(user.name.casefold())
        self._index_user(user, None)

    def put_group(self, group: Group) -> None:
        before = self.groups.get(group.group_id)
        if not self.groups.put(group.group_id, group):
            return
        if before is not None and before.name.casefold() != group.name.casefold():
            self.group_names.remove(before.name.casefold())
        self.group_names.put(group.name.casefold(), group.group_id)
        _count(self.attachments, before.attached if before else (), group.attached)

    def remove_group(self, group: Group) -> None:
        self.groups.remove(group.group_id)
        self.group_names.remove(group.name.casefold())
        self.members.pop(group.group_id, None)

    def put_role(self, role: Role) -> None:
        before = self.roles.get(role.role_id)
        self.roles.put(role.role_id, role)
        self.role_names.put(role.name.casefold(), role.role_id)
        self._count_role(before, role)

    def remove_role(self, role: Role) -> None:
        self.roles.remove(role.role_id)
        self.role_names.remove(role.name.casefold())
        self._count_role(role, None)

    def _count_role(self, before: Role | None, after: Role | None) -> None:
        _count(self.attachments, before.attached if before else (), after.attached if after else ())
        bounds = [(one.boundary,) if one is not None and one.boundary else () for one in (before, after)]
        _count(self.boundaries, *bounds)

    def put_policy(self, policy: Policy) -> None:
        self.policies.put(policy.arn, policy)
        self.policy_names.put(policy_key(policy.name, policy.of_aws), policy.arn)

    def remove_policy(self, policy: Policy) -> None:
        self.policies.remove(policy.arn)
        self.policy_names.remove(policy_key(policy.name, policy.of_aws))

    def settle(self) -> None:
        """Every write so far is seen by every read from now on, however old a state it is answered from."""
        for table in (self.users, self.groups, self.roles, self.policies, self.devices, self.password_policy):
            table.settle()
        for names in (self.user_names, self.group_names, self.role_names, self.policy_names, self.aliases):
            names.settle()

    def _index_user(self, before: User | None, after: User | None) -> None:
        old, new = before or _NOBODY, after or _NOBODY
        user_id = (after or old).user_id
        if old.groups != new.groups:
            for group_id in old.groups - new.groups:
                self.members[group_id].pop(user_id, None)
            for group_id in new.groups - old.groups:
                self.members.setdefault(group_id, {})[user_id] = None
        if old.access_keys is not new.access_keys:
            for key_id in old.access_keys.keys() - new.access_keys.keys():
                del self.key_owner[key_id]
            for key_id in new.access_keys.keys() - old.access_keys.keys():
                self.key_owner[key_id] = user_id
        _count(self.attachments, old.attached, new.attached)
        if old.boundary != new.boundary:
            _count(self.boundaries, (old.boundary,) if old.boundary else (), (new.boundary,) if new.boundary else ())
        if old.certificates is not new.certificates:
            _count(
                self.certificate_bodies,
                [c.body for c in old.certificates.values()],
                [c.body for c in new.certificates.values()],
            )


class View:
    """An account's state now (`at` None) or at a moment of the past."""

    __slots__ = ("at", "state")

    def __init__(self, state: State, at: float | None = None) -> None:
        self.state = state
        self.at = at

    def find_user(self, name: str) -> User | None:
        """By name, whose case does not matter."""
        user_id = self.state.user_names.get(name.casefold(), self.at)
        return None if user_id is None else self.state.users.get(user_id, self.at)

    def user(self, name: str) -> User:
        """As `find_user`; raises NoSuchEntity."""
        user = self.find_user(name)
        if user is None:
            raise no_such_user(name)
        return user

    def find_group(self, name: str) -> Group | None:
        group_id = self.state.group_names.get(name.casefold(), self.at)
        return None if group_id is None else self.state.groups.get(group_id, self.at)

    def group(self, name: str) -> Group:
        """As `find_group`; raises NoSuchEntity."""
        group = self.find_group(name)
        if group is None:
            raise no_such_group(name)
        return group

    def find_role(self, name: str) -> Role | None:
        role_id = self.state.role_names.get(name.casefold(), self.at)
        return None if role_id is None else self.state.roles.get(role_id, self.at)

    def role(self, name: str) -> Role:
        """As `find_role`; raises NoSuchEntity."""
        role = self.find_role(name)
        if role is None:
            raise no_such_role(name)
        return role

    def users(self) -> Iterator[User]:
        """All, by name."""
        for key in self.state.user_names.ordered(self.at):
            user = self.find_user(key)
            if user is not None:
                yield user

    def groups(self) -> Iterator[Group]:
        for key in self.state.group_names.ordered(self.at):
            group = self.find_group(key)
            if group is not None:
                yield group

    def roles(self) -> Iterator[Role]:
        for key in self.state.role_names.ordered(self.at):
            role = self.find_role(key)
            if role is not None:
                yield role

    def policies(self) -> Iterator[Policy]:
        for key in self.state.policy_names.ordered(self.at):
            arn = self.state.policy_names.get(key, self.at)
            policy = self.policy(arn) if arn is not None else None
            if policy is not None:
                yield policy

    def groups_of(self, user: User) -> list[Group]:
        found = (self.state.groups.get(group_id, self.at) for group_id in user.groups)
        return sorted((group for group in found if group is not None), key=_folded)

    def members_of(self, group: Group) -> list[User]:
        if self.at is None:
            ids = self.state.members.get(group.group_id, ())
            found = [user for user in map(self.state.users.get, ids) if user is not None]
        else:
            found = [user for user in self.users() if group.group_id in user.groups]
        return sorted(found, key=_folded)

    def policy(self, arn: str) -> Policy | None:
        return self.state.policies.get(arn, self.at)

    def attachment_count(self, arn: str) -> int:
        if self.at is None:
            return self.state.attachments[arn]
        return sum(
            arn in holder.attached for holders in (self.users(), self.groups(), self.roles()) for holder in holders
        )

    def boundary_count(self, arn: str) -> int:
        if self.at is None:
            return self.state.boundaries[arn]
        return sum(one.boundary == arn for holders in (self.users(), self.roles()) for one in holders)


def policy_key(name: str, of_aws: bool) -> str:
    """A managed policy's key in the order of lists; names are unique in an account without regard to case."""
    return f"{name.casefold()}/{'aws' if of_aws else 'local'}"


def _folded(entity: User | Group) -> str:
    return entity.name.casefold()


def _count(counter: Counter[str], old: Iterable[str], new: Iterable[str]) -> None:
    if old is new:
        return
    for key in old:
        counter[key] -= 1
    for key in new:
        counter[key] += 1


_NOBODY = User("", "", "", datetime.min.replace(tzinfo=UTC))  # stands for "no user" when two states of one are compared
