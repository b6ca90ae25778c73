"""One Kafka broker as an object; `sandbox.parts.server` has what can be done with it."""

import os
from collections.abc import Mapping
from pathlib import Path

from sandbox.parts.cache import ensure
from sandbox.parts.java import find_java
from sandbox.parts.server import LocalServer, to_stderr

from . import config
from .lock import KAFKA, read_lock
from .probe import answers
from .storage import format_once


class KafkaBroker(LocalServer):
    """Apache Kafka 4.3.1, one KRaft node, listening on the loopback address only.

    Args:
        data_dir: where records, settings and the log live; kept afterwards. Default: a temporary one, removed.
        port: the broker's port; 0 picks a free one. The controller's is always picked.
        overrides: Kafka settings on top of `config.py`'s.
        heap_mb: the JVM's largest heap, in MB; the process takes some 80 MB more.
    """

    product = KAFKA
    short = "kafka"
    ports_needed = 2  # the broker's and the controller's

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        overrides: Mapping[str, str] | None = None,
        heap_mb: int = 320,
    ) -> None:
        super().__init__(data_dir, port)
        self._overrides = dict(overrides or {})
        self._heap_mb = heap_mb
        self._java = Path()
        self._classpath = ""

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>`; stays the same until `stop()`."""
        return self.address

    def _fetch(self) -> None:
        self._java = find_java(KAFKA)
        jars = ensure(read_lock(), KAFKA.cache_dir(self.short), KAFKA, to_stderr)
        self._classpath = os.pathsep.join(map(str, jars))

    def _command(self) -> list[str]:
        format_once(self._java, self._classpath, KAFKA.cache_dir(self.short), self.home / "data")
        properties = self.home / "server.properties"
        port, controller_port = self.ports
        properties.write_text(
            config.server_properties(port, controller_port, self.home / "data", self._overrides), encoding="ascii"
        )
        flags = config.jvm_flags(self.home, self._heap_mb)
        return [str(self._java), *flags, "-cp", self._classpath, "kafka.Kafka", str(properties)]

    def _answers(self) -> bool:
        return answers(self.ports[0])
