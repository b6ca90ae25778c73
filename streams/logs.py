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
    """Set up structlog, libraries' logs in the same form, and quieten aiokafka, whose outages we tell in our own words."""
    number = logging.getLevelNamesMapping()[level.upper()]
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
    ]
    # Tracebacks without the values of local variables, which both show by default: a password may be among them.
    renderer: Any = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    if json:
        bare = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors.append(structlog.processors.ExceptionRenderer(bare))
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(processors, renderer, number)


def _configure_libraries(processors: list[Any], renderer: Any, number: int) -> None:
    """What goes through Python's own logging comes out in the same form, so that a machine can read every line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # Its reconnect errors are said once and in our own words (`away`).
    logging.getLogger("aiokafka").setLevel(logging.DEBUG if number <= logging.DEBUG else logging.CRITICAL)
    logging.getLogger("botocore").setLevel(logging.ERROR)
