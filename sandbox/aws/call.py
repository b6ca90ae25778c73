"""One call as a service sees it, and an answer that comes later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .iam import AwsError
from .world import Principal

Answer = dict[str, Any]


@dataclass(slots=True)  # made for each call: freezing it costs more than it does
class Call:
    """One call, whoever it came through."""

    principal: Principal
    action: str
    params: Mapping[str, Any]
    now: float
    """Seconds since the epoch."""
    as_of: float | None = None
    region: str = "us-east-1"
    """Of the credential scope."""
    host: str = ""
    """That the client asked for."""
    wanted: Callable[[], bool] = lambda: True
    """Whether the client is still there."""

    @property
    def account_id(self) -> str:
        return self.principal.account.account_id

    def need(self, name: str) -> Any:
        """A required parameter; raises ValidationError."""
        value = self.params.get(name)
        if value is None:
            raise AwsError(
                "ValidationError",
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed to satisfy "
                "constraint: Member must not be null",
            )
        return value

    def number(self, name: str, usual: int, low: int, high: int, code: str = "ValidationError") -> int:
        """A whole number within bounds; raises `code`."""
        told = self.params.get(name, usual)
        try:
            value = int(told)
        except (TypeError, ValueError):
            raise AwsError(code, f"Value {told} for parameter {name} is invalid.") from None
        if not low <= value <= high:
            raise AwsError(
                code,
                f"Value {value} for parameter {name} is invalid. Reason: Must be between {low} and {high}, if provided.",
            )
        return value


class Later:
    """An answer that is not there yet: a long poll."""

    def __init__(self) -> None:
        self._then: Callable[[Answer], None] | None = None

    def then(self, go_on: Callable[[Answer], None]) -> None:
        """Says who goes on when it is there."""
        self._then = go_on

    def arrive(self, answer: Answer) -> None:
        if self._then is not None:
            self._then(answer)
