"""AWS at its worst: answers lost after the deed, readings out of the past, throttling."""

import pytest

from sandbox.aws import Effect
from sandbox.leaver import plant_leaver
from tests.support.wait import eventually

from .checks import accounts_as_iam, check_all, gather
from .load import Load
from .world import SEED, answered, publish_all, scaled, seal_credential, world

USERS = [f"User.{number:02}" for number in range(30)]
LEAVERS = USERS[:3]


async def play(here, load, count):
    """Publishes that many requests and awaits their replies, with one worker."""
    before = here.aws.state()
    asked = load.make(scaled(count))
    async with here.client() as client:
        here.worker()
        await publish_all(client, asked)
        await answered(client, asked)
    return before, asked


def prepare(here):
    for name in LEAVERS:
        plant_leaver(here.aws, name)
    here.aws.settle()


async def test_answers_lost_after_the_deed(kafka, tmp_path):
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS, credential_of=seal_credential)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        prepare(here)
        here.aws.fault(Effect.LOSE_ANSWER, actions="writes", probability=0.04)
        here.aws.fault(Effect.RESET_AFTER, actions="writes", probability=0.04)
        here.aws.fault(Effect.ERROR_AFTER, actions="writes", probability=0.04)
        here.aws.fault(Effect.RESET_BEFORE, actions="*", probability=0.02)
        before, asked = await play(here, load, 160)
        await here.end_workers()
        lost = [entry for entry in here.aws.journal() if entry.changed and not entry.delivered]
        assert lost, "no answer was lost"
        print(f"{len(lost)} answers lost after the deed")
        print(check_all(await gather(here, asked, before, cut_short=True, given_passwords=load.given_passwords)))


async def test_readings_out_of_the_past(kafka, tmp_path):
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS)
    with world(kafka.bootstrap, tmp_path, seed=SEED, PROPAGATION_WINDOW_S=3) as here:
        await here.make_topics()
        prepare(here)
        here.aws.knobs(stale_mode="random", stale_share=0.5, stale_lag_s=1.5)
        before, asked = await play(here, load, 110)
        here.aws.knobs(stale_mode="off")
        here.aws.settle()

        await accounts_settle(here, asked, before)
        await here.end_workers()
        # What a reading out of the past does not show is granted once more, and is then DONE.
        print(check_all(await gather(here, asked, before, cut_short=True)))


async def accounts_settle(here, asked, before, within_s=20.0):
    """Second looks are due a window after a doubtful reading."""
    wrong = None

    async def hold():
        nonlocal wrong
        try:
            accounts_as_iam(await gather(here, asked, before, cut_short=False))
        except AssertionError as error:
            wrong = error
            return False
        return True

    try:
        await eventually(hold, "accounts are as IAM is", within_s)
    except AssertionError:
        raise wrong from None


@pytest.mark.parametrize("rate", [60])
async def test_throttled(kafka, tmp_path, rate):
    print(f"seed {SEED}")
    load = Load(SEED, USERS, present=LEAVERS)
    with world(kafka.bootstrap, tmp_path, seed=SEED) as here:
        await here.make_topics()
        prepare(here)
        here.aws.knobs(rates={"iam": [rate, 5]})
        before, asked = await play(here, load, 80)
        await here.end_workers()
        evidence = await gather(here, asked, before, cut_short=False)
        throttled = [entry for entry in evidence.journal if entry.told == "Throttling"]
        assert throttled, "nothing was throttled"
        spent = {
            (reply["requestId"], step["number"]): step["attempts"]
            for _, reply in evidence.decoded("replies")
            for step in reply["steps"]
            if step["attempts"] > 1
        }
        assert not spent, f"throttling spent attempts: {spent}"
        print(f"{len(throttled)} calls throttled")
        print(check_all(evidence))
