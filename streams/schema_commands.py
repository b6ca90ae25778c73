"""`idhub-aws schemas check|register`: what the schema registry has, will take, or refuses, field by field.

Hung into the command line by `attach`, which hands in what all commands share, so that this room knows nothing of it.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from connector.settings import Settings

    from .wire.registry import RegistryClient
    from .wire.subjects import Finding, Subject

    Act = Callable[[RegistryClient, Iterable[Subject]], Awaitable[list[Finding]]]

EXIT_FAILED, EXIT_USAGE = 1, 2


def attach(
    app: typer.Typer,
    load: Callable[[], "Settings"],
    set_up_logs: Callable[["Settings"], None],
    run: Callable[[Coroutine[Any, Any, int]], None],
) -> None:
    """Add the commands. `load` reads the settings; `run` runs to the end and exits with the code."""

    def settings() -> "Settings":
        given = load()
        set_up_logs(given)
        return given

    schemas_app = typer.Typer(
        help="Register the schemas, and check that they go with what is registered.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )

    @schemas_app.command("check")
    def check() -> None:
        """Check the schemas of all topics against every version that the registry has; nothing is changed.

        For each that does not go with one, a line says which field, why, and the mend; the exit code is then 1. A subject
        that is not there yet is no problem. Without SCHEMA_REGISTRY_URL: against every version that ever landed.
        """
        run(_check(settings()))

    @schemas_app.command("register")
    def register() -> None:
        """Register the schemas of all topics, each under <topic>-value, with the compatibility FULL_TRANSITIVE.

        All or none: where one does not go with what is there, nothing is registered and a line says which field, why, and
        the mend. Running it again does no harm. A worker does the same for itself at its start, if the registry lets it;
        only a compatibility that somebody else has set it leaves as it is.
        """
        run(_register(settings()))

    app.add_typer(schemas_app, name="schemas")


async def _check(settings: "Settings") -> int:
    from .wire.subjects import check_all, check_landed  # noqa: PLC0415 - or --help would load Avro

    if settings.schema_registry_url is None:
        typer.echo("SCHEMA_REGISTRY_URL is not set: checked against the versions that ever landed", err=True)
        return _tell([finding for subject in _subjects(settings) for finding in check_landed(subject)])
    return _tell(await _with_registry(settings, check_all))


async def _register(settings: "Settings") -> int:
    from .wire.subjects import register_all  # noqa: PLC0415 - the same

    if settings.schema_registry_url is None:
        typer.echo("idhub-aws: SCHEMA_REGISTRY_URL is not set: set it to the registry's address", err=True)
        return EXIT_USAGE
    return _tell(await _with_registry(settings, register_all))


async def _with_registry(settings: "Settings", act: "Act") -> "list[Finding]":
    from .wire.registry import RegistryClient  # noqa: PLC0415 - httpx2 costs 120 ms

    client = RegistryClient(settings.schema_registry_url or "")
    try:
        return await act(client, _subjects(settings))
    finally:
        await client.close()


def _subjects(settings: "Settings") -> "tuple[Subject, ...]":
    from .topics import TopicNames  # noqa: PLC0415 - the same
    from .wire.subjects import subjects  # noqa: PLC0415 - the same

    return subjects(TopicNames(settings.topic_prefix), settings.reply_topics)


def _tell(findings: "list[Finding]") -> int:
    """What is well on standard output, what is not on standard error."""
    for finding in findings:
        typer.echo(str(finding), err=bool(finding.problem))
    return EXIT_FAILED if any(finding.problem for finding in findings) else 0
