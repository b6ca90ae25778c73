"""Faults by rule: which calls something happens to, how often, and what.

The first rule that fits and fires is the one; the rules' order is that in which they were added. Chance comes from the
stand-in's seed. "10 % of the writes lose their answer after the deed" is
`Rule(Effect.LOSE_ANSWER, actions="writes", probability=0.1)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from random import Random
from typing import Any

ANY, READS, WRITES = "*", "reads", "writes"


class Effect(StrEnum):
    """What happens to a call."""

    ERROR = "error"
    """An error answer (`code`, `message`, `status`) instead of the deed."""
    ERROR_AFTER = "error_after"
    """The deed, then an error answer: 500 ServiceFailure unless told otherwise."""
    RESET_BEFORE = "reset_before"
    """No deed; the connection is reset."""
    RESET_AFTER = "reset_after"
    """The deed; then the connection is reset without an answer."""
    LOSE_REQUEST = "lose_request"
    """No deed, no answer: the client waits until it gives up."""
    LOSE_ANSWER = "lose_answer"
    """The deed, but no answer: the client waits until it gives up."""
    DELAY = "delay"
    """`seconds` more before the deed: it may happen after the client has given up."""
    DELAY_ANSWER = "delay_answer"
    """`seconds` more between the deed and the answer."""
    TRICKLE = "trickle"
    """The answer comes byte by byte, `seconds` apart: no single read times out."""
    STALE = "stale"
    """A read is answered from the state `seconds` ago; a write sees by it whether what it names exists."""


WITHOUT_DEED = frozenset({Effect.ERROR, Effect.RESET_BEFORE, Effect.LOSE_REQUEST})
_NEED_SECONDS = frozenset({Effect.DELAY, Effect.DELAY_ANSWER, Effect.TRICKLE, Effect.STALE})


@dataclass(slots=True)
class Rule:
    """One rule.

    Raises:
        ValueError: for values that make no sense together.
    """

    effect: Effect
    actions: str | Sequence[str] = ANY
    """Action names, or `reads`, `writes`, `*`; one or several."""
    user: str | None = None
    """Only calls about this user; case does not matter."""
    account: str | None = None
    nth: int | None = None
    """Not before the n-th call that fits; without `count` that one only."""
    count: int | None = None
    """At most so many times."""
    probability: float = 1.0
    seconds: float = 0.0
    code: str = "ServiceFailure"
    message: str = "The request processing has failed because of an unknown error, exception or failure."
    status: int = 500
    id: int = 0
    """Given when it is added."""
    seen: int = field(default=0)
    """Calls that fitted so far."""
    fired: int = field(default=0)

    def __post_init__(self) -> None:
        self.effect = Effect(self.effect)
        self.actions = [self.actions] if isinstance(self.actions, str) else list(self.actions)
        if self.user is not None:
            self.user = self.user.casefold()
        if not 0 <= self.probability <= 1:
            raise ValueError("probability is between 0 and 1")
        if self.effect in _NEED_SECONDS and self.seconds <= 0:
            raise ValueError(f"{self.effect} needs seconds")

    def fits(self, action: str, writes: bool, user: str, account: str) -> bool:
        """Whether the rule is about such a call."""
        kind = WRITES if writes else READS
        if not any(one in self.actions for one in (ANY, kind, action)):
            return False
        return (self.user is None or self.user == user) and (self.account is None or self.account == account)

    def fires(self, random: Random) -> bool:
        """Counts a call that fits, and says whether this is one that it happens to."""
        self.seen += 1
        if self.nth is not None and self.seen < self.nth:
            return False
        most = self.count if self.count is not None else (1 if self.nth is not None else None)
        if most is not None and self.fired >= most:
            return False
        if self.probability < 1 and random.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def to_json(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


_SETTABLE = frozenset(one.name for one in fields(Rule)) - {"id", "seen", "fired"}


class Faults:
    """The rules of one stand-in."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.rules: list[Rule] = []
        self._last = 0

    def add(self, rule: Rule) -> Rule:
        """Puts a rule behind the others; its `fired` can be watched."""
        self._last += 1
        rule.id = self._last
        self.rules.append(rule)
        return rule

    def add_json(self, told: Mapping[str, Any]) -> Rule:
        """A rule as the control endpoint gets it.

        Raises:
            ValueError: for unknown fields or senseless values.
        """
        unknown = sorted(told.keys() - _SETTABLE)
        if unknown:
            raise ValueError(f"A rule has no {', '.join(unknown)}; it has {', '.join(sorted(_SETTABLE))}.")
        if "effect" not in told:
            raise ValueError(f"A rule needs an effect: {', '.join(Effect)}.")
        return self.add(Rule(**told))

    def remove(self, rule: Rule) -> None:
        self.rules.remove(rule)

    def clear(self) -> None:
        self.rules.clear()

    def match(self, action: str, writes: bool, user: str, account: str) -> Rule | None:
        """The rule that hits this call, if any."""
        for rule in self.rules:
            if rule.fits(action, writes, user, account) and rule.fires(self._random):
                return rule
        return None
