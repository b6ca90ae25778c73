"""How one process frames and reads its records: with the schema registry that the settings name, or without one.

Encoding and decoding are synchronous and pure, with what is known in front; the shell around them asks the registry:
`open` before anything is written, `resolve` when a record needs a schema that was not fetched yet.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from streams.away import Away
from streams.topics import TopicNames

from .cache import SchemaCache
from .errors import SchemaNotCached, WireError
from .framing import decode_record, encode_record
from .subjects import id_of, subjects

if TYPE_CHECKING:
    from .registry import RegistryClient

PREPARE_S = 5.0
"""How long a record that is only shown waits for the registry."""


class Codec:
    """Of one event loop, for the topics of one prefix.

    Args:
        url: SCHEMA_REGISTRY_URL; None: single-object encoding is written, and Confluent's format cannot be read.
        topics: their names are the subjects'.
        reply_topics: topics besides the default one that get replies.
    """

    def __init__(self, url: str | None, topics: TopicNames, reply_topics: Iterable[str] = ()) -> None:
        self._subjects = subjects(topics, reply_topics)
        self._ids: dict[str, int] = {}
        self._client: RegistryClient | None = None
        self._cache: SchemaCache | None = None
        self.away = Away("", service="registry", where="url")
        """Says the registry's outages."""
        if url:
            from . import registry  # noqa: PLC0415 - httpx2 costs 120 ms, and few need it

            self._client = registry.RegistryClient(url)
            self.away = Away(self._client.address, service="registry", where="url")
            self._cache = SchemaCache(self._client.schema, self.away)

    async def open(self, *topics: str) -> None:
        """Learn the ids to write with, of these topics or of all; schemas that are missing are registered.

        May be called again after a failure. Does nothing without a registry.

        Raises:
            RegistryAway: try again.
            RegistryRefused: it does not let us, or a schema is not compatible; the message says which field, and the mend.
        """
        if self._cache is None or self._client is None:
            return
        for subject in self._subjects:
            if (not topics or subject.topic in topics) and subject.topic not in self._ids:
                number = await id_of(self._client, subject)
                self._cache.put(number, subject.schema)
                self._ids[subject.topic] = number
        self.away.back()

    async def close(self) -> None:
        """The codec is of no use afterwards."""
        if self._cache is not None:
            await self._cache.close()
        if self._client is not None:
            await self._client.close()

    def encode(self, topic: str, name: str, fields: dict[str, Any]) -> bytes:
        """One record for this topic, framed; raises as `encode_record`. With a registry only after `open`."""
        return encode_record(name, fields, self._ids[topic] if self._client is not None else None)

    def decode(self, value: bytes, expected: str | None = None) -> tuple[str, dict[str, Any]]:
        """A record's name and fields; raises as `decode_record`."""
        return decode_record(value, expected, self._cache.by_id if self._cache is not None else None)

    async def resolve(self, missing: SchemaNotCached) -> float | None:
        """Fetch a schema. None: it is here, decode again; else the seconds after which to try again."""
        return await self._cache.resolve(missing.number) if self._cache is not None else None

    async def prepare(self, value: bytes | None, within_s: float = PREPARE_S) -> None:
        """Fetch what decoding this record needs, if that can be had in time: for those who show records, not for lanes."""
        deadline = time.monotonic() + within_s
        while self._cache is not None and value is not None:
            try:
                decode_record(value, schema_by_id=self._cache.by_id)
            except SchemaNotCached as missing:
                wait = await self._cache.resolve(missing.number) or 0.0
                if time.monotonic() + wait > deadline:
                    return
                await asyncio.sleep(wait)
            except WireError:
                return  # whoever decodes it is told
            else:
                return
