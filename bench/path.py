"""The whole path against a bare boto3 pool: AWS calls per second, as a ratio within one run.

Grants, revocations and creations are published first; then one worker, the product's own command, works them off and
the stand-in's journal tells how fast its calls came. After each such round as many threads make the same calls for
other users of the same shape with plain boto3 clients: no Kafka, no ledger, no lease, no order. Rounds alternate.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from connector.settings import Settings
from sandbox.aws.journal import OK, Entry

from .load import GROUP, Backlog, Fields, create, grant, plant_users, publish, revoke
from .world import WORKER, World, cpu_of, machine, make_topics, median, rate_of, world

TARGET = 0.85
LATENCIES_S = (0.0, 0.1)
ROUNDS = 3
THREADS = 64
USERS = 1_200
"""Of them half are granted something and half lose it, in turns."""
CREATIONS = 120
"""New users in each round."""

OURS, THEIRS = "path", "bare"

# The journal holds parameters as they were on the wire, and no passwords.
_TYPED: Mapping[str, Callable[[str], Any]] = {
    "MaxItems": int,
    "PasswordResetRequired": lambda text: text == "true",
    "Password": lambda _: "Not-A-Real-Secret-1!",
}


def run(console: Console) -> dict[str, Any]:
    """Both latencies, alternating rounds."""
    figures: dict[str, Any] = {"machine": machine(), "threads": THREADS, "latencies": {}}
    with world(partitions="4", call_threads=str(THREADS)) as the_world:
        settings = the_world.settings()
        asyncio.run(make_topics(settings))
        _plant(the_world)
        number = 0
        for latency in LATENCIES_S:
            the_world.console.knobs(latency=latency)
            rows = []
            for _ in range(ROUNDS):
                row = asyncio.run(path_round(the_world, settings, number))
                row |= bare_round(the_world, row.pop("entries"))
                rows.append(row)
                console.print(f"  {latency * 1000:3.0f} ms: path {row['path']:.0f}/s, bare {row['bare']:.0f}/s")
                number += 1
            figures["latencies"][str(latency)] = {"rounds": rows, **_summary(rows)}
        the_world.console.knobs(latency=0.0)
    return figures


def _plant(the_world: World) -> None:
    for side in (OURS, THEIRS):
        plant_users(the_world.console, _names(side, "a"))
        plant_users(the_world.console, _names(side, "b"), GROUP)


def _names(side: str, half: str) -> list[str]:
    return [f"{side}-{half}-{number}" for number in range(USERS // 2)]


def requests_of(number: int) -> list[Fields]:
    """The requests of one round; who was granted something in one loses it in the next."""
    to_grant, to_revoke = ("a", "b") if number % 2 == 0 else ("b", "a")
    mixed: list[Fields] = []
    creations = iter([create(f"{OURS}-new-{number}-{one}") for one in range(CREATIONS)])
    every = USERS // 2 // CREATIONS if CREATIONS else USERS
    for place, (one, other) in enumerate(zip(_names(OURS, to_grant), _names(OURS, to_revoke), strict=True)):
        mixed += [grant(one), revoke(other)]
        if CREATIONS and place % every == 0:
            mixed += [request for request in (next(creations, None),) if request is not None]
    return mixed


async def path_round(the_world: World, settings: Settings, number: int, argv: Sequence[str] = WORKER) -> dict[str, Any]:
    """Publish, start a worker, wait until all is finished and committed."""
    requests = requests_of(number)
    await publish(settings, requests)
    seen = len(the_world.console.journal())
    async with Backlog(settings) as backlog:
        with the_world.worker(argv=argv) as worker:
            await worker.wait_for("partitions.assigned")
            pids = {"worker": worker.pid, "broker": the_world.broker.pid, "stand-in": the_world.aws.pid}
            async with cpu_of(pids) as used:
                await backlog.wait_until_empty(worker)
    entries = [entry for entry in the_world.console.journal(seen) if "idhub-aws/" in entry.user_agent]
    entries = [entry for entry in entries if entry.action not in {"GetCallerIdentity", "GetAccountPasswordPolicy"}]
    return {
        "path": rate_of(entries),
        "calls": len(entries),
        "requests": len(requests),
        "path_cpu": used,
        "entries": entries,
    }


def bare_round(the_world: World, entries: Sequence[Entry]) -> dict[str, Any]:
    """The same calls for the other users, user by user."""
    sequences: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for entry in entries:
        params = json.loads(json.dumps(entry.params).replace(f'"{OURS}-', f'"{THEIRS}-'))
        params |= {name: _TYPED[name](params[name]) for name in params.keys() & _TYPED.keys()}
        sequences.setdefault(entry.user, []).append((entry.action, params))
    settings = the_world.settings()
    assert settings.secret_access_key is not None
    told = {
        "url": the_world.aws.url,
        "access_key_id": settings.access_key_id,
        "secret_access_key": settings.secret_access_key.get_secret_value(),
        "threads": THREADS,
        "sequences": list(sequences.values()),
    }
    seen = len(the_world.console.journal())
    answer = subprocess.run(
        [sys.executable, "-m", "bench.bare"], input=json.dumps(told), capture_output=True, text=True, check=True
    )
    result = json.loads(answer.stdout)
    refused, expected = result["errors"], sum(entry.outcome != OK for entry in entries)
    if sum(refused.values()) != expected:
        raise RuntimeError(f"the bare pool's calls were refused: {refused}, and {expected} of the path's")
    made = the_world.console.journal(seen)
    if len(made) != len(entries):
        raise RuntimeError(f"the bare pool made {len(made)} calls instead of {len(entries)}")
    return {"bare": rate_of(made), "bare_cpu": {"pool": result["cpu_s"]}}


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    path, bare = median([row["path"] for row in rows]), median([row["bare"] for row in rows])
    calls = sum(row["calls"] for row in rows)
    cpu = {
        name: 1000 * sum(row["path_cpu"].get(name, 0.0) for row in rows) / calls
        for name in ("worker", "broker", "stand-in")
    }
    cpu["bare pool"] = 1000 * sum(row["bare_cpu"]["pool"] for row in rows) / calls
    return {"path": path, "bare": bare, "ratio": path / bare, "cpu_ms_per_call": cpu}


def to_table(figures: dict[str, Any]) -> Table:
    """What is printed."""
    table = Table(title=f"Whole path against a bare boto3 pool, {THREADS} threads each (medians of {ROUNDS} rounds)")
    for name in ("latency", "path, calls/s", "bare, calls/s", "ratio", "target", "CPU a call, ms"):
        table.add_column(name, justify="right")
    for latency, row in figures["latencies"].items():
        cpu = ", ".join(f"{name} {value:.2f}" for name, value in row["cpu_ms_per_call"].items())
        table.add_row(
            f"{float(latency) * 1000:.0f} ms",
            f"{row['path']:.0f}",
            f"{row['bare']:.0f}",
            f"{row['ratio']:.0%}",
            f"≥ {TARGET:.0%}",
            cpu,
        )
    return table
