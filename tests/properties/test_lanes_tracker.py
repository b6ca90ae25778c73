"""The tracker and the lanes against models that are too simple to be wrong."""

from collections import defaultdict
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from streams.lanes import Delivery
from streams.lanes.queues import Lanes
from streams.lanes.tracker import OffsetTracker


@given(st.integers(0, 100), st.lists(st.integers(0, 4), max_size=60), st.data())
def test_a_tracker_never_passes_what_is_unfinished_and_stops_at_nothing_else(start, gaps, data):
    tracker = OffsetTracker(start)
    position, open_offsets, committed = start, set(), start
    for gap in gaps:
        if gap == 4:  # a marker: the position moves, nothing is delivered
            position += 1
            tracker.advance(position)
        else:
            tracker.deliver(position + gap)
            open_offsets.add(position + gap)
            position += gap + 1
        for offset in data.draw(st.sets(st.sampled_from(sorted(open_offsets)), max_size=3)) if open_offsets else ():
            tracker.finish(offset)
            open_offsets.remove(offset)
        assert tracker.committable == min(open_offsets, default=position)
        assert tracker.unfinished == len(open_offsets)
        assert tracker.run_ahead == position - tracker.committable
        assert tracker.committable >= committed
        committed = tracker.committable


@given(st.lists(st.integers(0, 3), max_size=60), st.data())
def test_every_lane_gives_its_deliveries_once_and_in_order(keys, data):
    lanes, waiting, running, finished = Lanes(), defaultdict(list), {}, defaultdict(list)
    for offset, key in enumerate(keys):
        delivery = Delivery(SimpleNamespace(key=b"%d" % key, offset=offset))
        assert lanes.add(delivery) == (key not in running)
        waiting[key].append(offset)
        running.setdefault(key, delivery)
        for ending in data.draw(st.sets(st.sampled_from(sorted(running)), max_size=2)):
            done = running.pop(ending)
            finished[ending].append(done.record.offset)
            if (following := lanes.finish(done)) is not None:
                running[ending] = following
        assert len(lanes) == len(running)
    for key, offsets in waiting.items():
        assert finished[key] == offsets[: len(finished[key])]
        if key in running:
            assert running[key].record.offset == offsets[len(finished[key])]
        else:
            assert finished[key] == offsets
