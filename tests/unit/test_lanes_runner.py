"""What the lanes do in rare moments, on a simulated Kafka in virtual time."""

import asyncio
from collections import defaultdict
from random import Random
from types import SimpleNamespace

from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from streams.lanes import DeadLetter, Done, LaneConsumer, Leave, Park
from tests.support.lane_play import REFRESHES, REQUESTS, SETTINGS
from tests.support.sim_group import Host, SimKafka
from tests.support.virtual_time import run_virtually


class Stage:
    """One partition, one worker, and a work whose parts a test replaces."""

    def __init__(self, heartbeat_s=0.1):
        self.kafka = SimKafka(
            topics=SETTINGS.topics,
            partitions=1,
            session_s=SETTINGS.session_timeout_s,
            rebalance_s=SETTINGS.rebalance_timeout_s,
            heartbeat_s=heartbeat_s,
            random=Random(1),
            committing=lambda *_: None,
        )
        self.host = Host(self.kafka, "worker")
        self.epochs, self.opened, self.handled, self.buried, self.closed = [], [], [], [], []
        self.answers = []
        self.lanes = LaneConsumer(
            SETTINGS,
            self.make_work,
            make_consumer=lambda _: self.host.make_consumer(),
            monotonic=asyncio.get_running_loop().time,
        )
        self.running = asyncio.create_task(self.lanes.run())

    def make_work(self, epoch):
        self.epochs.append(epoch)
        return SimpleNamespace(
            open=self.open, is_finished=lambda _: False, handle=self.handle, bury=self.bury, close=self.close
        )

    async def open(self, positions):
        self.opened.append(positions)

    async def handle(self, delivery):
        self.handled.append((delivery.record.offset, delivery.memo))
        return self.answers.pop(0) if self.answers else Done()

    async def bury(self, delivery, reason):
        self.buried.append((delivery.record.offset, reason))

    async def close(self):
        self.closed.append(len(self.opened))

    async def until(self, condition):
        async with asyncio.timeout(120):
            while not condition():
                await asyncio.sleep(0.05)

    async def committed(self, topic, offset):
        await self.until(lambda: {tp.topic: at for tp, at in self.kafka.committed.items()}.get(topic) == offset)

    @property
    def status(self):
        return next(iter(self.lanes.status()), defaultdict(int))


def on_stage(play, **arguments):
    async def perform():
        stage = Stage(**arguments)
        await play(stage)
        stage.lanes.stop()
        await stage.running
        await stage.kafka.stop()

    with capture_logs() as logs:
        run_virtually(perform())
    return [log["event"] for log in logs]


def test_a_worker_that_is_no_member_any_more_fences_nobody():
    async def play(stage):
        await stage.until(lambda: stage.opened)
        (run,) = stage.lanes._runs.values()
        stage.kafka.generation += 1  # put out of the group; its next heartbeat is far away
        stage.lanes.reopen(run, "fenced by the successor")
        await asyncio.sleep(20)
        assert len(stage.opened) == 1
        assert not stage.epochs[-1].may_call()
        stage.kafka.generation -= 1
        await stage.until(lambda: len(stage.opened) == 2)

    events = on_stage(play)
    assert events.count("partition.not_open") == 1  # said once, tried often


def test_a_rebalance_in_the_middle_of_reopening_opens_once():
    async def play(stage):
        let_go = asyncio.Event()

        async def handle(_delivery):
            await let_go.wait()
            return Done()

        stage.handle = handle
        stage.kafka.append(REQUESTS, 0, b"k")
        await stage.until(lambda: stage.status["running"])
        (run,) = stage.lanes._runs.values()
        stage.lanes.reopen(run, "fenced")
        stage.kafka.rebalance()
        await stage.until(lambda: stage.lanes._rebalancing)
        let_go.set()
        await stage.until(lambda: stage.kafka.generation == 2)
        await asyncio.sleep(5)
        assert len(stage.opened) == 2
        assert len(stage.closed) == 1
        assert stage.kafka.committed == {tp: int(tp.topic == REQUESTS) for tp in stage.kafka.logs}

    on_stage(play)


def test_a_consumer_whose_tasks_ended_is_replaced():
    async def play(stage):
        await stage.until(lambda: stage.opened)
        first = stage.host.consumer

        async def end():
            raise AssertionError("a bug in aiokafka")

        first._fetcher = SimpleNamespace(_fetch_task=asyncio.create_task(end()))
        await stage.until(lambda: len(stage.opened) == 2)
        assert stage.host.consumer is not first
        assert stage.closed[0] == 1
        stage.kafka.append(REQUESTS, 0, b"k")
        await stage.committed(REQUESTS, 1)

    assert "consumer.broken" in on_stage(play)


def test_a_poll_that_fails_is_an_outage_and_no_end():
    async def play(stage):
        await stage.until(lambda: stage.opened)
        consumer, getmany, refusals = stage.host.consumer, stage.host.consumer.getmany, [1, 2, 3]

        async def refusing(**arguments):
            if refusals:
                raise KafkaConnectionError(str(refusals.pop()))
            return await getmany(**arguments)

        consumer.getmany = refusing
        stage.kafka.append(REQUESTS, 0, b"k")
        await stage.committed(REQUESTS, 1)

    events = on_stage(play)
    assert "kafka.away" in events
    assert "kafka.back" in events


def test_an_outage_is_said_once_however_long_it_is():
    async def play(stage):
        await stage.until(lambda: stage.opened)
        (epoch,) = stage.epochs
        assert epoch.may_call()
        stage.kafka.back.clear()
        await asyncio.sleep(300)
        assert not epoch.may_call()
        assert not epoch.is_over()
        stage.kafka.back.set()
        await stage.until(epoch.may_call)

    events = on_stage(play)
    assert [event for event in events if event.startswith("kafka.")] == ["kafka.away", "kafka.back"]


def test_a_handler_that_leaves_although_the_epoch_goes_on_gets_its_record_again():
    async def play(stage):
        stage.answers = [Leave(), Done()]
        stage.kafka.append(REQUESTS, 0, b"k")
        await stage.committed(REQUESTS, 1)
        assert stage.handled == [(0, None), (0, None)]

    on_stage(play)


def test_a_parked_record_holds_its_lane_and_no_slot():
    async def play(stage):
        stage.answers = [Park(60, "asked to") for _ in range(SETTINGS.in_flight + 1)]
        for n in range(SETTINGS.in_flight + 1):
            stage.kafka.append(REQUESTS, 0, b"%d" % n)
        await stage.until(lambda: stage.status["parked"] == SETTINGS.in_flight + 1)
        stage.kafka.append(REFRESHES, 0, b"0")  # behind the first one's park
        stage.kafka.append(REFRESHES, 0, b"another")
        await stage.until(lambda: len(stage.handled) == SETTINGS.in_flight + 2)
        assert stage.handled[-1] == (1, None)  # the other key's
        assert stage.status["running"] == 0
        await stage.committed(REFRESHES, 2)

    on_stage(play)


def test_a_dead_letter_that_cannot_be_written_holds_its_lane_and_is_tried_again():
    async def play(stage):
        reason = DeadLetter("DECODE", "Nonsense", "not readable")
        stage.answers = [reason, Done(), reason]
        failures = [1]

        async def bury(delivery, reason):
            if failures.pop():
                failures.append(0)
                raise OSError("no")
            stage.buried.append((delivery.record.offset, reason))

        stage.bury = bury
        stage.kafka.append(REQUESTS, 0, b"k")
        await stage.until(lambda: stage.status["parked"] == 1)
        stage.kafka.append(REQUESTS, 0, b"other")
        await stage.until(lambda: len(stage.handled) == 2)
        await stage.committed(REQUESTS, 2)
        assert stage.buried == [(0, reason)]

    assert "dead_letter.not_written" in on_stage(play)


def test_a_handler_that_breaks_again_and_again_is_buried_without_its_text():
    async def play(stage):
        async def handle(delivery):
            stage.handled.append(delivery.record.offset)
            raise ValueError("the password is hunter2")

        stage.handle = handle
        stage.kafka.append(REQUESTS, 0, b"k")
        await stage.committed(REQUESTS, 1)
        assert stage.handled == [0] * 5
        ((offset, reason),) = stage.buried
        assert (offset, reason.stage, reason.error_class) == (0, "HANDLE", "ValueError")
        assert "hunter2" not in reason.message

    assert on_stage(play).count("handler.broken") == 5


def test_a_work_that_does_not_close_holds_up_nobody():
    async def play(stage):
        async def close():
            await asyncio.Event().wait()

        stage.close = close
        await stage.until(lambda: stage.opened)
        (run,) = stage.lanes._runs.values()
        stage.lanes.reopen(run, "fenced")
        await stage.until(lambda: len(stage.opened) == 2)

    assert on_stage(play).count("partition.not_closed") == 2


def test_a_stop_before_anything_was_assigned_ends():
    async def play(stage):
        stage.kafka.back.clear()
        await asyncio.sleep(30)
        assert stage.opened == []

    assert on_stage(play).count("kafka.away") == 1
