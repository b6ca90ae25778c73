"""The worker process: settings in, lanes running, until it is told to stop.

Wires the parts of `streams` together; the connector comes wired from `connector.factory`.
"""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka.errors import KafkaError

from connector.factory import Connector, build
from connector.settings import Settings

from .admin import partition_count, topics_problem
from .lanes import Epoch, LaneConsumer, LaneSettings
from .shared import Shared, StepHook, log_step
from .topics import TopicNames
from .users import UsersWork

log = structlog.get_logger(__name__)

READY_RETRY_S = 2.0


class TopicsWrong(Exception):
    """The topics are not as this worker needs them; the message says what is wrong and how to mend it."""


class Worker:
    """Runs the lanes of users until `stop`. `ready` is set once partitions were assigned."""

    def __init__(
        self,
        settings: Settings,
        *,
        connector: Connector | None = None,
        on_step: StepHook = log_step,
    ) -> None:
        self.settings = settings
        self.connector = connector or build(settings)
        self.shared = Shared(settings, self.connector, on_step)
        self.lanes = LaneConsumer(
            LaneSettings(
                bootstrap_servers=settings.bootstrap_servers,
                group=settings.group,
                topics=(self.shared.topics.requests, self.shared.topics.refreshes),
                session_timeout_s=settings.session_timeout_s,
                rebalance_timeout_s=settings.rebalance_timeout_s,
                call_timeout_s=settings.call_timeout_s,
                tick_s=settings.tick_s,
                drain_s=settings.drain_s,
                run_ahead=settings.run_ahead,
                in_flight=settings.in_flight,
                client={"client_id": settings.group},
            ),
            self._work,
        )
        self._stopping = asyncio.Event()

    def _work(self, epoch: Epoch) -> UsersWork:
        return UsersWork(epoch, self.shared)

    @property
    def ready(self) -> asyncio.Event:
        return self.lanes.subscribed

    async def run(self) -> None:
        """Work until `stop`.

        Raises:
            TopicsWrong: a topic is missing or differs from the table in a way that would break the order per user.
        """
        try:
            if await self._until_ready():
                await self.lanes.run()
        finally:
            await self.shared.stop()

    def stop(self) -> None:
        """Drain within the deadline, commit, leave the group."""
        self._stopping.set()
        self.lanes.stop()

    async def _until_ready(self) -> bool:
        """Connect the readers and check the topics; while Kafka is away say so once and try again."""
        said = False
        while not self._stopping.is_set():
            try:
                await self.shared.start()
                problem = await topics_problem(self.settings)
                if problem:
                    raise TopicsWrong(problem)
                self.shared.partitions = await partition_count(self.settings, self.shared.topics.requests)
            except (KafkaError, OSError, TimeoutError) as error:
                if not said:
                    said = True
                    log.warning(
                        "kafka.away",
                        bootstrap_servers=self.settings.bootstrap_servers,
                        error=f"{type(error).__name__}: {error}",
                        what_now="trying again; nothing is lost",
                    )
                try:
                    await asyncio.wait_for(self._stopping.wait(), READY_RETRY_S)
                except TimeoutError:
                    continue
            else:
                if said:
                    log.info("kafka.back", bootstrap_servers=self.settings.bootstrap_servers)
                return True
        return False
