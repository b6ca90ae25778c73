"""One AWS account's IAM as an object: a call goes in, an answer or an error comes out, and time is told to it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from .actions import ACTIONS, TEMPORARILY_UNMODIFIABLE, Action
from .context import Answer, Context, Owner
from .errors import AwsError, no_such_policy, not_yet_modifiable
from .ids import Ids
from .login import sign_in
from .managed import aws_policies
from .model import AccessKey, Group, Role, User, with_item
from .settings import IamSettings
from .snapshot import to_snapshot
from .state import State, View

_CREATES: Mapping[str, str] = {"CreateUser": "UserName", "CreateGroup": "GroupName", "CreateRole": "RoleName"}
"""The parameter that need not name something that is there."""


class Account:
    """IAM of one account. Not thread-safe: calls come one after the other, as their effects do in IAM.

    Args:
        account_id: twelve digits.
        partition: aws, aws-us-gov or aws-cn; stands in every ARN.
        seed: of the generated identifiers; equal seeds and calls give equal accounts.
        settings: quotas and moods; may be shared with other accounts and changed while it runs.
    """

    def __init__(
        self, account_id: str, *, partition: str = "aws", seed: int = 0, settings: IamSettings | None = None
    ) -> None:
        self.owner = Owner(account_id, partition)
        self.settings = settings or IamSettings()
        self.state = State()
        self._ids = Ids(f"{seed}/{account_id}")
        for policy in aws_policies(partition):
            self.state.put_policy(policy)
        self.settle()

    @property
    def account_id(self) -> str:
        return self.owner.account_id

    @property
    def changes(self) -> int:
        """How often the state really changed so far; a call that raised it by nothing changed nothing."""
        return self.state.writes.count

    def call(
        self, action: str, params: Mapping[str, Any], *, actor: str, now: float, as_of: float | None = None
    ) -> Answer:
        """One call of the IAM API.

        Args:
            action: such as `AddUserToGroup`.
            params: by the API's names, as boto3 takes them; numbers and booleans may be text, as on the wire.
            actor: name of the calling user. It need not exist, unless a call is about the caller.
            now: seconds since the epoch. What lies before an earlier call's is taken as that one's.
            as_of: answer a read from the state at this moment. A write sees by it whether what it names exists, and
                then acts on the present.

        Returns:
            What boto3 returns, without ResponseMetadata; policy documents as the text that was given.

        Raises:
            AwsError: IAM refuses.
        """
        row = ACTIONS.get(action)
        if row is None:
            raise AwsError("InvalidAction", f"Could not find operation {action} for version 2010-05-08")
        checked = row.check(params)
        writes = self.state.writes
        writes.now = max(writes.now, now)
        if row.writes:
            if as_of is not None:
                self._require_seen(row, checked, as_of)
            if action in TEMPORARILY_UNMODIFIABLE and self.settings.is_unmodifiable(checked.get("UserName", actor)):
                raise not_yet_modifiable(checked.get("UserName", actor))
            as_of = None
        return row.handler(self._context(actor, writes.now, as_of), checked)

    def sign_in(self, user_name: str, password: str, now: float) -> Answer:
        """Signs a user in to the console: whether the password is right, and whether a new one is due.

        Raises:
            AwsError: AccessDenied.
        """
        writes = self.state.writes
        writes.now = max(writes.now, now)
        context = self._context(user_name, writes.now, None)
        return sign_in(context, {"UserName": user_name, "Password": password})

    def find_user(self, name: str) -> User | None:
        """The user now; names ignore case."""
        return View(self.state).find_user(name)

    def find_group(self, name: str) -> Group | None:
        """The group now."""
        return View(self.state).find_group(name)

    def find_role(self, name: str) -> Role | None:
        """The role now."""
        return View(self.state).find_role(name)

    def owner_of(self, access_key_id: str) -> tuple[User, AccessKey] | None:
        """Whose an access key is."""
        user_id = self.state.key_owner.get(access_key_id)
        user = self.state.users.get(user_id) if user_id is not None else None
        return None if user is None else (user, user.access_keys[access_key_id])

    def note_use(self, access_key_id: str, now: float, service: str, region: str) -> None:
        """What GetAccessKeyLastUsed will tell."""
        self.state.last_used[access_key_id] = (datetime.fromtimestamp(int(now), UTC), service, region)

    def plant_key(self, user_name: str, access_key_id: str, secret: str, now: float) -> None:
        """Gives a user an access key that is known beforehand, which no call of the API can."""
        context = self._context(user_name, now, None)
        user = context.user(user_name)
        key = AccessKey(access_key_id, secret, context.date)
        context.put_user(replace(user, access_keys=with_item(user.access_keys, access_key_id, key)))

    def settle(self) -> None:
        """Lets every write so far arrive everywhere: no read of whatever moment shows anything older."""
        self.state.settle()

    def snapshot(self) -> dict[str, Any]:
        """All that the account holds now, as JSON can carry it; no secrets."""
        return to_snapshot(self._context("", self.state.writes.now, None))

    def _context(self, actor: str, moment: float, at: float | None) -> Context:
        return Context(
            self.state, at, owner=self.owner, actor=actor, moment=moment, settings=self.settings, ids=self._ids
        )

    def _require_seen(self, row: Action, params: Mapping[str, Any], at: float) -> None:
        """Writes reach a server that may not have heard of what was just made: NoSuchEntity, for a while."""
        view = View(self.state, at)
        creates = _CREATES.get(row.name)
        if "UserName" in params and creates != "UserName":
            view.user(params["UserName"])
        if "GroupName" in params and creates != "GroupName":
            view.group(params["GroupName"])
        if "RoleName" in params and creates != "RoleName":
            view.role(params["RoleName"])
        if "PolicyArn" in params and view.policy(params["PolicyArn"]) is None:
            raise no_such_policy(params["PolicyArn"])
