"""Replies and events for a person at a terminal. No colour where the output is piped (rich sees to that)."""

from collections.abc import Mapping
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


def styled(word: str) -> Text:
    """A status or an outcome in its colour."""
    return Text(word, style=STYLE.get(word, ""))


def print_reply(reply: Mapping[str, Any], console: Console | None = None) -> None:
    """One reply: the status, why, step by step, the account afterwards."""
    console = console or Console(highlight=False)
    head = Text.assemble(
        styled(reply["status"]), f"  {reply['operation']} {reply['userName']}  (request {reply['requestId']})"
    )
    console.print(head)
    if reply["error"]:
        console.print(Text(f"  {reply['error']['code']}: {reply['error']['message']}"))
    if reply["steps"]:
        table = Table("step", "action", "target", "outcome", "AWS request", box=None, pad_edge=True)
        for step in reply["steps"]:
            why = f" {step['errorCode']}: {step['errorMessage']}" if step["errorCode"] else ""
            table.add_row(
                str(step["number"]),
                step["action"],
                step["target"],
                Text.assemble(styled(step["outcome"]), why),
                step["awsRequestId"] or "",
            )
        console.print(table)
    for note in reply["notes"]:
        console.print(Text(f"  note: {note}"))
    if reply["account"]:
        console.print(Text(f"  account: {account_line(reply['account'])}"))
    if reply["credential"]:
        console.print(Text("  password: delivered as a JWE to IDHub's key"))
    if reply["planHash"] and reply["status"] == "PLANNED":
        console.print(Text(f"  plan hash: {reply['planHash']}"))


def account_line(account: Mapping[str, Any]) -> str:
    """An account in one line."""
    parts = [f"{account['arn']} ({account['userId']})"]
    for field, word in (("groups", "groups"), ("attachedPolicies", "policies")):
        if account[field] is not None:
            parts.append(f"{word}: {', '.join(account[field]) or 'none'}")
    return ", ".join(parts)


def event_line(kind: str, fields: Mapping[str, Any]) -> Text:
    """One record of a watched topic in one line."""
    match kind:
        case "ProvisioningReply":
            error = f"  {fields['error']['code']}: {fields['error']['message']}" if fields["error"] else ""
            words = f"  {fields['operation']} {fields['userName']} (request {fields['requestId']}){error}"
            return Text.assemble("reply   ", styled(fields["status"]), words)
        case "AuditEvent":
            who = fields["requestedBy"]["system"] if fields["requestedBy"] else fields["origin"]
            return Text(
                f"audit   {fields['action']} {fields['target']} on {fields['userName']} by {who} (request {fields['requestId']})"
            )
        case "AccountChange":
            what = "; ".join(f"{f['field']}: {f['before']} → {f['after']}" for f in fields["fields"])
            return Text(f"change  {fields['kind']} {fields['userName']} ({fields['origin']}) {what}")
        case _:
            return Text(f"{kind} {fields}")
