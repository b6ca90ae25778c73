"""The control endpoint `/_sandbox/…`, JSON in, JSON out: for tests, benches and the demo.

What goes through it is not delayed, throttled, faulted or shown an old state. A change made here is one that somebody
else made at the console, and stands in the journal as such.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from .adversary import Adversary
from .calls import Calls
from .faults import Faults
from .http import Connection, Request
from .iam import Account, AwsError
from .iam.actions import ACTIONS
from .journal import OK, Journal, hidden
from .knobs import Knobs
from .seeds import CONSOLE_ADMIN, DEFAULT_ACCOUNT, connector_key, console_key, secret_of
from .services import Services
from .trail.recording import Recording
from .trail.trail import Feed
from .world import World

PREFIX = "/_sandbox/"
CONSOLE_AGENT = "sandbox-console"
"""The user agent of changes made here."""

_JSON = "Content-Type: application/json\r\n"


class Control:
    """Serves the control endpoint; in-process users call its methods."""

    def __init__(
        self,
        world: World,
        services: Services,
        knobs: Knobs,
        faults: Faults,
        journal: Journal,
        *,
        calls: Calls,
        reset: Callable[[], None],
    ) -> None:
        self._world = world
        self._services = services
        self._recording = Recording(services.trail, world)
        self.adversary = Adversary(
            lambda action, params, account, actor: self.call(action, params, account=account, actor=actor),
            lambda seconds, step: asyncio.get_running_loop().call_later(seconds, step),
        )
        calls.on_change = self.adversary.watch
        self._knobs = knobs
        self._faults = faults
        self._journal = journal
        self._calls = calls
        self._reset = reset
        self._routes: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Any]] = {
            ("GET", "knobs"): lambda _: knobs.to_json(),
            ("POST", "knobs"): self._set_knobs,
            ("GET", "faults"): lambda _: [rule.to_json() for rule in faults.rules],
            ("POST", "faults"): lambda told: faults.add_json(told).to_json(),
            ("DELETE", "faults"): lambda _: faults.clear(),
            ("GET", "journal"): lambda told: [entry.to_json() for entry in journal.since(int(told.get("since", 0)))],
            ("GET", "state"): lambda told: self.state(told.get("account")),
            ("POST", "reset"): lambda _: reset(),
            ("POST", "settle"): lambda _: self.settle(),
            ("POST", "accounts"): self._add_account,
            ("POST", "call"): lambda told: self.call(
                told["action"],
                told.get("params", {}),
                account=told.get("account", DEFAULT_ACCOUNT),
                actor=told.get("actor", CONSOLE_ADMIN),
            ),
            ("POST", "sign-in"): lambda told: self.sign_in(
                told["user_name"], told["password"], told.get("account", DEFAULT_ACCOUNT)
            ),
            ("POST", "feed"): lambda told: self.feed(**told),
            ("POST", "adversary"): lambda told: self.adversary.add(told).to_json(),
            ("GET", "adversary"): lambda _: [plan.to_json() for plan in self.adversary.plans],
            ("DELETE", "adversary"): lambda _: self.adversary.clear(),
            ("POST", "suspend"): lambda told: self.suspend(told["account"], suspended=told.get("suspended", True)),
        }

    def take(self, request: Request, connection: Connection) -> None:
        """Answers a request to the control endpoint."""
        status, answer = self._serve(request)
        connection.answer(status, _JSON, json.dumps(answer, default=_to_json).encode())

    def _serve(self, request: Request) -> tuple[int, Any]:
        route = self._routes.get((request.method, request.path.removeprefix(PREFIX)))
        if route is None:
            known = ", ".join(f"{method} {PREFIX}{name}" for method, name in self._routes)
            return 404, {"error": f"There is no {request.method} {request.path}; there are {known}."}
        try:
            told = json.loads(request.body) if request.body else {}
            told = {**{name: values[-1] for name, values in parse_qs(request.query).items()}, **told}
            return 200, route(told)
        except AwsError as error:
            return error.status, {"code": error.code, "message": error.message}
        except KeyError as error:
            return 400, {"error": f"The field {error} is missing."}
        except (ValueError, TypeError) as error:
            return 400, {"error": str(error)}

    def account(self, account_id: str) -> Account:
        """An account by its id; raises ValueError."""
        account = self._world.accounts.get(account_id)
        if account is None:
            raise ValueError(f"There is no account {account_id}; there are {', '.join(self._world.accounts)}.")
        return account

    def call(
        self,
        action: str,
        params: Mapping[str, Any],
        *,
        account: str = DEFAULT_ACCOUNT,
        actor: str = CONSOLE_ADMIN,
    ) -> dict[str, Any]:
        """An IAM call made by somebody else, past all faults; it stands in the journal.

        Raises:
            AwsError: IAM refuses.
            ValueError: no such account.
        """
        there = self.account(account)
        entry = self._journal.open(self._calls.new_request_id(), CONSOLE_AGENT, time.monotonic(), time.time())
        entry.account, entry.principal, entry.service = account, actor, "iam"
        entry.action, entry.params = action, hidden(params)
        about_caller = action in ACTIONS and "UserName" in ACTIONS[action].shapes
        entry.user = str(params.get("UserName", actor if about_caller else "")).casefold()
        before, user = there.changes, there.find_user(entry.user)
        answer: dict[str, Any] = {}
        refusal: AwsError | None = None
        try:
            answer = there.call(action, params, actor=actor, now=entry.started_at)
            entry.outcome = OK
        except AwsError as error:
            refusal = error
            entry.outcome = error.code
            raise
        finally:
            if action in ACTIONS:
                self._recording.console(
                    there,
                    actor,
                    action,
                    params,
                    answer=answer,
                    error=refusal,
                    read_only=not ACTIONS[action].writes,
                    agent=CONSOLE_AGENT,
                    request_id=entry.request_id,
                    now=entry.started_at,
                )
            entry.done = entry.ended = time.monotonic()
            entry.told, entry.delivered = entry.outcome, True
            entry.changed = there.changes != before
            user = user or there.find_user(entry.user)
            entry.user_id = "" if user is None else user.user_id
        return answer

    def sign_in(self, user_name: str, password: str, account: str = DEFAULT_ACCOUNT) -> dict[str, Any]:
        """Signs in to the console; CloudTrail hears of it, good or not.

        Raises:
            AwsError: AccessDenied.
        """
        there, now = self.account(account), time.time()
        try:
            answer = there.sign_in(user_name, password, now)
        except AwsError as error:
            self._recording.sign_in(there, user_name, error, now)
            raise
        self._recording.sign_in(there, user_name, None, now)
        return answer

    def feed(
        self,
        queue: str = "",
        bucket: str = "",
        notify: str = "",
        account: str | None = None,
        owner: str = DEFAULT_ACCOUNT,
        *,
        digests: bool = False,
    ) -> dict[str, Any]:
        """Sends CloudTrail's events somewhere, from now on; makes the queue or the bucket if it is not there.

        Args:
            queue: name of a queue that gets them as EventBridge sends them.
            bucket: name of a bucket that gets them as files.
            notify: name of a queue that hears of new files.
            account: whose events; all accounts' by default.
            owner: the account that has the queues and the bucket.
            digests: whether digest files lie beside the files.

        Raises:
            ValueError: no such account, or neither a queue nor a bucket.
        """
        if not queue and not bucket:
            raise ValueError("A feed needs a queue or a bucket.")
        there, now, services = self.account(owner), time.time(), self._services
        if account is not None:
            self.account(account)
        arns = {}
        for name in filter(None, (queue, notify)):
            arn = f"arn:{there.owner.partition}:sqs:us-east-1:{owner}:{name}"
            if arn not in services.queues.by_arn:
                services.queues.make(arn, {}, now)
            arns[name] = arn
        if bucket and bucket not in services.buckets.by_name:
            services.buckets.make(bucket, owner, "us-east-1", now)
        if notify:
            services.buckets.notify(services.buckets.by_name[bucket], arns[notify], now)
        for one in ({"queue": arns[queue]} if queue else {}), ({"bucket": bucket} if bucket else {}):
            if one:
                services.trail.feeds.append(Feed(account, digests=digests, **one))
        return {"queues": arns, "bucket": bucket}

    def suspend(self, account: str, *, suspended: bool = True) -> dict[str, Any]:
        """What Organizations says of an account's status; its keys work on."""
        self.account(account)
        (self._services.organizations.suspended.add if suspended else self._services.organizations.suspended.discard)(
            account
        )
        return {"account": account, "suspended": suspended}

    def settle(self) -> None:
        """Lets all writes so far arrive everywhere, in all accounts."""
        for account in self._world.accounts.values():
            account.settle()

    def state(self, account: str | None = None) -> dict[str, Any]:
        """What the accounts hold now, or one of them; actions that are not known here, and calls on their way."""
        chosen = [self.account(account)] if account is not None else list(self._world.accounts.values())
        return {
            "accounts": {one.account_id: one.snapshot() for one in chosen},
            "unknown_actions": dict(self._calls.unknown),
            "in_flight": sum(entry.ended is None for entry in self._journal.entries),
        }

    def _set_knobs(self, told: Mapping[str, Any]) -> dict[str, Any]:
        self._knobs.set(**told)
        return self._knobs.to_json()

    def _add_account(self, told: Mapping[str, Any]) -> dict[str, Any]:
        account_id = str(told["account_id"])
        self._world.add(account_id, time.time(), told.get("partition", "aws"))
        connector, console = connector_key(account_id), console_key(account_id)
        return {
            "account_id": account_id,
            "connector": {"access_key_id": connector, "secret_access_key": secret_of(connector)},
            "console": {"access_key_id": console, "secret_access_key": secret_of(console)},
        }


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"{type(value).__name__} in an answer")
