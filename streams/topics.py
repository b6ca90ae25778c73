"""Every topic once: its key, its schema, how it is kept, who writes and who reads it.

`idhub-aws topics create|check|acls` and the tables in avro/README.md and docs/security.md are made from these rows. A
row that is not `present` belongs to a feature that this version does not have yet: its name is taken, the topic is
not created.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000
DEFAULT_PARTITIONS = 6
"""Of topics that need not be co-partitioned."""

IDHUB, GATEWAY, WORKER, OPERATORS = "IDHub", "gateway", "worker", "operators"
SECURITY, OTHERS = "security teams", "other programs"

ROLES: Mapping[str, str] = {
    IDHUB: "asks for changes and hears the answers: an IAM administrator",
    GATEWAY: "turns HTTP into requests: an IAM administrator",
    WORKER: "changes IAM; the only writer of what is true",
    OPERATORS: "people who create topics, watch, and have users read again",
    SECURITY: "read who changed what, and when",
    OTHERS: "read the state of accounts and its changes",
}
"""Who there is. Whoever uses `idhub-aws send` has the role of IDHub."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table."""

    name: str
    """Behind the prefix."""
    key: str
    schema: str | None
    """The record of its values; None: the original bytes, or a schema that comes with its feature."""
    cleanup: str
    retention_days: int | None
    """None: as long as compaction keeps it."""
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    co_partitioned: bool = False
    """As many partitions as `requests`: one owner holds the same number of all of them."""
    log_append_time: bool = False
    """The broker's clock, so that no producer's decides retention."""
    max_message_bytes: int = 1_048_588
    personal: str = ""
    """Fields that are personal data, for those who answer for it."""
    present: bool = True
    """False: belongs to a feature that this version does not have yet."""

    @property
    def config(self) -> Mapping[str, str]:
        """Kafka's topic settings. What is deleted is deleted by age alone: a size would cut history at any age."""
        config = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_message_bytes)}
        if self.retention_days is not None:
            config["retention.ms"] = str(self.retention_days * DAY_MS)
            config["retention.bytes"] = "-1"
        if self.log_append_time:
            config["message.timestamp.type"] = "LogAppendTime"
        return config


USER_KEY = "user key"
EITHER_KEY = "user key or entitlement key"

TOPICS: tuple[Topic, ...] = (
    Topic("requests", USER_KEY, "ProvisioningRequest", "delete", 7, (IDHUB, GATEWAY), (WORKER,), co_partitioned=True, log_append_time=True, personal="userName, newUserName, attributes, tags.set, requestedBy.user, approval.approver"),
    Topic("refreshes", EITHER_KEY, "Refresh", "delete", 7, (WORKER, OPERATORS), (WORKER,), co_partitioned=True, personal="userName, actor, observedState"),
    Topic("replies", USER_KEY, "ProvisioningReply", "delete", 14, (WORKER,), (IDHUB, GATEWAY, OPERATORS), personal="userName, steps.target, steps.errorMessage, account.userName, account.arn, notes, error.message"),
    Topic("audit", USER_KEY, "AuditEvent", "delete", 400, (WORKER,), (SECURITY, OPERATORS), personal="userName, target, requestedBy.user, approval.approver"),
    Topic("changes", EITHER_KEY, "AccountChange", "delete", 30, (WORKER,), (SECURITY, OTHERS, OPERATORS), personal="userName, fields.before, fields.after, actor, before, after"),
    # By the time of its append: that is what an incremental reconciliation asks for.
    Topic("accounts", USER_KEY, "AccountState", "compact", None, (WORKER,), (WORKER, GATEWAY, OTHERS, OPERATORS), co_partitioned=True, log_append_time=True, personal="userName, arn, tags, passwordLastUsed, mfaDevices, renamedTo, ownWrites"),
    # Longer than the requests, whatever a worker's clock says: a restart must find what it finished.
    Topic("ledger", "<record key>|<request id>, in the partition of its request", "LedgerEntry", "compact,delete", 14, (WORKER,), (WORKER,), co_partitioned=True, log_append_time=True, personal="intent, reply"),
    Topic("dead-letters", "original key", None, "delete", 90, (WORKER,), (OPERATORS,), max_message_bytes=2_097_152, personal="the original bytes"),
    Topic("entitlements", "<awsAccountId>/<arn or synthetic id>", None, "compact", None, (WORKER,), (GATEWAY, OTHERS), co_partitioned=True, present=False),
    Topic("parked", "<user key>|<topic>|<offset>, in the partition of its request", None, "compact", None, (WORKER,), (WORKER,), co_partitioned=True, personal="the original bytes", present=False),
    Topic("controls", "AWS account id", None, "compact", None, (OPERATORS, WORKER), (WORKER,), present=False),
    Topic("trail", "CloudTrail eventID", None, "delete", 14, (WORKER,), (WORKER,), personal="the record", present=False),
    Topic("checkpoints", "source and account, or run/<account>", None, "compact", None, (WORKER,), (WORKER,), present=False),
    Topic("reconciliations", "AWS account id", None, "delete", 14, (IDHUB, OPERATORS), (WORKER,), present=False),
    Topic("reconciliation-replies", "AWS account id", None, "delete", 30, (WORKER,), (IDHUB, OPERATORS), present=False),
    Topic("trail-seen-changelog", "CloudTrail eventID", None, "compact", None, (WORKER,), (WORKER,), present=False),
)  # fmt: skip
"""The table. Its rows read best as rows. Personal data stands in every key as well: it holds the user's name."""

BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in TOPICS}
PRESENT: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.present)


class TopicNames:
    """The full names of the topics under one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.requests = self.of("requests")
        self.refreshes = self.of("refreshes")
        self.replies = self.of("replies")
        self.audit = self.of("audit")
        self.changes = self.of("changes")
        self.accounts = self.of("accounts")
        self.ledger = self.of("ledger")
        self.dead_letters = self.of("dead-letters")

    def of(self, name: str) -> str:
        """The full name of a row; unknown names raise KeyError."""
        return f"{self.prefix}.{BY_NAME[name].name}"


def table() -> str:
    """The table of avro/README.md."""
    rows = [
        "| topic | key | value | cleanup | kept | written by | read by | personal data |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for t in TOPICS:
        value = t.schema or ("original bytes" if t.name == "dead-letters" else "comes with its feature")
        kept = f"{t.retention_days} days" if t.retention_days else "newest per key"
        writers, readers = ", ".join(t.writers), ", ".join(t.readers)
        cells = (f"`…{t.name}`", _cell(t.key), value, t.cleanup, kept, writers, readers, t.personal)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    """Keys hold `<`, which HTML eats, and `|`, which ends a cell."""
    return f"`{text}`".replace("|", "\\|") if "<" in text else text


def roles_table() -> str:
    """The table of docs/security.md: what each role may do to which topic."""
    rows = ["| role | is | writes | reads |", "|---|---|---|---|"]
    for role, meaning in ROLES.items():
        written = ", ".join(f"`…{t.name}`" for t in PRESENT if role in t.writers)
        read = ", ".join(f"`…{t.name}`" for t in PRESENT if role in t.readers)
        rows.append(f"| {role} | {meaning} | {written} | {read} |")
    return "\n".join(rows)


def slug(role: str) -> str:
    """A role as part of a principal, a group or an option: `security-teams`."""
    return role.lower().replace(" ", "-")


def acl_commands(
    names: TopicNames,
    *,
    bootstrap_servers: str,
    group: str,
    reply_topics: Iterable[str] = (),
    principals: Mapping[str, str] | None = None,
    roles: Iterable[str] = tuple(ROLES),
) -> list[str]:
    """Lines for a shell: a comment and the `kafka-acls.sh` commands of each role, nothing more than it needs.

    Args:
        names: the topics' full names.
        bootstrap_servers: goes into each command.
        group: the workers' consumer group, from which their transactional ids are made.
        reply_topics: those besides the default one; the worker writes them, IDHub reads them.
        principals: who a role is; by default `User:` and the role's name.
        roles: of whom.
    """
    lines = []
    for role in roles:
        principal = (principals or {}).get(role, f"User:{slug(role)}")
        begin = f"kafka-acls.sh --bootstrap-server {bootstrap_servers} --add --allow-principal '{principal}'"
        lines.append(f"# {role}: {ROLES[role]}")
        lines += [f"{begin} {rest}" for rest in _grants(role, names, group, tuple(reply_topics))]
    return lines


def _grants(role: str, names: TopicNames, group: str, reply_topics: tuple[str, ...]) -> list[str]:
    """The operations and resources of a role, as `kafka-acls.sh` wants them."""
    written = [names.of(t.name) for t in PRESENT if role in t.writers]
    read = [names.of(t.name) for t in PRESENT if role in t.readers]
    grants = []
    if role == WORKER:
        written += reply_topics
        every = [names.of(t.name) for t in PRESENT]
        # It checks the topics at its start, holds a transactional id per partition, and is one of a group.
        grants += [
            _grant(("DescribeConfigs",), "topic", every),
            _grant(("Write", "Describe"), "transactional-id", [f"{group}-"], prefixed=True),
            _grant(("Read",), "group", [group]),
        ]
    elif role == OPERATORS:
        grants += [
            _grant(("Create", "Describe", "DescribeConfigs"), "topic", [f"{names.prefix}."], prefixed=True),
        ]
    elif read:
        grants += [_grant(("Read",), "group", [slug(role)])]  # a group of its own, never the workers'
    if role == IDHUB:
        read += reply_topics
    if written:
        grants.append(_grant(("Write", "Describe"), "topic", written))
    if read:
        grants.append(_grant(("Read", "Describe"), "topic", read))
    return grants


def _grant(operations: Iterable[str], kind: str, resources: Iterable[str], *, prefixed: bool = False) -> str:
    parts = [*(f"--operation {operation}" for operation in operations), *(f"--{kind} {name}" for name in resources)]
    return " ".join((*parts, *(("--resource-pattern-type prefixed",) if prefixed else ())))
