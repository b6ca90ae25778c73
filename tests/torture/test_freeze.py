"""A worker frozen past its session while another takes over, and thawed: it calls nobody for what it no longer owns.

One thing cannot be promised: a call on the wire at the freeze may still land. Such calls are counted and listed.
"""

import time
from datetime import datetime

import pytest

from sandbox.leaver import plant_leaver
from tests.support.wait import eventually

from .checks import check_all, gather, request_of
from .load import Load
from .world import SEED, SESSION_S, answered, publish_all, scaled, world

USERS = [f"User.{number:02}" for number in range(24)]
LEAVERS = USERS[:3]

ARRIVES_S = 0.05
"""What was written to the socket before the freeze has arrived by then."""


def on_the_wire(journal, worker, frozen_at):
    """Calls of a worker that were under way at its freeze."""
    return [
        entry
        for entry in journal
        if entry.access_key_id == worker.access_key
        and entry.started < frozen_at + ARRIVES_S
        and (entry.ended is None or entry.ended >= frozen_at)
    ]


def strays(journal, worker, thawed_at):
    """Calls after the thaw before the worker was given a partition again: permitted before the freeze, sent after it."""
    opened = [
        datetime.fromisoformat(told["timestamp"]).timestamp()
        for told in worker.events("partition.open")
        if datetime.fromisoformat(told["timestamp"]).timestamp() > thawed_at
    ]
    again = min(opened, default=float("inf"))
    return [
        entry for entry in journal if entry.access_key_id == worker.access_key and thawed_at < entry.started_at < again
    ]


@pytest.mark.parametrize("moment", ["CALL:40", "DEED:15", None], ids=["call", "deed", "random"])
async def test_frozen_past_its_session(kafka, tmp_path, moment):
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        here.aws.knobs(latency=0.05)
        for name in LEAVERS:
            plant_leaver(here.aws, name)
        before = here.aws.state()
        asked = load.make(scaled(80))
        async with here.client() as client:
            # The one that freezes holds every partition until then, and is in the middle of many plans.
            frozen = await here.ready_worker(freeze_at=moment, own_key=True)
            await publish_all(client, asked)
            if moment is None:
                await eventually(lambda: len(here.aws.journal()) > 120, "calls are on their way")
                frozen_at = time.monotonic()
                frozen.freeze()
                await frozen.frozen()
            else:
                await frozen.frozen()
                frozen_at = frozen.events("torture")[0]["monotonic"]
            other = await here.ready_worker(own_key=True)
            await answered(client, asked)

            thawed_at = time.time()
            frozen.thaw()
            # Given partitions again, it works as if nothing had been.
            await eventually(
                lambda: strays_over(frozen, thawed_at), f"the thawed worker holds partitions again\n{frozen.tail()}"
            )
            asked += (more := load.make(scaled(40)))
            await publish_all(client, more)
            await answered(client, asked)
        await here.end_workers()

        evidence = await gather(here, asked, before, cut_short=True)
        wire = on_the_wire(evidence.journal, frozen, frozen_at)
        late = strays(evidence.journal, frozen, thawed_at)
        assert len(late) <= 1, f"calls after the thaw without a lease: {late}"
        evidence.on_wire = wire + late
        print(check_all(evidence))
        print(f"on the wire at the freeze: {[(one.action, one.user) for one in wire]}; sent at the thaw: {len(late)}")
        assert interrupted(evidence.journal, frozen, other), "no request was in the middle of its calls"


def interrupted(journal, frozen, other):
    """Requests that one worker began to execute and the other one finished."""
    began = {request_of(entry)[0] for entry in journal if entry.access_key_id == frozen.access_key and entry.changed}
    return began & {request_of(entry)[0] for entry in journal if entry.access_key_id == other.access_key}


def strays_over(worker, thawed_at):
    return any(
        datetime.fromisoformat(told["timestamp"]).timestamp() > thawed_at for told in worker.events("partition.open")
    )


async def test_frozen_for_less_than_its_session(kafka, tmp_path):
    """Nothing is lost and nothing done twice; whether the lease ran out or not."""
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        here.aws.knobs(latency=0.05)
        for name in LEAVERS:
            plant_leaver(here.aws, name)
        before = here.aws.state()
        asked = load.make(scaled(60))
        async with here.client() as client:
            worker = await here.ready_worker()
            await publish_all(client, asked)
            for share in (0.4, 0.75):
                seen = len(here.aws.journal())
                await eventually(lambda seen=seen: len(here.aws.journal(seen)) > 15, "calls are on their way")
                worker.freeze()
                until = time.monotonic() + share * SESSION_S
                await eventually(lambda until=until: time.monotonic() > until, "the freeze is over")
                worker.thaw()
            await answered(client, asked)
        await here.end_workers()
        print(check_all(await gather(here, asked, before, cut_short=True)))
