"""The control endpoint of a stand-in in another process, as a small blocking client for tests and benches."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

from .control import PREFIX
from .faults import Effect
from .iam import AwsError
from .journal import Entry
from .seeds import CONSOLE_ADMIN, DEFAULT_ACCOUNT

_TIMEOUT_S = 30.0


class StandInClient:
    """Turns knobs and reads the journal of the stand-in at `url`.

    Every method raises ValueError with the stand-in's sentence when it refuses, and httpx2's errors when it is away.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False)

    def journal(self, since: int = 0) -> list[Entry]:
        """All calls after the entry numbered `since`, those that have not ended yet included."""
        return [Entry.from_json(told) for told in self._ask("GET", "journal", query={"since": since})]

    def knobs(self, **changes: Any) -> dict[str, Any]:
        """Turns the knobs named, if any; returns all of them."""
        told: dict[str, Any] = self._ask("POST", "knobs", changes)
        return told

    def fault(self, effect: Effect | str, **rule: Any) -> dict[str, Any]:
        """Adds a rule; the fields are those of `faults.Rule`."""
        told: dict[str, Any] = self._ask("POST", "faults", {"effect": effect, **rule})
        return told

    def faults(self) -> list[dict[str, Any]]:
        """The rules, with how often each was `seen` and has `fired`."""
        told: list[dict[str, Any]] = self._ask("GET", "faults")
        return told

    def clear_faults(self) -> None:
        self._ask("DELETE", "faults")

    def call(
        self,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        account: str = DEFAULT_ACCOUNT,
        actor: str = CONSOLE_ADMIN,
    ) -> dict[str, Any]:
        """An IAM call by somebody else, at the console, past all faults.

        Raises:
            AwsError: IAM refuses.
        """
        told: dict[str, Any] = self._ask(
            "POST", "call", {"action": action, "params": params or {}, "account": account, "actor": actor}
        )
        return told

    def state(self, account: str = DEFAULT_ACCOUNT) -> dict[str, Any]:
        """What an account holds now: users, groups, policies, virtual MFA devices, password policy."""
        told: dict[str, Any] = self._ask("GET", "state", query={"account": account})["accounts"][account]
        return told

    def overview(self) -> dict[str, Any]:
        """All accounts' states, unknown actions, and how many calls are on their way."""
        told: dict[str, Any] = self._ask("GET", "state")
        return told

    def add_account(self, account_id: str, partition: str = "aws") -> dict[str, Any]:
        """One more account; returns its connector's and its console's keys."""
        told: dict[str, Any] = self._ask("POST", "accounts", {"account_id": account_id, "partition": partition})
        return told

    def sign_in(self, user_name: str, password: str, account: str = DEFAULT_ACCOUNT) -> dict[str, Any]:
        """Signs in to the console: whether a new password is due; raises AwsError (AccessDenied)."""
        told: dict[str, Any] = self._ask(
            "POST", "sign-in", {"user_name": user_name, "password": password, "account": account}
        )
        return told

    def feed(self, queue: str = "", bucket: str = "", **more: Any) -> dict[str, Any]:
        """Sends CloudTrail's events to a queue, or to a bucket as files; `more` as in `Control.feed`."""
        told: dict[str, Any] = self._ask("POST", "feed", {"queue": queue, "bucket": bucket, **more})
        return told

    def adversary(self, users: Sequence[str], **plan: Any) -> dict[str, Any]:
        """Somebody who makes again what is taken from these users; `plan` as in `adversary.Plan`."""
        told: dict[str, Any] = self._ask("POST", "adversary", {"users": list(users), **plan})
        return told

    def adversaries(self) -> list[dict[str, Any]]:
        """The plans, with how much was `made` and `refused`."""
        told: list[dict[str, Any]] = self._ask("GET", "adversary")
        return told

    def clear_adversaries(self) -> None:
        self._ask("DELETE", "adversary")

    def suspend(self, account: str, *, suspended: bool = True) -> None:
        """What Organizations says of an account's status."""
        self._ask("POST", "suspend", {"account": account, "suspended": suspended})

    def settle(self) -> None:
        """Lets all writes so far arrive everywhere: no stale read shows what was before them."""
        self._ask("POST", "settle", {})

    def reset(self) -> None:
        """Accounts, knobs, rules and journal as at the beginning."""
        self._ask("POST", "reset", {})

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: str, name: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        answer = self._http.request(method, f"{PREFIX}{name}", json=body, params=query)
        told = answer.json()
        if answer.status_code == 200:
            return told
        if "code" in told:
            raise AwsError(told["code"], told["message"], answer.status_code)
        raise ValueError(told["error"])
