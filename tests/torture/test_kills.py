"""A worker killed at each numbered step of a request's life, one death after the other; and at random moments."""

from random import Random

import pytest

from sandbox.leaver import plant_leaver
from tests.support.wait import eventually

from .checks import check_all, gather
from .load import Load
from .worker_main import MOMENTS
from .world import SEED, answered, publish_all, scaled, seal_credential, world

USERS = [f"User.{number:02}" for number in range(30)]
LEAVERS = USERS[:4]

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
    load = Load(SEED, USERS, present=LEAVERS, credential_of=seal_credential)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        for name in LEAVERS:
            plant_leaver(here.aws, name)
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


async def some_calls(here, count, workers):
    """Until so many more calls were made, or one of the workers has died by itself."""
    seen = len(here.aws.journal())
    await eventually(
        lambda: len(here.aws.journal(seen)) >= count or not all(one.alive for one in workers), f"{count} calls"
    )


async def test_killed_at_random_moments(kafka, tmp_path):
    """Two workers, of which one after the other is killed, from outside or by itself, while requests keep coming."""
    print(f"seed {SEED}")
    random = Random(SEED)
    load = Load(SEED, USERS, present=LEAVERS, credential_of=seal_credential)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        here.aws.knobs(latency=[0.0, 0.06])
        for name in LEAVERS:
            plant_leaver(here.aws, name)
        before = here.aws.state()
        asked = []
        alive = [here.worker(), here.worker()]
        async with here.client() as client:
            for _ in range(scaled(7)):
                asked += (more := load.make(40))
                await publish_all(client, more)
                at = f"{random.choice(MOMENTS)}:{random.randint(1, 20)}" if random.random() < 0.5 else None
                await some_calls(here, random.randint(1, 60), alive)
                dead = [one for one in alive if not one.alive] or [random.choice(alive)]
                for one in dead:
                    one.kill()
                alive = [one for one in alive if one not in dead] + [here.worker(kill_at=at) for _ in dead]
            here.worker()
            await answered(client, asked)
        for one in here.workers:
            if one.alive:
                one.ask_to_end()
        for one in here.workers:
            await one.ended()
        print(check_all(await gather(here, asked, before, cut_short=True, given_passwords=load.given_passwords)))
