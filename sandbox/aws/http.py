"""HTTP/1.1 as far as a stand-in needs it, straight on the transport: keep-alive, pipelining, Content-Length bodies.

A connection hands over one request at a time and waits until somebody answers, resets or keeps silent; what the client
sent on meanwhile stays in the buffer. Nothing here knows AWS.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

MAX_HEAD = 64 * 1024
MAX_BODY = 4 * 1024 * 1024
_RST = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends RST instead of FIN."""
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request, complete."""

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    """By lower-case name."""
    body: bytes


class BadRequest(Exception):
    """What came is no HTTP that is understood here; `status` says in what way."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, serve: Callable[[Request, "Connection"], None], connections: set["Connection"]) -> None:
        self._serve = serve
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._busy = False
        self._advancing = False
        self._last = False

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        self._advance()

    # Called by whoever serves the request

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def answer(self, status: int, head: str, body: bytes, length: int | None = None) -> bool:
        """Sends the answer and goes on to the next request; `head` holds further header lines, each ended.

        `length` is Content-Length where it is not the body's: in an answer to HEAD.

        Returns:
            Whether the connection was still open.
        """
        return self._finish(self._message(status, head, body, length))

    def trickle(self, status: int, head: str, body: bytes, gap_s: float, then: Callable[[bool], None]) -> None:
        """Sends the answer byte by byte, `gap_s` apart; tells at the end whether the connection lived that long."""
        self._drip(self._message(status, head, body), 0, gap_s, then)

    def keep_silent(self) -> None:
        """Never answers: the connection stays as it is until the client closes it."""

    def reset(self) -> None:
        """Ends the connection with RST."""
        if self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # Inside

    def _advance(self) -> None:
        if self._advancing:
            return
        self._advancing = True
        try:
            while not self._busy and self.open:
                request = self._next_request()
                if request is None:
                    return
                self._busy = True
                self._serve(request, self)
        except BadRequest as error:
            self._last = True
            self._finish(self._message(error.status, "", b""))
        finally:
            self._advancing = False

    def _next_request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest(431)
            return None
        lines = self._buffer[:end].split(b"\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not length.isdigit():
            raise BadRequest(411)
        if int(length) > MAX_BODY:
            raise BadRequest(413)
        start, stop = end + 4, end + 4 + int(length)
        if len(self._buffer) < stop:
            if b"expect" in headers and len(self._buffer) == start and self._transport is not None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        words = lines[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest(400)
        body, self._buffer = self._buffer[start:stop], self._buffer[stop:]
        path, _, query = words[1].partition("?")
        self._last = words[2] == "HTTP/1.0" or headers.get(b"connection", b"").lower() == b"close"
        return Request(words[0], path, query, headers, body)

    def _message(self, status: int, head: str, body: bytes, length: int | None = None) -> bytes:
        closing = "Connection: close\r\n" if self._last else ""
        size = len(body) if length is None else length
        lines = f"Date: {_date(int(time.time()))}\r\nContent-Length: {size}\r\n{closing}{head}\r\n"
        return b"".join((_STATUS_LINES.get(status, _STATUS_LINES[500]), lines.encode("latin-1"), body))

    def _finish(self, message: bytes) -> bool:
        delivered = self.open
        if delivered and self._transport is not None:
            if message:
                self._transport.write(message)
            if self._last:
                self._transport.close()
        self._busy = False
        self._advance()
        return delivered

    def _drip(self, message: bytes, sent: int, gap_s: float, then: Callable[[bool], None]) -> None:
        if self._transport is None or not self.open:
            then(False)
            return
        self._transport.write(message[sent : sent + 1])
        if sent + 1 == len(message):
            then(True)
            self._finish(b"")
        else:
            asyncio.get_running_loop().call_later(gap_s, self._drip, message, sent + 1, gap_s, then)


_date_of: tuple[int, str] = (0, "")


def _date(second: int) -> str:
    """The Date header's value (RFC 9110, 5.6.7), made once a second."""
    global _date_of  # noqa: PLW0603 - a cache of one value
    if _date_of[0] != second:
        _date_of = (second, formatdate(second, usegmt=True))
    return _date_of[1]
