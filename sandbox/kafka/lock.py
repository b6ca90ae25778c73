"""Which jars make a broker: pinned in `jars.lock`, in the order of the class path."""

from pathlib import Path

from sandbox.parts.artifacts import Artifact
from sandbox.parts.artifacts import read_lock as read
from sandbox.parts.product import Product

KAFKA_VERSION = "4.3.1"
LOCK = Path(__file__).with_name("jars.lock")

# Java 17: Kafka 4's brokers need it (KIP-1013). There is no second, weaker broker to fall back on.
KAFKA = Product(
    "Apache Kafka",
    KAFKA_VERSION,
    oldest_java=17,
    way_out="Way out: set KAFKA_BOOTSTRAP_SERVERS to a broker of your own, or run `docker compose up`.",
)


def read_lock() -> tuple[Artifact, ...]:
    """The pinned jars, in the order of the class path."""
    return read(LOCK)
