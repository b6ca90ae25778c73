"""The real Apicurio Registry as one process on this machine: a schema registry that speaks Confluent's REST API.

`RegistryServer` starts it from a pinned archive, kills, freezes and restarts it; `python -m sandbox.registry` runs one
until Ctrl-C. `RegistryServer.url` is what SCHEMA_REGISTRY_URL has to be.
"""

from sandbox.parts import SandboxError

from .server import RegistryServer

__all__ = ["RegistryServer", "SandboxError"]
