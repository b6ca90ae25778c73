"""A way on which events get out, and what goes wrong on it: lateness, loss, duplicates, disorder.

Nothing waits in a timer: what is due arrives when somebody looks (`pump`), so that a test's clock is the only one.
"""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_HELD_S = 1.0
"""How long an event that should come out of order waits for one to overtake it."""


@dataclass(frozen=True, slots=True)
class Unreliability:
    """How bad a way is."""

    delay: tuple[float, float] = (0.0, 0.0)
    """Seconds, drawn between the two for each event."""
    loss: float = 0.0
    """Share that never arrives."""
    duplicates: float = 0.0
    """Share that arrives twice."""
    disorder: float = 0.0
    """Share that is overtaken by the event after it."""

    @property
    def is_none(self) -> bool:
        return self.delay == (0.0, 0.0) and not (self.loss or self.duplicates or self.disorder)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"delay": list(self.delay)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Unreliability":
        """Raises ValueError or TypeError; what is not named is not wrong with it."""
        unknown = sorted(dict(told).keys() - set(cls.__slots__))
        if unknown:
            raise ValueError(f"there is no {', '.join(unknown)}; there are {', '.join(cls.__slots__)}")
        given = told.get("delay", 0)
        low, high = map(float, given if isinstance(given, (list, tuple)) else (given, given))
        shares = {name: float(told.get(name, 0)) for name in ("loss", "duplicates", "disorder")}
        if not 0 <= low <= high:
            raise ValueError("a delay is 0 or more, the first the smaller one")
        if not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError("a share is between 0 and 1")
        return cls((low, high), **shares)


class Channel(Generic[T]):
    """One way.

    Args:
        how: how bad it is now.
        random: of what it does to events.
        arrive: takes events that are through, oldest due first.
        batched: whether those due at one look arrive together.
    """

    def __init__(
        self,
        how: Callable[[], Unreliability],
        random: Random,
        arrive: Callable[[list[T]], None],
        *,
        batched: bool = False,
    ) -> None:
        self._how = how
        self._random = random
        self._arrive = arrive
        self._batched = batched
        self._waiting: list[tuple[float, int, T]] = []
        self._held: tuple[int, T] | None = None
        self._last = 0

    def push(self, event: T, now: float) -> None:
        """Sends an event on its way."""
        how = self._how()
        if how.is_none and not self._waiting and not self._batched:
            self._arrive([event])
            return
        if self._random.random() < how.loss:
            return
        due = now + self._random.uniform(*how.delay)
        held, self._held = self._held, None
        if self._random.random() < how.disorder and held is None:
            self._held = (self._add(due + _HELD_S, event), event)
        else:
            self._add(due, event)
        if held is not None:
            self._hurry(held[0], due)
        if self._random.random() < how.duplicates:
            self._add(due + self._random.uniform(*how.delay), event)

    def pump(self, now: float) -> None:
        """Lets arrive what is due."""
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            _, number, event = heapq.heappop(self._waiting)
            if self._held is not None and self._held[0] == number:
                self._held = None
            due.append(event)
        if self._batched:
            if due:
                self._arrive(due)
        else:
            for event in due:
                self._arrive([event])

    @property
    def next_due(self) -> float | None:
        """When something will be through; None when nothing is on its way."""
        return self._waiting[0][0] if self._waiting else None

    def _add(self, due: float, event: T) -> int:
        self._last += 1
        heapq.heappush(self._waiting, (due, self._last, event))
        return self._last

    def _hurry(self, number: int, due: float) -> None:
        """The held event comes right after the one that has overtaken it."""
        for at, (was, n, event) in enumerate(self._waiting):
            if n == number:
                del self._waiting[at]
                heapq.heapify(self._waiting)
                self._add(min(was, due), event)
                return
