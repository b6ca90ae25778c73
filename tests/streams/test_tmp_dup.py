"""The lanes on a real Kafka: members that come and go, leases, gates, gaps, a broker that is killed or frozen."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition
from structlog.testing import capture_logs

from tests.support.kafka import make_topic, read_topic
from tests.support.lane_world import LaneWorld, in_order
from tests.support.wait import eventually


@pytest.fixture
async def make_world(new_name):
    worlds = []

    async def make(bootstrap, partitions=1):
        world = LaneWorld(bootstrap, new_name("lanes"), partitions)
        worlds.append(world)
        await world.make_topics()
        return world

    yield make
    for world in worlds:
        world.let_go.set()
        await world.end()


@pytest.fixture
async def world(kafka, make_world):
    return await make_world(kafka.bootstrap)


async def test_two_workers_share_equal_numbers_and_nothing_is_doubled_as_they_come_and_go(kafka, make_world):
    world = await make_world(kafka.bootstrap, partitions=4)
    records = [(n, f"key {n} {k}", "work") for _ in range(5) for n in range(4) for k in range(5)]
    first = await world.started("first")
    assert world.partitions_of(first) == {0, 1, 2, 3}
    await world.send(world.requests, *records)
    second = await world.started("second")
    await world.send(world.refreshes, *records)
    await eventually(lambda: len(world.partitions_of(first)) == 2, "the first has two partitions")
    assert world.partitions_of(first) | world.partitions_of(second) == {0, 1, 2, 3}
    for lanes in (first, second):  # range assignment: the same numbers of both topics
        assert {tp.partition for tp in lanes._consumer.assignment()} == world.partitions_of(lanes)
        assert len(lanes._consumer.assignment()) == 4
    await world.stopped(first)
    await world.send(world.requests, *records)
    await eventually(lambda: world.partitions_of(second) == {0, 1, 2, 3}, "the second has everything")
    outcomes = in_order(await world.finished(300))
    assert len(outcomes) == len(set(outcomes)) == 300
    keys = {(r.topic.rpartition("-")[2], r.partition, r.offset): r.key for _, r in world.began}
    for key in set(keys.values()):
        for topic in ("requests", "refreshes"):
            offsets = [o for t, n, o in outcomes if t == topic and keys[t, n, o] == key]
            assert offsets == sorted(offsets)


async def test_a_stop_leaves_at_once(kafka, make_world):
    world = await make_world(kafka.bootstrap, partitions=2)
    first = await world.started("first", session_timeout_s=30.0, rebalance_timeout_s=40.0)
    await world.send(world.requests, (0, "k", "work"), (1, "k", "work"))
    await world.finished(2)
    await world.stopped(first)
    second = world.start("second", session_timeout_s=30.0, rebalance_timeout_s=40.0)
    await eventually(lambda: len(world.partitions_of(second)) == 2, "the second has both, long before the session", 15)
    assert all(offset is not None for offset in (await world.committed(second)).values())


async def test_a_revocation_waits_out_the_running_handler_and_begins_nothing(kafka, make_world):
    world = await make_world(kafka.bootstrap, partitions=2)
    first = await world.started("first", call_timeout_s=20.0, session_timeout_s=30.0, rebalance_timeout_s=50.0)
    await world.send(world.requests, *((n, "k", value) for n in (0, 1) for value in ("hold", "work")))
    await eventually(lambda: len(world.handled("hold")) == 2, "both handlers run")
    epochs = [work.epoch for work in world.works]
    assert all(epoch.may_call() for epoch in epochs)
    second = world.start("second", call_timeout_s=20.0, session_timeout_s=30.0, rebalance_timeout_s=50.0)
    await eventually(lambda: all(epoch.is_over() for epoch in epochs), "the epochs are over")
    assert not any(epoch.may_call() for epoch in epochs)
    assert not second.subscribed.is_set()  # the group waits for the first
    assert world.handled("work") == []
    world.let_go.set()
    assert len(in_order(await world.finished(4))) == 4
    assert [record.offset for record in world.handled("hold")] == [0, 0]  # finished, committed, not begun again
    assert world.partitions_of(first) | world.partitions_of(second) == {0, 1}


async def test_a_drain_lets_what_runs_finish(world):
    lanes = await world.started(drain_s=20.0)
    await world.send(world.requests, (0, "k", "hold"), (0, "k", "work"), (0, "other", "hold"))
    await eventually(lambda: len(world.handled("hold")) == 2, "the handlers run")
    lanes.stop()
    await eventually(lambda: lanes._slots._closed, "it drains")
    world.let_go.set()
    await world.stopped(lanes)
    assert sorted(in_order(await world.outcome_values())) == [("requests", 0, 0), ("requests", 0, 2)]
    await world.started("second")
    assert sorted(in_order(await world.finished(3))) == [("requests", 0, n) for n in (0, 1, 2)]


async def test_a_drain_ends_although_a_handler_does_not(world):
    lanes = await world.started()
    await world.send(world.requests, (0, "k", "hold"), (0, "other", "park"), (0, "third", "work"))
    await eventually(lambda: len(world.ended) == 2, "the others are done")
    await world.stopped(lanes)
    assert all(work.closed for work in world.works)
    world.let_go.set()
    await world.started("second")
    assert len(in_order(await world.finished(3))) == 3


async def test_the_gate_opens_when_its_work_does_and_nothing_is_handled_before(world):
    world.gate_failures = 2
    await world.send(world.requests, (0, "k", "work"))
    with capture_logs() as logs:
        lanes = await world.started()
    assert [log["event"] for log in logs if log["event"] == "partition.not_open"] == ["partition.not_open"]
    assert [work.opened for work in world.works] == [False, False, True]
    assert [work.closed for work in world.works] == [True, True, False]
    assert len(await world.finished(1)) == 1
    await world.stopped(lanes)
    assert world.works[-1].closed


async def test_answers_of_every_kind_let_the_lane_go_on(world, monkeypatch):
    monkeypatch.setattr("streams.lanes.partition.MAX_FAILURES", 2)
    lanes = await world.started()
    kinds = ("park", "dead", "break", "work")
    await world.send(world.requests, *((0, "k", kind) for kind in kinds))
    with capture_logs():
        outcomes = await world.finished(4, within_s=60)
    assert in_order(outcomes) == [("requests", 0, n) for n in range(4)]
    assert [value.split()[:2] for value in outcomes] == [
        ["done", "requests"],
        ["dead", "Nonsense"],
        ["dead", "ValueError"],
        ["done", "requests"],
    ]
    assert lanes.status()[0]["unfinished"] == 0


async def test_run_ahead_is_capped_and_goes_on(world):
    lanes = await world.started(run_ahead=40)
    await world.send(world.requests, (0, "slow", "hold"), *((0, f"key {n}", "work") for n in range(300)))
    await eventually(lambda: lanes.status()[0]["run_ahead"] >= 40, "the cap is reached")
    await world.send(world.refreshes, (0, "other", "refresh"))
    await eventually(lambda: world.handled("refresh"), "the other topic is still fetched")
    assert lanes.status()[0]["run_ahead"] <= 40 + 20  # half a cap more in one poll
    assert (await world.committed(lanes))[world.requests, 0] == 0
    world.let_go.set()
    outcomes = in_order(await world.finished(302))
    assert len(set(outcomes)) == 302


async def test_aborted_records_never_run_and_markers_are_passed(world, new_name):
    async with AIOKafkaProducer(bootstrap_servers=world.bootstrap, transactional_id=new_name("outside")) as producer:
        for value in (b"kept", b"aborted", b"kept"):
            await producer.begin_transaction()
            for topic in (world.requests, world.refreshes):
                await producer.send_and_wait(topic, value, key=b"k", partition=0)
            await (producer.abort_transaction() if value == b"aborted" else producer.commit_transaction())
    lanes = await world.started()
    await world.finished(4)
    assert world.handled("aborted") == []

    async def at_the_end():
        return set((await world.committed(lanes)).values()) == {6}  # three records, three markers

    await eventually(at_the_end, "the markers are passed")


async def test_the_lease_begins_with_an_accepted_commit_and_ends_without(kafka_to_break, make_world):
    world = await make_world(kafka_to_break.bootstrap)
    lanes = await world.started(session_timeout_s=3.0, call_timeout_s=1.0)
    (work,) = world.works
    assert work.epoch.may_call()
    kafka_to_break.freeze()
    await eventually(lambda: not work.epoch.may_call(), "the lease runs out")
    kafka_to_break.thaw()
    await eventually(lambda: any(row["may_call"] for row in lanes.status()), "the lease is back")
    await world.send(world.requests, (0, "k", "work"))
    await world.finished(1)


async def test_a_killed_and_restarted_broker_loses_and_doubles_nothing(kafka_to_break, make_world):
    world = await make_world(kafka_to_break.bootstrap, partitions=2)
    await world.started()
    await world.send(world.requests, *((n % 2, f"key {n % 30}", "work") for n in range(200)))
    await world.send(world.refreshes, (0, "held", "hold"))
    await eventually(lambda: len(world.ended) > 20, "some are done")
    with capture_logs() as logs:
        await asyncio.to_thread(kafka_to_break.kill)
        await world_notices(logs)
        await asyncio.to_thread(kafka_to_break.start)
        world.let_go.set()
        await world.send(world.requests, *((n % 2, f"key {n % 30}", "work") for n in range(100)))
        outcomes = in_order(await world.finished(301, within_s=60))
        await eventually(lambda: "kafka.back" in [log["event"] for log in logs], "it is said that Kafka is back")
    for log in logs: print({k:v for k,v in log.items() if k!='bootstrap_servers'})
    recs = await read_topic(world.bootstrap, world.outcomes)
    led = await read_topic(world.bootstrap, world.ledger)
    from collections import Counter
    c = Counter(r.value for r in recs)
    dup = {v for v, n in c.items() if n > 1}
    for r in recs:
        if r.value in dup: print("OUT", r.partition, r.offset, r.value, r.timestamp)
    for r in led:
        if r.value in dup: print("LED", r.partition, r.offset, r.value, r.timestamp)
    if dup:
        import struct
        from aiokafka import AIOKafkaConsumer
        c2 = AIOKafkaConsumer(bootstrap_servers=world.bootstrap, auto_offset_reset="earliest")
        await c2.start()
        tps=[TopicPartition("__transaction_state", n) for n in range(4)]
        c2.assign(tps)
        ends = await c2.end_offsets(tps)
        rr=[]
        for tp in tps: c2.seek(tp, 0)
        while any([await c2.position(tp) < ends[tp] for tp in tps]):
            for b in (await c2.getmany(timeout_ms=200)).values(): rr += b
        await c2.stop()
        for r in sorted(rr, key=lambda r: (r.partition, r.offset)):
            if r.value and world.settings.group.encode() in r.key:
                v, pid, ep, to, st = struct.unpack(">hqhib", r.value[:17])
                print("TXN", r.partition, r.offset, r.key[-45:], "pid", pid, "epoch", ep, "timeout", to, "status", {0:"Empty",1:"Ongoing",2:"PrepareCommit",3:"PrepareAbort",4:"CompleteCommit",5:"CompleteAbort",6:"Dead",7:"PrepareEpochFence"}.get(st), r.timestamp, len(r.value))
        print(kafka_to_break.home)
        import shutil; shutil.copytree(kafka_to_break.home, "/tmp/lanes/dupdata", dirs_exist_ok=True)
    for w in world.works: print(w.epoch, w.opened, w.view.next_offset, len(w.view))
    assert len(outcomes) == len(set(outcomes)) == 301


async def world_notices(logs):
    await eventually(lambda: any(log["event"] == "kafka.away" for log in logs), "it is said that Kafka is away")


async def test_a_worker_that_starts_before_kafka_says_so_once_and_waits(kafka_to_break, make_world):
    world = await make_world(kafka_to_break.bootstrap)
    await world.send(world.requests, (0, "k", "work"))
    await asyncio.to_thread(kafka_to_break.kill)
    with capture_logs() as logs:
        lanes = world.start()
        await world_notices(logs)
        await asyncio.to_thread(kafka_to_break.start)
        await world.finished(1, within_s=60)
    assert [log["event"] for log in logs].count("kafka.away") == 1
    await world.stopped(lanes)
    await asyncio.to_thread(kafka_to_break.kill)
    with capture_logs() as logs:
        lanes = world.start()
        await world_notices(logs)
        await world.stopped(lanes)


@pytest.mark.parametrize("state", ["frozen", "killed"])
async def test_a_stop_does_not_wait_for_a_broker_that_is_away(kafka_to_break, make_world, state):
    world = await make_world(kafka_to_break.bootstrap)
    lanes = await world.started()
    before = len(asyncio.all_tasks())
    if state == "frozen":
        kafka_to_break.freeze()
    else:
        await asyncio.to_thread(kafka_to_break.kill)
    await asyncio.wait_for(world.stopped(lanes), 20)  # aiokafka alone: 40 s for the frozen one, and tasks left behind
    assert len(asyncio.all_tasks()) < before
    assert [t for t in asyncio.all_tasks() if "aiokafka" in repr(t.get_coro())] == []


async def test_a_fenced_writer_opens_again_and_loses_and_doubles_nothing(world):
    await world.started()
    await world.send(world.requests, *((0, f"key {n % 10}", "work") for n in range(50)))
    await world.finished(50)
    fencing = AIOKafkaProducer(bootstrap_servers=world.bootstrap, transactional_id=f"{world.settings.group}-0")
    await fencing.start()
    await fencing.stop()
    with capture_logs() as logs:
        await world.send(world.requests, *((0, f"key {n % 10}", "work") for n in range(50)))
        outcomes = in_order(await world.finished(100))
    assert "partition.reopened" in [log["event"] for log in logs]
    assert sorted(outcomes) == [("requests", 0, n) for n in range(100)]
    assert [work.opened for work in world.works] == [True, True]
    assert [work.closed for work in world.works] == [True, False]


async def test_records_deleted_unread_are_an_alert(world):
    lanes = await world.started()
    await world.send(world.requests, *((0, "k", "work") for _ in range(3)))
    await world.finished(3)
    await world.stopped(lanes)
    await world.send(world.requests, *((0, "k", "work") for _ in range(10)))
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(world.requests, 0): RecordsToDelete(before_offset=8)})
    await admin.close()
    with capture_logs() as logs:
        await world.started("second")
        outcomes = in_order(await world.finished(8))
    assert sorted(offset for _, _, offset in outcomes) == [0, 1, 2, 8, 9, 10, 11, 12]
    (alert,) = [log for log in logs if log["event"] == "offsets.expired"]
    assert (alert["committed"], alert["beginning"], alert["log_level"]) == (3, 8, "error")


async def test_offsets_that_begin_anew_are_followed(world):
    async with AIOKafkaConsumer(
        bootstrap_servers=world.bootstrap, group_id=world.settings.group, enable_auto_commit=False
    ) as consumer:
        consumer.assign([TopicPartition(world.requests, 0)])
        await consumer.commit({TopicPartition(world.requests, 0): 1_000})
    await world.send(world.requests, *((0, "k", "work") for _ in range(3)))
    with capture_logs() as logs:
        lanes = await world.started()
        await world.finished(3)
    assert "offsets.began_anew" in [log["event"] for log in logs]

    async def committed():
        return (await world.committed(lanes))[world.requests, 0] == 3

    await eventually(committed, "the new offsets are committed")


async def test_unequal_partition_counts_open_only_what_is_paired(kafka, make_world, new_name):
    world = await make_world(kafka.bootstrap)
    uneven = await make_topic(kafka.bootstrap, new_name("uneven"), 2)
    with capture_logs() as logs:
        lanes = await world.started(topics=(world.requests, world.refreshes))
        await world.stopped(lanes)
        lanes = world.start(topics=(world.requests, uneven))
        await eventually(lanes.subscribed.is_set, "it is assigned")
    (alert,) = [log for log in logs if log["event"] == "partition.not_co_partitioned"]
    assert (alert["partition"], alert["topics"]) == (1, [uneven])
    assert [row["partition"] for row in lanes.status()] == [0]
