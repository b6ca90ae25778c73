"""Writers' schemas by the registry's id: synchronous to ask, fetched by the shell around it, one flight per id.

An id that the registry does not know yet, and a registry that is away, slow or refuses us, are waits, each said once:
nothing that a record needs to be read is ever concluded from their silence.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from streams.away import Away
from streams.errors import RegistryAway, RegistryRefused

from .errors import SchemaNotCached, Undecodable
from .schemas import Schema

log = structlog.get_logger(__name__)

AGAIN_S = 2.0
"""After the registry was away: nobody asks it in between, however many records wait."""

UNKNOWN_FIRST_S, UNKNOWN_MOST_S = 0.5, 30.0
"""After it did not know an id: doubled each time."""

Fetch = Callable[[int], Awaitable[Schema | None]]


class SchemaCache:
    """Of one event loop.

    Args:
        fetch: asks the registry; None: it does not know the id. Raises RegistryAway, RegistryRefused, Undecodable.
        away: says the outages.
        now: a monotonic clock, in seconds.
    """

    def __init__(self, fetch: Fetch, away: Away, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._away = away
        self._now = now
        self._known: dict[int, Schema | Undecodable] = {}
        self._flights: dict[int, asyncio.Task[float | None]] = {}
        self._unknown: dict[int, tuple[float, float]] = {}
        """When to ask for the id again, and how long the wait then is."""
        self._away_until = 0.0

    def put(self, number: int, schema: Schema) -> None:
        """Known from elsewhere."""
        self._known[number] = schema

    def by_id(self, number: int) -> Schema:
        """The writer's schema.

        Raises:
            SchemaNotCached: call `resolve` first, then decode again.
            Undecodable: the id names what is no schema of ours; that never changes.
        """
        found = self._known.get(number)
        if found is None:
            raise SchemaNotCached(number)
        if isinstance(found, Undecodable):
            raise Undecodable(str(found))
        return found

    async def resolve(self, number: int) -> float | None:
        """Fetch it. None: it is here; else the seconds after which to ask again."""
        if number in self._known:
            return None
        if (wait := self._wait(number)) > 0:
            return wait
        flight = self._flights.get(number)
        if flight is None:
            flight = self._flights[number] = asyncio.create_task(self._fly(number))
        await asyncio.wait({flight})  # who waits may be cancelled; the flight goes on for the others
        return flight.result()

    async def close(self) -> None:
        """Nobody waits any more."""
        flights = tuple(self._flights.values())
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    def _wait(self, number: int) -> float:
        due, _ = self._unknown.get(number, (0.0, 0.0))
        return max(due, self._away_until) - self._now()

    async def _fly(self, number: int) -> float | None:
        try:
            schema = await self._fetch(number)
        except (RegistryAway, RegistryRefused) as error:
            self._away.say(str(error))
            self._away_until = self._now() + AGAIN_S
            return AGAIN_S
        except Undecodable as error:
            self._away.back()
            self._known[number] = error
            return None
        finally:
            del self._flights[number]
        self._away.back()
        if schema is None:
            return self._not_known(number)
        if self._unknown.pop(number, None):
            log.info("schema.known", id=number, record=schema.name)
        self._known[number] = schema
        return None

    def _not_known(self, number: int) -> float:
        _, last = self._unknown.get(number, (0.0, 0.0))
        if not last:
            log.warning(
                "schema.unknown",
                id=number,
                what_now="the records framed with it wait; register the writer's schema, or mend the producer",
            )
        wait = min(max(2 * last, UNKNOWN_FIRST_S), UNKNOWN_MOST_S)
        self._unknown[number] = (self._now() + wait, wait)
        return wait
