"""One AWS call from the request to the answer: who asks, whether it is let in, what happens to it, and the journal.

    read (form, signature) → admit (token bucket, fault rule) → way there → deed → way back → answer

Everything happens in one thread and a deed is one step of it, so IAM's effects have an order. A client that has gone
away stops nothing: what has arrived is done, as AWS would do it.
"""

import asyncio
import time
import traceback
from random import Random
from typing import Any

from .faults import WITHOUT_DEED, Effect, Faults, Rule
from .http import Connection, Request
from .iam import AwsError
from .journal import NOT_DONE, OK, Entry, Journal, hidden
from .knobs import Knobs
from .protocol import parse_form, to_answer, to_error
from .services import SERVICES, Call, Service, find_service
from .sigv4 import Signature, read_signature, require_right
from .throttle import Throttle
from .world import Principal, World


class Flight:
    """A call on its way."""

    __slots__ = ("action", "answer", "connection", "entry", "error", "params", "principal", "rule", "service", "writes")

    def __init__(self, connection: Connection, entry: Entry) -> None:
        self.connection = connection
        self.entry = entry
        self.service: Service = SERVICES["iam"]
        self.action = ""
        self.params: dict[str, Any] = {}
        self.principal: Principal | None = None
        self.writes = False
        self.rule: Rule | None = None
        self.answer: dict[str, Any] = {}
        self.error: AwsError | None = None

    @property
    def effect(self) -> Effect | None:
        return None if self.rule is None else self.rule.effect


class Calls:
    """Takes AWS requests from connections."""

    def __init__(self, world: World, knobs: Knobs, faults: Faults, journal: Journal, random: Random) -> None:
        self._world = world
        self.throttle = Throttle()
        self.unknown: dict[str, int] = {}
        """Actions that were asked for and are not known here → how often."""
        self._knobs = knobs
        self._faults = faults
        self._journal = journal
        self._random = random

    def take(self, request: Request, connection: Connection) -> None:
        """Begins a call; the connection is answered now or later."""
        agent = request.headers.get(b"user-agent", b"").decode("latin-1")
        entry = self._journal.open(self.new_request_id(), agent, time.monotonic(), time.time())
        flight = Flight(connection, entry)
        try:
            self._read(flight, request)
            self._admit(flight)
        except AwsError as error:
            flight.error = error
        seconds = flight.rule.seconds if flight.rule is not None and flight.effect is Effect.DELAY else 0.0
        self._later(self._half_latency() + seconds, self._do, flight)

    def new_request_id(self) -> str:
        told = f"{self._random.getrandbits(128):032x}"
        return f"{told[:8]}-{told[8:12]}-4{told[13:16]}-a{told[17:20]}-{told[20:]}"

    def _read(self, flight: Flight, request: Request) -> None:
        entry = flight.entry
        form = parse_form(request.query if request.method == "GET" else request.body.decode("utf-8", "replace"))
        flight.action = entry.action = str(form.pop("Action", ""))
        version = form.pop("Version", None)
        flight.params = form
        entry.params = hidden(form)
        signature = read_signature(request.headers.get(b"authorization"))
        principal = self._world.find(signature.access_key_id)
        if self._knobs.verify_signatures:
            require_right(
                signature,
                principal.secret,
                method=request.method,
                query=request.query,
                headers=request.headers,
                body=request.body,
            )
        self._know(flight, principal, signature, version)

    def _know(self, flight: Flight, principal: Principal, signature: Signature, version: str | None) -> None:
        entry = flight.entry
        flight.principal = principal
        entry.account = principal.account.account_id
        entry.principal = principal.user_name
        entry.access_key_id = principal.access_key_id
        service = flight.service = find_service(signature.service, version)
        entry.service = service.name
        if not flight.action:
            raise AwsError("MissingAction", "The request is missing an action or a required parameter.")
        flight.writes = service.writes(flight.action)
        entry.user = service.target(flight.action, flight.params, principal.user_name).casefold()
        principal.account.note_use(principal.access_key_id, entry.started_at, service.name, signature.region)

    def _admit(self, flight: Flight) -> None:
        entry = flight.entry
        rates = self._knobs.rates
        if rates and not self.throttle.allows(
            rates, entry.account, entry.service, entry.action, writes=flight.writes, now=entry.started
        ):
            raise AwsError("Throttling", "Rate exceeded")
        if self._faults.rules:
            flight.rule = self._faults.match(entry.action, flight.writes, entry.user, entry.account)
            entry.fault = flight.effect

    def _do(self, flight: Flight) -> None:
        entry = flight.entry
        entry.done = time.monotonic()
        rule = flight.rule
        if flight.error is not None:
            entry.outcome = flight.error.code
        elif rule is not None and rule.effect in WITHOUT_DEED:
            entry.outcome = NOT_DONE
        else:
            self._perform(flight)
        if rule is not None and rule.effect in (Effect.ERROR, Effect.ERROR_AFTER):
            flight.error = AwsError(rule.code, rule.message, rule.status)
        seconds = rule.seconds if rule is not None and rule.effect is Effect.DELAY_ANSWER else 0.0
        self._later(self._half_latency() + seconds, self._leave, flight)

    def _perform(self, flight: Flight) -> None:
        entry, principal = flight.entry, flight.principal
        if principal is None:
            raise RuntimeError("a call without a caller was let in")
        account = principal.account
        now = time.time()
        before = account.changes
        known = account.find_user(entry.user) if entry.user else None
        call = Call(principal, flight.action, flight.params, now, self._as_of(flight, now))
        try:
            flight.answer = flight.service.perform(call)
            entry.outcome = OK
        except AwsError as error:
            flight.error = error
            entry.outcome = error.code
            if error.code == "InvalidAction":
                self.unknown[flight.action] = self.unknown.get(flight.action, 0) + 1
        except Exception:  # noqa: BLE001 - a bug of the stand-in: said loudly, and answered as AWS answers its own
            traceback.print_exc()
            flight.error = AwsError("InternalFailure", "The stand-in has a bug; its standard error says more.")
            entry.outcome = flight.error.code
        entry.changed = account.changes != before
        if known is None and entry.changed and entry.user:
            known = account.find_user(entry.user)
        entry.user_id = "" if known is None else known.user_id

    def _as_of(self, flight: Flight, now: float) -> float | None:
        if flight.rule is not None and flight.rule.effect is Effect.STALE:
            return now - flight.rule.seconds
        if flight.writes and not self._knobs.stale_writes:
            return None
        return self._knobs.state_for_a_read(now, self._random)

    def _leave(self, flight: Flight) -> None:
        entry, connection, effect = flight.entry, flight.connection, flight.effect
        if effect in (Effect.LOSE_ANSWER, Effect.LOSE_REQUEST):
            entry.ended = time.monotonic()
            connection.keep_silent()
            return
        if effect in (Effect.RESET_BEFORE, Effect.RESET_AFTER):
            entry.ended = time.monotonic()
            connection.reset()
            return
        error = flight.error
        namespace = flight.service.namespace
        if error is None:
            status, told = 200, OK
            body = to_answer(namespace, flight.action, flight.answer, entry.request_id)
        else:
            status, told = error.status, error.code
            body = to_error(namespace, error, entry.request_id)
        head = f"x-amzn-RequestId: {entry.request_id}\r\nContent-Type: text/xml\r\n"
        # The entry is closed first: answering may at once begin the connection's next call.
        entry.ended = time.monotonic()
        entry.told = told

        def arrived(delivered: bool) -> None:
            entry.ended = time.monotonic()
            entry.delivered = delivered
            entry.told = told if delivered else None

        if effect is Effect.TRICKLE and flight.rule is not None:
            entry.ended = None
            connection.trickle(status, head, body, flight.rule.seconds, arrived)
        else:
            entry.delivered = connection.open
            if not entry.delivered:
                entry.told = None
            connection.answer(status, head, body)

    def _half_latency(self) -> float:
        low, high = self._knobs.latency
        return (low if low == high else self._random.uniform(low, high)) / 2

    @staticmethod
    def _later(seconds: float, step: Any, flight: Flight) -> None:
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, step, flight)
        else:
            step(flight)
