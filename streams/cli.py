"""The command line `idhub-aws`. Each command imports what it needs when it runs, so that `--help` is quick.

Exit codes: 0 done as asked · 1 could not (Kafka away, topics wrong, something broke) · 2 wrong usage or settings ·
3 PARTIAL · 4 FAILED · 5 REJECTED · 6 no reply in time · 130 interrupted.
"""

import asyncio
import errno
import importlib
import io
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector import VERSION
from connector.errors import ConnectorError, SettingsError

from .schema_commands import attach as attach_schemas

if TYPE_CHECKING:
    from connector.settings import Settings

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
EXIT_OF_STATUS = {"SUCCEEDED": 0, "UNCHANGED": 0, "PLANNED": 0, "PARTIAL": 3, "FAILED": 4, "REJECTED": 5}
EXIT_NO_REPLY = 6

app = typer.Typer(
    name="idhub-aws",
    help="""Connects IDHub to AWS IAM over Kafka.

    Settings come from the environment (IDHUB_AWS_…, KAFKA_BOOTSTRAP_SERVERS, the AWS credential chain), a .env file
    and the YAML file named by IDHUB_AWS_CONFIG; docs/settings.md lists them.

    \b
    Begin with:
      idhub-aws sandbox           the whole world on this machine
      idhub-aws topics create     on a Kafka of yours
      idhub-aws worker

    \b
    Exit codes:
      0  done as asked            4  FAILED
      1  could not                5  REJECTED
      2  wrong usage or settings  6  no reply in time
      3  PARTIAL                  130  interrupted
    """,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: quick, the same in a pipe, and examples keep their lines
)
topics_app = typer.Typer(
    help="Create and check the topics, and print who may do what to them.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(topics_app, name="topics")


def _fail(message: str, code: int = EXIT_FAILED) -> typer.Exit:
    typer.echo(f"idhub-aws: {message}", err=True)
    return typer.Exit(code)


def _settings() -> "Settings":
    from connector.settings import load_settings

    try:
        return load_settings()
    except SettingsError as error:
        for problem in error.problems:
            typer.echo(f"idhub-aws: {problem.name}: {problem.problem}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def _logs(settings: "Settings") -> None:
    from .logs import configure_logs

    configure_logs(json=settings.log_json, level=settings.log_level)


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run to the end and exit with its code; what is understood is one line, never a traceback."""
    from aiokafka.errors import KafkaError

    from .away import describe
    from .errors import StreamsError

    try:
        code = asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except (StreamsError, ConnectorError) as error:
        raise _fail(str(error)) from None
    except KafkaError as error:
        raise _fail(f"Kafka: {describe(error)}") from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # whoever read us has gone: no news for anybody
        raise _fail(str(error)) from None
    raise typer.Exit(code)


def _quiet_logs(settings: "Settings") -> None:
    """For commands that print: only what went wrong is logged besides."""
    _logs(settings.model_copy(update={"log_level": "WARNING"}))


attach_schemas(app, _settings, _quiet_logs, _run)


@app.callback(invoke_without_command=True)
def _version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False
) -> None:
    if version:
        typer.echo(VERSION)
        raise typer.Exit


@app.command()
def worker() -> None:
    """Run a worker: consume requests and refreshes, change IAM, reply.

    Start as many as you like; they share the partitions, and at most one per partition has work. SIGTERM or Ctrl-C
    drains: nothing new is begun, what runs is finished, the group is left. While Kafka or AWS is away it says so once
    and tries again.

    \b
    Example:
      IDHUB_AWS_IDHUB_KEY=idhub.public.jwk idhub-aws worker
    """  # noqa: D301 - click wants the character itself
    settings = _settings()
    _logs(settings)

    async def run() -> int:
        from .worker import Worker, spare_the_collector

        the_worker = Worker(settings)
        spare_the_collector()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, the_worker.stop)
        await the_worker.run()
        return 0

    _run(run())


@app.command()
def alive(
    *, max_age: Annotated[float, typer.Option(help="Seconds that the last sign of life may be old.")] = 30.0
) -> None:
    """Exit 0 while the worker that touches IDHUB_AWS_ALIVE_FILE is alive: the health check of a container."""
    path = _settings().alive_file
    if path is None:
        raise _fail("set IDHUB_AWS_ALIVE_FILE for the worker and for this command", EXIT_USAGE)
    try:
        age = time.time() - path.stat().st_mtime
    except OSError as error:
        raise _fail(f"no sign of life: {error}") from None
    if age > max_age:
        raise _fail(f"the last sign of life is {age:.0f} s old")
    typer.echo(f"alive, {age:.1f} s ago")


@topics_app.command("create")
def topics_create() -> None:
    """Create the topics that are missing; existing ones are left as they are and checked.

    Partitions and replicas come from IDHUB_AWS_PARTITIONS and IDHUB_AWS_REPLICATION_FACTOR; a topic that has to have
    as many partitions as others gets those of the existing ones. Running it again does no harm.

    \b
    Example:
      IDHUB_AWS_REPLICATION_FACTOR=1 idhub-aws topics create
    """  # noqa: D301 - click wants the character itself
    settings = _settings()
    _quiet_logs(settings)

    async def run() -> int:
        from .admin import check_topics, create_topics

        created = await create_topics(settings)
        for name in created:
            typer.echo(f"created {name}")
        return _print_problems(
            await check_topics(settings), good=f"{len(created)} created, all topics as they should be"
        )

    _run(run())


@topics_app.command("check")
def topics_check() -> None:
    """Check that the topics exist and are as the connector needs them.

    For each that is not, one line says what is wrong and the command that mends it; the exit code is then 1. Every
    worker does the same check at its start.
    """
    settings = _settings()
    _quiet_logs(settings)

    async def run() -> int:
        from .admin import check_topics

        return _print_problems(await check_topics(settings), good="all topics as they should be")

    _run(run())


def _print_problems(problems: Any, good: str) -> int:
    for problem in problems:
        typer.echo(str(problem), err=True)
    if not problems:
        typer.echo(good)
    return EXIT_FAILED if problems else 0


@topics_app.command("acls")
def topics_acls(
    *,
    role: Annotated[
        list[str] | None, typer.Option(help="Only this role; repeat for more. Default: all.", metavar="ROLE")
    ] = None,
    principal: Annotated[
        list[str] | None,
        typer.Option(help="Who a role is; repeat for more. Default: User:ROLE.", metavar="ROLE=PRINCIPAL"),
    ] = None,
) -> None:
    """Print the kafka-acls commands that give each role what it needs, and nothing more.

    Nothing is asked of Kafka and nothing is changed: read the lines, then run them. The roles are idhub, gateway,
    worker, operators, security-teams and other-programs. Whoever may write requests is an IAM administrator.

    \b
    Example:
      idhub-aws topics acls --role worker --principal worker=User:CN=idhub-aws
    """  # noqa: D301 - click wants the character itself
    from .topics import ROLES, TopicNames, acl_commands, slug

    settings = _settings()
    by_slug = {slug(name): name for name in ROLES}
    given = dict(one.partition("=")[::2] for one in principal or ())
    if bare := [name for name, who in given.items() if not who]:
        raise _fail(f"--principal {', '.join(bare)}: write ROLE=PRINCIPAL", EXIT_USAGE)
    if wrong := [name for name in (*(role or ()), *given) if name not in by_slug]:
        raise _fail(f"no role {', '.join(wrong)}; there are {', '.join(by_slug)}", EXIT_USAGE)
    lines = acl_commands(
        TopicNames(settings.topic_prefix),
        bootstrap_servers=settings.bootstrap_servers,
        group=settings.group,
        reply_topics=settings.reply_topics,
        principals={by_slug[name]: who for name, who in given.items()},
        roles=[by_slug[name] for name in role or by_slug],
    )
    typer.echo("\n".join(lines))


@app.command()
def send(
    operation: Annotated[
        str | None,
        typer.Argument(
            help="create, update, delete, disable, enable, reset, grant, revoke, set; or the full name, such as SET_ENTITLEMENTS."
        ),
    ] = None,
    user: Annotated[str | None, typer.Argument(help="The IAM user's name.")] = None,
    *,
    account: Annotated[
        str | None, typer.Option(help="The AWS account, 12 digits; it is part of the record's key.", metavar="ID")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group; repeat for more.", metavar="NAME")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="A managed policy: an ARN, or the name of one of AWS's own. Repeat for more.", metavar="ARN|NAME"
        ),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="An IDHub attribute; repeat for more. The same name again: several values.", metavar="NAME=VALUE"
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; repeat for more.", metavar="KEY=VALUE")] = None,
    request_id: Annotated[
        str | None, typer.Option(help="Default: a new one. The same id and content gets the same reply.", metavar="ID")
    ] = None,
    expect_user_id: Annotated[str | None, typer.Option(help="The AIDA… id that must match.", metavar="ID")] = None,
    resumes: Annotated[
        str | None,
        typer.Option(help="The id of an earlier PARTIAL or FAILED request that this one goes on from.", metavar="ID"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan only; nothing is changed.")] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            help="A JSON file with the fields of a ProvisioningRequest, instead of flags; - is the standard input.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the reply.", min=0.0)] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")] = False,
) -> None:
    """Publish one request, wait for its reply, print it. The exit code tells how it ended.

    \b
    Examples:
      idhub-aws send create alice --account 123456789012 --group developers --attribute department=Finance
      idhub-aws send grant alice --account 123456789012 --policy ReadOnlyAccess
      idhub-aws send delete alice --account 123456789012 --dry-run
      idhub-aws send --file request.json --json

    \b
    Exit codes:
      0  SUCCEEDED, UNCHANGED, PLANNED      4  FAILED
      1  Kafka away, topics missing         5  REJECTED
      2  wrong usage or settings            6  no reply in time; the request may still run
      3  PARTIAL
    """  # noqa: D301 - click wants the character itself
    settings = _settings()
    _quiet_logs(settings)

    from .send import SendOptions, send_request

    options = SendOptions(
        operation=operation,
        user=user,
        account=account,
        groups=tuple(group or ()),
        policies=tuple(policy or ()),
        attributes=tuple(attribute or ()),
        tags=tuple(tag or ()),
        request_id=request_id,
        expected_user_id=expect_user_id,
        resumes=resumes,
        dry_run=dry_run,
        file=file,
        timeout_s=timeout,
    )

    async def run() -> int:
        from .show import print_reply, to_json

        try:
            reply = await send_request(settings, options)
        except ValueError as error:
            raise _fail(str(error), EXIT_USAGE) from None
        except TimeoutError as error:
            raise _fail(str(error), EXIT_NO_REPLY) from None
        if as_json:
            typer.echo(to_json(reply))
        else:
            print_reply(reply)
        return EXIT_OF_STATUS.get(reply["status"], EXIT_FAILED)

    _run(run())


@app.command()
def watch(
    *,
    user: Annotated[str | None, typer.Option(help="Only this user's records.", metavar="NAME")] = None,
    request: Annotated[str | None, typer.Option(help="Only this request's records.", metavar="ID")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="From this time on: 10m, 2h, 1d or ISO 8601. Default: from now; with --until-end: from the beginning.",
            metavar="TIME",
        ),
    ] = None,
    topics: Annotated[
        str,
        typer.Option(
            help="Which topics, separated by commas: replies, audit, changes, accounts, dead-letters, refreshes, requests."
        ),
    ] = "replies,audit,changes,dead-letters",
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop at the present end instead of following.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Follow replies, audit records, changes and dead letters as they are published, one line each.

    Records are read committed; the topics of one command are merged as they come. An outage of Kafka is said once,
    and following goes on afterwards. Ctrl-C ends it.

    \b
    Examples:
      idhub-aws watch --user alice --since 1d
      idhub-aws watch --topics audit --since 2026-03-01 --until-end --json | jq .record.action
    """  # noqa: D301 - click wants the character itself
    settings = _settings()
    _quiet_logs(settings)

    async def run() -> int:
        from .watch import WatchOptions, watch_topics

        try:
            options = WatchOptions.parse(user=user, request=request, since=since, topics=topics, until_end=until_end)
        except ValueError as error:
            raise _fail(str(error), EXIT_USAGE) from None
        await watch_topics(settings, options, as_json=as_json)
        return 0

    _run(run())


@app.command()
def sandbox(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End after the story; exit code 0 only if all came out as expected.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the worker's log too.")] = False,
    registry: Annotated[bool, typer.Option("--registry", help="With a real schema registry (159 MB, once).")] = False,
    keycloak: Annotated[bool, typer.Option("--keycloak", help="With a real Keycloak (177 MB, once).")] = False,
) -> None:
    """The whole world on this machine: a real Kafka, a strict AWS stand-in, a worker, and a story of requests to watch.

    It stays up until Ctrl-C and says how to reach it from another terminal. A KAFKA_BOOTSTRAP_SERVERS in the
    environment is used instead of a Kafka of its own. The first time it fetches Kafka's jars (45 MB).
    """
    try:
        demo = importlib.import_module("sandbox.demo")  # by name: the production image leaves the sandbox out
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == "sandbox":
            raise _fail("this installation has no sandbox; use a checkout or the full wheel") from None
        raise
    raise typer.Exit(demo.main(once=once, verbose=verbose, registry=registry, keycloak=keycloak))


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no arrow gets a question mark, no traceback
    try:
        app()
    except BrokenPipeError:
        # The reader of our output has gone, and nobody is to be told; not by the interpreter's last flush either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_FAILED) from None
