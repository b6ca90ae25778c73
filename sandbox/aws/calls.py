"""One AWS call from the request to the answer: who asks, whether it is let in, what happens to it, and the journal.

    read (form, signature) → admit (token bucket, fault rule) → way there → deed → way back → answer

Everything happens in one thread and a deed is one step of it, so IAM's effects have an order. A client that has gone
away stops nothing: what has arrived is done, as AWS would do it.
"""

import asyncio
import time
import traceback
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from .call import Call, Later
from .faults import WITHOUT_DEED, Effect, Faults, Rule
from .http import Connection, Request
from .iam import AwsError
from .journal import NOT_DONE, OK, Entry, Journal, hidden
from .knobs import Knobs
from .services import Service, Services
from .sigv4 import Signature, read_signature, require_right
from .throttle import Throttle
from .trail.recording import Recording
from .world import Principal, World

_UNKNOWN = frozenset({"InvalidAction", "UnknownOperationException", "NotImplemented"})


class Flight:
    """A call on its way."""

    __slots__ = (
        "action", "answer", "connection", "entry", "error", "host", "params", "principal", "region", "rule", "service",
        "writes",
    )  # fmt: skip

    def __init__(self, connection: Connection, entry: Entry, service: Service) -> None:
        self.connection = connection
        self.entry = entry
        self.service = service
        """Guessed, until the signature says it."""
        self.action = ""
        self.host = ""
        self.region = ""
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

    def __init__(
        self, world: World, services: Services, knobs: Knobs, faults: Faults, journal: Journal, *, random: Random
    ) -> None:
        self._world = world
        self._services = services
        self._recording = Recording(services.trail, world)
        self.throttle = Throttle()
        self.unknown: dict[str, int] = {}
        """Actions that were asked for and are not known here → how often; those of IAM by their bare names."""
        self.on_change: Callable[[Entry], None] = lambda _entry: None
        """Is told of each call that changed an account."""
        self._knobs = knobs
        self._faults = faults
        self._journal = journal
        self._random = random

    def take(self, request: Request, connection: Connection) -> None:
        """Begins a call; the connection is answered now or later."""
        agent = request.headers.get(b"user-agent", b"").decode("latin-1")
        entry = self._journal.open(self.new_request_id(), agent, time.monotonic(), time.time())
        try:
            signature, refusal = read_signature(request.headers.get(b"authorization")), None
        except AwsError as error:
            signature, refusal = None, error
        service = None if signature is None else self._services.table.get(signature.service)
        flight = Flight(connection, entry, service or self._services.guess(request))
        try:
            self._read(flight, request, signature, refusal)
            self._admit(flight)
        except AwsError as error:
            flight.error = flight.service.wire.own(error)
        seconds = flight.rule.seconds if flight.rule is not None and flight.effect is Effect.DELAY else 0.0
        self._later(self._half_latency() + seconds, self._do, flight)

    def new_request_id(self) -> str:
        told = f"{self._random.getrandbits(128):032x}"
        return f"{told[:8]}-{told[8:12]}-4{told[13:16]}-a{told[17:20]}-{told[20:]}"

    def _read(self, flight: Flight, request: Request, signature: Signature | None, refusal: AwsError | None) -> None:
        entry, headers = flight.entry, request.headers
        reading = flight.service.wire.read(request)
        flight.action = entry.action = reading.action
        flight.params = reading.params
        entry.params = hidden(reading.params)
        if signature is None:
            raise refusal or AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")
        token = headers.get(b"x-amz-security-token")
        principal = self._world.find(
            signature.access_key_id, None if token is None else token.decode("latin-1"), entry.started_at
        )
        if self._knobs.verify_signatures:
            require_right(
                signature,
                principal.secret,
                method=request.method,
                query=request.query,
                headers=headers,
                body=request.body,
                path=request.path if signature.service == "s3" else "/",
            )
        flight.region = signature.region
        flight.host = headers.get(b"host", b"").decode("latin-1")
        self._know(flight, principal, signature)
        if reading.error is not None:
            self._count_unknown(flight, flight.service.wire.own(reading.error))
            raise reading.error

    def _know(self, flight: Flight, principal: Principal, signature: Signature) -> None:
        entry = flight.entry
        flight.principal = principal
        entry.account = principal.account.account_id
        entry.principal = principal.user_name
        entry.access_key_id = principal.access_key_id
        service = flight.service = self._services.find(signature.service)
        entry.service = service.name
        flight.writes = service.writes(flight.action)
        entry.user = service.target(flight.action, flight.params, principal.user_name).casefold()
        if principal.session is None:
            principal.account.note_use(principal.access_key_id, entry.started_at, service.name, signature.region)

    def _admit(self, flight: Flight) -> None:
        entry = flight.entry
        rates = self._knobs.rates
        if rates and not self.throttle.allows(
            rates, entry.account, entry.service, entry.action, writes=flight.writes, now=entry.started
        ):
            raise AwsError("Throttling", "Rate exceeded")
        if entry.service == "cloudtrail" and not self.throttle.allows(
            {"LookupEvents": self._knobs.lookup_rate},
            f"{entry.account}/{flight.region}",
            entry.service,
            entry.action,
            writes=False,
            now=entry.started,
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
            later = self._perform(flight)
            if later is not None:
                entry.done = None
                later.then(partial(self._go_on, flight))
                return
        self._after(flight)

    def _go_on(self, flight: Flight, answer: dict[str, Any]) -> None:
        """What was waited for is there."""
        flight.answer = answer
        flight.entry.done = time.monotonic()
        self._after(flight)

    def _after(self, flight: Flight) -> None:
        rule = flight.rule
        if rule is not None and rule.effect in (Effect.ERROR, Effect.ERROR_AFTER):
            flight.error = AwsError(rule.code, rule.message, rule.status)
        seconds = rule.seconds if rule is not None and rule.effect is Effect.DELAY_ANSWER else 0.0
        self._later(self._half_latency() + seconds, self._leave, flight)

    def _perform(self, flight: Flight) -> Later | None:
        entry, principal, service = flight.entry, flight.principal, flight.service
        if principal is None:
            raise RuntimeError("a call without a caller was let in")
        account = principal.account
        now = time.time()
        before = account.changes
        known = account.find_user(entry.user) if entry.user else None
        call = Call(
            principal, flight.action, flight.params, now, self._as_of(flight, now), flight.region, flight.host,
            partial(_is_open, flight.connection),
        )  # fmt: skip
        later = None
        refusal: AwsError | None = None
        try:
            self._require_right(service, call)
            answer = service.perform(call)
            if isinstance(answer, Later):
                later = answer
            else:
                flight.answer = answer
            entry.outcome = OK
        except AwsError as error:
            refusal = flight.error = service.wire.own(error)
            entry.outcome = refusal.code
            self._count_unknown(flight, refusal)
        except Exception:  # noqa: BLE001 - a bug of the stand-in: said loudly, and answered as AWS answers its own
            traceback.print_exc()
            flight.error = service.wire.own(
                AwsError("InternalFailure", "The stand-in has a bug; its standard error says more.")
            )
            entry.outcome = flight.error.code
        entry.changed = account.changes != before
        if known is None and entry.changed and entry.user:
            known = account.find_user(entry.user)
        entry.user_id = "" if known is None else known.user_id
        if (refusal is None or refusal.code not in _UNKNOWN) and (flight.writes or self._knobs.record_reads):
            self._record(flight, call, refusal)
        if entry.changed:
            self.on_change(entry)
        return later

    def _record(self, flight: Flight, call: Call, refusal: AwsError | None) -> None:
        service, entry = flight.service, flight.entry
        if service.recorded(call.action):
            self._recording.call(
                service.name,
                call,
                flight.answer,
                refusal,
                read_only=not flight.writes,
                agent=entry.user_agent,
                request_id=entry.request_id,
            )

    def _require_right(self, service: Service, call: Call) -> None:
        if not self._knobs.enforce_policies:
            return
        right = service.right(call.action)
        if right is not None:
            self._services.guard.require(call, f"{service.name}:{right}", service.resource(call))

    def _count_unknown(self, flight: Flight, error: AwsError) -> None:
        if error.code in _UNKNOWN:
            service = flight.service.name
            name = flight.action if service == "iam" else f"{service}:{flight.action}"
            self.unknown[name] = self.unknown.get(name, 0) + 1

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
        error, wire = flight.error, flight.service.wire
        if error is None:
            told = OK
            reply = wire.answer(flight.action, flight.answer, entry.request_id)
        else:
            told = error.code
            reply = wire.refuse(flight.action, error, entry.request_id)
        # The entry is closed first: answering may at once begin the connection's next call.
        entry.ended = time.monotonic()
        entry.told = told

        def arrived(delivered: bool) -> None:
            entry.ended = time.monotonic()
            entry.delivered = delivered
            entry.told = told if delivered else None

        if effect is Effect.TRICKLE and flight.rule is not None:
            entry.ended = None
            connection.trickle(reply.status, reply.head, reply.body, flight.rule.seconds, arrived)
        else:
            entry.delivered = connection.open
            if not entry.delivered:
                entry.told = None
            connection.answer(reply.status, reply.head, reply.body, reply.length)

    def _half_latency(self) -> float:
        low, high = self._knobs.latency
        return (low if low == high else self._random.uniform(low, high)) / 2

    @staticmethod
    def _later(seconds: float, step: Any, flight: Flight) -> None:
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, step, flight)
        else:
            step(flight)


def _is_open(connection: Connection) -> bool:
    return connection.open
