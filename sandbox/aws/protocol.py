"""AWS's query protocol: a form goes in, XML comes out, both exactly as botocore's serializer and parser have them.

Nothing here knows an action; lists are `Name.member.1`, structures `Name.member.1.Key`, maps are answered as entries.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote_plus

from .iam.errors import AwsError
from .iam.model import Document

Form = dict[str, Any]

_MAPS = frozenset({"SummaryMap"})
"""Members of answers that are maps and not structures."""
_TO_ESCAPE = re.compile(r"[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def parse_form(text: str) -> Form:
    """The parameters, text at the leaves.

    Raises:
        AwsError: ValidationError for names that contradict each other.
    """
    form: Form = {}
    nested = False
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if "%" in value or "+" in value:
            value = unquote_plus(value)
        if "%" in name:
            name = unquote_plus(name)
        nested = nested or "." in name
        if name:
            form[name] = value
    return _unfold(form) if nested else form


def _unfold(flat: Mapping[str, str]) -> Form:
    tree: Form = {}
    for name, value in flat.items():
        *way, last = name.split(".")
        node = tree
        for word in way:
            node = node.setdefault(word, {})
            if not isinstance(node, dict):
                raise AwsError("ValidationError", f"The parameter {name} is not well formed.")
        node[last] = value
    return {name: _to_value(node) for name, node in tree.items()}


def _to_value(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    members = node.get("member")
    if isinstance(members, dict) and len(node) == 1 and all(number.isdecimal() for number in members):
        return [_to_value(members[number]) for number in sorted(members, key=int)]
    return {name: _to_value(child) for name, child in node.items()}


def to_answer(namespace: str, action: str, answer: Mapping[str, Any], request_id: str) -> bytes:
    """The body of a successful answer; an empty `answer` has no result element."""
    out = [f'<{action}Response xmlns="{namespace}">']
    if answer:
        _render(f"{action}Result", answer, out)
    out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>")
    return "".join(out).encode()


def to_error(namespace: str, error: AwsError, request_id: str) -> bytes:
    """The body of an error answer; whose fault it is follows from the status."""
    fault = "Sender" if error.status < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{fault}</Type><Code>{_escape(error.code)}</Code>'
        f"<Message>{_escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _render(name: str, value: Any, out: list[str]) -> None:
    leaf = _LEAVES.get(type(value))
    if leaf is not None:
        out.append(f"<{name}>{leaf(value)}</{name}>")
        return
    out.append(f"<{name}>")
    if isinstance(value, list):
        for item in value:
            _render("member", item, out)
    elif name in _MAPS:
        out.extend(f"<entry><key>{key}</key><value>{item}</value></entry>" for key, item in value.items())
    else:
        for key, item in value.items():
            _render(key, item, out)
    out.append(f"</{name}>")


def _escape(text: str) -> str:
    if _TO_ESCAPE.search(text) is None:
        return text
    # XML 1.0 has no way to write the other control characters.
    return _TO_ESCAPE.sub(lambda match: _ESCAPES.get(match[0], "?"), text)


def _to_time(moment: datetime) -> str:
    return f"{moment.isoformat()[:19]}Z"


def _to_percent(document: str) -> str:
    return quote(document, safe="")


_LEAVES: Mapping[type, Callable[[Any], str]] = {
    str: _escape,
    Document: _to_percent,
    datetime: _to_time,
    bool: lambda value: "true" if value else "false",
    int: str,
    bytes: lambda value: b64encode(value).decode(),
}
