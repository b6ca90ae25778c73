"""The consumer of the group, as the lanes need it configured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What the lanes need to know; seconds unless the name says otherwise."""

    bootstrap_servers: str
    group: str
    topics: tuple[str, ...]
    """Co-partitioned topics: partition n of all of them goes to one member (range assignment)."""
    session_timeout_s: float
    rebalance_timeout_s: float
    """How long the group waits for a member to give its partitions back: at least session plus call timeout."""
    call_timeout_s: float
    """How long one call to the outside can take, connecting included."""
    tick_s: float = 1.0
    """How often offsets are committed and the lease is renewed."""
    drain_s: float = 25.0
    """How long running handlers may take to end after `stop`; their calls begin up to one call timeout before."""
    run_ahead: int = 2_000
    """How many offsets of a topic-partition may be delivered beyond its committable one, but for one poll."""
    in_flight: int = 512
    """How many deliveries are worked on at once, over all partitions."""
    client: dict[str, Any] = field(default_factory=dict)
    """More arguments for aiokafka: security, client id."""

    @property
    def lease_s(self) -> float:
        """How old the last accepted commit may be when a call begins."""
        return self.session_timeout_s - self.call_timeout_s


MakeConsumer = Callable[[LaneSettings], Any]


def group_consumer(settings: LaneSettings) -> Any:
    """An `AIOKafkaConsumer`, not yet subscribed or started."""
    s = settings
    return AIOKafkaConsumer(
        bootstrap_servers=s.bootstrap_servers,
        group_id=s.group,
        enable_auto_commit=False,
        # Safe, and "latest" is not: a lost offset must not skip requests; the ledger skips what is finished.
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=_ms(s.session_timeout_s),
        # A rebalance is noticed at a heartbeat. Were that later than a call can take, a commit just before it could
        # carry a lease past the rebalance timeout.
        heartbeat_interval_ms=max(_ms(min(s.session_timeout_s / 6, s.tick_s)), 50),
        rebalance_timeout_ms=_ms(s.rebalance_timeout_s),
        # The answer to a join comes when everybody has joined.
        request_timeout_ms=max(_ms(s.rebalance_timeout_s) + 5_000, 40_000),
        # A fetch that finds nothing holds the connection: what was paused, or has just been opened, waits behind it.
        fetch_max_wait_ms=100,
        # Handlers never block the poll loop, so this only has to outlast the callbacks.
        max_poll_interval_ms=max(_ms(s.rebalance_timeout_s), 300_000),
        **s.client,
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
