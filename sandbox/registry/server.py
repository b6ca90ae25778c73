"""One Apicurio Registry as an object; `sandbox.parts.server` has what can be done with it.

Tried with 3.3.3: its management interface listens on every interface, port 9000, unless it is told otherwise; its H2
database acknowledges a schema up to a second before it is on disk unless WRITE_DELAY is 0, so that a SIGKILL loses it.
"""

from pathlib import Path

from sandbox.parts.artifacts import Artifact
from sandbox.parts.java import find_java, jvm_flags
from sandbox.parts.ports import HOST
from sandbox.parts.probe import answers_http
from sandbox.parts.product import Product
from sandbox.parts.server import LocalServer, to_stderr
from sandbox.parts.trees import Tree, ensure_tree

REGISTRY = Product(
    "Apicurio Registry",
    "3.3.3",
    oldest_java=21,  # its classes are compiled for it
    way_out="Way out: set SCHEMA_REGISTRY_URL to a registry of your own, or leave it out: records are then written in "
    "Avro's single-object encoding.",
)

ARCHIVE = Tree(
    Artifact(
        "io.apicurio:apicurio-registry-app:3.3.3:all@tar.gz",
        158_577_952,
        "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
    ),
    sha256="aa719adc8977d7663f8162955cfb02ad58230a9ffbb214430b2e779fbc0eb88b",
)

API = "/apis/ccompat/v7"
"""Where it speaks Confluent's REST API."""

HEAP_MB = 256


class RegistryServer(LocalServer):
    """Apicurio Registry 3.3.3, listening on the loopback address only.

    Its schemas are kept in its directory, so that a killed one comes back with them, as a registry of production does.
    """

    product = REGISTRY
    short = "apicurio-registry"
    ports_needed = 2  # its own and the management interface's

    def __init__(self, data_dir: Path | None = None, port: int = 0) -> None:
        super().__init__(data_dir, port)
        self._java = Path()
        self._files = Path()

    @property
    def url(self) -> str:
        """What SCHEMA_REGISTRY_URL has to be."""
        return f"http://{self.address}{API}"

    def _fetch(self) -> None:
        self._java = find_java(REGISTRY)
        self._files = ensure_tree(ARCHIVE, REGISTRY.cache_dir(self.short), REGISTRY, to_stderr)

    def _command(self) -> list[str]:
        port, management_port = self.ports
        settings = {
            "quarkus.http.host": HOST,
            "quarkus.http.port": port,
            "quarkus.management.host": HOST,
            "quarkus.management.port": management_port,
            "quarkus.http.access-log.enabled": "false",
            "apicurio.datasource.url": f"jdbc:h2:file:{self.home / 'registry'};WRITE_DELAY=0",
        }
        options = [f"-D{name}={value}" for name, value in settings.items()]
        return [str(self._java), *jvm_flags(self.home, HEAP_MB), *options, "-jar", str(self._files / "quarkus-run.jar")]

    def _answers(self) -> bool:
        return answers_http(self.ports[0], f"{API}/subjects")
