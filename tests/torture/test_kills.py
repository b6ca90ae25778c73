"""A worker killed at each numbered step of a request's life, one death after the other; and at random moments."""

import asyncio
from random import Random

import pytest

from sandbox.leaver import plant_leaver

from .checks import check_all, gather
from .load import Load
from .world import SEED, answered, publish_all, scaled, seal_credential, world

USERS = [f"User.{number:02}" for number in range(30)]

# Each worker dies at the nth time of its moment; the next one takes over.
DEATHS = {
    "before the intent": ("DECODE:4", "LEDGER:3", "READ:5", "READING:7"),
    "around the intent": ("INTENT:3", "SENT:1", "COMMITTED:1", "EXECUTE:2"),
    "among the calls": ("CALL:2", "CALL:9", "DEED:1", "DEED:6"),
    "around the outcome": ("OUTCOME:3", "SENT:6", "COMMITTED:6", "FINISH:4"),
}


@pytest.mark.parametrize("deaths", DEATHS.values(), ids=DEATHS)
async def test_killed_at_each_step(kafka, tmp_path, deaths):
    print(f"seed {SEED}")
    load = Load(SEED, USERS, credential_of=seal_credential)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        plant_leaver(here.aws, USERS[0])
        before = here.aws.state()
        asked = []
        async with here.client() as client:
            for death in deaths:
                worker = here.worker(kill_at=death)
                asked += (more := load.make(scaled(25)))
                await publish_all(client, more)
                assert await worker.ended(f"killed at {death}") == -9, worker.tail()
            here.worker()
            await answered(client, asked)
        await here.end_workers()
        print(check_all(await gather(here, asked, before, cut_short=True, given_passwords=load.given_passwords)))
