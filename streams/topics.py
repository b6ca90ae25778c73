"""Every topic once: its key, its schema, how it is kept, who writes and who reads it.

`idhub-aws topics create|check` and the table in avro/README.md are made from these rows. A row without `since` belongs
to a feature that this version does not have yet; its name is taken, the topic is not created.
"""

from collections.abc import Mapping
from dataclasses import dataclass

DAY_MS = 24 * 60 * 60 * 1000
DEFAULT_PARTITIONS = 6
"""Of topics that need not be co-partitioned."""


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
    writers: str
    readers: str
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
        """Kafka's topic settings."""
        config = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_message_bytes)}
        if self.retention_days is not None:
            config["retention.ms"] = str(self.retention_days * DAY_MS)
        if self.log_append_time:
            config["message.timestamp.type"] = "LogAppendTime"
        return config


USER = "userName, attributes, requestedBy.user, approval.approver"

TOPICS: tuple[Topic, ...] = (
    Topic("requests", "user key", "ProvisioningRequest", "delete", 7, "IDHub, gateway", "worker", co_partitioned=True, log_append_time=True, personal=USER),
    Topic("refreshes", "user key or entitlement key", "Refresh", "delete", 7, "worker", "worker", co_partitioned=True, personal="userName, actor, observedState"),
    Topic("replies", "user key", "ProvisioningReply", "delete", 14, "worker", "IDHub, gateway", personal="userName, account"),
    Topic("audit", "user key", "AuditEvent", "delete", 400, "worker", "security teams", personal="userName, requestedBy.user, approval.approver"),
    Topic("changes", "user key or entitlement key", "AccountChange", "delete", 30, "worker", "security teams, other programs", personal="userName, fields, actor, before, after"),
    Topic("accounts", "user key", "AccountState", "compact", None, "worker", "worker, gateway, other programs", co_partitioned=True, personal="userName, arn, tags"),
    # Longer than the requests: a restart must find what it finished.
    Topic("ledger", "<record key>|<request id>, in the partition of its request", "LedgerEntry", "compact,delete", 14, "worker", "worker", co_partitioned=True, personal="reply"),
    Topic("dead-letters", "original key", None, "delete", 90, "worker", "operators", max_message_bytes=2_097_152, personal="the original bytes"),
    Topic("entitlements", "<awsAccountId>/<arn or synthetic id>", None, "compact", None, "worker", "gateway, other programs", co_partitioned=True, present=False),
    Topic("parked", "<user key>|<topic>|<offset>, in the partition of its request", None, "compact", None, "worker", "worker", co_partitioned=True, present=False),
    Topic("controls", "AWS account id", None, "compact", None, "operators, worker", "worker", present=False),
    Topic("trail", "CloudTrail eventID", None, "delete", 14, "worker", "worker", personal="the record", present=False),
    Topic("checkpoints", "source and account, or run/<account>", None, "compact", None, "worker", "worker", present=False),
    Topic("reconciliations", "AWS account id", None, "delete", 14, "IDHub, operators", "worker", present=False),
    Topic("reconciliation-replies", "AWS account id", None, "delete", 30, "worker", "IDHub, operators", present=False),
    Topic("trail-seen-changelog", "CloudTrail eventID", None, "compact", None, "worker", "worker", present=False),
)  # fmt: skip
"""The table. Its rows read best as rows."""

BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in TOPICS}


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
        rows.append(
            f"| `…{t.name}` | {t.key} | {value} | {t.cleanup} | {kept} | {t.writers} | {t.readers} | {t.personal} |"
        )
    return "\n".join(rows)
