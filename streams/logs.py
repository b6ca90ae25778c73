"""Logs: event first, the Kafka coordinates bound, to stderr; JSON where a machine reads them. Secrets never."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_NAMES = frozenset({"password", "secret", "secret_access_key", "credential", "token", "authorization"})


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A last net: nothing logs these on purpose."""
    for name in event:
        if name.lower() in SECRET_NAMES:
            event[name] = "***"
    return event


def configure_logs(*, json: bool = False, level: str = "INFO") -> None:
    """Set up structlog and quieten aiokafka, whose reconnect errors we say once and in our own words."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s", force=True)
    logging.getLogger("aiokafka").setLevel(logging.DEBUG if number <= logging.DEBUG else logging.CRITICAL)
    logging.getLogger("botocore").setLevel(logging.ERROR)
    renderer: Any = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
    ]
    if json:
        processors.append(structlog.processors.dict_tracebacks)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
