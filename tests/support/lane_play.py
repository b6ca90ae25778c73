"""A play for the lanes in virtual time: real `LaneConsumer`s on a simulated Kafka, and a world that checks every step."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import TopicPartition

from streams.lanes import DeadLetter, Done, Epoch, LaneConsumer, LaneSettings, Leave, Park, Reopen
from tests.support.sim_group import Host, Record, SimKafka

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
    in_flight=3,
)

MOST_OFFSETS_IN_A_POLL = 4 * 3
"""Half of the cap, in records with at most two invisible offsets before each."""


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
    open: dict[tuple[str, int], object] = field(default_factory=dict)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    gate_failures: int = 0
    violations: list[str] = field(default_factory=list)
    kafka: SimKafka = None  # type: ignore[assignment]  # set right after, they know each other

    def holds(self, condition: bool, otherwise: str) -> None:
        """A check. Kept, because the lanes take an exception in a handler for a bug of the handler."""
        if not condition:
            self.violations.append(otherwise)

    def called(self, host: Host, record: Record, takes_s: float) -> None:
        """A call to the outside begins. It may land until it ends, whatever becomes of its worker."""
        now = asyncio.get_running_loop().time()
        until, who, other = self.calling.get(record.key, (0.0, "", record))
        self.holds(
            until <= now or other is record,
            f"{host.name} calls for {record} while {who}'s call for {other} is under way",
        )
        self.holds(host.owns(record.partition), f"{host.name} calls for {record}: not its own")
        self.calling[record.key] = (now + takes_s, host.name, record)
        asyncio.get_running_loop().call_later(
            takes_s,
            lambda: self.holds(
                host.owns(record.partition), f"{host.name}'s call for {record} ends: not its own any more"
            ),
        )
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

    def __init__(self, world: World, host: Host, epoch: Epoch) -> None:
        self.world, self.host, self.epoch = world, host, epoch
        self.random = world.random
        self.view: set[int] = set()
        self.opened_at = 0.0
        self.closed = 0

    async def _reach_kafka(self) -> None:
        while True:
            await self.host.reachable.wait()
            await self.world.kafka.back.wait()
            await asyncio.sleep(self.random.uniform(0, 0.02))
            if self.host.reachable.is_set() and self.world.kafka.back.is_set():
                return

    async def open(self, positions: Any) -> None:
        self.world.holds(set(positions) == {REQUESTS, REFRESHES}, f"opened with {positions}")
        key = self.host.name, self.epoch.partition
        self.world.holds(self.world.open.get(key) is None, f"{key} is opened before it was closed")
        self.world.open[key] = self
        await self._reach_kafka()
        self.world.holds(not self.epoch.is_over(), f"{key} fences after the end of its epoch")
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
        world.holds(not self.closed and not self.epoch.is_over(), "a handler begins after the end of its epoch")
        world.holds(record.topic != REQUESTS or identity(record) not in world.finished, f"{record} is redone")
        answer = world.answers[identity(record)]
        if delivery.memo is None:
            delivery.memo = "begun"
            if answer == "park":
                return Park(self.random.uniform(0, 3), "asked to")
            if answer == "broken" and delivery.failures < 6:
                raise ValueError("a bug")
        if answer == "dead letter":
            return DeadLetter("DECODE", "Nonsense", "not readable")
        for _ in range(8 if answer == "many calls" else 1):
            if not self.epoch.may_call():
                return Leave() if self.epoch.is_over() else Park(0.25, "lease")
            if self.host.dead:
                await asyncio.Event().wait()
            takes_s = self.random.uniform(0, SETTINGS.call_timeout_s * 0.99)
            world.called(self.host, record, takes_s)
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
        self.world.open.pop((self.host.name, self.epoch.partition), None)


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
        self.lanes: list[tuple[LaneConsumer, Host, asyncio.Task[None]]] = []
        self.gone: set[Host] = set()

    def start_worker(self) -> None:
        host = Host(self.kafka, f"worker {len(self.lanes)}")
        lanes = LaneConsumer(
            SETTINGS,
            lambda epoch: ScriptedWork(self.world, host, epoch),
            make_consumer=lambda _: host.make_consumer(),
            monotonic=asyncio.get_running_loop().time,
        )
        self.lanes.append((lanes, host, asyncio.create_task(lanes.run())))

    async def befall(self, trouble: str, which: int) -> None:
        running = [worker for worker in self.lanes if worker[1] not in self.gone]
        lanes, host, task = running[which % len(running)]
        match trouble:
            case "join":
                self.start_worker()
            case "stop" if len(running) > 1:
                self.gone.add(host)
                lanes.stop()
            case "kill" if len(running) > 1:
                self.gone.add(host)
                host.kill()
                task.cancel()
            case "cut":
                host.cut(SETTINGS.session_timeout_s / 2)
            case "cut long":
                host.cut(SETTINGS.session_timeout_s * 1.5)
            case "fence":
                self.world.fence[which % self.plan.partitions] += 1
            case "kafka away":
                self.kafka.back.clear()
                asyncio.get_running_loop().call_later(which * 2.0, self.kafka.back.set)
            case "gate fails":
                self.world.gate_failures = which

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
        for lanes, host, _ in self.lanes:
            if host not in self.gone:
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
        for lanes, _, _ in self.lanes:
            for row in lanes.status():
                assert row["run_ahead"] <= SETTINGS.run_ahead + MOST_OFFSETS_IN_A_POLL
                assert row["running"] <= SETTINGS.in_flight
        assert not self.world.violations
        ended = [task.exception() for _, _, task in self.lanes if task.done() and not task.cancelled()]
        for error in (*self.kafka.failures, *ended):
            if error is not None:
                raise error
