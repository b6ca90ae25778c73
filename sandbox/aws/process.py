"""A stand-in in a process of its own, so that it takes no time from the program under test. It ends with its parent."""

import subprocess
import sys
from types import TracebackType
from typing import Self

from .client import StandInClient
from .server import GREETING

_STOP_TIMEOUT_S = 10.0


class StandInProcess:
    """Starts `python -m sandbox.aws --watch-parent`; `client` speaks to its control endpoint.

    Args:
        port: 0 picks a free one.
        seed: see `AwsStandIn`.
    """

    def __init__(self, port: int = 0, seed: int = 0) -> None:
        self._command = [
            sys.executable, "-m", "sandbox.aws", "--watch-parent", "--port", str(port), "--seed", str(seed),
        ]  # fmt: skip
        self._process: subprocess.Popen[str] | None = None
        self._url = ""
        self._client: StandInClient | None = None

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL has to be."""
        return self._url

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    @property
    def client(self) -> StandInClient:
        if self._client is None:
            raise RuntimeError("The stand-in has not been started.")
        return self._client

    def start(self) -> None:
        """Returns when it listens.

        Raises:
            RuntimeError: it ended instead; it has said why on standard error.
        """
        # A session of its own: a Ctrl-C in the terminal is for the parent, which then ends it.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line.startswith(GREETING):
            self.stop()
            raise RuntimeError("The AWS stand-in did not start.")
        self._url = line.removeprefix(GREETING).strip()
        self._client = StandInClient(self._url)

    def stop(self) -> None:
        """Ends it; killed when it has not ended within 10 s."""
        if self._client is not None:
            self._client.close()
            self._client = None
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
