"""How long to wait for what. One frozen value, so that a test can be quick and nothing else decides on waits."""

import random
from dataclasses import dataclass, field

from .errors import ErrorClass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds that grow from `base` by `factor` up to `cap`, each shortened by chance to spread the callers."""

    base: float
    cap: float
    factor: float = 2.0
    jitter: float = 0.5
    """The largest share by which chance shortens a wait."""

    def seconds(self, attempt: int) -> float:
        """The wait after the `attempt`-th failure, counted from 1."""
        grown = min(self.cap, self.base * self.factor ** min(attempt - 1, 60))
        return grown * (1.0 - self.jitter * random.random())


@dataclass(frozen=True, slots=True)
class Pace:
    """All waits and bounds of a request's life; seconds."""

    throttled: Backoff = field(default_factory=lambda: Backoff(0.2, 20.0))
    unreachable: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0))
    ambiguous: Backoff = field(default_factory=lambda: Backoff(0.5, 60.0))
    """Besides the rest of the call's timeout, which is always waited out."""
    contended: Backoff = field(default_factory=lambda: Backoff(5.0, 300.0))
    propagating: Backoff = field(default_factory=lambda: Backoff(1.0, 10.0))
    conflict: Backoff = field(default_factory=lambda: Backoff(2.0, 120.0, factor=4.0, jitter=0.0))
    """Between rounds of DeleteConflict after the first; together longer than the two-minute window."""
    credentials: Backoff = field(default_factory=lambda: Backoff(5.0, 60.0))

    ambiguous_attempts: int = 8
    """Lost answers of one step, each read back, before it is FAILED AWS_AMBIGUOUS."""
    read_attempts: int = 60
    """Lost answers of one reading before the request is FAILED AWS_AMBIGUOUS: about an hour, an outage fails nobody."""
    contended_attempts: int = 40
    """About three hours."""
    conflict_rounds: int = 5
    reading_keeps_s: float = 30.0
    """A plan that had to wait longer than this since its reading is made anew."""

    def of(self, kind: ErrorClass) -> Backoff:
        """The wait that belongs to a class of errors; KeyError for the classes that nobody waits for."""
        return {
            ErrorClass.THROTTLED: self.throttled,
            ErrorClass.UNREACHABLE: self.unreachable,
            ErrorClass.AMBIGUOUS: self.ambiguous,
            ErrorClass.CONTENDED: self.contended,
            ErrorClass.MISSING: self.propagating,
            ErrorClass.CONFLICT: self.conflict,
            ErrorClass.OUR_CREDENTIALS: self.credentials,
        }[kind]
