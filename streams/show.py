"""Replies and events for a person at a terminal. No colour where the output is piped (rich sees to that).

What records say was written by others: it is printed as it is, never taken for markup or for a terminal's commands.
"""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

STYLE = {
    "SUCCEEDED": "green",
    "UNCHANGED": "green",
    "PLANNED": "cyan",
    "PARTIAL": "yellow",
    "FAILED": "red",
    "REJECTED": "red",
    "DONE": "green",
    "ALREADY_SO": "dim",
    "NOT_TRIED": "yellow",
}

PIPED_WIDTH = 10_000
"""Columns where nobody looks: lines for `grep` are never broken."""

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "�") | {9: " ", 10: " ", 13: " "}


def terminal() -> Console:
    """Where commands print."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def harmless(text: object) -> str:
    """Text of others on one line, without the characters that command a terminal."""
    return str(text).translate(_CONTROL)


def to_json(value: Any) -> str:
    """One line for a program: times in ISO 8601; bytes, which are a record inside the record, by their size."""
    return json.dumps(value, default=_plain)


def _plain(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return f"{len(value)} bytes"
        case _:
            return str(value)


def styled(word: str) -> Text:
    """A status or an outcome in its colour."""
    return Text(harmless(word), style=STYLE.get(word, ""))


def print_reply(reply: Mapping[str, Any], console: Console | None = None) -> None:
    """One reply: the status, why, step by step, the account afterwards."""
    console = console or terminal()
    what = f"  {reply['operation']} {reply['userName']}  (request {reply['requestId']})"
    console.print(Text.assemble(styled(reply["status"]), harmless(what)))
    if reply["error"]:
        again = "; the same may succeed later" if reply["error"]["retryable"] else ""
        console.print(Text(harmless(f"  {_error(reply['error'])}{again}")))
    if reply["steps"]:
        console.print(_steps(reply["steps"]))
    for note in reply["notes"]:
        console.print(Text(harmless(f"  note: {note}")))
    if reply["account"]:
        console.print(Text(harmless(f"  account: {account_line(reply['account'])}")))
    if reply["credential"]:
        console.print(Text("  password: delivered as a JWE to IDHub's key"))
    if reply["planHash"] and reply["status"] == "PLANNED":
        console.print(Text(harmless(f"  plan hash: {reply['planHash']}")))


def _steps(steps: Any) -> Table:
    table = Table(box=None, pad_edge=True)
    for name in ("step", "action", "target", "outcome", "AWS request"):
        table.add_column(name, overflow="fold")
    for step in steps:
        why = f" {step['errorCode']}: {step['errorMessage']}" if step["errorCode"] else ""
        table.add_row(
            Text(str(step["number"])),
            Text(harmless(step["action"])),
            Text(harmless(step["target"])),
            Text.assemble(styled(step["outcome"]), harmless(why)),
            Text(harmless(step["awsRequestId"] or "")),
        )
    return table


def _error(error: Mapping[str, Any]) -> str:
    return f"{error['code']}: {error['message']}"


def account_line(account: Mapping[str, Any]) -> str:
    """An account in one line."""
    parts = [f"{account['arn']} ({account['userId']})"]
    if account["enabled"] is False:
        parts.append("disabled")
    for field, word in (("groups", "groups"), ("attachedPolicies", "policies"), ("inlinePolicies", "inline policies")):
        if account[field] is not None:
            parts.append(f"{word}: {', '.join(account[field]) or 'none'}")
    return ", ".join(parts)


# -- one line for each record of a watched topic ---------------------------------------------------------------------


def event_line(kind: str, fields: Mapping[str, Any]) -> Text:
    """One record of a watched topic in one line."""
    word, line = LINES.get(kind, (kind, lambda fields: (Text(harmless(fields)),)))
    return Text.assemble(f"{word:<8} ", *line(fields))


def _reply(f: Mapping[str, Any]) -> tuple[Text | str, ...]:
    error = f"  {_error(f['error'])}" if f["error"] else ""
    return styled(f["status"]), harmless(f"  {f['operation']} {f['userName']} (request {f['requestId']}){error}")


def _audit(f: Mapping[str, Any]) -> tuple[str]:
    who = f["requestedBy"]["system"] if f["requestedBy"] else f["origin"]
    why = f" (request {f['requestId']})" if f["requestId"] else ""
    return (harmless(f"{f['action']} {f['target']} on {f['userName']} by {who}{why}"),)


def _change(f: Mapping[str, Any]) -> tuple[str]:
    what = "; ".join(f"{one['field']}: {_none(one['before'])} → {_none(one['after'])}" for one in f["fields"])
    return (harmless(f"{f['kind']} {f['userName']} ({f['origin']}) {what}"),)


def _account(f: Mapping[str, Any]) -> tuple[str]:
    facets = {"groups": "groups", "attachedPolicies": "policies", "accessKeys": "access keys"}
    counted = ", ".join(f"{len(f[field])} {word}" for field, word in facets.items() if f[field] is not None)
    state = "deleted" if f["deleted"] else "disabled" if f["enabled"] is False else "there"
    return (harmless(f"{f['userName']} ({f['userId']}) {state}{': ' if counted else ''}{counted}"),)


def _request(f: Mapping[str, Any]) -> tuple[str]:
    who = f["requestedBy"]["system"] if f["requestedBy"] else "nobody named"
    return (harmless(f"{f['operation']} {f['userName']} (request {f['requestId']}) by {who}"),)


def _refresh(f: Mapping[str, Any]) -> tuple[str]:
    return (harmless(f"{f['userName']}: {', '.join(f['facets']) or 'the identity'} because of {f['reason']}"),)


def _dead_letter(f: Mapping[str, Any]) -> tuple[str]:
    where = f"{f['original-topic']}, partition {f['original-partition']}, offset {f['original-offset']}"
    why = f"{f['error-class']}: {f['error-message']}"
    return (harmless(f"{f['key']} at {f['error-stage']}: {why} ({where})"),)


def _unreadable(f: Mapping[str, Any]) -> tuple[str]:
    return (harmless(f"{f['topic']}, offset {f['offset']}: {f['error']}"),)


def _none(value: str | None) -> str:
    return "none" if value is None else value


LINES: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], tuple[Text | str, ...]]]] = {
    "ProvisioningReply": ("reply", _reply),
    "AuditEvent": ("audit", _audit),
    "AccountChange": ("change", _change),
    "AccountState": ("account", _account),
    "ProvisioningRequest": ("request", _request),
    "Refresh": ("refresh", _refresh),
    "DeadLetter": ("buried", _dead_letter),
    "Unreadable": ("broken", _unreadable),
}
"""What a line begins with, and how it goes on."""
