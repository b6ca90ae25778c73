"""What the command `watch` does: follow output topics, filtered, as lines for a person or JSON for a program."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.text import Text

from connector.settings import Settings

from .clients import end
from .errors import StreamsError
from .show import event_line
from .topics import BY_NAME, TopicNames
from .wire import decode_record
from .wire.errors import WireError
from .wire.headers import header_value

_SPAN = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
WATCHED = ("replies", "audit", "changes", "accounts", "dead-letters", "refreshes", "requests")


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is wanted; None: everything."""

    topics: tuple[str, ...]
    user: str | None = None
    request: str | None = None
    since: datetime | None = None
    until_end: bool = False

    @classmethod
    def parse(cls, *, user: str | None, request: str | None, since: str | None, topics: str, until_end: bool) -> Self:
        """From the command line's words.

        Raises:
            ValueError: an unknown topic or a time that is none, in a sentence.
        """
        names = tuple(name.strip() for name in topics.split(",") if name.strip())
        wrong = [name for name in names if name not in WATCHED]
        if wrong:
            raise ValueError(f"no topic {', '.join(wrong)} to watch; there are {', '.join(WATCHED)}")
        return cls(names, user.casefold() if user else None, request, _since(since), until_end)

    def wants(self, fields: Mapping[str, Any]) -> bool:
        """Whether a record passes the filters."""
        user = str(fields.get("userName", "")).casefold()
        return (self.user is None or user == self.user) and (
            self.request is None or fields.get("requestId") == self.request
        )


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--since {text!r}: write 10m, 2h, 1d or a time in ISO 8601") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def watch_topics(
    settings: Settings, options: WatchOptions, *, as_json: bool, say: Callable[[Any], None] | None = None
) -> None:
    """Print what is published until interrupted, or until the present end.

    Raises:
        StreamsError: a topic does not exist.
        KafkaError: Kafka cannot be reached.
    """
    names = TopicNames(settings.topic_prefix)
    say = say or (print if as_json else Console(highlight=False, soft_wrap=True).print)
    consumer = AIOKafkaConsumer(
        *(names.of(name) for name in options.topics),
        bootstrap_servers=settings.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="latest" if options.since is None and not options.until_end else "earliest",
    )
    try:
        await consumer.start()
        partitions = sorted(consumer.assignment())
        missing = {names.of(name) for name in options.topics} - {tp.topic for tp in partitions}
        if missing:
            raise StreamsError(f"no topic {', '.join(sorted(missing))}: run `idhub-aws topics create`")
        if options.since is not None:
            await _seek(consumer, partitions, options.since)
        ends = await consumer.end_offsets(partitions) if options.until_end else None
        while ends is None or any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            fetched = await consumer.getmany(timeout_ms=500)
            for record in sorted((r for rs in fetched.values() for r in rs), key=lambda r: r.timestamp):
                _show(record, options, say, as_json=as_json)
    finally:
        await end(consumer)


async def _seek(consumer: Any, partitions: list[Any], since: datetime) -> None:
    at = int(since.timestamp() * 1000)
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, at))
    ends = await consumer.end_offsets(partitions)
    for tp in partitions:
        consumer.seek(tp, found[tp].offset if found.get(tp) else ends[tp])


def _show(record: Any, options: WatchOptions, say: Callable[[Any], None], *, as_json: bool) -> None:
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    if record.topic.endswith("." + BY_NAME["dead-letters"].name):
        kind, fields = "DeadLetter", _dead_letter(record)
    elif record.value is None:
        return
    else:
        try:
            kind, fields = decode_record(record.value)
        except WireError as error:
            kind, fields = "Unreadable", {"topic": record.topic, "offset": record.offset, "error": str(error)}
    if not options.wants(fields):
        return
    if as_json:
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset, "timestamp": at}
        say(json.dumps({"kind": kind, **where, "record": fields}, default=_plain))
    else:
        say(Text.assemble((f"{at:%H:%M:%S} ", "dim"), event_line(kind, fields)))


def _dead_letter(record: Any) -> dict[str, Any]:
    """The coordinates and the reason; the payload stays where it is."""
    names = ("error-stage", "error-class", "error-message", "original-topic", "original-partition", "original-offset")
    key = (record.key or b"").decode("utf-8", "replace")
    return {"key": key, "userName": key.rpartition("/")[2], **{n: header_value(record.headers, n) for n in names}}


def _plain(value: object) -> str:
    return (
        value.isoformat()
        if isinstance(value, datetime)
        else f"{len(value)} bytes"
        if isinstance(value, bytes)
        else str(value)
    )
