"""The world that a bench measures in: a real Kafka, the AWS stand-in and workers, each a process of its own.

Workers are the product's own command, configured as in production; what a bench changes it says.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from joserfc.jwk import RSAKey

from connector.settings import Settings, load_settings
from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT, connector_key, secret_of
from sandbox.aws.client import StandInClient
from sandbox.aws.journal import Entry
from sandbox.aws.process import StandInProcess
from sandbox.kafka import KafkaBroker
from streams.admin import check_topics, create_topics

WAIT_S = 300.0
"""How long a bench waits for anything before it gives up."""

WORKER = ("-c", "from streams.cli import main; main()", "worker")

# In a worker's environment, and taken out of that of the bench: nothing of the user's own may slip in.
_FOREIGN = ("AWS_", "IDHUB_", "KAFKA_", "SCHEMA_REGISTRY_URL")


@dataclass(slots=True)
class World:
    """What is up, and how a worker finds it."""

    home: Path
    broker: KafkaBroker
    aws: StandInProcess
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def console(self) -> StandInClient:
        return self.aws.client

    def settings(self, **changes: str) -> Settings:
        """The settings of a worker with these changes (names without the prefix)."""
        given = {name: value for name, value in self.worker_environ(**changes).items() if not name.startswith("PATH")}
        return load_settings(given, dotenv=self.home / "no.env")

    def worker_environ(self, **changes: str) -> dict[str, str]:
        return {**self.environ, **{f"IDHUB_AWS_{name.upper()}": value for name, value in changes.items()}}

    def worker(self, *, argv: Sequence[str] = WORKER, **changes: str) -> "WorkerProcess":
        """A worker, not started yet."""
        return WorkerProcess(argv, {**_clean_environ(), **self.worker_environ(**changes)}, self.home)


@contextmanager
def world(**settings: str) -> Iterator[World]:
    """A broker and a stand-in, ended whatever happens; `settings` are those of every worker in it."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idhub-aws-bench.")))
        broker = stack.enter_context(KafkaBroker())
        aws = stack.enter_context(StandInProcess())
        key = home / "idhub.jwk"
        key.write_text(json.dumps(RSAKey.generate_key(2048, {"kid": "bench"}).as_dict(private=False)), encoding="utf-8")
        access_key = connector_key()
        given = {
            "access_key_id": access_key,
            "secret_access_key": secret_of(access_key),
            "user_name": CONNECTOR,
            "replication_factor": "1",
            "idhub_key": str(key),
            "log_json": "true",
            **settings,
        }
        environ = {f"IDHUB_AWS_{name.upper()}": value for name, value in given.items()}
        environ |= {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap, "AWS_ENDPOINT_URL": aws.url}
        yield World(home, broker, aws, environ)


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}


async def make_topics(settings: Settings) -> None:
    """Create the topics and wait until Kafka shows all of them."""
    await create_topics(settings)
    async with asyncio.timeout(WAIT_S):
        while await check_topics(settings):
            await asyncio.sleep(0.05)


class WorkerProcess:
    """One worker; its log, a JSON object a line, is kept and read."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], home: Path) -> None:
        self._command = [sys.executable, *argv]
        self._environ = environ
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._log = home / f"worker-{time.monotonic_ns()}.log"
        self.started_at = 0.0
        """Seconds since the epoch."""

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self.started_at = time.time()
            self._process = subprocess.Popen(
                self._command, env=self._environ, cwd=Path(__file__).parent.parent, stderr=log, stdout=log
            )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the worker has logged under this name."""
        found = []
        for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("{") and f'"{name}"' in line:
                try:
                    told = json.loads(line)
                except ValueError:
                    continue  # the last line, half written
                if told["event"] == name:
                    found.append(told)
        return found

    def require_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            tail = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            raise RuntimeError("the worker has ended:\n" + "\n".join(tail))

    async def wait_for(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Until the worker has logged this so often."""
        async with asyncio.timeout(WAIT_S):
            while len(found := self.events(name)) < count:
                self.require_alive()
                await asyncio.sleep(0.02)
        return found


# -- figures -----------------------------------------------------------------------------------------------------------


def cpu_seconds(pid: int) -> float | None:
    """User and system time that a process has used so far; None where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float | None:
    """Memory that a process holds now, in MB; None where there is no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def cpu_of(pids: Mapping[str, int]) -> AsyncIterator[dict[str, float]]:
    """CPU seconds of each process over the block, filled in at its end."""
    used: dict[str, float] = {}
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    yield used
    for name, pid in pids.items():
        began, ended = before[name], cpu_seconds(pid)
        if began is not None and ended is not None:
            used[name] = ended - began


def rate_of(entries: Sequence[Entry]) -> float:
    """Calls per second between the first call and the end of the last one."""
    began = min(entry.started for entry in entries)
    ended = max(entry.ended or entry.started for entry in entries)
    return len(entries) / (ended - began)


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine() -> dict[str, Any]:
    """What the figures were made on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        model = next((line.partition(":")[2].strip() for line in cpuinfo.open() if line.startswith("model name")), "")
    return {
        "cpus": os.cpu_count(),
        "cpu": model,
        "python": sys.version.split()[0],
        "load": round(os.getloadavg()[0], 2),
    }


__all__ = ["CONNECTOR", "DEFAULT_ACCOUNT", "WorkerProcess", "World", "world"]
