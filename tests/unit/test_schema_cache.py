"""Writers' schemas by id: one flight each, and every silence of the registry is a wait that is said once."""

import asyncio
from collections import Counter

import pytest
from structlog.testing import capture_logs

from streams.away import Away
from streams.errors import RegistryAway, RegistryRefused
from streams.wire import schemas
from streams.wire.cache import AGAIN_S, UNKNOWN_FIRST_S, UNKNOWN_MOST_S, SchemaCache
from streams.wire.errors import SchemaNotCached, Undecodable, WireError

SCHEMA = schemas.current("Refresh")


class Registry:
    """Answers as told, when told."""

    def __init__(self):
        self.answers = {7: SCHEMA, 8: schemas.current("AuditEvent")}
        self.asked = Counter()
        self.go = asyncio.Event()
        self.go.set()
        self.now = 1000.0
        self.cache = SchemaCache(self.fetch, Away("http://registry", service="registry", where="url"), lambda: self.now)

    async def fetch(self, number):
        self.asked[number] += 1
        await self.go.wait()
        answer = self.answers.get(number)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def registry():
    made = Registry()
    yield made
    await made.cache.close()


@pytest.fixture
def said():
    with capture_logs() as lines:
        yield lines


def events(said):
    return [line["event"] for line in said]


async def test_what_was_not_fetched_is_no_fault_of_the_record(registry):
    with pytest.raises(SchemaNotCached) as missing:
        registry.cache.by_id(7)
    assert missing.value.number == 7
    assert not isinstance(missing.value, WireError)
    assert await registry.cache.resolve(7) is None
    assert registry.cache.by_id(7) is SCHEMA


async def test_many_first_looks_are_one_request(registry):
    registry.go.clear()
    looks = [asyncio.create_task(registry.cache.resolve(7)) for _ in range(50)]
    other = asyncio.create_task(registry.cache.resolve(8))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert registry.asked == {7: 1, 8: 1}  # side by side
    registry.go.set()
    assert await asyncio.gather(*looks, other) == [None] * 51
    assert await registry.cache.resolve(7) is None
    assert registry.asked == {7: 1, 8: 1}


async def test_whoever_gives_up_does_not_take_the_flight_from_the_others(registry):
    registry.go.clear()
    first, second = (asyncio.create_task(registry.cache.resolve(7)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    registry.go.set()
    assert await second is None
    assert registry.asked == {7: 1}


@pytest.mark.parametrize("trouble", [RegistryAway("no answer"), RegistryRefused("401")])
async def test_a_silent_registry_is_a_wait_said_once(registry, said, trouble):
    answers, registry.answers = registry.answers, {7: trouble, 8: trouble}
    assert await registry.cache.resolve(7) == AGAIN_S
    registry.now += AGAIN_S / 2
    assert await registry.cache.resolve(8) == AGAIN_S / 2  # nobody asks in between, for whatever id
    assert registry.asked == {7: 1}
    registry.now += AGAIN_S
    assert await registry.cache.resolve(7) == AGAIN_S
    assert events(said) == ["registry.away"]
    registry.now += AGAIN_S
    registry.answers = answers
    assert await registry.cache.resolve(7) is None
    assert await registry.cache.resolve(8) is None
    assert events(said) == ["registry.away", "registry.back"]
    assert registry.cache.by_id(7) is SCHEMA


async def test_an_unknown_id_is_a_wait_that_grows_and_is_said_once(registry, said):
    waits = []
    for _ in range(10):
        waits.append(await registry.cache.resolve(9))
        assert await registry.cache.resolve(9) == pytest.approx(waits[-1])  # not asked again
        registry.now += waits[-1]
    assert registry.asked == {9: 10}
    assert waits[:3] == [UNKNOWN_FIRST_S, 2 * UNKNOWN_FIRST_S, 4 * UNKNOWN_FIRST_S]
    assert waits[-1] == UNKNOWN_MOST_S
    assert await registry.cache.resolve(7) is None  # others are not held up by it
    assert events(said) == ["schema.unknown"]
    assert said[0]["id"] == 9
    registry.answers[9] = SCHEMA
    assert await registry.cache.resolve(9) is None
    assert events(said) == ["schema.unknown", "schema.known"]


async def test_what_can_never_be_a_schema_of_ours_is_remembered(registry):
    registry.answers[9] = Undecodable("the schema with the id 9 is PROTOBUF, not Avro")
    assert await registry.cache.resolve(9) is None
    for _ in range(2):
        with pytest.raises(Undecodable, match="PROTOBUF"):
            registry.cache.by_id(9)
    assert await registry.cache.resolve(9) is None
    assert registry.asked == {9: 1}


async def test_closing_ends_what_flies(registry):
    registry.go.clear()
    look = asyncio.create_task(registry.cache.resolve(7))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await registry.cache.close()
    with pytest.raises(asyncio.CancelledError):
        await look
