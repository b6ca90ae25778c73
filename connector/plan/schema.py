"""IDHub's schema files as they are in the field: which attributes there are, and what they may hold.

PURE. A file is read as it is, faults of the field included (`multivalue` beside `multiValued`, no `type`). What a file
says that cannot be kept to is told at start, every problem at once.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.model.requests import AttributeValue

REGEX = "$REGEX "
"""Begins a canonical value that is a pattern for the whole value."""

ALIASES: tuple[frozenset[str], ...] = (
    # IDHub's guide and its newer pages name the same attributes differently.
    frozenset({"givenname", "firstname"}),
    frozenset({"surname", "lastname"}),
    frozenset({"usagelocation", "location"}),
)

TO_TARGET = frozenset({"bidirectional", "idhubtoapp"})
DIRECTIONS = TO_TARGET | {"apptoidhub", "nosync"}
MUTABILITIES = frozenset({"readwrite", "readonly", "immutable", "writeonly"})


class SchemaProblem(ValueError):
    """A schema that cannot be used; says everything that is wrong with it."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a schema."""

    name: str
    multivalued: bool = False
    required: bool = False
    mutability: str = "readwrite"
    """In lower case."""
    direction: str = "bidirectional"
    """In lower case, without hyphens."""
    case_exact: bool = False
    values: tuple[str, ...] = ()
    """The only values that it may have, when there are any."""
    patterns: tuple[re.Pattern[str], ...] = ()
    """One of them has to match the whole value, when there are any."""

    @property
    def is_written(self) -> bool:
        """Whether IDHub's value goes to AWS at all."""
        return self.direction in TO_TARGET

    def problem_of(self, value: str) -> str | None:
        """Why it cannot hold a value; None where it can."""
        if self.values and not self._is_listed(value):
            return f"{value!r} is none of {', '.join(self.values)}"
        if self.patterns and not any(pattern.fullmatch(value) for pattern in self.patterns):
            return f"{value[:80]!r} does not match {' or '.join(pattern.pattern for pattern in self.patterns)}"
        return None

    def _is_listed(self, value: str) -> bool:
        if self.case_exact:
            return value in self.values
        return value.casefold() in {one.casefold() for one in self.values}


@dataclass(frozen=True, slots=True)
class Schema:
    """All attributes of one resource."""

    attributes: tuple[Attribute, ...]

    def find(self, name: str) -> Attribute | None:
        """The attribute of a name, in whatever case (RFC 7643, 2.1), or of one of its other names."""
        wanted = name.casefold()
        same = next((names for names in ALIASES if wanted in names), frozenset({wanted}))
        named = {one.name.casefold(): one for one in self.attributes}
        return named.get(wanted) or next((named[other] for other in sorted(same) if other in named), None)


def to_schema(text: str) -> Schema:
    """The schema in a file's text.

    Raises:
        SchemaProblem: every problem, one sentence each.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise SchemaProblem(f"it is not JSON: {error}") from None
    told = given.get("attributes") if isinstance(given, Mapping) else given
    if not isinstance(told, list) or not all(isinstance(one, Mapping) and _is_text(one.get("name")) for one in told):
        raise SchemaProblem('it has no "attributes", a list of objects with a "name"')
    problems: list[str] = []
    attributes = tuple(_to_attribute(one, problems) for one in told)
    names = [one.name.casefold() for one in attributes]
    problems += [f"{name}: is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    unique = [one["name"] for one in told if str(one.get("uniqueness", "none")).casefold() in {"server", "global"}]
    if len(unique) > 1:
        problems.append(f"{', '.join(unique)}: only one attribute may be unique, or reconciliation fails")
    if problems:
        raise SchemaProblem("; ".join(problems))
    return Schema(attributes)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _to_attribute(told: Mapping[str, Any], problems: list[str]) -> Attribute:
    name = told["name"]
    values, patterns = [], []
    for value in told.get("canonicalValues") or ():
        if not isinstance(value, str):
            problems.append(f"{name}: canonicalValues holds {value!r}, which is no text")
        elif not value.startswith(REGEX):
            values.append(value)
        else:
            try:
                patterns.append(re.compile(value.removeprefix(REGEX)))
            except re.error as error:
                problems.append(f"{name}: {value!r} is no regular expression: {error}")
    return Attribute(
        name=name,
        multivalued=_flag(told, "multiValued", "multivalue", problems=problems),
        required=_flag(told, "required", problems=problems),
        mutability=_word(told, "mutability", "readWrite", MUTABILITIES, problems),
        direction=_word(told, "syncDirection", "bi-directional", DIRECTIONS, problems),
        case_exact=_flag(told, "caseExact", problems=problems),
        values=tuple(values),
        patterns=tuple(patterns),
    )


def _flag(told: Mapping[str, Any], *names: str, problems: list[str]) -> bool:
    value = next((told[name] for name in names if name in told), False)
    if not isinstance(value, bool):
        problems.append(f"{told['name']}: {names[0]} must be true or false")
        return False
    return value


def _word(told: Mapping[str, Any], name: str, default: str, known: frozenset[str], problems: list[str]) -> str:
    value = told.get(name, default)
    word = str(value).casefold().replace("-", "")
    if word not in known:
        problems.append(f"{told['name']}: {name} {value!r} is not known; it is one of {', '.join(sorted(known))}")
    return word


# -- a request's attributes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """A request's attributes under the schema's names, and what is wrong with them."""

    attributes: Mapping[str, AttributeValue]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out, and why."""


def check_attributes(schema: Schema, given: Mapping[str, AttributeValue], *, creating: bool) -> Checked:
    """The attributes that are to be written.

    Left out, with a note: what the schema's syncDirection does not send to AWS, and what is readOnly (when creating,
    only where it is not required as well: then it is taken once and kept).
    """
    problems: list[str] = []
    notes: list[str] = []
    kept: dict[str, AttributeValue] = {}
    for name, value in given.items():
        attribute = schema.find(name)
        if attribute is None:
            problems.append(f"{name}: the account schema has no such attribute")
        elif attribute.name in kept:
            problems.append(f"{name}: given twice, under two of its names")
        elif why := _unwritten(attribute, creating=creating):
            notes.append(f"{attribute.name} was not written: {why}.")
        else:
            kept[attribute.name] = _single(attribute, value, problems)
    problems += [
        f"{attribute.name}: is required"
        for attribute in schema.attributes
        if attribute.required and attribute.is_written and _is_unset(attribute, kept, creating=creating)
    ]
    return Checked(kept, tuple(problems), tuple(notes))


def _unwritten(attribute: Attribute, *, creating: bool) -> str | None:
    if not attribute.is_written:
        return f"its syncDirection in the account schema is {attribute.direction}"
    if attribute.mutability == "readonly" and not (creating and attribute.required):
        return "it is readOnly in the account schema"
    if attribute.mutability == "immutable" and not creating:
        return "it is immutable in the account schema"
    return None


def _single(attribute: Attribute, value: AttributeValue, problems: list[str]) -> AttributeValue:
    """One value; of several the first where there is just one, as multi-valued attributes come."""
    values = value if isinstance(value, tuple) else (value,)
    if isinstance(value, tuple) and not attribute.multivalued:
        problems.append(f"{attribute.name}: has one value and no list, by the account schema")
        return value
    told = (attribute.problem_of(one) for one in values if one is not None)
    problems += [f"{attribute.name}: {why}" for why in told if why is not None]
    return values[0] if len(values) == 1 else (value if values else None)


def _is_unset(attribute: Attribute, kept: Mapping[str, AttributeValue], *, creating: bool) -> bool:
    """Missing where an account is made, or cleared."""
    if attribute.name not in kept:
        return creating and attribute.name != "userName"
    return kept[attribute.name] is None
