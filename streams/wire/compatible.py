"""Why a schema is not FULL_TRANSITIVE compatible with another, field by field. PURE.

A registry says that it refuses, seldom why in words of the schema (Apicurio: "extra at /fields/9"; when only asked, nothing
at all). Follows "Schema Resolution" of the Avro 1.12 specification; a property test holds it to Apache Avro's own checker.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from .schemas import Schema

_PROMOTED: Mapping[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}
"""What a reader may call what a writer wrote under another name."""

_TOP = "the record"
"""Where a gap is that is in no field."""


class Kind(Enum):
    """In which way a reader cannot read."""

    NEEDED = auto()
    """A field of the reader has no default, and the writer has no such field."""
    SYMBOLS = auto()
    """The writer's enum has symbols for which the reader has neither a name nor a default."""
    TYPE = auto()
    """The types do not resolve."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One place where a reader cannot read what a writer writes."""

    where: str
    """`steps[].outcome`."""
    kind: Kind
    reader: str
    writer: str


@dataclass(frozen=True, slots=True)
class Clash:
    """One reason why two versions do not go together, for a person."""

    problem: str
    mend: str


def clashes(new: Schema, old: Schema, old_name: str) -> tuple[Clash, ...]:
    """Why these versions cannot read each other's records, both ways; empty where they can."""
    found = [_forward(gap, old_name) for gap in gaps(new.parsed, old.parsed)]
    found += [_backward(gap, old_name) for gap in gaps(old.parsed, new.parsed)]
    return tuple(dict.fromkeys(found))


def _forward(gap: Gap, old: str) -> Clash:
    """The new version reads what the old one wrote."""
    match gap.kind:
        case Kind.NEEDED:
            return Clash(f"{gap.where} is new and has no default: records of {old} cannot be read", "give it a default")
        case Kind.SYMBOLS:
            return Clash(
                f"{gap.where} has lost {gap.writer}, and the enum has no default: records of {old} cannot be read",
                "keep them, or give the enum a default",
            )
        case Kind.TYPE:
            return _retyped(gap.where, gap.writer, gap.reader, old)


def _backward(gap: Gap, old: str) -> Clash:
    """The old version reads what the new one writes."""
    match gap.kind:
        case Kind.NEEDED:
            return Clash(f"{gap.where} is gone, and readers of {old} need it", "keep it")
        case Kind.SYMBOLS:
            return Clash(
                f"{gap.where} has the new {gap.writer}, for which readers of {old} have no default",
                "leave the enum as it is, and say the new things in a new field",
            )
        case Kind.TYPE:
            return _retyped(gap.where, gap.reader, gap.writer, old)


def _retyped(where: str, before: str, after: str, old: str) -> Clash:
    return Clash(f"{where} was {before} in {old} and is {after}", "keep the type, and put the new one in a new field")


def gaps(reader: Any, writer: Any) -> tuple[Gap, ...]:
    """Where a reader cannot read what a writer writes. Schemas as fastavro parses them: with full names."""
    return tuple(dict.fromkeys(_Walk(_named(reader), _named(writer), set()).gaps(reader, writer, "")))


@dataclass(slots=True)
class _Walk:
    readers: Mapping[str, Any]
    writers: Mapping[str, Any]
    met: set[tuple[str, str]]

    def gaps(self, reader: Any, writer: Any, where: str) -> Iterator[Gap]:
        reader, writer = _whole(reader, self.readers), _whole(writer, self.writers)
        if isinstance(writer, list):
            for branch in writer:
                for gap in self.gaps(reader, branch, where):
                    # Of a branch that resolves to nothing the whole union is told, as people know it.
                    here = gap.kind is Kind.TYPE and gap.where == (where or _TOP)
                    yield self._type(reader, writer, where) if here else gap
        elif isinstance(reader, list):
            yield from self._any(reader, writer, where)
        elif reader["type"] != writer["type"]:
            if reader["type"] not in _PROMOTED.get(writer["type"], ()):
                yield self._type(reader, writer, where)
        else:
            yield from self._same_kind(reader, writer, where)

    def _any(self, branches: list[Any], writer: Any, where: str) -> Iterator[Gap]:
        whole = [_whole(branch, self.readers) for branch in branches]
        if any(not list(self._again(branch, writer)) for branch in whole):
            return
        like = [branch for branch in whole if _label(branch) == _label(writer)]
        if like:
            yield from self.gaps(like[0], writer, where)
        else:
            yield self._type(branches, writer, where)

    def _again(self, reader: Any, writer: Any) -> Iterator[Gap]:
        """A trial: what it meets is not met."""
        return _Walk(self.readers, self.writers, set(self.met)).gaps(reader, writer, "")

    def _same_kind(self, reader: Any, writer: Any, where: str) -> Iterator[Gap]:
        match reader["type"]:
            case "record" | "error":
                yield from self._record(reader, writer, where)
            case "enum":
                lost = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
                if _short(reader) != _short(writer):
                    yield self._type(reader, writer, where)
                elif lost and "default" not in reader:
                    yield Gap(where or _short(reader), Kind.SYMBOLS, "", ", ".join(lost))
            case "fixed":
                if (_short(reader), reader["size"]) != (_short(writer), writer["size"]):
                    yield self._type(reader, writer, where)
            case "array":
                yield from self.gaps(reader["items"], writer["items"], f"{where}[]")
            case "map":
                yield from self.gaps(reader["values"], writer["values"], f"{where}{{}}")
            case _:
                pass

    def _record(self, reader: Any, writer: Any, where: str) -> Iterator[Gap]:
        pair = (reader["name"], writer["name"])
        if pair in self.met:
            return
        self.met.add(pair)
        if _short(reader) != _short(writer):
            yield self._type(reader, writer, where)
            return
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            inner = f"{where}.{field['name']}" if where else field["name"]
            names = (field["name"], *field.get("aliases", ()))
            source = next((written[name] for name in names if name in written), None)
            if source is not None:
                yield from self.gaps(field["type"], source["type"], inner)
            elif "default" not in field:
                yield Gap(inner, Kind.NEEDED, field["name"], "")

    @staticmethod
    def _type(reader: Any, writer: Any, where: str) -> Gap:
        return Gap(where or _TOP, Kind.TYPE, _label(reader), _label(writer))


def _named(schema: Any) -> dict[str, Any]:
    """Every named type in a schema."""
    found: dict[str, Any] = {}

    def look(part: Any) -> None:
        match part:
            case list():
                for branch in part:
                    look(branch)
            case {"type": "record" | "error" | "enum" | "fixed"}:
                found[part["name"]] = part
                for field in part.get("fields", ()):
                    look(field["type"])
            case (
                {"type": "array", "items": inner}
                | {"type": "map", "values": inner}
                | {"type": dict() | list() as inner}
            ):
                look(inner)
            case _:
                pass

    look(schema)
    return found


def _whole(schema: Any, named: Mapping[str, Any]) -> Any:
    """A type as an object or a union: names looked up, wrappers taken off."""
    while True:
        match schema:
            case str():
                return named.get(schema, {"type": schema})
            case {"type": dict() | list() as inner}:
                schema = inner
            case {"type": str(name)} if name in named:
                schema = named[name]
            case _:
                return schema


def _short(schema: Any) -> str:
    """A name without its namespace: the specification lets those differ."""
    return str(schema["name"]).rpartition(".")[2]


def _label(schema: Any) -> str:
    match schema:
        case list():
            return "|".join(_label(branch) for branch in schema)
        case str():
            return schema.rpartition(".")[2]
        case {"name": _, "type": _}:
            return _short(schema)
        case {"type": "array", "items": inner}:
            return f"array of {_label(inner)}"
        case {"type": "map", "values": inner}:
            return f"map of {_label(inner)}"
        case _:
            return _label(schema["type"])
