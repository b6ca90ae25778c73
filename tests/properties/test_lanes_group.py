"""The lanes against a model of the world: whatever happens to the workers, nothing is lost, doubled or overtaken.

Real `LaneConsumer`s work in virtual time on a simulated Kafka (`tests.support.sim_group`). A plan drawn by hypothesis
says which records come with which gaps, how long calls take, what the handlers answer, and what befalls the workers:
they stop, are killed, are cut off past their session, are fenced, lose Kafka. The `World` checks at every step.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.lanes import DeadLetter, Done, Epoch, LaneConsumer, LaneSettings, Leave, Park, Reopen
from tests.support.sim_group import Record, SimConsumer, SimKafka
from tests.support.virtual_time import run_virtually

REQUESTS, REFRESHES = "requests", "refreshes"
SETTINGS = LaneSettings(
    bootstrap_servers="simulated",
    group="g",
    topics=(REQUESTS, REFRESHES),
    session_timeout_s=6.0,
    rebalance_timeout_s=9.0,
    call_timeout_s=2.0,
    tick_s=0.5,
    drain_s=5.0,
    run_ahead=8,
    in_flight=5,
)

# -- what can happen --------------------------------------------------------------------------------------

ANSWERS = ("done", "done", "done", "done", "park", "dead letter", "broken", "many calls")


@dataclass(frozen=True, slots=True)
class Plan:
    """One example."""

    partitions: int
    workers: int
    seed: int
    records: list[tuple[float, str, int, int, str]]
    """When, topic, key, offsets that stay invisible before it, what its handler does."""
    troubles: list[tuple[float, str, int]]
    """When, what, to which worker."""


TROUBLES = ("join", "stop", "kill", "cut", "cut long", "fence", "kafka away", "gate fails")
times = st.floats(0, 30, allow_nan=False).map(lambda t: round(t, 2))
plans = st.builds(
    Plan,
    partitions=st.integers(1, 3),
    workers=st.integers(1, 3),
    seed=st.integers(0, 1_000),
    records=st.lists(
        st.tuples(
            times,
            st.sampled_from((REQUESTS, REFRESHES)),
            st.integers(0, 5),
            st.sampled_from((0, 0, 0, 1, 2)),
            st.sampled_from(ANSWERS),
        ),
        min_size=1,
        max_size=60,
    ),
    troubles=st.lists(st.tuples(times, st.sampled_from(TROUBLES), st.integers(0, 5)), max_size=8),
)


# -- the world --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class World:
    """What the outside sees: calls, the ledger, commits."""

    random: Random
    answers: dict[tuple[str, int, int], str] = field(default_factory=dict)
    finished: set[tuple[str, int, int]] = field(default_factory=set)
    ledger: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    fence: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    calling: dict[bytes, tuple[float, str, Record]] = field(default_factory=dict)
    seen: dict[bytes, list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    gate_failures: int = 0
    violations: list[str] = field(default_factory=list)
    kafka: SimKafka = None  # type: ignore[assignment]  # set right after, they know each other

    def holds(self, condition: bool, otherwise: str) -> None:
        """A check. Kept, because the lanes take an exception in a handler for a bug of the handler."""
        if not condition:
            self.violations.append(otherwise)

    def called(self, worker: SimConsumer, record: Record, takes_s: float) -> None:
        """A call to the outside begins. It may land until it ends, whatever becomes of its worker."""
        now = asyncio.get_running_loop().time()
        until, who, other = self.calling.get(record.key, (0.0, "", record))
        self.holds(
            until <= now or other is record,
            f"{worker.name} calls for {record} while {who}'s call for {other} is under way",
        )
        self.holds(self.kafka.may_own(worker, record.partition), f"{worker.name} calls for {record}: not its own")
        self.calling[record.key] = (now + takes_s, worker.name, record)
        for earlier in self.kafka.logs[TopicPartition(record.topic, record.partition)].records:
            if earlier.offset == record.offset:
                break
            self.holds(earlier.key != record.key or identity(earlier) in self.finished, f"{record} overtook {earlier}")

    def finish(self, record: Record) -> None:
        self.finished.add(identity(record))

    def committing(self, worker: str, tp: TopicPartition, offset: int) -> None:
        """A commit is about to be accepted."""
        log = self.kafka.logs[tp]
        self.holds(offset <= log.end, f"{worker} committed {offset}, behind the end of {tp}")
        for record in log.records:
            self.holds(
                record.offset >= offset or identity(record) in self.finished, f"{worker} committed past {record}"
            )
        self.holds(offset >= self.committed.get(tp, 0), f"{worker} took {tp} back to {offset}")
        self.committed[tp] = offset


def identity(record: Record) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


class ScriptedWork:
    """Fences, reads the ledger, calls the outside behind the lease, writes outcomes."""

    def __init__(self, world: World, worker: SimConsumer, epoch: Epoch) -> None:
        self.world, self.worker, self.epoch = world, worker, epoch
        self.random = world.random
        self.view: set[int] = set()
        self.opened_at = 0.0
        self.closed = 0

    async def _reach_kafka(self) -> None:
        while True:
            await self.worker.reachable.wait()
            await self.world.kafka.back.wait()
            await asyncio.sleep(self.random.uniform(0, 0.02))
            if self.worker.reachable.is_set() and self.world.kafka.back.is_set():
                return

    async def open(self, positions: Any) -> None:
        self.world.holds(set(positions) == {REQUESTS, REFRESHES}, f"opened with {positions}")
        await self._reach_kafka()
        self.world.fence[self.epoch.partition] += 1
        self.token = self.world.fence[self.epoch.partition]
        await self._reach_kafka()
        if self.world.gate_failures:
            self.world.gate_failures -= 1
            raise OSError("the views cannot be read")
        self.view = set(self.world.ledger[self.epoch.partition])

    def is_finished(self, record: Record) -> bool:
        return record.topic == REQUESTS and record.offset in self.view

    async def handle(self, delivery: Any) -> Any:
        record, world = delivery.record, self.world
        world.holds(not self.closed, "a handler begins after the close")
        world.holds(record.topic != REQUESTS or identity(record) not in world.finished, f"{record} is redone")
        answer = world.answers[identity(record)]
        if delivery.memo is None:
            delivery.memo = "begun"
            # A dead worker's last call may still land: wait it out, as the life of a started request does.
            left = self.epoch.assigned_at + SETTINGS.call_timeout_s - asyncio.get_running_loop().time()
            if left > 0:
                return Park(left, "an earlier life's call")
            if answer == "park":
                return Park(self.random.uniform(0, 3), "asked to")
            if answer == "broken" and delivery.failures < 6:
                raise ValueError("a bug")
        if answer == "dead letter":
            return DeadLetter("DECODE", "Nonsense", "not readable")
        for _ in range(4 if answer == "many calls" else 1):
            if not self.epoch.may_call():
                return Leave() if self.epoch.is_over() else Park(0.25, "lease")
            if self.worker.dead:
                await asyncio.Event().wait()
            takes_s = self.random.uniform(0, SETTINGS.call_timeout_s * 0.99)
            world.called(self.worker, record, takes_s)
            await asyncio.sleep(takes_s)
        await self._write(record)
        return Done()

    async def bury(self, delivery: Any, _reason: DeadLetter) -> None:
        await self._write(delivery.record)

    async def _write(self, record: Record) -> None:
        await self._reach_kafka()
        if self.token != self.world.fence[self.epoch.partition]:
            raise Reopen("fenced")
        if record.topic == REQUESTS:
            ledger = self.world.ledger[record.partition]
            self.world.holds(record.offset not in ledger, f"{record} has two outcomes")
            ledger.add(record.offset)
        self.world.finish(record)
        if self.random.random() < 0.1:
            raise Reopen("the end of the transaction is unknown")  # it was committed

    async def close(self) -> None:
        self.closed += 1
        self.world.holds(self.closed == 1, "closed twice")
        await asyncio.sleep(self.random.uniform(0, 0.1))


# -- the play ---------------------------------------------------------------------------------------------


class Play:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = Random(plan.seed)
        self.world = World(self.random)
        self.kafka = SimKafka(
            topics=SETTINGS.topics,
            partitions=plan.partitions,
            session_s=SETTINGS.session_timeout_s,
            rebalance_s=SETTINGS.rebalance_timeout_s,
            heartbeat_s=SETTINGS.tick_s,
            random=self.random,
            committing=self.world.committing,
        )
        self.world.kafka = self.kafka
        self.lanes: list[tuple[LaneConsumer, SimConsumer, asyncio.Task[None]]] = []

    def start_worker(self) -> None:
        consumer = SimConsumer(self.kafka, f"worker {len(self.lanes)}")
        lanes = LaneConsumer(
            SETTINGS,
            lambda epoch: ScriptedWork(self.world, consumer, epoch),
            make_consumer=lambda _: consumer,
            monotonic=asyncio.get_running_loop().time,
        )
        self.lanes.append((lanes, consumer, asyncio.create_task(lanes.run())))

    async def befall(self, trouble: str, which: int) -> None:
        running = [(lanes, consumer, task) for lanes, consumer, task in self.lanes if not consumer.dead]
        lanes, consumer, task = running[which % len(running)]
        match trouble:
            case "join":
                self.start_worker()
            case "stop" if len(running) > 1:
                lanes.stop()
                self.kafka.spawn(self._after(task, consumer))
            case "kill" if len(running) > 1:
                consumer.kill()
                task.cancel()
            case "cut":
                consumer.cut(SETTINGS.session_timeout_s / 2)
            case "cut long":
                consumer.cut(SETTINGS.session_timeout_s * 1.5)
            case "fence":
                self.world.fence[which % self.plan.partitions] += 1
            case "kafka away":
                self.kafka.back.clear()
                asyncio.get_running_loop().call_later(which * 2.0, self.kafka.back.set)
            case "gate fails":
                self.world.gate_failures = which

    async def _after(self, task: "asyncio.Task[None]", consumer: SimConsumer) -> None:
        await asyncio.wait({task})
        consumer.dead = True

    async def run(self) -> None:
        for _ in range(self.plan.workers):
            self.start_worker()
        loop = asyncio.get_running_loop()
        happenings = sorted(
            [(at, 0, happening) for at, *happening in self.plan.records]
            + [(at, 1, happening) for at, *happening in self.plan.troubles],
            key=lambda happening: happening[:2],
        )
        for at, kind, happening in happenings:
            await asyncio.sleep(max(at - loop.time(), 0))
            if kind:
                await self.befall(*happening)
            else:
                topic, key, gap, answer = happening
                record = self.kafka.append(topic, key % self.plan.partitions, b"%d" % key, gap)
                self.world.answers[identity(record)] = answer
        for tp in self.kafka.logs:
            self.kafka.mark(tp.topic, tp.partition)
        await self._quiet()
        for lanes, consumer, _ in self.lanes:
            if not consumer.dead:
                lanes.stop()
        await asyncio.wait([task for _, _, task in self.lanes])
        await self.kafka.stop()

    async def _quiet(self) -> None:
        """Until all is finished and committed, the markers behind the last records included."""
        ends = {tp: log.end for tp, log in self.kafka.logs.items()}
        deadline = asyncio.get_running_loop().time() + 600
        while self.kafka.committed != ends:
            self.check()
            assert asyncio.get_running_loop().time() < deadline, (self.kafka.committed, ends)
            await asyncio.sleep(0.1)

    def check(self) -> None:
        assert not self.world.violations
        ended = [task.exception() for _, _, task in self.lanes if task.done() and not task.cancelled()]
        for error in (*self.kafka.failures, *ended):
            if error is not None:
                raise error


@given(plans)
@settings(max_examples=150)
def test_nothing_is_lost_doubled_or_overtaken(plan: Plan) -> None:
    async def play() -> None:
        play = Play(plan)
        await play.run()
        play.check()

    run_virtually(play())
