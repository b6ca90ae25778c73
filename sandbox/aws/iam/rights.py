"""What policies allow: AWS's evaluation of identity policies, boundaries, SCPs and trust policies for one request.

Source: "Policy evaluation logic" and "IAM JSON policy elements" in the IAM user guide. An explicit Deny anywhere wins;
else each layer (SCPs, boundary, session policy, identity) must allow. Condition operators that are not in `_OPERATORS`
make an Allow not apply and a Deny apply: the stand-in is rather too strict than too lax.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

Keys = Mapping[str, str | Sequence[str]]
"""The request's context: condition keys, lower case → value or values."""


class Decision(StrEnum):
    """In SimulatePrincipalPolicy's words."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Source:
    """One policy and where it comes from."""

    document: str
    source_id: str = ""
    """Its name, as simulations tell it."""
    source_type: str = "IAM Policy"


@dataclass(frozen=True, slots=True)
class Layers:
    """All that has a say. A layer that is None has none."""

    identity: Sequence[Source]
    boundary: Sequence[Source] | None = None
    session: Sequence[Source] | None = None
    organization: Sequence[Source] | None = None

    def named(self) -> Iterable[tuple[str, Sequence[Source]]]:
        """(the layer's name in AWS's sentences, its policies), in the order in which AWS tells them."""
        layers = (
            ("service control policy", self.organization),
            ("permissions boundary", self.boundary),
            ("session policy", self.session),
            ("identity-based policy", self.identity),
        )
        return ((name, sources) for name, sources in layers if sources is not None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out."""

    decision: Decision
    layer: str = ""
    """The layer that refused, in AWS's words; empty when nothing did."""
    matched: tuple[Source, ...] = ()
    """Policies whose statements decided."""


def evaluate(layers: Layers, action: str, resource: str, keys: Keys) -> Verdict:
    """Whether a principal may do it.

    Args:
        layers: the policies that have a say.
        action: `iam:CreateUser`.
        resource: an ARN, or `*`.
        keys: the request's context.
    """
    for name, sources in layers.named():
        denying = tuple(one for one in sources if applies(one.document, "Deny", action, resource, keys))
        if denying:
            return Verdict(Decision.EXPLICIT_DENY, name, denying)
    allowing: tuple[Source, ...] = ()
    for name, sources in layers.named():
        allowing = tuple(one for one in sources if applies(one.document, "Allow", action, resource, keys))
        if not allowing:
            return Verdict(Decision.IMPLICIT_DENY, name)
    return Verdict(Decision.ALLOWED, "", allowing)


def applies(document: str, effect: str, action: str, resource: str, keys: Keys) -> bool:
    """Whether a statement of that effect is about this request."""
    return any(
        one["Effect"] == effect
        and _hits(one, "Action", action, keys, fold=True)
        and ("Principal" in one or _hits(one, "Resource", resource, keys))
        and conditions_hold(one.get("Condition", {}), keys, denies=effect == "Deny")
        for one in statements(document)
    )


@lru_cache(maxsize=4096)
def statements(document: str) -> tuple[Mapping[str, Any], ...]:
    """The statements of a document that IAM has accepted."""
    told = json.loads(document)["Statement"]
    return (told,) if isinstance(told, dict) else tuple(told)


def listed(value: Any) -> list[Any]:
    """Policies may write one value in the place of a list."""
    return value if isinstance(value, list) else [value]


def _hits(statement: Mapping[str, Any], name: str, value: str, keys: Keys, *, fold: bool = False) -> bool:
    negated = f"Not{name}"
    if negated in statement:
        return not any(like(filled(one, keys), value, fold=fold) for one in listed(statement[negated]))
    return any(like(filled(one, keys), value, fold=fold) for one in listed(statement.get(name, [])))


_VARIABLE = re.compile(r"\$\{([^}]+)\}")


def filled(pattern: str, keys: Keys) -> str:
    """The pattern with its policy variables; one without a value matches nothing."""
    if "${" not in pattern:
        return pattern

    def value_of(match: re.Match[str]) -> str:
        name, _, default = match[1].partition(",")
        if name in ("*", "?", "$"):
            return name
        value = keys.get(name.strip().casefold())
        return value if isinstance(value, str) else default.strip(" '") or "\x00"

    return _VARIABLE.sub(value_of, pattern)


def like(pattern: str, value: str, *, fold: bool = False) -> bool:
    """`*` and `?` as in policies."""
    if pattern == "*":
        return True
    return _pattern(pattern, fold).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _pattern(pattern: str, fold: bool) -> re.Pattern[str]:
    translated = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(translated, re.IGNORECASE | re.DOTALL if fold else re.DOTALL)


# Conditions


def conditions_hold(blocks: Mapping[str, Mapping[str, Any]], keys: Keys, *, denies: bool = False) -> bool:
    """Whether all condition operators and keys hold; `denies` says what an unknown operator means."""
    for told, block in blocks.items():
        operator, every, any_value = told, False, False
        for prefix in ("ForAllValues:", "ForAnyValue:"):
            if operator.startswith(prefix):
                operator = operator.removeprefix(prefix)
                every, any_value = prefix == "ForAllValues:", prefix == "ForAnyValue:"
        optional = operator.endswith("IfExists")
        operator = operator.removesuffix("IfExists")
        if operator != "Null" and operator not in _OPERATORS:
            return denies
        for key, wanted in block.items():
            has = keys.get(key.casefold())
            if operator == "Null":
                if (has is None) != (str(listed(wanted)[0]).casefold() == "true"):
                    return False
                continue
            if has is None:
                if optional or every or (_OPERATORS[operator].negative and not any_value):
                    continue
                return False
            if not _holds(_OPERATORS[operator], [str(one) for one in listed(wanted)], has, keys, every):
                return False
    return True


def _holds(operator: "_Operator", wanted: list[str], has: str | Sequence[str], keys: Keys, every: bool) -> bool:
    values = [has] if isinstance(has, str) else list(has)

    def fits(value: str) -> bool:
        found = any(operator.test(filled(one, keys), value) for one in wanted)
        return not found if operator.negative else found

    # A key with several values and no set operator is taken as ForAnyValue.
    return all(map(fits, values)) if every else any(map(fits, values))


@dataclass(frozen=True, slots=True)
class _Operator:
    test: Callable[[str, str], bool]
    """(policy's value, request's value)."""
    negative: bool = False


def _number(test: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, has: test(float(has), float(wanted))


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _date(test: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, has: test(_moment(has), _moment(wanted))


def _equal(wanted: str, has: str) -> bool:
    return wanted == has


def _equal_folded(wanted: str, has: str) -> bool:
    return wanted.casefold() == has.casefold()


_OPERATORS: Mapping[str, _Operator] = {
    "StringEquals": _Operator(_equal),
    "StringNotEquals": _Operator(_equal, negative=True),
    "StringEqualsIgnoreCase": _Operator(_equal_folded),
    "StringNotEqualsIgnoreCase": _Operator(_equal_folded, negative=True),
    "StringLike": _Operator(like),
    "StringNotLike": _Operator(like, negative=True),
    "ArnEquals": _Operator(like),
    "ArnLike": _Operator(like),
    "ArnNotEquals": _Operator(like, negative=True),
    "ArnNotLike": _Operator(like, negative=True),
    "Bool": _Operator(_equal_folded),
    "NumericEquals": _Operator(_number(lambda a, b: a == b)),
    "NumericNotEquals": _Operator(_number(lambda a, b: a == b), negative=True),
    "NumericLessThan": _Operator(_number(lambda a, b: a < b)),
    "NumericLessThanEquals": _Operator(_number(lambda a, b: a <= b)),
    "NumericGreaterThan": _Operator(_number(lambda a, b: a > b)),
    "NumericGreaterThanEquals": _Operator(_number(lambda a, b: a >= b)),
    "DateEquals": _Operator(_date(lambda a, b: a == b)),
    "DateLessThan": _Operator(_date(lambda a, b: a < b)),
    "DateLessThanEquals": _Operator(_date(lambda a, b: a <= b)),
    "DateGreaterThan": _Operator(_date(lambda a, b: a > b)),
    "DateGreaterThanEquals": _Operator(_date(lambda a, b: a >= b)),
}
