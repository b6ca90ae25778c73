import pytest

from streams.lanes.tracker import OffsetTracker


def test_the_lowest_unfinished_offset_is_committable():
    tracker = OffsetTracker(10)
    assert tracker.committable == 10
    for offset in (10, 11, 12):
        tracker.deliver(offset)
    tracker.finish(11)
    assert (tracker.committable, tracker.unfinished, tracker.run_ahead) == (10, 2, 3)
    tracker.finish(10)
    assert (tracker.committable, tracker.unfinished, tracker.run_ahead) == (12, 1, 1)
    tracker.finish(12)
    assert (tracker.committable, tracker.unfinished, tracker.run_ahead) == (13, 0, 0)


def test_gaps_and_trailing_markers_are_passed_only_when_nothing_before_them_is_unfinished():
    tracker = OffsetTracker(0)
    tracker.deliver(3)
    tracker.deliver(7)
    tracker.advance(9)
    assert (tracker.committable, tracker.run_ahead) == (3, 6)
    tracker.finish(3)
    assert tracker.committable == 7
    tracker.finish(7)
    assert tracker.committable == 9
    tracker.advance(8)
    assert tracker.committable == 9


def test_an_offset_is_delivered_once_and_in_order():
    tracker = OffsetTracker(5)
    for early in (4, 0):
        with pytest.raises(ValueError, match=f"offset {early} came after position 5"):
            tracker.deliver(early)
    tracker.deliver(6)
    with pytest.raises(ValueError, match="offset 6 came after position 7"):
        tracker.deliver(6)


def test_an_offset_is_finished_once():
    tracker = OffsetTracker(0)
    tracker.deliver(0)
    tracker.finish(0)
    with pytest.raises(KeyError):
        tracker.finish(0)
    with pytest.raises(KeyError):
        tracker.finish(1)
