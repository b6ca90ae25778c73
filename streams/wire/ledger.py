"""Ledger entries ↔ the model: a request that was begun, or finished, and where it stood."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.model.requests import Operation
from connector.model.results import Intent, IntentStep

from .accounts import from_items, to_items

NAME = "LedgerEntry"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry as its owner reads it."""

    finished: bool
    request_hash: str
    intent: Intent | None
    reply: bytes | None
    """The framed reply of a finished request; None for a mark."""


def started(topic: str, offset: int, intent: Intent) -> dict[str, Any]:
    """The fields of a STARTED entry."""
    return {
        "state": "STARTED",
        "requestTopic": topic,
        "requestOffset": offset,
        "requestId": intent.request_id,
        "requestHash": intent.request_hash,
        "intent": {
            "operation": intent.operation.value,
            "userId": intent.user_id,
            "steps": [
                {
                    "number": step.number,
                    "key": step.key,
                    "action": step.action,
                    "target": step.target,
                    "attempts": step.attempts,
                }
                for step in intent.steps
            ],
            "wasActive": from_items(intent.was_active),
            "lives": intent.lives,
            "startedAt": intent.started_at,
        },
    }


def finished(
    topic: str, offset: int, *, request_id: str | None, request_hash: str, reply: bytes | None, note: str = ""
) -> dict[str, Any]:
    """The fields of a FINISHED entry."""
    return {
        "state": "FINISHED",
        "requestTopic": topic,
        "requestOffset": offset,
        "requestId": request_id,
        "requestHash": request_hash,
        "intent": None,
        "reply": reply,
        "note": note,
    }


def to_entry(fields: Mapping[str, Any]) -> LedgerEntry:
    """What a decoded entry says."""
    return LedgerEntry(
        finished=fields["state"] == "FINISHED",
        request_hash=fields["requestHash"],
        intent=_intent(fields),
        reply=fields["reply"],
    )


def _intent(fields: Mapping[str, Any]) -> Intent | None:
    intent = fields["intent"]
    if intent is None:
        return None
    return Intent(
        request_id=fields["requestId"],
        request_hash=fields["requestHash"],
        operation=Operation(intent["operation"]),
        user_id=intent["userId"],
        steps=tuple(
            IntentStep(step["number"], step["key"], step["action"], step["target"], step["attempts"])
            for step in intent["steps"]
        ),
        was_active=to_items(intent["wasActive"]),
        lives=intent["lives"],
        started_at=intent["startedAt"],
    )
