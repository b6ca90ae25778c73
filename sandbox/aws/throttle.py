"""Token buckets per account and API family: what is over the rate is answered `Throttling`, HTTP 400.

IAM publishes no rates, so there are none until a knob sets some. A family is named, the more exact name winning, by
`<account>/<name>` or `<name>`, where the name is an action, `iam-read`, `iam-write`, `sts-read`, `sqs-write`, `iam`, `sts` or `*`.
Each account has a bucket of its own for every family.
"""

from collections.abc import Iterator, Mapping

Rates = Mapping[str, tuple[float, float]]


class Throttle:
    """The buckets' levels; their sizes are in the knobs and may change at any time."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def allows(self, rates: Rates, account: str, service: str, action: str, *, writes: bool, now: float) -> bool:
        """Takes a token if there is one; a call that is refused takes none. `now` in monotonic seconds."""
        family = next((name for name in _names(account, service, action, writes) if name in rates), None)
        if family is None:
            return True
        rate, burst = rates[family]
        level, since = self._levels.get((account, family), (burst, now))
        level = min(burst, level + (now - since) * rate)
        allowed = level >= 1
        self._levels[account, family] = (level - 1 if allowed else level, now)
        return allowed

    def clear(self) -> None:
        self._levels.clear()


def _names(account: str, service: str, action: str, writes: bool) -> Iterator[str]:
    for name in (action, f"{service}-{'write' if writes else 'read'}", service, "*"):
        yield f"{account}/{name}"
        yield name
