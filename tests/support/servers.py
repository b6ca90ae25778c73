"""The big real servers: one registry and one Keycloak per module that asks; and what both are asked about."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.keycloak import KeycloakServer
from sandbox.registry import RegistryServer


@pytest.fixture(scope="module")
def registry_server() -> Iterator[RegistryServer]:
    """Whoever freezes or kills it leaves it running."""
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def keycloak_server() -> Iterator[KeycloakServer]:
    with KeycloakServer() as server:
        yield server


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def listening(pid: int) -> dict[int, str]:
    """The ports on which a process listens, and the addresses, in the kernel's hexadecimal."""
    fds = Path(f"/proc/{pid}/fd")
    if not fds.exists():
        pytest.skip("needs Linux's /proc")
    own = {str(fd.readlink()) for fd in fds.iterdir() if fd.is_symlink()}
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in own:
                address, port = local.split(":")
                found[int(port, 16)] = address
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
"""127.0.0.1 as /proc/net/tcp has it, and as tcp6 has what came by IPv4."""
