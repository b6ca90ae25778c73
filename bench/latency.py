"""What the path adds to a request at half load, as multiples of a bare transactional produce and consume of the same run.

Two spans, by clocks of one machine: from the broker's append of the request to the first AWS call at the stand-in, and
from the end of the last AWS call to the reply in a read-committed consumer. AWS itself takes no time here. The bare
loop begins a transaction, sends one record of a reply's size, commits, and waits until its own consumer has it.
Segments of both alternate; the worker stays up, idle while the bare loop runs.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from connector.settings import Settings
from sandbox.aws.journal import Entry
from streams.topics import TopicNames
from streams.wire import encode_record
from streams.wire.headers import header_value
from streams.wire.keys import user_key

from .load import GROUP, Backlog, Fields, grant, plant_users, publish, revoke
from .world import WAIT_S, WorkerProcess, World, make_topics, quantile, world

SEGMENTS = 3
SEGMENT_S = 8.0
USERS = 600
SATURATING = 1_200
"""Requests of the run that shows the full load."""
BARE_GAP_S = 0.02
REPLY_BYTES = 500
TARGET = 5.0
SPANS = {
    "first": "appended → first AWS call",
    "last": "last AWS call → reply readable",
    "bare": "bare transactional produce → consume",
}

BARE_TOPIC = "bench.bare"


def run(console: Console) -> dict[str, Any]:
    with world(partitions="4") as the_world:
        asyncio.run(make_topics(the_world.settings()))
        half = USERS // 2
        plant_users(the_world.console, [f"half-{n}" for n in range(half)])
        plant_users(the_world.console, [f"half-{n}" for n in range(half, USERS)], GROUP)
        with the_world.worker() as worker:
            return asyncio.run(_measure(the_world, worker, console))


async def _measure(the_world: World, worker: WorkerProcess, console: Console) -> dict[str, Any]:
    settings = the_world.settings()
    await worker.wait_for("partition.open", 4)
    full = await _full_load(the_world, settings, worker)
    rate = full / 2
    console.print(f"  full load {full:.0f} requests/s, so half of it is {rate:.0f}/s")
    samples: dict[str, list[float]] = {name: [] for name in SPANS}
    await _make_bare_topic(settings)
    for segment in range(SEGMENTS):
        samples["bare"] += await _bare(settings)
        sent, received = await _half_load(settings, rate, segment)
        first, last = _spans(the_world.console.journal(), sent, received)
        samples["first"] += first
        samples["last"] += last
        worker.require_alive()
    rows = {name: _row(values) for name, values in samples.items()}
    return {"full_per_s": full, "rate_per_s": rate, "rows": rows, "times_bare": _times(rows)}


def _row(values: Sequence[float]) -> dict[str, float]:
    return {"n": len(values), "p50_ms": 1000 * quantile(values, 0.5), "p99_ms": 1000 * quantile(values, 0.99)}


def _times(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    return {name: rows[name]["p99_ms"] / rows["bare"]["p99_ms"] for name in ("first", "last")}


async def _full_load(the_world: World, settings: Settings, worker: WorkerProcess) -> float:
    """Requests a second when all are there beforehand."""
    seen = the_world.console.journal()
    requests = [_request(number, 0) for number in range(SATURATING)]
    await publish(settings, requests)
    async with Backlog(settings) as backlog:
        await backlog.wait_until_empty(worker)
    calls = [entry for entry in the_world.console.journal(len(seen)) if entry.service == "iam"]
    return len(requests) / (max(entry.started for entry in calls) - min(entry.started for entry in calls))


def _request(number: int, turn: int) -> Fields:
    """Who has no group is granted one, and loses it the next time."""
    user, times = number % USERS, number // USERS + turn
    has_it = (user >= USERS // 2) == (times % 2 == 0)
    return (revoke if has_it else grant)(f"half-{user}")


async def _half_load(settings: Settings, rate: float, segment: int) -> tuple[dict[str, float], dict[str, float]]:
    """An open loop: requests leave by the clock, whatever comes back. Append and receive times by request id."""
    topics = TopicNames(settings.topic_prefix)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, acks="all")
    consumer = await _reader(settings, topics.replies)
    await producer.start()
    sent: dict[str, float] = {}
    received: dict[str, float] = {}
    count = int(rate * SEGMENT_S)

    async def follow() -> None:
        async for record in consumer:
            received[str(header_value(record.headers, "ce_id")).partition("/")[0]] = time.time()
            if len(received) >= count:
                return

    following = asyncio.create_task(follow())
    sends = []
    began = time.monotonic()
    try:
        for number in range(count):
            await asyncio.sleep(began + number / rate - time.monotonic())
            fields = _request(number, segment * count)
            key = user_key(fields["awsAccountId"], fields["userName"]).encode()
            value = encode_record("ProvisioningRequest", fields)
            sends.append((fields["requestId"], await producer.send(topics.requests, value, key=key)))
        for request_id, send in sends:
            # LogAppendTime in whole milliseconds: half of one is the middle of what it may have been.
            sent[request_id] = (await send).timestamp / 1000 + 0.0005
        await asyncio.wait_for(following, WAIT_S)
    finally:
        following.cancel()
        await producer.stop()
        await consumer.stop()
    return sent, received


def _spans(
    journal: Sequence[Entry], sent: dict[str, float], received: dict[str, float]
) -> tuple[list[float], list[float]]:
    """Seconds before the first and after the last call of each request."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for entry in journal:
        request_id = entry.user_agent.partition(" r/")[2].partition(" ")[0]
        if request_id in sent and entry.ended is not None:
            first.setdefault(request_id, entry.started_at)
            last[request_id] = entry.started_at + entry.ended - entry.started
    return (
        [first[one] - sent[one] for one in sent if one in first],
        [received[one] - last[one] for one in received if one in last],
    )


# -- the bare loop -----------------------------------------------------------------------------------------------------


async def _make_bare_topic(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(BARE_TOPIC, 1, 1)])
    finally:
        await admin.close()


async def _bare(settings: Settings) -> list[float]:
    consumer = await _reader(settings, BARE_TOPIC)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=f"bare-{uuid.uuid4()}")
    await producer.start()
    spans = []
    value = bytes(REPLY_BYTES)
    ends = time.monotonic() + SEGMENT_S
    try:
        while time.monotonic() < ends:
            began = time.monotonic()
            async with producer.transaction():
                await producer.send(BARE_TOPIC, value, partition=0)
            await asyncio.wait_for(consumer.getone(), WAIT_S)
            spans.append(time.monotonic() - began)
            await asyncio.sleep(BARE_GAP_S)
    finally:
        await producer.stop()
        await consumer.stop()
    return spans[1:]  # the first one also meets the transaction coordinator


async def _reader(settings: Settings, topic: str) -> Any:
    """A read-committed consumer at the end of a topic."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="latest",
    )
    await consumer.start()
    async with asyncio.timeout(WAIT_S):
        while not consumer.assignment():
            await asyncio.sleep(0.05)
    for tp in consumer.assignment():
        await consumer.position(tp)  # fixed now: what is published next is not missed
    return consumer


def to_table(figures: dict[str, Any]) -> Table:
    table = Table(title=f"Added latency at half load ({figures['rate_per_s']:.0f} requests/s), AWS at 0 ms")
    table.add_column("span")
    for name in ("samples", "p50, ms", "p99, ms", "p99 as multiple of bare", "at most"):
        table.add_column(name, justify="right")
    for name, row in figures["rows"].items():
        times = figures["times_bare"].get(name)
        table.add_row(
            SPANS[name],
            str(row["n"]),
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            "" if times is None else f"{times:.1f} ×",
            "" if times is None else f"{TARGET:.0f} ×",
        )
    return table
