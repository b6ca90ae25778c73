"""What the command `watch` does: follow topics, filtered, as lines for a person or JSON for a program."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from rich.text import Text

from connector.settings import Settings

from .admin import ANSWER_S, answering, need_topics
from .away import Away, describe
from .clients import end
from .errors import BrokerAway
from .show import event_line, terminal, to_json
from .topics import BY_NAME, TopicNames
from .wire import decode_record
from .wire.codec import Codec
from .wire.errors import SchemaNotCached, WireError
from .wire.headers import DEAD_LETTER, header_value

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
WATCHED = ("replies", "audit", "changes", "accounts", "dead-letters", "refreshes", "requests")
Decode = Callable[[bytes], tuple[str, dict[str, Any]]]

QUIET_S = 5.0
"""Nothing came for so long: ask Kafka whether it is there. aiokafka itself waits for ever and says nothing."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is wanted; None: everything."""

    topics: tuple[str, ...]
    user: str | None = None
    request: str | None = None
    since: datetime | None = None
    until_end: bool = False

    @classmethod
    def parse(
        cls,
        *,
        user: str | None,
        request: str | None,
        since: str | None,
        topics: str,
        until_end: bool,
        now: datetime | None = None,
    ) -> Self:
        """From the command line's words. `now`: what a span such as 10m is counted from.

        Raises:
            ValueError: an unknown topic or a time that is none, in a sentence.
        """
        names = tuple(dict.fromkeys(name.strip() for name in topics.split(",") if name.strip()))
        wrong = [name for name in names if name not in WATCHED]
        if wrong or not names:
            raise ValueError(f"no topic {', '.join(wrong) or 'named'} to watch; there are {', '.join(WATCHED)}")
        begin = _since(since, now or datetime.now(UTC)) if since is not None else None
        return cls(names, user.casefold() if user else None, request, begin, until_end)

    def wants(self, fields: Mapping[str, Any]) -> bool:
        """Whether a record passes the filters."""
        user = str(fields.get("userName", "")).casefold()
        return (self.user is None or user == self.user) and (
            self.request is None or fields.get("requestId") == self.request
        )


def _since(text: str, now: datetime) -> datetime:
    span = _SPAN.fullmatch(text)
    try:
        if span:
            return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(f"--since {text!r}: write 10m, 2h, 1d or a time in ISO 8601 (UTC unless it says)") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


async def watch_topics(
    settings: Settings, options: WatchOptions, *, as_json: bool, say: Callable[[Any], None] | None = None
) -> None:
    """Print what is published until interrupted, or until the present end.

    Raises:
        StreamsError: a topic does not exist, or Kafka does not let us read it.
        BrokerAway: Kafka cannot be reached, at the start or before the end that was asked for.
    """
    names = TopicNames(settings.topic_prefix)
    topics = [names.of(name) for name in options.topics]
    say = say or (_print_line if as_json else terminal().print)
    await need_topics(settings, topics)
    consumer: Any = None
    codec = Codec(settings.schema_registry_url, names)
    try:
        async with answering(settings):
            consumer = AIOKafkaConsumer(
                *topics,
                bootstrap_servers=settings.bootstrap_servers,
                isolation_level="read_committed",
                auto_offset_reset="latest" if options.since is None and not options.until_end else "earliest",
            )
            await consumer.start()
            partitions = sorted(consumer.assignment())
            if options.since is not None:
                await _seek(consumer, partitions, options.since)
            for tp in partitions:
                await consumer.position(tp)  # where it begins is fixed now, not with the first fetch
            ends = await consumer.end_offsets(partitions) if options.until_end else None

        async def show(record: Any) -> None:
            if not _is_dead_letter(record):  # of those only the reason is shown
                await codec.prepare(record.value)
            _show(record, options, say, as_json=as_json, decode=codec.decode)

        await _follow(settings, consumer, ends, show)
    finally:
        await codec.close()
        if consumer is not None:
            await end(consumer)


async def _follow(
    settings: Settings, consumer: Any, ends: Mapping[Any, int] | None, show: Callable[[Any], Awaitable[None]]
) -> None:
    """Until `ends` are reached; None: for ever, through outages of Kafka, each said once."""
    away = Away(settings.bootstrap_servers)
    heard = time.monotonic()
    while ends is None or any([await consumer.position(tp) < ends[tp] for tp in ends]):
        fetched = await consumer.getmany(timeout_ms=500)
        for record in sorted((r for rs in fetched.values() for r in rs), key=lambda r: r.timestamp):
            await show(record)
        if not fetched and time.monotonic() - heard < QUIET_S:
            continue
        try:
            if not fetched:
                async with asyncio.timeout(ANSWER_S):
                    await consumer.topics()
            away.back()
        except (TimeoutError, KafkaError, OSError) as error:
            if ends is not None:
                raise BrokerAway(
                    f"Kafka at {settings.bootstrap_servers} went away before the end was reached: {describe(error)}"
                ) from error
            away.say(error)
        heard = time.monotonic()


async def _seek(consumer: Any, partitions: list[Any], since: datetime) -> None:
    at = max(0, int(since.timestamp() * 1000))
    ends = await consumer.end_offsets(partitions)  # first: what comes between the two questions is not to be missed
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, at))
    for tp in partitions:
        consumer.seek(tp, found[tp].offset if found.get(tp) else ends[tp])


def _print_line(line: str) -> None:
    """At once: who reads a pipe wants to see it now."""
    print(line, flush=True)  # noqa: T201 - this is the command's output


def _show(
    record: Any, options: WatchOptions, say: Callable[[Any], None], *, as_json: bool, decode: Decode = decode_record
) -> None:
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    kind, fields = to_event(record, decode)
    if fields is None or not options.wants(fields):
        return
    if as_json:
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset, "timestamp": at}
        say(to_json({"kind": kind, **where, "record": fields}))
    else:
        say(Text.assemble((f"{at:%Y-%m-%d %H:%M:%S}Z ", "dim"), event_line(kind, fields)))


def to_event(record: Any, decode: Decode = decode_record) -> tuple[str, dict[str, Any] | None]:
    """The kind and the fields of a watched record; no fields: a tombstone, which says nothing to a person."""
    if _is_dead_letter(record):
        return "DeadLetter", _dead_letter(record)
    if record.value is None:
        return "Tombstone", None
    try:
        return decode(record.value)
    except (WireError, SchemaNotCached) as error:
        return "Unreadable", {"topic": record.topic, "offset": record.offset, "error": str(error)}


def _is_dead_letter(record: Any) -> bool:
    return bool(record.topic.endswith("." + BY_NAME["dead-letters"].name))


def _dead_letter(record: Any) -> dict[str, Any]:
    """The coordinates and the reason; the payload stays where it is."""
    key = (record.key or b"").decode("utf-8", "replace")
    told = {name: header_value(record.headers, name) for name in DEAD_LETTER}
    return {"key": key, "userName": key.rpartition("/")[2], **told}
