"""The worker process: settings in, lanes running, until it is told to stop.

Wires the parts of `streams` together; the connector comes wired from `connector.factory`.
"""

import asyncio
import contextlib
import gc

import structlog
from aiokafka.errors import KafkaError

from connector.factory import Connector, build
from connector.settings import Settings

from .admin import check_topics, partition_count
from .away import Away
from .errors import BrokerAway, RegistryAway, TopicsWrong
from .lanes import Epoch, LaneConsumer, LaneSettings
from .shared import Shared, StepHook, log_step
from .users import UsersWork

log = structlog.get_logger(__name__)

READY_RETRY_S = 2.0

COLLECT_AFTER = (50_000, 20, 50)
"""Python's thresholds of garbage collection, by generation (700, 10, 10 by default)."""


def spare_the_collector() -> None:
    """For a process that is a worker and nothing else, once it is wired.

    Nothing of what is loaded by now ever becomes garbage (most of it is boto3's description of IAM), and what
    requests leave behind goes by reference counts: looking for cycles as often as Python does by itself
    took a quarter of the event loop's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


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
            RegistryRefused: the schema registry does not let us, or a schema is not compatible with what is registered.
        """
        beating = asyncio.create_task(self._beat())
        try:
            if await self._until_ready() and await self._until_schemas():
                await self.lanes.run()
        finally:
            beating.cancel()
            await self.shared.stop()

    async def _beat(self) -> None:
        """Alive is not ready: this says only that the loop turns, whatever remote may be away."""
        path = self.settings.alive_file
        while path is not None:
            try:
                path.touch()
            except OSError as error:
                log.warning("alive.not_said", file=str(path), error=error.strerror)
            await asyncio.sleep(self.settings.tick_s)

    def stop(self) -> None:
        """Drain within the deadline, commit, leave the group."""
        self._stopping.set()
        self.lanes.stop()

    async def _until_ready(self) -> bool:
        """Connect the readers and check the topics; while Kafka is away say so once and try again."""
        away = Away(self.settings.bootstrap_servers)
        while not self._stopping.is_set():
            try:
                await self.shared.start()
                problems = await check_topics(self.settings)
                if problems:
                    raise TopicsWrong("\n".join(map(str, problems)))
                self.shared.partitions = await partition_count(self.settings)
            except (KafkaError, OSError, TimeoutError, BrokerAway) as error:
                away.say(error)
                await self._pause()
            else:
                away.back()
                return True
        return False

    async def _until_schemas(self) -> bool:
        """Learn the ids to write with; while the registry is away say so once and try again."""
        codec = self.shared.codec
        while not self._stopping.is_set():
            try:
                await codec.open()
            except RegistryAway as error:
                codec.away.say(str(error))
                await self._pause()
            else:
                return True
        return False

    async def _pause(self) -> None:
        """Until it is worth another try, or the end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), READY_RETRY_S)
