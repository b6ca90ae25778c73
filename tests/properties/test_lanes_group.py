"""The lanes against a model of the world: whatever happens to the workers, nothing is lost, doubled or overtaken.

A plan drawn by hypothesis says which records come with which gaps, how long calls take, what the handlers answer, and
what befalls the workers: they stop, are killed, are cut off past their session, are fenced, lose Kafka.
"""

import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lane_play import REFRESHES, REQUESTS, Plan, Play
from tests.support.virtual_time import run_virtually

ANSWERS = ("done", "done", "done", "done", "park", "dead letter", "broken", "many calls")


TROUBLES = ("join", "stop", "kill", "cut", "cut long", "fence", "kafka away", "gate fails")
times = st.floats(0, 30, allow_nan=False).map(lambda t: round(t, 2))


def plans(answers: tuple[str, ...] = ANSWERS, troubles: tuple[str, ...] = TROUBLES) -> st.SearchStrategy[Plan]:
    gaps = st.sampled_from((0, 0, 0, 1, 2))
    record = st.tuples(times, st.sampled_from((REQUESTS, REFRESHES)), st.integers(0, 5), gaps, st.sampled_from(answers))
    return st.builds(
        Plan,
        partitions=st.integers(1, 3),
        workers=st.integers(1, 3),
        seed=st.integers(0, 1_000),
        records=st.lists(record, min_size=1, max_size=60),
        troubles=st.lists(st.tuples(times, st.sampled_from(troubles), st.integers(0, 5)), max_size=8),
    )


def perform(plan: Plan) -> None:
    async def play() -> None:
        play = Play(plan)
        await play.run()
        play.check()

    with structlog.testing.capture_logs():
        run_virtually(play())


@given(plans())
@settings(max_examples=250)
def test_nothing_is_lost_doubled_or_overtaken(plan: Plan) -> None:
    perform(plan)


@given(plans(answers=("many calls",), troubles=("cut long", "cut long", "cut", "join", "kill")))
@settings(max_examples=100)
def test_no_call_outlives_its_lease(plan: Plan) -> None:
    perform(plan)


@given(plans(answers=("done", "many calls"), troubles=("fence", "fence", "join", "stop")))
@settings(max_examples=100)
def test_a_partition_is_opened_once_however_reopening_and_rebalances_meet(plan: Plan) -> None:
    perform(plan)
