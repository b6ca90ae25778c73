"""The stand-in as an object inside an event loop: start it, turn its knobs, read its journal, stop it.

One loop, one thread: everything is in order without locks. Blocking clients (boto3) run in threads of their own.
"""

import asyncio
import time
from random import Random
from types import TracebackType
from typing import Self

from .calls import Calls
from .control import PREFIX, Control
from .faults import Faults
from .http import Connection, Request
from .iam import Account
from .journal import Journal
from .knobs import Knobs
from .services import Services
from .world import World

HOST = "127.0.0.1"
GREETING = "AWS stand-in on "
"""What `python -m sandbox.aws` prints before its address."""
_TICK_S = 0.05


class AwsStandIn:
    """A strict stand-in for AWS on the loopback address: IAM, STS, CloudTrail, SQS, S3, secrets, organizations.

    Args:
        port: 0 picks a free one at the first start; later starts take the same again.
        seed: of everything that is left to chance: identifiers, which calls a fault hits, which read is stale.
        host: loopback, unless it runs in a container of its own.
    """

    def __init__(self, port: int = 0, seed: int = 0, host: str = HOST) -> None:
        self._port = port
        self._host = host
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._ticking: asyncio.TimerHandle | None = None
        self.journal = Journal()
        self.knobs = Knobs()
        self._chance = Random()
        self.faults = Faults(self._chance)
        self._begin()

    def _begin(self) -> None:
        self._chance.seed(f"{self._seed}/faults")
        self._world = World(self.knobs.iam, self._seed, time.time())
        self.faults.clear()
        self.journal.clear()
        self.services = Services(self._world, self.knobs, self._seed)
        self._calls = Calls(
            self._world, self.services, self.knobs, self.faults, self.journal, random=Random(f"{self._seed}/calls")
        )
        self.control = Control(
            self._world, self.services, self.knobs, self.faults, self.journal, calls=self._calls, reset=self.reset
        )

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL has to be; raises RuntimeError before the first start."""
        if not self._port:
            raise RuntimeError("The stand-in has not been started, so it has no address yet.")
        return f"http://{self._host}:{self._port}"

    @property
    def accounts(self) -> dict[str, Account]:
        """The accounts by id; a call on one of them here goes past the journal."""
        return self._world.accounts

    def add_account(self, account_id: str, partition: str = "aws") -> Account:
        """One more account with the usual things in it; raises ValueError for an id that is taken or is none."""
        return self._world.add(account_id, time.time(), partition)

    async def start(self) -> None:
        """Listens. State, journal and knobs are those of before, if it ran before.

        Raises:
            OSError: the port is in use.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._serve, self._connections), self._host, self._port, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]
        self._tick()

    async def stop(self) -> None:
        """Stops listening and cuts all connections; the state stays."""
        if self._server is None:
            return
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self._server.close()
        for connection in tuple(self._connections):
            connection.reset()
        await self._server.wait_closed()
        self._server = None
        await asyncio.sleep(0)  # lets the loop tell the connections that they are lost

    def reset(self) -> None:
        """Everything as at the beginning: accounts, knobs, rules, journal."""
        fresh = Knobs()
        for name in Knobs.__slots__:
            setattr(self.knobs, name, getattr(fresh, name))
        self._begin()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _tick(self) -> None:
        """What happens by the clock, and the clock again."""
        self.control.adversary.tick(time.time())
        self._ticking = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _serve(self, request: Request, connection: Connection) -> None:
        if request.path.startswith(PREFIX):
            self.control.take(request, connection)
        else:
            self._calls.take(request, connection)
