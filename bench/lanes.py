"""The lanes alone against a serial aiokafka loop, with a handler that only waits.

What a waiting handler allows is known: as many records at once as there are keys to work on, and for the hottest key
one after the other. So each figure stands beside its bound. Both sides are measured in the same run, from the first
handler's begin to the last one's end, on records that are there before.
"""

import asyncio
import statistics
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from sandbox.kafka import KafkaBroker
from streams.lanes import Answer, Delivery, Done, Epoch, LaneConsumer, LaneSettings

ROUNDS = 3
IN_FLIGHT = 1_000
WAIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    title: str
    records: int
    keys: int
    delay_s: float
    partitions: int
    serial_records: int
    wanted: Mapping[str, float]
    zipf: bool = False

    def draw(self, seed: int) -> list[bytes]:
        """The keys of its records, in order."""
        weights = [1 / rank if self.zipf else 1 for rank in range(1, self.keys + 1)]
        return [b"key %d" % n for n in Random(seed).choices(range(self.keys), weights, k=self.records)]


CASES = (
    Case("1,000 keys, uniform, 100 ms", 6_000, 1_000, 0.1, 1, 30, wanted={"times_serial": 60, "lanes": 600}),
    Case("1,000 keys, Zipf (s = 1), 100 ms", 800, 1_000, 0.1, 1, 30, wanted={"of_bound": 0.9}, zipf=True),
    # What Pyrallel-Consumer, the peer in Python, publishes 17.5 × for.
    Case("the peers' own: 100 keys, 5 ms", 2_000, 100, 0.005, 4, 400, wanted={"times_serial": 17.5}),
)
WORDS = {"times_serial": "≥ {:g} ×", "lanes": "≥ {:g}/s", "of_bound": "≥ {:.0%} of the bound"}


@dataclass(slots=True)
class Stopwatch:
    """When handlers ran, and whether a key's records overlapped or overtook each other."""

    expected: int
    began: float = 0.0
    ended: float = 0.0
    count: int = 0
    out_of_order: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    last: dict[bytes, int] = field(default_factory=lambda: defaultdict(lambda: -1))
    running: set[bytes] = field(default_factory=set)

    async def handle(self, record: Any, delay_s: float) -> None:
        self.began = self.began or asyncio.get_running_loop().time()
        if record.key in self.running or record.offset <= self.last[record.key]:
            self.out_of_order += 1
        self.running.add(record.key)
        await asyncio.sleep(delay_s)
        self.running.discard(record.key)
        self.last[record.key] = record.offset
        self.count += 1
        if self.count == self.expected:
            self.ended = asyncio.get_running_loop().time()
            self.finished.set()

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Waiting:
    """A work that waits and is done."""

    def __init__(self, watch: Stopwatch, delay_s: float) -> None:
        self._watch, self._delay_s = watch, delay_s

    async def open(self, positions: Mapping[str, int]) -> None:
        pass

    def is_finished(self, _record: Any) -> bool:
        return False

    async def handle(self, delivery: Delivery) -> Answer:
        await self._watch.handle(delivery.record, self._delay_s)
        return Done()

    async def bury(self, *_: Any) -> None:
        raise AssertionError("nothing is buried here")

    async def close(self) -> None:
        pass


async def by_lanes(bootstrap: str, topics: tuple[str, str], case: Case) -> Stopwatch:
    watch = Stopwatch(case.records)

    def make_work(_epoch: Epoch) -> Waiting:
        return Waiting(watch, case.delay_s)

    lanes = LaneConsumer(
        LaneSettings(
            bootstrap_servers=bootstrap,
            group=uuid.uuid4().hex,
            topics=topics,
            session_timeout_s=10.0,
            rebalance_timeout_s=20.0,
            call_timeout_s=5.0,
            in_flight=IN_FLIGHT,
        ),
        make_work,
    )
    running = asyncio.create_task(lanes.run())
    await asyncio.wait_for(watch.finished.wait(), WAIT_S)
    lanes.stop()
    await running
    return watch


async def serially(bootstrap: str, topic: str, case: Case) -> Stopwatch:
    """What most would write: one record after the other, committed in the background."""
    watch = Stopwatch(case.serial_records)
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=uuid.uuid4().hex, auto_offset_reset="earliest"
    )
    async with consumer:
        async for record in consumer:
            await watch.handle(record, case.delay_s)
            if watch.finished.is_set():
                return watch
    raise AssertionError("unreachable: the records are there")


async def prepare(bootstrap: str, case: Case, keys: list[bytes]) -> tuple[str, str]:
    """Both topics, and the records in the first."""
    topics = (f"requests-{uuid.uuid4().hex}", f"refreshes-{uuid.uuid4().hex}")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, case.partitions, 1) for topic in topics])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, enable_idempotence=True) as producer:
        for key in keys:
            await producer.send(topics[0], b"x" * 500, key=key)
    return topics


async def measure(bootstrap: str, case: Case, seed: int) -> dict[str, Any]:
    """One round: the lanes, then the loop."""
    keys = case.draw(seed)
    topics = await prepare(bootstrap, case, keys)
    lanes = await by_lanes(bootstrap, topics, case)
    serial = await serially(bootstrap, topics[0], case)
    hottest = max(Counter(keys).values()) * case.delay_s
    widest = case.records * case.delay_s / min(IN_FLIGHT, case.keys)
    return {
        "lanes": case.records / lanes.seconds,
        "serial": case.serial_records / serial.seconds,
        "times_serial": case.records / lanes.seconds / (case.serial_records / serial.seconds),
        "bound": case.records / max(hottest, widest),
        "of_bound": max(hottest, widest) / lanes.seconds,
        "out_of_order": lanes.out_of_order,
    }


def run(console: Console) -> dict[str, Any]:
    """Every case, several rounds each."""
    figures: dict[str, Any] = {"in_flight": IN_FLIGHT, "cases": {}}
    with KafkaBroker() as broker:
        for case in CASES:
            rounds = []
            for seed in range(ROUNDS):
                rounds.append(asyncio.run(measure(broker.bootstrap, case, seed)))
                console.print(f"  {case.title}: {rounds[-1]['lanes']:,.0f}/s, serial {rounds[-1]['serial']:,.1f}/s")
            medians = {name: statistics.median(row[name] for row in rounds) for name in rounds[0]}
            medians["out_of_order"] = sum(row["out_of_order"] for row in rounds)
            figures["cases"][case.title] = {**medians, "rounds": rounds}
    return figures


def to_table(figures: dict[str, Any]) -> Table:
    """What is printed."""
    table = Table(title=f"Lanes against a serial aiokafka loop (medians of {ROUNDS} rounds)")
    table.add_column("keys, handler awaits")
    for name in ("lanes/s", "serial/s", "× serial", "bound/s", "of it", "out of order", "wanted", "reached"):
        table.add_column(name, justify="right")
    for case in CASES:
        row = figures["cases"][case.title]
        reached = not row["out_of_order"] and all(row[name] >= least for name, least in case.wanted.items())
        table.add_row(
            case.title,
            f"{row['lanes']:,.0f}",
            f"{row['serial']:,.1f}",
            f"{row['times_serial']:.1f}",
            f"{row['bound']:,.0f}",
            f"{row['of_bound']:.0%}",
            str(row["out_of_order"]),
            ", ".join(WORDS[name].format(least) for name, least in case.wanted.items()),
            "yes" if reached else "NO",
        )
    return table
