"""Say once that a service is away and once that it is back, however often it is tried in between."""

import structlog

log = structlog.get_logger(__name__)


class Away:
    """One clear line per outage of one service: Kafka by default.

    Away(bootstrap_servers)
    Away(url, service="registry", where="url")
    """

    def __init__(self, address: str, *, service: str = "kafka", where: str = "bootstrap_servers") -> None:
        self._events = f"{service}.away", f"{service}.back"
        self._facts = {where: address}
        self._away = False

    def say(self, error: BaseException | str) -> None:
        """It did not answer, or not as it should."""
        if not self._away:
            self._away = True
            log.warning(self._events[0], **self._facts, error=describe(error), what_now="trying again; nothing is lost")

    def back(self) -> None:
        """It answered."""
        if self._away:
            self._away = False
            log.info(self._events[1], **self._facts)


def describe(error: BaseException | str) -> str:
    """One line: the class, and the beginning of the text where there is one."""
    if isinstance(error, str):
        return error
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
