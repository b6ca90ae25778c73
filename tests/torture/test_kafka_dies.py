"""Kafka killed and restarted on its data, and frozen, while requests are under way: nothing lost, nothing twice."""

import asyncio

from sandbox.leaver import plant_leaver
from tests.support.wait import eventually

from .checks import check_all, gather
from .load import Load
from .world import SEED, SESSION_S, answered, publish_all, scaled, world

USERS = [f"User.{number:02}" for number in range(30)]
LEAVERS = USERS[:3]


async def test_kafka_killed_and_restarted(kafka_to_break, tmp_path):
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS)
    broker = kafka_to_break
    with world(broker.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        here.aws.knobs(latency=[0.0, 0.05])
        for name in LEAVERS:
            plant_leaver(here.aws, name)
        before = here.aws.state()
        asked = []
        outages = scaled(2)
        async with here.client() as client:
            workers = [await here.ready_worker(), await here.ready_worker()]
            for outage in range(outages):
                asked += (more := load.make(60))
                publishing = asyncio.create_task(publish_all(client, more))
                seen = len(here.aws.journal())
                await eventually(lambda seen=seen: len(here.aws.journal(seen)) > 40, "calls are on their way")
                if outage % 2 == 0:
                    await asyncio.to_thread(broker.kill)
                    # Long enough for leases to run out and for every part of the workers to notice.
                    for worker in workers:
                        await worker.logged("kafka.away", outage // 2 + 1)
                    await asyncio.to_thread(broker.start)
                else:
                    until = asyncio.get_running_loop().time() + SESSION_S + 1
                    await asyncio.to_thread(broker.freeze)
                    await eventually(
                        lambda until=until: asyncio.get_running_loop().time() > until, "the session is over"
                    )
                    await asyncio.to_thread(broker.thaw)
                await publishing
                await answered(client, asked)
        await here.end_workers()
        evidence = await gather(here, asked, before, cut_short=True)
        print(check_all(evidence))
        for worker in workers:
            said = worker.events("kafka.away")
            assert len(said) <= 2 * outages, f"{worker.name} said {len(said)} times that Kafka is away"
            assert worker.events("kafka.back")
