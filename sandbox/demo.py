"""The main job on one machine: the world of `sandbox.world`, the product's own worker, the story, watched live.

The worker is configured as in production; only addresses differ. `--once` ends by itself, with exit code 0 only if
everything came out as expected; otherwise the world stays up until Ctrl-C.
"""

import asyncio
import shutil
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT
from sandbox.aws.client import StandInClient
from sandbox.aws.iam import AwsError
from sandbox.kafka import SandboxError
from streams.admin import check_topics, create_topics
from streams.errors import StreamsError
from streams.logs import configure_logs
from streams.send import RequestClient
from streams.worker import Worker

from .leaver import plant_leaver
from .player import Player, Row, row_lines
from .story import story
from .world import World, world

EXIT_INTERRUPTED = 130


def main(*, once: bool, verbose: bool, registry: bool = False, keycloak: bool = False) -> int:
    """Run the demo; returns the exit code."""
    console = Console(highlight=False)
    configure_logs(level="INFO" if verbose else "ERROR")
    try:
        say = partial(console.print, soft_wrap=True, markup=False)
        with world(say, registry=registry, keycloak=keycloak) as the_world:
            return asyncio.run(_run(console, the_world, once=once))
    except (SandboxError, StreamsError) as error:
        console.print(Text(f"idhub-aws sandbox: {error}", "red"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


async def _run(console: Console, the_world: World, *, once: bool) -> int:
    await _make_topics(console, the_world)
    plant_leaver(the_world.aws)
    player = Player(the_world, DEFAULT_ACCOUNT)
    worker = Worker(the_world.settings, on_step=player.on_step)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    working = asyncio.create_task(worker.run())
    try:
        if not await _unless_stopped(worker.ready.wait(), working, stop):
            return EXIT_INTERRUPTED
        console.print("worker         subscribed\n")
        if not await _unless_stopped(_tell(console, the_world, player), working, stop):
            return EXIT_INTERRUPTED
        _print_iam(console, the_world.aws)
        _print_verdict(console, player)
        if not once:
            _print_invitation(console, the_world)
            await _unless_stopped(asyncio.Event().wait(), working, stop)
        return 0 if player.all_good else 1
    finally:
        worker.stop()
        await working


async def _make_topics(console: Console, the_world: World) -> None:
    created = await create_topics(the_world.settings)
    problems = await check_topics(the_world.settings)
    if problems:
        raise StreamsError("\n".join(map(str, problems)))
    console.print(f"topics         {len(created)} created under {the_world.settings.topic_prefix}")


async def _unless_stopped(work: Coroutine[Any, Any, Any], working: "asyncio.Task[None]", stop: asyncio.Event) -> bool:
    """Do the work; False: the user stopped it. An error of the worker ends it too, and is raised."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({doing, stopping, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        doing.cancel()
        await asyncio.wait({doing, stopping})
    if working.done():
        working.result()
    if doing.cancelled():
        return False
    doing.result()
    return True


async def _tell(console: Console, the_world: World, player: Player) -> None:
    """The story: a table that is redrawn on a terminal, lines where the output is piped."""
    chapters = story(DEFAULT_ACCOUNT, CONNECTOR)
    async with RequestClient(the_world.settings) as client:
        if not console.is_terminal:
            for chapter in chapters:
                console.print(f"— {chapter.title}")
                await player.play(client, chapter, lambda row: _print_row(console, row))
            return
        with Live(console=console, auto_refresh=False) as live:
            for chapter in chapters:
                await player.play(client, chapter, lambda _: live.update(player.table(), refresh=True))


def _print_row(console: Console, row: Row) -> None:
    if row.good is not None:
        console.print(row_lines(row), soft_wrap=True)


def _print_iam(console: Console, aws: StandInClient) -> None:
    table = Table(
        "user", "groups", "attached policies", "keys", "password", title="What IAM holds now", title_justify="left"
    )
    for user in aws.call("ListUsers")["Users"]:
        name = {"UserName": user["UserName"]}
        groups = [group["GroupName"] for group in aws.call("ListGroupsForUser", name)["Groups"]]
        policies = [policy["PolicyName"] for policy in aws.call("ListAttachedUserPolicies", name)["AttachedPolicies"]]
        keys = len(aws.call("ListAccessKeys", name)["AccessKeyMetadata"])
        table.add_row(user["UserName"], ", ".join(groups), ", ".join(policies), str(keys), _has_password(aws, name))
    console.print()
    console.print(table)
    changes = [entry for entry in aws.journal() if entry.changed and "idhub-aws/" in entry.user_agent]
    console.print(f"{len(changes)} changes in IAM by the connector, each marked with its request in the user-agent")


def _has_password(aws: StandInClient, name: dict[str, str]) -> str:
    try:
        aws.call("GetLoginProfile", name)
    except AwsError:
        return "no"
    return "yes"


def _print_verdict(console: Console, player: Player) -> None:
    if player.all_good:
        console.print(Text("everything came out as expected", "green"))
    else:
        console.print(Text("not everything came out as expected: see the rows marked ✗", "red"))


def _print_invitation(console: Console, the_world: World) -> None:
    settings = the_world.settings
    registry = f" SCHEMA_REGISTRY_URL={settings.schema_registry_url}" if settings.schema_registry_url else ""
    command = "idhub-aws" if shutil.which("idhub-aws") else sys.argv[0]
    console.print(
        "\nThe world stays up until Ctrl-C. In another terminal:\n"
        f"  export KAFKA_BOOTSTRAP_SERVERS={settings.bootstrap_servers} IDHUB_AWS_TOPIC_PREFIX={settings.topic_prefix}"
        f"{registry}\n"
        f"  {command} send create bob --account {DEFAULT_ACCOUNT} --group developers\n"
        f"  {command} watch --since 10m",
        soft_wrap=True,
    )
