"""Somebody who makes again what was taken away: after each deletion, or every few seconds.

A connector that disables or deletes a user races with others who may not know of it. The adversary works at the
console: past all faults, in the journal, and in CloudTrail, as the actor named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .iam import AwsError
from .journal import Entry
from .samples import ssh_public_key
from .seeds import CONSOLE_ADMIN, DEFAULT_ACCOUNT

PASSWORD = "Adversary-Was-Here-1"

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Remake:
    """How one kind of thing comes back."""

    taken_by: str
    """The action that takes it away."""
    made_by: str
    params: Callable[[Mapping[str, Any], int], Params]
    """(parameters of the taking, running number) → parameters of the making, without the user's name."""
    alone: bool = True
    """Whether it can be made out of nothing, by the clock."""


_REMAKES: Mapping[str, _Remake] = {
    "access_key": _Remake("DeleteAccessKey", "CreateAccessKey", lambda _took, _n: {}),
    "active_key": _Remake(
        "UpdateAccessKey",
        "UpdateAccessKey",
        lambda took, _n: {"AccessKeyId": took["AccessKeyId"], "Status": "Active"},
        alone=False,
    ),
    "login_profile": _Remake("DeleteLoginProfile", "CreateLoginProfile", lambda _took, _n: {"Password": PASSWORD}),
    "service_credential": _Remake(
        "DeleteServiceSpecificCredential",
        "CreateServiceSpecificCredential",
        lambda _took, _n: {"ServiceName": "codecommit.amazonaws.com"},
    ),
    "ssh_key": _Remake(
        "DeleteSSHPublicKey",
        "UploadSSHPublicKey",
        lambda _took, n: {"SSHPublicKeyBody": ssh_public_key(f"adversary-{n}")},
    ),
    "membership": _Remake(
        "RemoveUserFromGroup", "AddUserToGroup", lambda took, _n: {"GroupName": took["GroupName"]}, alone=False
    ),
    "policy": _Remake(
        "DetachUserPolicy", "AttachUserPolicy", lambda took, _n: {"PolicyArn": took["PolicyArn"]}, alone=False
    ),
}
KINDS = tuple(_REMAKES)


@dataclass(slots=True)
class Plan:
    """What an adversary does.

    Raises:
        ValueError: for a kind that there is not, or no user.
    """

    users: list[str]
    """Case does not matter."""
    makes: list[str] = field(default_factory=lambda: ["access_key"])
    """Of `KINDS`."""
    account: str = DEFAULT_ACCOUNT
    actor: str = CONSOLE_ADMIN
    every_s: float | None = None
    """Makes things by the clock, too: one round at the start, then every so many seconds."""
    delay_s: float = 0.0
    """Between a deletion and the making."""
    times: int | None = None
    """At most so many things are made."""
    made: int = 0
    refused: int = 0
    """Makings that IAM refused."""
    next_round: float = 0.0
    """Seconds since the epoch."""

    def __post_init__(self) -> None:
        if not self.users:
            raise ValueError("users is a list of names")
        if not set(self.makes) <= _REMAKES.keys():
            raise ValueError(f"makes is a list of {', '.join(KINDS)}")
        if self.every_s is not None and not self.every_s > 0:
            raise ValueError("every_s is more than 0")

    def to_json(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


_SETTABLE = frozenset(one.name for one in fields(Plan)) - {"made", "refused", "next_round"}


class Adversary:
    """All plans. `console` makes a call at the console: (action, params, account, actor)."""

    def __init__(
        self, console: Callable[[str, Params, str, str], Any], later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._console = console
        self._later = later
        self.plans: list[Plan] = []

    def add(self, told: Mapping[str, Any]) -> Plan:
        """Raises ValueError for fields that a plan has not, or senseless values."""
        unknown = sorted(told.keys() - _SETTABLE)
        if unknown:
            raise ValueError(f"A plan has no {', '.join(unknown)}; it has {', '.join(sorted(_SETTABLE))}.")
        if any(isinstance(told.get(name, []), str) for name in ("users", "makes")):
            raise ValueError("users and makes are lists")
        plan = Plan(**told)
        self.plans.append(plan)
        return plan

    def clear(self) -> None:
        self.plans.clear()

    def watch(self, entry: Entry) -> None:
        """Sees a call that changed something."""
        for plan in tuple(self.plans):
            if entry.account != plan.account or entry.user not in {name.casefold() for name in plan.users}:
                continue
            for kind in plan.makes:
                if _REMAKES[kind].taken_by == entry.action and entry.params.get("Status") != "Active":
                    self._make_later(plan, kind, entry.user, dict(entry.params))

    def tick(self, now: float) -> None:
        """Makes what is due by the clock; `now` in seconds since the epoch."""
        for plan in tuple(self.plans):
            if plan.every_s is None or now < plan.next_round:
                continue
            plan.next_round = now + plan.every_s
            for user in plan.users:
                for kind in plan.makes:
                    if _REMAKES[kind].alone:
                        self._make(plan, kind, user, {})

    def _make_later(self, plan: Plan, kind: str, user: str, took: Params) -> None:
        if plan.delay_s > 0:
            self._later(plan.delay_s, lambda: self._make(plan, kind, user, took))
        else:
            self._make(plan, kind, user, took)

    def _make(self, plan: Plan, kind: str, user: str, took: Params) -> None:
        if plan not in self.plans or (plan.times is not None and plan.made >= plan.times):
            return
        remake = _REMAKES[kind]
        params = {"UserName": user, **remake.params(took, plan.made)}
        try:
            self._console(remake.made_by, params, plan.account, plan.actor)
            plan.made += 1
        except AwsError:
            plan.refused += 1
