"""Plays the story: publishes each scene as a producer would, follows it through its stages, judges what comes back."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from rich.table import Table
from rich.text import Text

from streams.clients import end
from streams.lanes import Delivery
from streams.send import Published, RequestClient
from streams.shared import Step, log_step
from streams.show import styled
from streams.topics import TopicNames
from streams.wire.headers import header_value

from .story import DEAD_LETTER, SAME_REPLY, Chapter, Scene
from .world import World

ANSWER_S = 60.0
"""How long one scene may wait for its reply or its dead letter."""

STAGES = {
    Step.DECODE: "decoded",
    Step.LEDGER: "ledger",
    Step.READ: "read, planned",
    Step.INTENT: "intent",
    Step.EXECUTE: "executing",
    Step.OUTCOME: "outcome",
    Step.FINISH: "done",
}


@dataclass(slots=True)
class Row:
    """One scene as it is seen."""

    scene: Scene
    place: Published | None = None
    stages: list[str] = field(default_factory=list)
    good: bool | None = None
    """None: still under way."""
    status: str = "…"
    detail: str = ""


class Player:
    """The rows of the story; the worker's hook and the scenes fill them, the table shows them."""

    def __init__(self, world: World, account: str) -> None:
        self._world = world
        self._account = account
        self._stages: dict[tuple[str, int, int], list[str]] = {}
        self.rows: list[Row] = []

    @property
    def all_good(self) -> bool:
        return bool(self.rows) and all(row.good for row in self.rows)

    def on_step(self, step: Step, delivery: Delivery, facts: Mapping[str, Any]) -> None:
        """The worker's hook: a step of a request begins."""
        record = delivery.record
        stages = self._stages_at(record.topic, record.partition, record.offset)
        word = "stored reply again" if facts.get("repeated") else STAGES[step]
        if word not in stages:
            stages.append(word)
        log_step(step, delivery, facts)

    def _stages_at(self, topic: str, partition: int, offset: int) -> list[str]:
        return self._stages.setdefault((topic, partition, offset), [])

    async def play(self, client: RequestClient, chapter: Chapter, seen: Callable[[Row], None]) -> None:
        """One chapter, scene by scene; `seen` is called whenever a row has changed."""
        for scene in chapter.scenes:
            row = Row(scene)
            self.rows.append(row)
            request_id = str(scene.fields["requestId"]) if scene.fields is not None else ""
            count = len(client.replies.get(request_id, ())) + 1
            if scene.fields is not None:
                row.place = await client.publish(dict(scene.fields), key=scene.key, headers=scene.headers)
            else:
                row.place = await client.publish_bytes(scene.raw, key=scene.key, headers=scene.headers)
            row.stages = self._stages_at(row.place.topic, row.place.partition, row.place.offset)
            judging = asyncio.create_task(self._judge(client, row, request_id, count))
            try:
                while not judging.done():
                    seen(row)
                    await asyncio.wait({judging}, timeout=0.1)
            finally:
                judging.cancel()
            judging.result()
            seen(row)

    async def _judge(self, client: RequestClient, row: Row, request_id: str, count: int) -> None:
        scene = row.scene
        if scene.expect == DEAD_LETTER:
            why = await self._reason_of_burial(row.place)
            row.good, row.status, row.detail = why is not None, "DEAD LETTER", why or "none came"
            return
        try:
            reply = await client.reply(request_id, timeout_s=ANSWER_S, count=count)
        except TimeoutError as error:
            row.good, row.status, row.detail = False, "no reply", str(error)
            return
        code = reply["error"]["code"] if reply["error"] else None
        row.status, row.detail = reply["status"], self._detail(reply)
        row.good = (
            reply["status"] == scene.status
            and (scene.error is None or code == scene.error)
            and (scene.check is None or scene.check(reply))
            and (scene.expect != SAME_REPLY or reply["_bytes"] == client.replies[request_id][0]["_bytes"])
        )

    def _detail(self, reply: Mapping[str, Any]) -> str:
        if reply["error"]:
            return f"{reply['error']['code']}: {reply['error']['message']}"
        detail = f"{len(reply['steps'])} steps"
        if reply["credential"]:
            password = self._world.idhub_key.open(reply["credential"])["password"]
            detail += f"; a password of {len(password)} characters, which IDHub's key opens"
        return detail

    async def _reason_of_burial(self, place: Published | None) -> str | None:
        """The reason on the dead letter of the record that was put at this place."""
        settings = self._world.settings
        consumer = AIOKafkaConsumer(
            TopicNames(settings.topic_prefix).dead_letters,
            bootstrap_servers=settings.bootstrap_servers,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        await consumer.start()
        try:
            async with asyncio.timeout(ANSWER_S):
                async for record in consumer:
                    told = [header_value(record.headers, f"original-{n}") for n in ("topic", "partition", "offset")]
                    if place and told == [place.topic, str(place.partition), str(place.offset)]:
                        return header_value(record.headers, "error-message")
        except TimeoutError:
            pass
        finally:
            await end(consumer)
        return None

    def table(self) -> Table:
        """Every row so far."""
        table = Table(box=None, pad_edge=False)
        for name in ("", "what is asked", "stages", "came out as", ""):
            table.add_column(name, overflow="fold")
        for row in self.rows:
            table.add_row(_mark(row), row.scene.title, Text(_path(row), "dim"), styled(row.status), Text(row.detail))
        return table


def _mark(row: Row) -> Text:
    return Text("·") if row.good is None else Text("✓", "green") if row.good else Text("✗", "red")


def _path(row: Row) -> str:
    return " › ".join(row.stages)


def row_lines(row: Row) -> Text:
    """A finished row where no table can be redrawn."""
    return Text.assemble(_mark(row), f" {row.scene.title}: ", styled(row.status), f"  {row.detail}\n    {_path(row)}")
