"""One Kafka broker as an object: start, stop, kill, freeze, thaw, restart on the same data and ports.

Plain and blocking on purpose, so that fixtures and scripts use it as it is; inside an event loop wrap a call:
`await asyncio.to_thread(broker.restart)`. One broker is used from one thread at a time.

The broker's JVM is the child of a small supervisor (`supervise.py`), which ends it when this process ends, by SIGKILL
too. Both run in a session of their own: a Ctrl-C in the terminal reaches this process only, which stops them in order.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from . import config, supervise
from .errors import SandboxError, unusable_path
from .jars import cache_dir, ensure_jars
from .java import find_java
from .lock import KAFKA_VERSION
from .ports import HOST, free_ports, is_free
from .probe import answers
from .storage import format_once

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
ROOM_TO_WORK = 1 << 20
_POLL_S = 0.02


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class KafkaBroker:
    """Apache Kafka 4.3.1, one KRaft node, listening on the loopback address only.

    Args:
        data_dir: where records, settings and `broker.log` live; kept afterwards. Default: a temporary one, removed.
        port: the broker's port; 0 picks a free one. The controller's is always picked.
        overrides: Kafka settings on top of `config.py`'s.
        heap_mb: the JVM's largest heap, in MB; the process takes some 80 MB more.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        overrides: Mapping[str, str] | None = None,
        heap_mb: int = 320,
    ) -> None:
        self._given_dir = data_dir.resolve() if data_dir else None
        self._given_port = port
        self._overrides = dict(overrides or {})
        self._heap_mb = heap_mb
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._home: Path | None = None
        self._ports: tuple[int, int] | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._frozen = False
        self._log_from = 0

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>`; stays the same until `stop()`."""
        if self._ports is None:
            raise SandboxError("The broker has not been started, so it has no address yet.")
        return f"{HOST}:{self._ports[0]}"

    @property
    def home(self) -> Path:
        """The data directory: `broker.log`, `server.properties`, and the records under `data/`."""
        if self._home is None:
            raise SandboxError("The broker has not been started, so it has no data directory yet.")
        return self._home

    @property
    def log_path(self) -> Path:
        """The broker's log; restarts append to it."""
        return self.home / "broker.log"

    @property
    def pid(self) -> int:
        """The process id of the broker's JVM; 0 when it does not run."""
        return self._pid if self.alive else 0

    @property
    def alive(self) -> bool:
        """Whether the broker's process exists, frozen or not."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def start(self) -> None:
        """Starts the broker and returns when it serves; on the data and ports of before, if it ran before.

        Raises:
            SandboxError: no Java, no jars, a port in use, a full disk, or the broker ended or did not answer within
                90 s (its last log lines are in the message). Nothing is left running,
                and of a first start nothing is left at all.
        """
        if self.alive:
            raise SandboxError(f"The broker runs already, on {self.bootstrap}.")
        self._halt(signal.SIGKILL)
        first = self._home is None
        java, jars = find_java(), ensure_jars(_to_stderr)
        classpath = os.pathsep.join(map(str, jars))
        try:
            self._prepare(java, classpath)
            self._launch([str(java), *config.jvm_flags(self.home, self._heap_mb), "-cp", classpath])
            self._await_answer()
        except BaseException as error:
            self._halt(signal.SIGKILL)
            if first:
                self.stop()
            if isinstance(error, OSError):
                raise unusable_path("Starting Kafka", error) from error
            raise

    def stop(self) -> None:
        """Stops the broker in order (SIGTERM; SIGKILL after 20 s) and removes its directory if that was temporary."""
        self._halt(signal.SIGTERM)
        if self._temporary is not None:
            self._temporary.cleanup()
        self._temporary = self._home = self._ports = None

    def kill(self) -> None:
        """Ends the broker as a power cut would (SIGKILL). Its data stay; `start()` goes on from them."""
        self._halt(signal.SIGKILL)

    def restart(self) -> None:
        """Stops in order and starts again on the same data and the same ports."""
        self._halt(signal.SIGTERM)
        self.start()

    def freeze(self) -> None:
        """Stops the broker's clock (SIGSTOP): connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """Lets a frozen broker go on (SIGCONT)."""
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

    def _prepare(self, java: Path, classpath: str) -> None:
        if self._home is None:
            if self._given_dir is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="idhub-aws-kafka.", ignore_cleanup_errors=True)
            self._home = Path(self._temporary.name) if self._temporary else self._given_dir
        if self._ports is None:
            picked = free_ports(2)
            self._ports = (self._given_port or picked[0], picked[1])
        for port in self._ports:
            if not is_free(port):
                raise SandboxError(f"Port {port} on {HOST} is in use: choose another, or end what listens there.")
        self.home.mkdir(parents=True, exist_ok=True)
        format_once(java, classpath, cache_dir(), self.home / "data")
        text = config.server_properties(*self._ports, self.home / "data", self._overrides)
        (self.home / "server.properties").write_text(text)

    def _launch(self, java: list[str]) -> None:
        doomed = self._temporary.name if self._temporary else ""
        watch = [sys.executable, "-I", "-S", supervise.__file__, doomed]
        with self.log_path.open("ab") as log:
            self._log_from = log.tell()
            self._supervisor = subprocess.Popen(
                [*watch, *java, "kafka.Kafka", str(self.home / "server.properties")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
            )
        assert self._supervisor.stdout is not None
        self._pid = int(self._supervisor.stdout.readline() or 0)

    def _await_answer(self) -> None:
        assert self._supervisor is not None
        assert self._ports is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(self._ports[0]):
            code = self._supervisor.poll()
            if code is not None:
                raise SandboxError(self._failed(f"ended before it answered ({_ending(code)})"))
            if time.monotonic() > deadline:
                raise SandboxError(self._failed(f"did not answer on {self.bootstrap} within {START_TIMEOUT_S:.0f} s"))
            time.sleep(_POLL_S)

    def _failed(self, how: str) -> str:
        tail = self.log_tail().replace("\n", "\n  ")
        if shutil.disk_usage(self.home).free < ROOM_TO_WORK:
            how += f"; the disk of {self.home} is full"
        return f"Apache Kafka {KAFKA_VERSION} {how}. The end of its log:\n  {tail or '(empty)'}"

    def _signal(self, signum: signal.Signals) -> None:
        if not self.alive:
            raise SandboxError("The broker does not run.")
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
