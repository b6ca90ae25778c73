"""Asks a broker, in Kafka's own protocol, whether it is up. Sixty bytes instead of a client library.

A listening socket is not enough: the broker opens it before the controller lets it serve. It is up when it names
itself in its answer to Metadata (key 3, version 4; https://kafka.apache.org/protocol, "Metadata API").
"""

import contextlib
import socket
import struct

from sandbox.parts.ports import HOST

_CORRELATION = 7
_REQUEST = struct.pack(">hhih", 3, 4, _CORRELATION, -1) + struct.pack(">i?", 0, False)  # no topics, create none


def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Whether the broker on the port serves requests and counts itself among the living."""
    with contextlib.suppress(OSError, struct.error), socket.create_connection((HOST, port), timeout_s) as peer:
        peer.settimeout(timeout_s)
        peer.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
        with peer.makefile("rb") as answer:
            (size,) = struct.unpack(">i", answer.read(4))
            correlation, _throttle_ms, brokers = struct.unpack(">iii", answer.read(size)[:12])
            return bool(correlation == _CORRELATION and brokers > 0)
    return False
