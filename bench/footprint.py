"""Start-up time and memory: of a worker with a backlog, and of the ledger that it keeps in mind.

`BENCH_BACKLOG` is the large backlog (default 100,000; the figure is meant for 1,000,000, which takes minutes to
publish), `BENCH_LEDGER` the ledger entries (default 200,000).
"""

import asyncio
import os
import statistics
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from connector.settings import Settings
from sandbox.aws import DEFAULT_ACCOUNT
from streams.ledger import FINISHED, index_header
from streams.topics import TopicNames
from streams.wire import encode_record, keys, ledger

from .load import grant, publish
from .world import WorkerProcess, World, make_topics, resident_mb, world

STARTS = 5
SMALL_BACKLOG = 10_000
BACKLOG = int(os.environ.get("BENCH_BACKLOG", "100000"))
LEDGER = int(os.environ.get("BENCH_LEDGER", "200000"))
WORK_S = 10.0
"""How long a worker may work at a backlog before its memory is read."""
PARTITIONS = 4
CHUNK = 20_000
REPLY_BYTES = 450
"""Of the reply that a finished entry holds; a grant's has about as many."""


def run(console: Console) -> dict[str, Any]:
    with world(partitions=str(PARTITIONS)) as the_world:
        return asyncio.run(_measure(the_world, console))


async def _measure(the_world: World, console: Console) -> dict[str, Any]:
    figures: dict[str, Any] = {"backlog": BACKLOG, "ledger": LEDGER}
    starts, idle = await _starts(the_world)
    console.print(f"  {STARTS} starts")
    figures["start_s"] = statistics.median(starts)
    figures["start_max_s"] = max(starts)
    figures["idle_mb"] = statistics.median(idle)
    small, large = SMALL_BACKLOG, BACKLOG
    figures["memory_mb"] = {str(size): await _at_backlog(the_world, size, console) for size in (small, large)}
    figures |= await _ledger(the_world, console)
    return figures


async def _starts(the_world: World) -> tuple[list[float], list[float]]:
    """Seconds from the process's start to the first assignment, and what it then holds."""
    await make_topics(the_world.settings())
    seconds, megabytes = [], []
    for _ in range(STARTS):
        with the_world.worker() as worker:
            await worker.wait_for("partition.open", PARTITIONS)
            (event,) = worker.events("partitions.assigned")
            seconds.append(_epoch(event) - worker.started_at)
            megabytes.append(resident_mb(worker.pid) or 0.0)
    return seconds, megabytes


def _epoch(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["timestamp"]).timestamp()


async def _at_backlog(the_world: World, size: int, console: Console) -> float:
    """The most that a worker held while it worked for a while at this backlog, in MB."""
    names = {"topic_prefix": f"backlog.{size}", "group": f"backlog-{size}"}
    settings = the_world.settings(**names)
    await make_topics(settings)
    for begin in range(0, size, CHUNK):
        await publish(settings, [grant(f"nobody-{number}") for number in range(begin, min(begin + CHUNK, size))])
    with the_world.worker(**names) as worker:
        await worker.wait_for("partition.open", PARTITIONS)
        most = await _watch(worker)
        done = len(worker.events("request.finish"))
    console.print(f"  backlog of {size:,}: {most:.0f} MB after {done:,} requests")
    return most


async def _watch(worker: WorkerProcess) -> float:
    most, ends = 0.0, asyncio.get_running_loop().time() + WORK_S
    while asyncio.get_running_loop().time() < ends:
        worker.require_alive()
        most = max(most, resident_mb(worker.pid) or 0.0)
        await asyncio.sleep(0.1)
    return most


# -- the ledger --------------------------------------------------------------------------------------------------------


async def _ledger(the_world: World, console: Console) -> dict[str, Any]:
    """Two ledgers of different sizes: the difference in memory is what entries cost, without what reading takes."""
    sizes = (LEDGER // 4, LEDGER)
    read: dict[int, tuple[float, float]] = {}
    for size in sizes:
        names = {"topic_prefix": f"ledger.{size}", "group": f"ledger-{size}"}
        settings = the_world.settings(**names)
        await make_topics(settings)
        await _fill(settings, size)
        with the_world.worker(**names) as worker:
            opened = await worker.wait_for("partition.open", PARTITIONS)
            (assigned,) = worker.events("partitions.assigned")
            seconds = max(map(_epoch, opened)) - _epoch(assigned)
            read[size] = (seconds, resident_mb(worker.pid) or 0.0)
        console.print(f"  ledger of {size:,}: open after {seconds:.1f} s, {read[size][1]:.0f} MB")
    (few_s, few_mb), (many_s, many_mb) = read[sizes[0]], read[sizes[1]]
    entries = sizes[1] - sizes[0]
    return {
        "ledger_bytes_per_entry": (many_mb - few_mb) * 1e6 / entries,
        "ledger_records_per_s": entries / (many_s - few_s),
    }


async def _fill(settings: Settings, size: int) -> None:
    topic = TopicNames(settings.topic_prefix).ledger
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, linger_ms=20, max_batch_size=262_144)
    await producer.start()
    try:
        for begin in range(0, size, CHUNK):
            sends = [
                await producer.send(topic, value, key=key, partition=partition, headers=[index_header(0, FINISHED)])
                for key, value, partition in _entries(range(begin, min(begin + CHUNK, size)))
            ]
            await asyncio.gather(*sends)
    finally:
        await producer.stop()


def _entries(numbers: range) -> Iterator[tuple[bytes, bytes, int]]:
    """Finished requests of different users; all at offset 0, below where delivery begins."""
    reply = os.urandom(REPLY_BYTES)
    for number in numbers:
        request_id = str(uuid.uuid4())
        key = keys.user_key(DEFAULT_ACCOUNT, f"user-{number}").encode()
        fields = ledger.finished("requests", 0, request_id=request_id, request_hash="0" * 64, reply=reply)
        yield keys.ledger_key(key, request_id), encode_record(ledger.NAME, fields), keys.partition_for(key, PARTITIONS)


def to_table(figures: dict[str, Any]) -> Table:
    table = Table(title="Start-up and memory")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("figure", justify="right")
    (small, small_mb), (large, large_mb) = figures["memory_mb"].items()
    rows = (
        ("process start → subscribed, median of 5", f"{figures['start_s']:.2f} s", "≤ 2 s"),
        ("memory of an idle worker", f"{figures['idle_mb']:.0f} MB", ""),
        (f"memory at a backlog of {int(small):,}", f"{small_mb:.0f} MB", ""),
        (f"memory at a backlog of {int(large):,}", f"{large_mb:.0f} MB", ""),
        ("the one as part of the other", f"{large_mb / small_mb:.0%}", "within 10 %"),
        ("memory of a ledger entry", f"{figures['ledger_bytes_per_entry']:.0f} B", "≤ 200 B"),
        ("ledger records read back", f"{figures['ledger_records_per_s']:,.0f}/s", "stated"),
    )
    for row in rows:
        table.add_row(*row)
    return table
