"""Say once that Kafka is away and once that it is back, however often it is tried in between."""

from typing import Any

import structlog

log = structlog.get_logger(__name__)


class Away:
    """One clear line per outage."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._away = False

    def say(self, error: BaseException | str) -> None:
        """Kafka did not answer, or not as it should."""
        if not self._away:
            self._away = True
            log.warning("kafka.away", **self._facts, error=describe(error), what_now="trying again; nothing is lost")

    def back(self) -> None:
        """Kafka answered."""
        if self._away:
            self._away = False
            log.info("kafka.back", **self._facts)

    @property
    def _facts(self) -> dict[str, Any]:
        return {"bootstrap_servers": self._bootstrap_servers}


def describe(error: BaseException | str) -> str:
    """One line: the class, and the beginning of the text where there is one."""
    if isinstance(error, str):
        return error
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
