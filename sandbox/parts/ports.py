"""Free ports for a server that must come back on the same one.

The usual "bind 0" hands out a port from the range that the system also uses for outgoing connections. While the
server is down between a kill and a restart, any client may then be given its port as a source port; one that
keeps knocking can even connect to itself. So ports come from below that range.
"""

import random
import socket

from .errors import SandboxError

HOST = "127.0.0.1"
LOW, HIGH = 20_000, 32_000  # Linux hands out 32768 and up, macOS and Windows 49152 and up
TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that only linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different ports on which nothing listens at this moment."""
    for _ in range(TRIES):
        ports = random.sample(range(LOW, HIGH), count)
        if all(is_free(port) for port in ports):
            return tuple(ports)
    raise SandboxError(f"No free port between {LOW} and {HIGH} on {HOST} after {TRIES} tries.")
