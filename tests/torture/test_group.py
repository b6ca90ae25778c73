"""Workers that come and go: rebalances without end, and a clean stop that leaves nothing half done."""

import asyncio

from sandbox.leaver import plant_leaver
from tests.support.wait import eventually

from .checks import check_all, gather, request_of
from .load import Load
from .world import SEED, answered, publish_all, scaled, seal_credential, world

USERS = [f"User.{number:02}" for number in range(30)]
LEAVERS = USERS[:3]


async def test_two_workers_joining_and_leaving(kafka, tmp_path):
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS, credential_of=seal_credential)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        here.aws.knobs(latency=[0.0, 0.04])
        for name in LEAVERS:
            plant_leaver(here.aws, name)
        before = here.aws.state()
        asked = load.make(scaled(240))
        async with here.client() as client:
            publishing = asyncio.create_task(publish_all(client, asked, pause_s=0.05))
            staying = await here.ready_worker()
            for _ in range(scaled(4)):
                joining = await here.ready_worker()
                # Only now the one that was there before leaves.
                staying.ask_to_end()
                assert await staying.ended() == 0, staying.tail()
                staying = joining
            await publishing
            await answered(client, asked)
        await here.end_workers()
        print(check_all(await gather(here, asked, before, cut_short=False, given_passwords=load.given_passwords)))


async def test_drained_by_sigterm(kafka, tmp_path):
    """What runs is finished, what has not begun is left to the next owner: nobody has to resume anything."""
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        here.aws.knobs(latency=0.08)
        for name in LEAVERS:
            plant_leaver(here.aws, name)
        before = here.aws.state()
        asked = load.make(scaled(100))
        async with here.client() as client:
            worker = await here.ready_worker()
            await publish_all(client, asked)
            for _ in range(3):
                seen = len(here.aws.journal())
                await eventually(lambda seen=seen: len(here.aws.journal(seen)) > 20, "calls are on their way")
                worker.ask_to_end()
                assert await worker.ended() == 0, worker.tail()
                assert worker.events("lanes.drained")[0]["in_time"]
                left = await gather(here, asked, before, cut_short=False)
                replied = {reply["requestId"] for _, reply in left.decoded("replies")}
                touched = {request_of(entry)[0] for entry in left.journal if entry.changed}
                assert touched <= replied, f"begun and not finished: {touched - replied}"
                worker = await here.ready_worker()
            await answered(client, asked)
        await here.end_workers()
        evidence = await gather(here, asked, before, cut_short=False)
        lives = {entry["intent"]["lives"] for _, entry in evidence.decoded("ledger") if entry["intent"] is not None}
        assert lives == {1}, "a request had to be resumed"
        print(check_all(evidence))
