"""A server of the sandbox as an object: start, stop, kill, freeze, thaw, restart on the same data and ports.

Plain and blocking on purpose, so that fixtures and scripts use it as it is; inside an event loop wrap a call:
`await asyncio.to_thread(server.restart)`. One server is used from one thread at a time.

Its process is the child of a small supervisor (`supervise.py`), which ends it when this process ends, by SIGKILL
too. Both run in a session of their own: a Ctrl-C in the terminal reaches this process only, which stops them in order.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from . import supervise
from .errors import SandboxError, unusable_path
from .ports import HOST, free_ports, is_free
from .product import Product

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
ROOM_TO_WORK = 1 << 20
_POLL_S = 0.02


def to_stderr(line: str) -> None:
    """Where a download is announced."""
    print(line, file=sys.stderr, flush=True)


class LocalServer(ABC):
    """One real server on the loopback address. A subclass says how it is fetched, started and recognised as up.

    Args:
        data_dir: where its data, settings and log live; kept afterwards. Default: a temporary one, removed.
        port: its port; 0 picks a free one. Its other ports are always picked.
    """

    product: ClassVar[Product]
    short: ClassVar[str]
    """One word: its log is `<short>.log`, its temporary directory is named after it."""
    ports_needed: ClassVar[int] = 1
    start_timeout_s: ClassVar[float] = START_TIMEOUT_S

    def __init__(self, data_dir: Path | None = None, port: int = 0) -> None:
        self._given_dir = data_dir.resolve() if data_dir else None
        self._given_port = port
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._home: Path | None = None
        self._ports: tuple[int, ...] | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._frozen = False
        self._log_from = 0

    @abstractmethod
    def _fetch(self) -> None:
        """Find a Java, and have the cache hold what is run. Raises SandboxError."""

    @abstractmethod
    def _command(self) -> list[str]:
        """What to run; `home` is there and `ports` are free. May write what it needs into `home`."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it serves now; asked until it does. Must not take longer than about a second."""

    def _settle(self) -> None:  # noqa: B027 - a hook: most have nothing to make
        """What has to be made in a server that has just come up, at its first start or at any. Raises SandboxError."""

    def _environment(self) -> Mapping[str, str]:
        """What the process's environment holds besides this one's. Secrets go here: a command line is public."""
        return {}

    @property
    def ports(self) -> tuple[int, ...]:
        """The server's own port first; they stay the same until `stop()`."""
        if self._ports is None:
            raise SandboxError(f"{self.product} has not been started, so it has no address yet.")
        return self._ports

    @property
    def address(self) -> str:
        """`127.0.0.1:<port>`; stays the same until `stop()`."""
        return f"{HOST}:{self.ports[0]}"

    @property
    def home(self) -> Path:
        """The directory that holds its log, its settings and its data."""
        if self._home is None:
            raise SandboxError(f"{self.product} has not been started, so it has no directory yet.")
        return self._home

    @property
    def log_path(self) -> Path:
        """The server's log; restarts append to it."""
        return self.home / f"{self.short}.log"

    @property
    def pid(self) -> int:
        """The process id of the server itself; 0 when it does not run."""
        return self._pid if self.alive else 0

    @property
    def alive(self) -> bool:
        """Whether the server's process exists, frozen or not."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def start(self) -> None:
        """Starts the server and returns when it serves; on the data and ports of before, if it ran before.

        Raises:
            SandboxError: no Java, nothing to run, a port in use, a full disk, or it ended or did not answer in time
                (its last log lines are in the message). Nothing is left running,
                and of a first start nothing is left at all.
        """
        if self.alive:
            raise SandboxError(f"{self.product} runs already, on {self.address}.")
        self._halt(signal.SIGKILL)
        first = self._home is None
        self._fetch()
        try:
            self._prepare()
            self._launch(self._command())
            self._await_answer()
            self._settle()
        except BaseException as error:
            self._halt(signal.SIGKILL)
            if first:
                self.stop()
            if isinstance(error, OSError):
                raise unusable_path(f"Starting {self.product}", error) from error
            raise

    def stop(self) -> None:
        """Stops the server in order (SIGTERM; SIGKILL after 20 s) and removes its directory if that was temporary."""
        self._halt(signal.SIGTERM)
        if self._temporary is not None:
            self._temporary.cleanup()
        self._temporary = self._home = self._ports = None

    def kill(self) -> None:
        """Ends the server as a power cut would (SIGKILL). Its data stay; `start()` goes on from them."""
        self._halt(signal.SIGKILL)

    def restart(self) -> None:
        """Stops in order and starts again on the same data and the same ports."""
        self._halt(signal.SIGTERM)
        self.start()

    def freeze(self) -> None:
        """Stops the server's clock (SIGSTOP): connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """Lets a frozen server go on (SIGCONT)."""
        self._signal(signal.SIGCONT)
        self._frozen = False

    def log_tail(self, lines: int = 12) -> str:
        """The telling end of the log since the last start: no stack frames; from its last error on, if it has one."""
        with suppress(OSError):
            text = self.log_path.read_bytes()[self._log_from :].decode("utf-8", "replace").splitlines()[-400:]
            said = [line for line in text if not line.startswith("\t")]
            errors = [at for at, line in enumerate(said) if " ERROR " in line or " FATAL " in line]
            return "\n".join(said[errors[-1] :][:lines] if errors else said[-lines:])
        return ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        if self._home is None:
            if self._given_dir is None:
                self._temporary = tempfile.TemporaryDirectory(
                    prefix=f"idhub-aws-{self.short}.", ignore_cleanup_errors=True
                )
            self._home = Path(self._temporary.name) if self._temporary else self._given_dir
        if self._ports is None:
            picked = free_ports(self.ports_needed)
            self._ports = (self._given_port or picked[0], *picked[1:])
        for port in self._ports:
            if not is_free(port):
                raise SandboxError(f"Port {port} on {HOST} is in use: choose another, or end what listens there.")
        self.home.mkdir(parents=True, exist_ok=True)

    def _launch(self, command: list[str]) -> None:
        doomed = self._temporary.name if self._temporary else ""
        with self.log_path.open("ab") as log:
            self._log_from = log.tell()
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", supervise.__file__, doomed, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.home,
                env={**os.environ, **self._environment()},
                start_new_session=True,
            )
        assert self._supervisor.stdout is not None
        self._pid = int(self._supervisor.stdout.readline() or 0)

    def _await_answer(self) -> None:
        assert self._supervisor is not None
        deadline = time.monotonic() + self.start_timeout_s
        while not self._answers():
            code = self._supervisor.poll()
            if code is not None:
                raise SandboxError(self._failed(f"ended before it answered ({_ending(code)})"))
            if time.monotonic() > deadline:
                raise SandboxError(
                    self._failed(f"did not answer on {self.address} within {self.start_timeout_s:.0f} s")
                )
            time.sleep(_POLL_S)

    def _failed(self, how: str) -> str:
        tail = self.log_tail().replace("\n", "\n  ")
        if shutil.disk_usage(self.home).free < ROOM_TO_WORK:
            how += f"; the disk of {self.home} is full"
        return f"{self.product} {how}. The end of its log:\n  {tail or '(empty)'}"

    def _signal(self, signum: signal.Signals) -> None:
        if not self.alive:
            raise SandboxError(f"{self.product} does not run.")
        os.kill(self._pid, signum)

    def _halt(self, signum: signal.Signals) -> None:
        """Ends what runs and forgets it; the directory and the ports stay."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        assert supervisor.stdin is not None
        assert supervisor.stdout is not None
        if supervisor.poll() is None and self._pid:
            self._kill(signum)
            if self._frozen:
                self._kill(signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                supervisor.wait(STOP_TIMEOUT_S)
        if supervisor.poll() is None or supervisor.returncode < 0:
            # It would not stop; or somebody killed the supervisor itself, and nobody else will end its child.
            self._kill(signal.SIGKILL)
        supervisor.stdin.close()  # the supervisor's own signal to end its child, whose id we may not have read yet
        supervisor.wait()
        supervisor.stdout.close()
        self._pid, self._frozen = 0, False

    def _kill(self, signum: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self._pid:
                os.kill(self._pid, signum)


def _ending(code: int) -> str:
    if code > 128:
        number = code - 128
        hint = ", perhaps for want of memory" if number == signal.SIGKILL else ""
        return f"ended by {signal.Signals(number).name}{hint}"
    return f"exit code {code}"
