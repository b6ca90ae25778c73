"""One call as a handler sees it: the state (perhaps an old one), the moment, who calls, and the ways to write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .errors import AwsError
from .ids import Ids
from .model import Group, Role, User
from .settings import IamSettings, Quotas
from .shapes import Params
from .state import State, View

Answer = dict[str, Any]
"""What boto3 returns, without ResponseMetadata; empty where IAM answers nothing."""
Handler = Callable[["Context", Params], Answer]


@dataclass(frozen=True, slots=True)
class Owner:
    """The account, as its entities' names need it."""

    account_id: str
    partition: str


class Context(View):
    """What a handler works with. Reads go through the view; writes always see and change the present."""

    __slots__ = ("actor", "ids", "moment", "owner", "settings")

    def __init__(
        self,
        state: State,
        at: float | None,
        *,
        owner: Owner,
        actor: str,
        moment: float,
        settings: IamSettings,
        ids: Ids,
    ) -> None:
        super().__init__(state, at)
        self.owner = owner
        self.actor = actor
        """The calling user's name."""
        self.moment = moment
        """Seconds since the epoch."""
        self.settings = settings
        self.ids = ids

    @property
    def quotas(self) -> Quotas:
        return self.settings.quotas

    @property
    def date(self) -> datetime:
        """The moment as IAM tells it: UTC, whole seconds."""
        return datetime.fromtimestamp(int(self.moment), UTC)

    def arn(self, kind: str, path: str, name: str) -> str:
        return f"arn:{self.owner.partition}:iam::{self.owner.account_id}:{kind}{path}{name}"

    def target(self, params: Params) -> User:
        """The user named, or the calling one where IAM lets the name out: the trap of twenty of its actions."""
        name = params.get("UserName")
        if name is not None:
            return self.user(name)
        caller = self.find_user(self.actor)
        if caller is None:
            raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
        return caller

    def holder(self, params: Params) -> User | Group | Role:
        """The user, the group or the role that a policy action is about."""
        if "RoleName" in params:
            return self.role(params["RoleName"])
        return self.group(params["GroupName"]) if "GroupName" in params else self.user(params["UserName"])

    def put(self, holder: User | Group | Role) -> None:
        if isinstance(holder, User):
            self.state.put_user(holder)
        elif isinstance(holder, Role):
            self.state.put_role(holder)
        else:
            self.state.put_group(holder)

    def put_user(self, user: User) -> None:
        self.state.put_user(user)


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as IAM's answers hold them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
