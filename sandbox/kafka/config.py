"""What the one broker is told: Kafka's settings and the JVM's. Pure text; nothing here starts or reads anything."""

from collections.abc import Mapping
from pathlib import Path

from sandbox.parts import java
from sandbox.parts.ports import HOST

LOG_CONFIG = Path(__file__).with_name("log4j2.properties")

# Each group says why it differs from Kafka's default; what is not here is Kafka's default.
_SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    # As on a kept cluster: a topic exists because somebody made it, with the partitions that were meant.
    "auto.create.topics.enable": "false",
    # One broker cannot hold more than one replica.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # The defaults of 50 are for clusters; each partition here only costs start-up time.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    # Tests are short: groups form at once, may have short sessions, and a dead producer's transaction ends soon.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # After a SIGKILL the controller refuses the restarted broker until the session of the killed one is over: with
    # the default of 9 s a restart took 11 s, with this 3 s.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    # Sized for a small heap and two cores: the cleaner's buffer alone is 128 MB by default.
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.cleaner.backoff.ms": "1000",
    "log.segment.bytes": "67108864",
    "log.index.size.max.bytes": "1048576",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def server_properties(port: int, controller_port: int, log_dir: Path, overrides: Mapping[str, str]) -> str:
    """The broker's `server.properties`; nothing listens outside the loopback address."""
    settings = {
        **_SETTINGS,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "log.dirs": str(log_dir),
        **overrides,
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def meta_properties(cluster_id: str, directory_id: str) -> str:
    """The identity of a formatted log directory, as `kafka-storage format` writes it (version 1)."""
    return f"version=1\nnode.id=1\ncluster.id={cluster_id}\ndirectory.id={directory_id}\n"


def jvm_flags(home: Path, heap_mb: int) -> list[str]:
    """The flags of the broker's JVM."""
    return [*java.jvm_flags(home, heap_mb), f"-Dlog4j2.configurationFile={LOG_CONFIG.as_uri()}"]


def _escaped(value: str) -> str:
    """A value as a Java properties file wants it: Latin-1 at most, and a backslash is an escape."""
    return "".join(char if char.isascii() and char != "\\" else f"\\u{ord(char):04x}" for char in value)
