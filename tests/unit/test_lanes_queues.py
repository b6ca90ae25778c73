from types import SimpleNamespace

import pytest

from streams.lanes import Delivery
from streams.lanes.queues import Lanes
from streams.lanes.slots import Slots


def delivery(key, offset):
    return Delivery(SimpleNamespace(key=key, offset=offset))


def test_records_of_one_key_come_one_after_the_other_and_other_keys_beside_them():
    lanes = Lanes()
    first, second, other = delivery(b"k", 0), delivery(b"k", 1), delivery(b"other", 2)
    assert [lanes.add(each) for each in (first, second, other)] == [True, False, True]
    assert len(lanes) == 2
    assert lanes.finish(other) is None
    assert lanes.finish(first) is second
    assert lanes.finish(second) is None
    assert len(lanes) == 0
    assert lanes.add(first)


def test_records_without_a_key_share_a_lane():
    lanes = Lanes()
    assert [lanes.add(delivery(key, n)) for n, key in enumerate((None, b"", None))] == [True, False, False]


def test_only_the_head_of_a_lane_finishes():
    lanes = Lanes()
    first, second = delivery(b"k", 0), delivery(b"k", 1)
    lanes.add(first)
    lanes.add(second)
    with pytest.raises(ValueError, match="only the head"):
        lanes.finish(second)
    assert lanes.finish(first) is second


def test_slots_are_given_in_the_order_of_asking_and_again_when_they_are_free():
    slots, begun, frees = Slots(2), [], []

    def work(name, wanted=True):
        def begin(free):
            begun.append(name)
            if wanted:
                frees.append(free)
            return wanted

        return begin

    for name in "abcd":
        slots.put(work(name))
    assert begun == ["a", "b"]
    frees.pop(0)()
    assert begun == ["a", "b", "c"]
    slots.put(work("unwanted", wanted=False))  # it takes no slot
    frees.pop(0)()
    frees.pop(0)()
    assert begun == ["a", "b", "c", "d", "unwanted"]
    slots.put(work("e"))
    slots.put(work("f"))
    assert begun[-1] == "e"
    slots.close()
    frees.pop(0)()
    slots.put(work("g"))
    assert begun[-1] == "e"
