"""What can be turned while the stand-in runs, by the same names in the process and over HTTP.

`Knobs.set(latency=0.1)` and `POST /_sandbox/knobs {"latency": 0.1}` are the same. An unknown name or a senseless value
changes nothing at all.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from random import Random
from typing import Any

from .channels import Unreliability
from .iam.settings import IamSettings, Quotas


class KnobError(ValueError):
    """An unknown knob, or a value that it cannot take; the message says which and why."""


class StaleMode(StrEnum):
    """Which reads are answered from the past."""

    OFF = "off"
    ALWAYS = "always"
    RANDOM = "random"
    """A share of them, so that one answer may be older than the one before it."""


@dataclass(slots=True)
class Knobs:
    """How the stand-in behaves. Change them through `set`."""

    iam: IamSettings = field(default_factory=IamSettings)
    """Quotas and moods of the accounts; its fields are knobs by their own names."""
    latency: tuple[float, float] = (0.0, 0.0)
    """Seconds from request to answer, drawn between the two; half of it passes before the deed, half after it."""
    stale_mode: StaleMode = StaleMode.OFF
    stale_lag_s: float = 0.0
    """How old the state is that a stale read shows, in seconds."""
    stale_share: float = 0.5
    """Of the reads in RANDOM mode, 0 to 1."""
    stale_writes: bool = False
    """Whether writes, too, may not have heard yet of what they name (NoSuchEntity)."""
    held_at: float | None = None
    """Set by `stale_hold`: stale reads show the state of this moment (seconds since the epoch) until it is released."""
    rates: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Token buckets: API family → (refill per second, burst). See throttle.py."""
    verify_signatures: bool = True
    """Whether a signature must be right, not only there."""
    enforce_policies: bool = False
    """Whether a caller may do only what its policies allow."""
    session_s: float | None = None
    """No session lives longer, whatever DurationSeconds says."""
    record_reads: bool = False
    """Whether CloudTrail keeps events of reading calls, too; they cost time and nobody asks for them as a rule."""
    lookup_rate: tuple[float, float] = (2.0, 2.0)
    """LookupEvents per account and Region: refill per second and burst."""
    lookup_channel: Unreliability = field(default_factory=Unreliability)
    event_channel: Unreliability = field(default_factory=Unreliability)
    file_channel: Unreliability = field(default_factory=Unreliability)

    def set(self, **changes: Any) -> None:
        """Turns some knobs, all or none of them.

        Raises:
            KnobError: for an unknown name or a value of the wrong kind.
        """
        unknown = sorted(changes.keys() - _PARSERS.keys())
        if unknown:
            raise KnobError(f"No such knob: {', '.join(unknown)}. There are: {', '.join(sorted(_PARSERS))}.")
        parsed = {}
        for name, value in changes.items():
            try:
                parsed[name] = _PARSERS[name](value)
            except (TypeError, ValueError, KeyError) as error:
                raise KnobError(f"Knob {name} cannot be {value!r}: {error}") from None
        for name, value in parsed.items():
            if name == "quotas":
                for quota, limit in value.items():
                    setattr(self.iam.quotas, quota, limit)
            elif name == "stale_hold":
                self.held_at = time.time() if value else None
            else:
                setattr(self.iam if name in _OF_IAM else self, name, value)

    def to_json(self) -> dict[str, Any]:
        """All knobs by name."""
        return {
            "latency": list(self.latency),
            "stale_mode": self.stale_mode,
            "stale_lag_s": self.stale_lag_s,
            "stale_share": self.stale_share,
            "stale_writes": self.stale_writes,
            "stale_hold": self.held_at is not None,
            "rates": {family: list(rate) for family, rate in self.rates.items()},
            "verify_signatures": self.verify_signatures,
            "enforce_policies": self.enforce_policies,
            "session_s": self.session_s,
            "record_reads": self.record_reads,
            "lookup_rate": list(self.lookup_rate),
            "lookup_channel": self.lookup_channel.to_json(),
            "event_channel": self.event_channel.to_json(),
            "file_channel": self.file_channel.to_json(),
            "credential_report_s": self.iam.credential_report_s,
            "login_profile_window_s": self.iam.login_profile_window_s,
            "unmodifiable_users": sorted(self.iam.unmodifiable_users),
            "page_limit": self.iam.page_limit,
            "non_member_error": self.iam.non_member_error,
            "quotas": {name: getattr(self.iam.quotas, name) for name in _QUOTAS},
        }

    def state_for_a_read(self, now: float, random: Random) -> float | None:
        """The moment whose state a read shows; None for the present."""
        if self.stale_mode is StaleMode.OFF and self.held_at is None:
            return None
        if self.stale_mode is StaleMode.RANDOM and random.random() >= self.stale_share:
            return None
        return now - self.stale_lag_s if self.held_at is None else self.held_at


_OF_IAM = frozenset(
    {"login_profile_window_s", "unmodifiable_users", "page_limit", "non_member_error", "credential_report_s"}
)
_QUOTAS = tuple(one.name for one in fields(Quotas))


def _seconds(value: Any) -> float:
    seconds = _number(value)
    if not seconds >= 0:
        raise ValueError("seconds are 0 or more")
    return seconds


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("not a number")
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def _range(value: Any) -> tuple[float, float]:
    low, high = value if isinstance(value, (list, tuple)) else (value, value)
    if _seconds(low) > _seconds(high):
        raise ValueError("the first is the smaller one")
    return float(low), float(high)


def _share(value: Any) -> float:
    share = _number(value)
    if not 0 <= share <= 1:
        raise ValueError("a share is between 0 and 1")
    return share


def _rates(value: Any) -> dict[str, tuple[float, float]]:
    rates = {str(family): (_seconds(rate), _seconds(burst)) for family, (rate, burst) in dict(value).items()}
    if any(burst < 1 for _, burst in rates.values()):
        raise ValueError("a burst below 1 lets nothing through, ever")
    return rates


def _rate(value: Any) -> tuple[float, float]:
    return _rates({"": value})[""]


def _seconds_or_none(value: Any) -> float | None:
    return None if value is None else _seconds(value)


def _limit(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("a whole number from 1, or none")
    return value


def _names(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        raise TypeError("a list of names")
    return frozenset(map(str, value))


def _quotas(value: Any) -> dict[str, int]:
    unknown = sorted(dict(value).keys() - set(_QUOTAS))
    if unknown:
        raise ValueError(f"there is no quota {', '.join(unknown)}")
    return {name: int(limit) for name, limit in dict(value).items()}


_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "latency": _range,
    "stale_mode": StaleMode,
    "stale_lag_s": _seconds,
    "stale_share": _share,
    "stale_writes": _boolean,
    "stale_hold": _boolean,
    "rates": _rates,
    "verify_signatures": _boolean,
    "enforce_policies": _boolean,
    "session_s": _seconds_or_none,
    "record_reads": _boolean,
    "lookup_rate": _rate,
    "lookup_channel": Unreliability.from_json,
    "event_channel": Unreliability.from_json,
    "file_channel": Unreliability.from_json,
    "credential_report_s": _seconds,
    "login_profile_window_s": _seconds,
    "unmodifiable_users": _names,
    "page_limit": _limit,
    "non_member_error": _boolean,
    "quotas": _quotas,
}
