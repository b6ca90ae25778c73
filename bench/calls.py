"""AWS calls per operation: exact counts from the stand-in's journal, beside the figures.

One request at a time. What a worker asks once for all requests (who it is, the account's password policy) is asked
beforehand and not counted. Within two minutes of a change a reading proves nothing, so a grant that a reading shows is
sent all the same; later it is not.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox.leaver import plant_leaver
from streams.send import RequestClient

from .load import Fields, create, delete, grant, plant_users, revoke
from .world import World, make_topics, world

REPLY_S = 60.0
GROUPS = ("admins", "developers", "auditors")
POLICIES = ("ReadOnlyAccess", "SecurityAudit")


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what is asked, and how many calls it may take."""

    title: str
    request: Callable[[], Fields]
    at_most: int | None
    status: str = "SUCCEEDED"


# n entitlements may take n + 1 + one call for each of their kinds.
_MANY = len(GROUPS) + len(POLICIES) + 1 + 2

CASES: Sequence[Case] = (
    Case("grant one group", lambda: grant("one"), 3),
    Case("grant it again, with another id", lambda: grant("one"), 3, "UNCHANGED"),
    Case("revoke one group", lambda: revoke("member"), 3),
    Case("grant 3 groups and 2 policies", lambda: grant("many", *GROUPS, policies=POLICIES), _MANY),
    Case("revoke 3 groups and 2 policies", lambda: revoke("many", *GROUPS, policies=POLICIES), _MANY),
    Case("create with password, one group, one policy", lambda: create("fresh"), 7),
    Case("delete a user with every kind of credential", lambda: delete("leaver"), None),
    Case("grant to nobody", lambda: grant("nobody"), 3, "FAILED"),
)


def run(console: Console) -> dict[str, Any]:
    """One worker, one request after the other."""
    with world(partitions="2", call_threads="4") as the_world:
        plant_users(the_world.console, ("one", "many", "first"))
        plant_users(the_world.console, ("member",), GROUPS[1])
        plant_leaver(the_world.console)
        the_world.console.settle()
        asyncio.run(make_topics(the_world.settings()))
        with the_world.worker() as worker:
            rows = asyncio.run(_play(the_world, console))
            worker.require_alive()
    return {"rows": rows}


async def _play(the_world: World, console: Console) -> list[dict[str, Any]]:
    rows = []
    async with RequestClient(the_world.settings()) as client:
        await client.ask(create("warm-up"), timeout_s=REPLY_S)
        for case in CASES:
            request = case.request()
            rows.append(await _count(the_world, client, case.title, request, case))
        repeated = Case("the same request again, same id", lambda: request, 0, rows[-1]["status"])
        rows.append(await _count(the_world, client, repeated.title, request, repeated))
    for row in rows:
        if row["status"] != row["wanted_status"]:
            console.print(f"[red]{row['title']} came out {row['status']}: {row['error']}")
    return rows


async def _count(the_world: World, client: RequestClient, title: str, request: Fields, case: Case) -> dict[str, Any]:
    seen = the_world.console.journal()[-1].seq
    reply = await client.ask(request, timeout_s=REPLY_S)
    entries = the_world.console.journal(seen)
    return {
        "title": title,
        "status": reply["status"],
        "wanted_status": case.status,
        "error": reply["error"],
        "calls": len(entries),
        "at_most": case.at_most,
        "actions": [entry.action for entry in entries],
    }


def to_table(figures: dict[str, Any]) -> Table:
    table = Table(title="AWS calls per operation (the stand-in's journal)")
    table.add_column("operation")
    for name in ("calls", "at most"):
        table.add_column(name, justify="right")
    table.add_column("which")
    for row in figures["rows"]:
        good = row["at_most"] is None or row["calls"] <= row["at_most"]
        at_most = "" if row["at_most"] is None else str(row["at_most"])
        table.add_row(row["title"], f"{row['calls']}{'' if good else ' ✗'}", at_most, _short(row["actions"]))
    return table


def _short(actions: Sequence[str]) -> str:
    """Consecutive equal ones counted."""
    parts: list[list[Any]] = []
    for action in actions:
        if parts and parts[-1][0] == action:
            parts[-1][1] += 1
        else:
            parts.append([action, 1])
    return ", ".join(action if count == 1 else f"{count} × {action}" for action, count in parts)
