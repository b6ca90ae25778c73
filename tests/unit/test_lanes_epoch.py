from streams.lanes import Epoch


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def epoch_of(clock, lease_s=5.0):
    return Epoch(3, lease_s, clock)


def test_nothing_may_call_before_the_first_accepted_commit():
    clock = Clock()
    epoch = epoch_of(clock)
    assert epoch.assigned_at == 100.0
    assert not epoch.may_call()
    clock.now += 1
    assert not epoch.may_call()
    epoch.renew(clock.now)
    assert epoch.may_call()


def test_the_lease_counts_from_the_send_time_and_runs_out():
    clock = Clock()
    epoch = epoch_of(clock)
    clock.now = 104.0
    epoch.renew(100.0)  # sent at 100, answered at 104
    clock.now = 104.99
    assert epoch.may_call()
    clock.now = 105.0
    assert not epoch.may_call()
    assert not epoch.is_over()
    epoch.renew(103.0)
    assert epoch.may_call()


def test_a_late_answer_to_an_early_commit_does_not_shorten_the_lease():
    clock = Clock()
    epoch = epoch_of(clock)
    epoch.renew(104.0)
    epoch.renew(100.0)
    clock.now = 108.0
    assert epoch.may_call()


def test_a_revoked_epoch_is_over_for_good():
    clock = Clock()
    epoch = epoch_of(clock)
    epoch.renew(clock.now)
    epoch.revoke()
    assert epoch.is_over()
    assert not epoch.may_call()
    epoch.renew(clock.now)
    assert not epoch.may_call()


def test_every_epoch_has_a_number_of_its_own():
    clock = Clock()
    first, second = epoch_of(clock), epoch_of(clock)
    assert first.number < second.number
    second.revoke()
    assert repr(first) == f"Epoch(3, #{first.number})"
    assert repr(second) == f"Epoch(3, #{second.number}, over)"
