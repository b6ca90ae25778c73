"""The main job on one machine: a real Kafka, the AWS stand-in, a worker, and the story of `sandbox.story`, watched live.

The worker is the product's own and is configured as in production; only addresses differ. `--once` ends by itself,
with exit code 0 only if everything came out as expected; otherwise the world stays up until Ctrl-C.
"""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from joserfc import jwe
from joserfc.jwk import RSAKey
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connector.settings import Settings, load_settings
from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT, connector_key, secret_of
from sandbox.aws.client import StandInClient
from sandbox.aws.process import StandInProcess
from sandbox.kafka import KafkaBroker, SandboxError
from streams.admin import check_topics, create_topics
from streams.errors import StreamsError
from streams.lanes import Delivery
from streams.logs import configure_logs
from streams.send import RequestClient
from streams.shared import Step, StepHook, log_step
from streams.show import styled
from streams.topics import TopicNames
from streams.wire.headers import header_value
from streams.worker import Worker

from .leaver import plant_leaver
from .story import DEAD_LETTER, SAME_REPLY, Chapter, Scene, story

REPLY_S = 60.0
"""How long the demo waits for one reply."""
STAGES = {
    Step.DECODE: "decoded",
    Step.LEDGER: "ledger",
    Step.READ: "read, planned",
    Step.INTENT: "intent",
    Step.EXECUTE: "executing",
    Step.OUTCOME: "outcome",
    Step.FINISH: "done",
}


class Watched:
    """What is seen of each scene; the worker's hook and the player write, the table reads."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, Scene]] = []
        self.stage: dict[tuple[str, int, int], list[str]] = {}
        self.where: dict[str, tuple[str, int, int]] = {}
        self.verdict: dict[str, tuple[bool, str, str]] = {}

    def on_step(self, step: Step, delivery: Delivery, facts: Mapping[str, Any]) -> None:
        """The worker's hook: a step begins."""
        record = delivery.record
        seen = self.stage.setdefault((record.topic, record.partition, record.offset), [])
        word = "stored reply again" if facts.get("repeated") else STAGES[step]
        if word not in seen:
            seen.append(word)
        log_step(step, delivery, facts)

    def stages_of(self, row: str) -> str:
        place = self.where.get(row)
        return " › ".join(self.stage.get(place, ())) if place else ""

    def table(self) -> Table:
        """Everything so far."""
        table = Table(box=None, pad_edge=False, expand=False)
        for name in ("", "what is asked", "stages", "came out as", ""):
            table.add_column(name, overflow="fold")
        for row, scene in self.rows:
            good, status, detail = self.verdict.get(row, (None, "…", ""))
            mark = Text("✓", style="green") if good else Text("✗", style="red") if good is False else Text("·")
            table.add_row(mark, scene.title, Text(self.stages_of(row), style="dim"), styled(status), Text(detail))
        return table


@contextmanager
def _world(console: Console) -> Iterator[tuple[Settings, StandInClient, Path]]:
    """Everything that the worker needs, up; ended in order, whatever happens."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idhub-aws-sandbox.")))
        given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if given:
            servers = given
            console.print(f"Kafka          {servers} (yours)")
        else:
            broker = stack.enter_context(KafkaBroker())
            servers = broker.bootstrap
            console.print(f"Apache Kafka   {servers}")
        aws = stack.enter_context(StandInProcess())
        console.print(f"AWS stand-in   {aws.url}  account {DEFAULT_ACCOUNT}")
        client = aws.client
        key = RSAKey.generate_key(2048, {"kid": "idhub-demo", "use": "enc"})
        (home / "idhub.public.jwk").write_text(json.dumps(key.as_dict(private=False)), encoding="utf-8")
        private = home / "idhub.private.jwk"
        private.write_text(json.dumps(key.as_dict(private=True)), encoding="utf-8")
        private.chmod(0o600)
        os.environ["AWS_ENDPOINT_URL"] = aws.url
        access_key = connector_key()
        settings = load_settings(
            {
                "KAFKA_BOOTSTRAP_SERVERS": servers,
                "IDHUB_AWS_TOPIC_PREFIX": os.environ.get("IDHUB_AWS_TOPIC_PREFIX", "idhub.aws"),
                "IDHUB_AWS_ACCESS_KEY_ID": access_key,
                "IDHUB_AWS_SECRET_ACCESS_KEY": secret_of(access_key),
                "IDHUB_AWS_USER_NAME": CONNECTOR,
                "IDHUB_AWS_PARTITIONS": "4",
                "IDHUB_AWS_REPLICATION_FACTOR": "1",
                "IDHUB_AWS_IDHUB_KEY": str(home / "idhub.public.jwk"),
                "IDHUB_AWS_PROTECTED_PRINCIPALS": "break-glass",
                # Short, because here nobody else's network is in the way.
                "IDHUB_AWS_SESSION_TIMEOUT_S": "10",
                "IDHUB_AWS_CALL_TIMEOUT_S": "5",
            },
            dotenv=home / "no.env",
        )
        yield settings, client, private


async def _play(console: Console, settings: Settings, aws: StandInClient, private: Path, *, once: bool) -> bool:
    created = await create_topics(settings)
    problems = await check_topics(settings)
    if problems:
        raise StreamsError("\n".join(map(str, problems)))
    console.print(f"topics         {len(created)} created under {settings.topic_prefix}")
    plant_leaver(aws)
    watched = Watched()
    worker = Worker(settings, on_step=watched.on_step)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    running = asyncio.create_task(worker.run())
    try:
        await _first(worker.ready.wait(), running, stop)
        console.print("worker         subscribed\n")
        async with RequestClient(settings) as client:
            player = asyncio.create_task(_tell(console, settings, client, watched, private))
            await _first(player, running, stop)
            if stop.is_set():
                player.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await player
                return False
        good = all(verdict[0] for verdict in watched.verdict.values()) and len(watched.verdict) == len(watched.rows)
        _print_iam(console, aws)
        console.print(
            Text("everything came out as expected", style="green")
            if good
            else Text("not everything came out as expected: see the rows marked ✗", style="red")
        )
        if not once:
            _print_invitation(console, settings)
            await _first(running, running, stop)
        return good
    finally:
        worker.stop()
        await running


async def _first(work: Any, running: "asyncio.Task[None]", stop: asyncio.Event) -> None:
    """Wait for the work, unless the worker ends (then its error is raised) or the user stops."""
    tasks = {asyncio.ensure_future(work), asyncio.ensure_future(stop.wait()), running}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks - {running}:
            if not task.done() and task is not work:
                task.cancel()
    if running.done():
        running.result()
    if isinstance(work, asyncio.Task) and work.done():
        work.result()


async def _tell(
    console: Console, settings: Settings, client: RequestClient, watched: Watched, private: Path
) -> None:
    """Publish chapter by chapter and judge what comes back."""
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    with live or contextlib.nullcontext():
        for chapter in story(DEFAULT_ACCOUNT, CONNECTOR):
            await _tell_chapter(console, settings, client, watched, chapter, private, live)


async def _tell_chapter(
    console: Console,
    settings: Settings,
    client: RequestClient,
    watched: Watched,
    chapter: Chapter,
    private: Path,
    live: Live | None,
) -> None:
    if live is None:
        console.print(f"— {chapter.title}")
    for scene in chapter.scenes:
        row = f"{len(watched.rows)}"
        watched.rows.append((row, scene))
        request_id = scene.fields["requestId"] if scene.fields else None
        before = len(client.replies.get(request_id, ())) if request_id else 0
        if scene.fields is not None:
            told = await client.publish(dict(scene.fields), key=scene.key, headers=scene.headers)
        else:
            told = await client.publish_bytes(scene.raw, key=scene.key, headers=scene.headers)
        watched.where[row] = (told.topic, told.partition, told.offset)
        judging = asyncio.create_task(_judge(settings, client, scene, told, request_id, before + 1, private))
        while not judging.done():
            if live is not None:
                live.update(watched.table(), refresh=True)
            await asyncio.wait({judging}, timeout=0.1)
        watched.verdict[row] = judging.result()
        if live is not None:
            live.update(watched.table(), refresh=True)
        else:
            good, status, detail = watched.verdict[row]
            console.print(f"{'✓' if good else '✗'} {scene.title}: {status} {detail}\n    {watched.stages_of(row)}")


async def _judge(
    settings: Settings, client: RequestClient, scene: Scene, told: Any, request_id: str | None, count: int, private: Path
) -> tuple[bool, str, str]:
    """Whether it came out as the story says: (good, status, details)."""
    if scene.expect == DEAD_LETTER:
        why = await _dead_letter_of(settings, told)
        return (why is not None, "DEAD LETTER" if why else "nothing", why or "no dead letter came")
    try:
        reply = await client.reply(str(request_id), timeout_s=REPLY_S, count=count)
    except TimeoutError as error:
        return False, "no reply", str(error)
    good = reply["status"] == scene.status and (scene.error is None or (reply["error"] or {}).get("code") == scene.error)
    if scene.expect == SAME_REPLY:
        good = good and reply["_bytes"] == client.replies[str(request_id)][0]["_bytes"]
    if scene.check is not None:
        good = good and scene.check(reply)
    return good, reply["status"], _detail(reply, private)


def _detail(reply: Mapping[str, Any], private: Path) -> str:
    parts = []
    if reply["error"]:
        parts.append(f"{reply['error']['code']}: {reply['error']['message']}")
    elif reply["steps"]:
        parts.append(f"{len(reply['steps'])} steps")
    if reply["credential"]:
        key = RSAKey.import_key(json.loads(private.read_text(encoding="utf-8")))
        algorithms = ["RSA-OAEP-256", "A256GCM"]
        told = json.loads(jwe.decrypt_compact(reply["credential"], key, algorithms=algorithms).plaintext or b"{}")
        parts.append(f"password of {len(told['password'])} characters, readable with IDHub's key only")
    return ", ".join(parts)


async def _dead_letter_of(settings: Settings, told: Any) -> str | None:
    """The reason with which a record was buried, once it is."""
    from aiokafka import AIOKafkaConsumer  # noqa: PLC0415 - only this scene needs it

    topic = TopicNames(settings.topic_prefix).dead_letters
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.bootstrap_servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        async with asyncio.timeout(REPLY_S):
            async for record in consumer:
                place = tuple(header_value(record.headers, f"original-{n}") for n in ("topic", "partition", "offset"))
                if place == (told.topic, str(told.partition), str(told.offset)):
                    return header_value(record.headers, "error-message")
    except TimeoutError:
        return None
    finally:
        await consumer.stop()
    return None


def _print_iam(console: Console, aws: StandInClient) -> None:
    """What IAM holds now."""
    table = Table("user", "groups", "attached policies", "keys", "password", title="What IAM holds now", title_justify="left")
    for user in aws.call("ListUsers", {})["Users"]:
        name = {"UserName": user["UserName"]}
        groups = [group["GroupName"] for group in aws.call("ListGroupsForUser", name)["Groups"]]
        policies = [p["PolicyName"] for p in aws.call("ListAttachedUserPolicies", name)["AttachedPolicies"]]
        keys = len(aws.call("ListAccessKeys", name)["AccessKeyMetadata"])
        table.add_row(user["UserName"], ", ".join(groups), ", ".join(policies), str(keys), _password(aws, name))
    console.print()
    console.print(table)
    changes = [entry for entry in aws.journal() if entry.changed and "idhub-aws/" in entry.user_agent]
    console.print(f"{len(changes)} changes in IAM, each marked with its request in the user-agent")


def _password(aws: StandInClient, name: dict[str, str]) -> str:
    try:
        aws.call("GetLoginProfile", name)
    except Exception:  # noqa: BLE001 - the stand-in's NoSuchEntity, whatever its client makes of it
        return "none"
    return "yes"


def _print_invitation(console: Console, settings: Settings) -> None:
    console.print(
        f"\nThe world stays up until Ctrl-C. In another terminal:\n"
        f"  export KAFKA_BOOTSTRAP_SERVERS={settings.bootstrap_servers}\n"
        f"  idhub-aws send create bob --account {DEFAULT_ACCOUNT} --group developers\n"
        f"  idhub-aws watch --since 10m"
    )


def main(*, once: bool, verbose: bool) -> int:
    """Run the demo; returns the exit code."""
    console = Console(highlight=False)
    configure_logs(level="INFO" if verbose else "ERROR")
    try:
        with _world(console) as (settings, aws, private):
            good = asyncio.run(_play(console, settings, aws, private, once=once))
    except (SandboxError, StreamsError) as error:
        console.print(Text(f"idhub-aws sandbox: {error}", style="red"))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if good or not once else 1
