"""Makes happenings of what was done: by a caller with a key, at the console, or by signing in to it."""

from collections.abc import Mapping
from typing import Any

from sandbox.aws.call import Answer, Call
from sandbox.aws.iam import Account, AwsError
from sandbox.aws.world import Principal, World

from .happening import Actor, Happening, event_id_of
from .records import SIGN_IN
from .trail import HOME_REGIONS, Trail

CLIENT_IP, CONSOLE_IP = "127.0.0.1", "192.0.2.7"
CONSOLE_KEY = "ASIASANDBOXCONSOLE00"
_BROWSER = "Mozilla/5.0 (sandbox-console)"


class Recording:
    """Notes things in the trail."""

    def __init__(self, trail: Trail, world: World) -> None:
        self._trail = trail
        self._world = world

    def call(
        self,
        service: str,
        call: Call,
        answer: Answer,
        error: AwsError | None,
        *,
        read_only: bool,
        agent: str,
        request_id: str,
    ) -> None:
        """A call by a key. One that assumes a role of another account stands in both trails."""
        account = call.principal.account
        region = _home(account) if service == "iam" else call.region
        accounts = [account]
        if service == "sts" and call.action == "AssumeRole" and error is None:
            other = self._world.accounts[call.params["RoleArn"].split(":")[4]]
            accounts = [account] if other is account else [account, other]
        shared_id = event_id_of(self._trail.new_number()) if len(accounts) > 1 else ""
        for one in accounts:
            self._trail.note(
                Happening(
                    self._trail.new_number(),
                    call.now,
                    one.account_id,
                    region,
                    service,
                    call.action,
                    read_only,
                    Actor(call.principal, account.account_id, account.owner.partition, foreign=one is not account),
                    agent,
                    request_id,
                    CLIENT_IP,
                    call.params,
                    answer,
                    error,
                    shared_id,
                )
            )

    def console(
        self,
        account: Account,
        actor: str,
        action: str,
        params: Mapping[str, Any],
        *,
        answer: Answer,
        error: AwsError | None,
        read_only: bool,
        agent: str,
        request_id: str,
        now: float,
    ) -> None:
        """A call of IAM by somebody at the console."""
        who = _console_actor(account, actor)
        self._trail.note(
            Happening(
                self._trail.new_number(),
                now,
                account.account_id,
                _home(account),
                "iam",
                action,
                read_only,
                who,
                agent,
                request_id,
                CONSOLE_IP,
                params,
                answer,
                error,
            )
        )

    def sign_in(self, account: Account, name: str, error: AwsError | None, now: float) -> None:
        """A ConsoleLogin, good or not."""
        user = account.find_user(name)
        actor = _console_actor(account, name, key="")
        if user is None:
            actor = Actor(None, account.account_id, account.owner.partition, name, hidden=True)
        told = None if error is None else AwsError("Failure", "Failed authentication")
        if user is None:
            told = AwsError("Failure", "No username found in supplied account")
        self._trail.note(
            Happening(
                self._trail.new_number(),
                now,
                account.account_id,
                _home(account),
                SIGN_IN,
                "ConsoleLogin",
                read_only=False,
                actor=actor,
                agent=_BROWSER,
                request_id="",
                source_ip=CONSOLE_IP,
                error=told,
            )
        )


def _console_actor(account: Account, name: str, key: str = CONSOLE_KEY) -> Actor:
    user = account.find_user(name)
    owner = account.owner
    principal = None
    if user is not None:
        arn = f"arn:{owner.partition}:iam::{owner.account_id}:user{user.path}{user.name}"
        principal = Principal(account, user.name, user.user_id, arn, key, "", None, user)
    return Actor(principal, owner.account_id, owner.partition, name, console=bool(key))


def _home(account: Account) -> str:
    return HOME_REGIONS.get(account.owner.partition, HOME_REGIONS["aws"])
