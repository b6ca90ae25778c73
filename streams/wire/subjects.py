"""What is registered where: one subject per topic (Confluent's TopicNameStrategy: `<topic>-value`), FULL_TRANSITIVE.

Nested records (a reply in the ledger, an observed state in a refresh) have no subject of their own: they are bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.errors import SchemaRefused
from streams.topics import PRESENT, TopicNames

from . import schemas
from .compatible import Clash, clashes
from .errors import Undecodable

if TYPE_CHECKING:
    from .registry import RegistryClient

FULL_TRANSITIVE = "FULL_TRANSITIVE"
"""Every version can read what any other wrote."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Where the schema of a topic's values is registered."""

    topic: str
    schema: schemas.Schema

    @property
    def name(self) -> str:
        return f"{self.topic}-value"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of a subject."""

    subject: str
    problem: str
    """Empty: all is well."""
    mend: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}; {self.mend}" if self.problem else f"{self.subject}: {self.note}"


def subjects(topics: TopicNames, reply_topics: Iterable[str] = ()) -> tuple[Subject, ...]:
    """Of all present topics that hold records of ours, and of the other topics that get replies."""
    own = [Subject(topics.of(topic.name), schemas.current(topic.schema)) for topic in PRESENT if topic.schema]
    also = [Subject(topic, schemas.current("ProvisioningReply")) for topic in reply_topics]
    return tuple({subject.topic: subject for subject in (*own, *also)}.values())


async def id_of(client: "RegistryClient", subject: Subject) -> int:
    """The id to write with; the schema is registered first where it is missing.

    Raises:
        RegistryAway: try again.
        RegistryRefused: it does not let us; SchemaRefused says which field, and the mend.
    """
    number = await client.find(subject.name, subject.schema)
    if number is not None:
        return number
    if not await client.versions(subject.name):
        # Its first creation overrules nobody's choice; a level that somebody set is theirs, until `schemas register`.
        await client.set_compatibility(subject.name, FULL_TRANSITIVE)
    return await _register(client, subject)


async def _register(client: "RegistryClient", subject: Subject) -> int:
    try:
        return await client.register(subject.name, subject.schema)
    except SchemaRefused as error:
        if (number := await client.find(subject.name, subject.schema)) is not None:
            return number  # another worker, starting with us, was quicker
        found = await _clashes(client, subject)
        why = "\n".join(f"{subject.name}: {clash.problem}; {clash.mend}" for clash in found)
        raise SchemaRefused(why or f"{subject.name}: the registry refuses the schema: {error}") from error


async def _clashes(client: "RegistryClient", subject: Subject) -> tuple[Clash, ...]:
    """With all versions that are there, newest first: that is where the mend usually lies."""
    found: list[Clash] = []
    for number in reversed(await client.versions(subject.name)):
        try:
            old = await client.version(subject.name, number)
        except Undecodable as error:
            found.append(
                Clash(f"version {number} is something else: {error}", "delete it, or use another topic prefix")
            )
            continue
        if old is not None:
            found += clashes(subject.schema, old, f"version {number}")
    return tuple(dict.fromkeys(found))


async def check(client: "RegistryClient", subject: Subject) -> tuple[Finding, ...]:
    """Whether the schema goes with all versions that are registered, and whether its level keeps it so.

    Raises:
        RegistryAway, RegistryRefused: nothing can be said.
    """
    versions = await client.versions(subject.name)
    if not versions:
        return (Finding(subject.name, "", note="new; `idhub-aws schemas register` creates it"),)
    problems = [Finding(subject.name, clash.problem, clash.mend) for clash in await _clashes(client, subject)]
    level = await client.compatibility(subject.name)
    if level != FULL_TRANSITIVE:
        said = f"its compatibility is {level}" if level else "it has no compatibility of its own"
        problems.append(
            Finding(
                subject.name, f"{said} and not {FULL_TRANSITIVE}", "run `idhub-aws schemas register`, which sets it"
            )
        )
    if not problems and not await client.takes(subject.name, subject.schema):
        problems.append(Finding(subject.name, "the registry would refuse it", "look at the registry's own rules"))
    if problems:
        return tuple(problems)
    there = await client.find(subject.name, subject.schema) is not None
    count = f"{len(versions)} version{'s' if len(versions) > 1 else ''}"
    note = f"registered, {count}" if there else f"compatible with {count}; `idhub-aws schemas register` adds it"
    return (Finding(subject.name, "", note=note),)


async def register(client: "RegistryClient", subject: Subject) -> Finding:
    """Set the level and register the schema.

    Raises:
        RegistryAway, RegistryRefused: as `id_of`.
    """
    if await client.compatibility(subject.name) != FULL_TRANSITIVE:
        await client.set_compatibility(subject.name, FULL_TRANSITIVE)
    number = await _register(client, subject)
    return Finding(subject.name, "", note=f"id {number}, {FULL_TRANSITIVE}")


def check_landed(subject: Subject) -> tuple[Finding, ...]:
    """The same without a registry: against every version of this schema that ever landed."""
    landed = schemas.landed(subject.schema.name)
    found = [
        Finding(subject.name, clash.problem, clash.mend)
        for number, old in enumerate(landed, 1)
        for clash in clashes(subject.schema, old, f"version {number}")
    ]
    return tuple(dict.fromkeys(found)) or (Finding(subject.name, "", note=f"compatible with {len(landed)} landed"),)


async def check_all(client: "RegistryClient", wanted: Iterable[Subject]) -> list[Finding]:
    """`check` of each; raises as it does."""
    return [finding for subject in wanted for finding in await check(client, subject)]


async def register_all(client: "RegistryClient", wanted: Iterable[Subject]) -> list[Finding]:
    """`register` of each, or of none: where one does not go with what is there, only the problems are returned."""
    wanted = tuple(wanted)
    problems = [
        Finding(subject.name, clash.problem, clash.mend)
        for subject in wanted
        for clash in await _clashes(client, subject)
    ]
    return problems or [await register(client, subject) for subject in wanted]
