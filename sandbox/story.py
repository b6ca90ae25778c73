"""The demo's story: requests as a producer would publish them, each with what must come of it.

Data only. `sandbox.demo` plays it; the order matters, the requests of one chapter are published together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.send import entitlement, new_request

REPLY, SAME_REPLY, DEAD_LETTER = "reply", "same reply", "dead letter"


@dataclass(frozen=True, slots=True)
class Scene:
    """One record that is published, and what has to be seen afterwards."""

    title: str
    fields: Mapping[str, Any] | None
    """The request; None: `raw` is published instead."""
    status: str | None
    """The reply's status; None where no reply can be given."""
    error: str | None = None
    """The reply's error code."""
    raw: bytes | None = None
    key: bytes | None = None
    """Another key than the canonical one."""
    headers: tuple[tuple[str, bytes], ...] = ()
    expect: str = REPLY
    check: Callable[[Mapping[str, Any]], bool] | None = None
    """More that must hold of the reply."""


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    scenes: tuple[Scene, ...] = field(default_factory=tuple)


def story(account: str, connector_user: str) -> tuple[Chapter, ...]:
    """The whole story for an account in which the stand-in's groups and policies exist, and the user `leaver`."""

    def request(request_id: str, operation: str, user: str, **fields: Any) -> dict[str, Any]:
        return new_request(
            operation, account, user, requestId=request_id, requestedBy={"system": "IDHub", "user": "jerome"}, **fields
        )

    def groups(*names: str) -> list[dict[str, Any]]:
        return [entitlement("GROUP", name) for name in names]

    read_only = entitlement("AWS_MANAGED_POLICY", "ReadOnlyAccess")
    joiner = request(
        "demo-01",
        "CREATE_ACCOUNT",
        "Alice.Miller",
        attributes={"displayName": "Alice Miller", "department": "Finance", "mail": "alice@example.com"},
        entitlements=[*groups("developers"), read_only],
        approval={"ticket": "REQ-1001", "approver": "jerome"},
    )
    return (
        Chapter(
            "A joiner",
            (
                Scene(
                    "create alice with a group, a policy and a password",
                    joiner,
                    "SUCCEEDED",
                    check=lambda reply: bool(reply["credential"]) and reply["account"]["groups"] == ["developers"],
                ),
            ),
        ),
        Chapter(
            "The same again",
            (
                Scene(
                    "the same request once more: the same reply, nothing done", joiner, "SUCCEEDED", expect=SAME_REPLY
                ),
                Scene(
                    "the same id with another content",
                    {**joiner, "attributes": {"department": "Sales"}},
                    "REJECTED",
                    "CONFLICT",
                ),
                Scene(
                    "create ALICE.MILLER: names ignore case",
                    request("demo-04", "CREATE_ACCOUNT", "ALICE.MILLER"),
                    "FAILED",
                    "ACCOUNT_EXISTS",
                ),
            ),
        ),
        Chapter(
            "A mover",
            (
                Scene(
                    "grant a group, and one that does not exist",
                    request(
                        "demo-05",
                        "GRANT_ENTITLEMENTS",
                        "Alice.Miller",
                        entitlements=groups("auditors", "no-such-group"),
                    ),
                    "PARTIAL",
                    check=lambda reply: sorted(step["outcome"] for step in reply["steps"]) == ["DONE", "FAILED"],
                ),
                Scene(
                    "grant what she has",
                    request("demo-06", "GRANT_ENTITLEMENTS", "Alice.Miller", entitlements=groups("Auditors")),
                    "UNCHANGED",
                ),
                Scene(
                    "revoke a group and the policy",
                    request(
                        "demo-07", "REVOKE_ENTITLEMENTS", "Alice.Miller", entitlements=[*groups("auditors"), read_only]
                    ),
                    "SUCCEEDED",
                ),
            ),
        ),
        Chapter(
            "What is refused",
            (
                Scene(
                    "grant to somebody who is not there",
                    request("demo-08", "GRANT_ENTITLEMENTS", "nobody", entitlements=groups("developers")),
                    "FAILED",
                    "NO_SUCH_ACCOUNT",
                ),
                Scene(
                    "a name that IAM refuses",
                    request("demo-09", "CREATE_ACCOUNT", "bad name!"),
                    "REJECTED",
                    "BAD_USER_NAME",
                ),
                Scene(
                    "an operation nobody knows", request("demo-10", "UNKNOWN", "bob"), "REJECTED", "UNKNOWN_OPERATION"
                ),
                Scene(
                    "the connector's own user",
                    request("demo-11", "DELETE_ACCOUNT", connector_user),
                    "REJECTED",
                    "PROTECTED_PRINCIPAL",
                ),
                Scene(
                    "published under a wrong key",
                    request("demo-12", "CREATE_ACCOUNT", "carol"),
                    "REJECTED",
                    "KEY_MISMATCH",
                    key=b"somebody-else",
                ),
                Scene(
                    "a reply topic that does not exist",
                    request("demo-13", "CREATE_ACCOUNT", "dave"),
                    "REJECTED",
                    "BAD_REPLY_TOPIC",
                    headers=(("reply-topic", b"no-such-topic"),),
                ),
                Scene(
                    "bytes that are no record", None, None, raw=b"this is not Avro", key=b"somebody", expect=DEAD_LETTER
                ),
            ),
        ),
        Chapter(
            "A leaver",
            (
                Scene(
                    "look first: what would a deletion do",
                    request("demo-15", "DELETE_ACCOUNT", "leaver", dryRun=True),
                    "PLANNED",
                    check=lambda reply: all(step["outcome"] == "PLANNED" for step in reply["steps"]),
                ),
                Scene(
                    "delete a user who has every kind of credential",
                    request(
                        "demo-16", "DELETE_ACCOUNT", "leaver", approval={"ticket": "REQ-1002", "approver": "jerome"}
                    ),
                    "SUCCEEDED",
                ),
                Scene("delete again: nothing left to do", request("demo-17", "DELETE_ACCOUNT", "leaver"), "UNCHANGED"),
            ),
        ),
    )
