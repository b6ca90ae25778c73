"""The last moment before a call is on the wire, and the longest time that it may stay there.

Two things that botocore has no place for, both needed by the lease on a partition:

* `may_call` is asked right before the socket is written. botocore's `before-send` is too early: a process frozen
  between that and the write lets a call out when it is thawed.
* A call ends within its timeout as a whole. `read_timeout` only bounds the silence between two pieces of an answer, so
  a trickled answer may take for ever; a watchdog shuts the socket of such a call down.

The connection classes go into the pools of botocore's own HTTP session; nothing else of it is changed.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Any, cast

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError

from connector.errors import CallForbidden
from connector.ports import MayCall


class Flight:
    """One call on its way, from before the connection to the end of the answer."""

    __slots__ = ("connection", "deadline", "done", "expired", "mark", "may_call", "sent")

    def __init__(self, mark: str, may_call: MayCall, timeout_s: float) -> None:
        self.mark = mark.encode()
        self.may_call = may_call
        self.deadline = time.monotonic() + timeout_s
        self.connection: Any = None
        self.sent = False
        """Whether the socket was written: the line between "nothing happened" and "it may have happened"."""
        self.expired = False
        self.done = False

    def leave(self, connection: Any) -> None:
        """Called with the connection up, right before its socket is written.

        Raises:
            CallForbidden: the worker may not call any more; nothing was sent.
            TimeoutError: the time was used up by connecting; nothing was sent.
        """
        if time.monotonic() >= self.deadline:
            raise TimeoutError("the call's time was over before it could be sent")
        self.connection = connection
        connection.flight = self
        if not self.may_call():
            raise CallForbidden
        self.sent = True

    def end(self) -> None:
        """The call is over, one way or the other."""
        self.done = True
        self.connection = None

    def abort(self) -> None:
        """Shut the socket down, so that the thread that waits on it goes on at once."""
        self.expired = True
        connection = self.connection
        # A connection that has gone back to the pool may already carry another call.
        sock = connection.sock if connection is not None and connection.flight is self else None
        if sock is not None:
            # An SSLSocket's own shutdown would take its TLS state from under the reading thread.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Current(threading.local):
    flight: Flight | None = None


CURRENT = _Current()
"""The call of this thread: boto3 gives no way to hand something down to the connection."""


class _Guarded:
    """Mixed into a connection: a request leaves in one piece, after asking.

    urllib3 writes head and body one after the other. Kept back and written together they need one permission and one
    system call, and no frozen worker can be thawed between the two.
    """

    flight: Flight | None = None
    sock: socket.socket | None
    _held: list[bytes] | None = None

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **kwargs: Any) -> None:
        flight = CURRENT.flight
        if flight is None:
            raise CallForbidden  # a call that did not come through Api.call
        # Here and not in an event: botocore writes this header anew in its last one. It is not part of the signature.
        headers["User-Agent"] += b" " + flight.mark
        held = self._held = []
        try:
            super().request(method, url, body, headers, **kwargs)  # type: ignore[misc]  # of what this is mixed into
        finally:
            self._held = None
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]  # of what this is mixed into
        flight.leave(self)
        self.send(b"".join(held))

    def send(self, data: Any) -> None:
        if self._held is not None:
            self._held.append(data)
        else:
            # The request as a whole, or the CONNECT to a proxy before it.
            super().send(data)  # type: ignore[misc]  # of what this is mixed into


class GuardedHTTPConnection(_Guarded, AWSHTTPConnection):  # type: ignore[misc]  # botocore ships no types
    """Without TLS: stand-ins and test endpoints."""


class GuardedHTTPSConnection(_Guarded, AWSHTTPSConnection):  # type: ignore[misc]  # botocore ships no types
    """With TLS."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What botocore wants to see of urllib3's response."""

    status: int
    headers: HTTPMessage
    content: bytes

    def stream(self) -> tuple[bytes]:
        return (self.content,)


class _Straight:
    """Mixed into a pool: a call goes straight to its socket and the answer comes straight from it.

    On the way through urllib3 and http.client a call costs half as much CPU time again (bench/README.md). Connections,
    TLS and the pool itself are urllib3's as before, and so is the way through a proxy.
    """

    proxy: Any
    timeout: Any

    def urlopen(self, method: str, url: str, body: str | bytes | None, headers: Any, **kwargs: Any) -> Any:
        if self.proxy is not None:
            return super().urlopen(method, url, body, headers, **kwargs)  # type: ignore[misc]  # of what this is mixed into
        flight = CURRENT.flight
        if flight is None:
            raise CallForbidden
        connection = self._get_conn()  # type: ignore[attr-defined]  # of what this is mixed into
        kept = False
        try:
            if connection.is_closed:
                connection.timeout = self.timeout.connect_timeout
                connection.connect()
                connection.sock.settimeout(self.timeout.read_timeout)
            head = _to_head(connection, f"{method} {url}", headers, flight.mark)
            flight.leave(connection)
            connection.sock.sendall(head + (body if isinstance(body, bytes) else (body or "").encode("ascii")))
            with HTTPResponse(connection.sock, method=method) as response:
                response.begin()
                answer = _Answer(response.status, response.headers, response.read())
            kept = not response.will_close
        except TimeoutError as error:
            raise ReadTimeoutError(cast("HTTPConnectionPool", self), url, "no answer in time") from error
        except ssl.SSLError as error:
            raise SSLError(error) from error
        except (OSError, HTTPException) as error:
            raise ProtocolError("the connection broke", error) from error
        finally:
            if not kept:
                connection.close()
            self._put_conn(connection)  # type: ignore[attr-defined]  # of what this is mixed into
        return answer


def _to_head(connection: Any, line: str, headers: Any, mark: bytes) -> bytes:
    """The head of a request as it goes over the wire (RFC 9112), the mark behind boto3's own user agent.

    Raises:
        ValueError: a header holds the end of a line.
    """
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    if connection.port != connection.default_port:
        host = f"{host}:{connection.port}"
    lines = [f"{line} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n".encode("ascii")]
    for name, value in headers.items():
        told = value if isinstance(value, bytes) else str(value).encode("latin-1")
        if name == "User-Agent":
            told += b" " + mark
        if b"\n" in told or b"\r" in told:
            raise ValueError(f"the header {name} holds the end of a line")
        lines.append(b"%s: %s\r\n" % (name.encode("ascii"), told))
    return b"".join((*lines, b"\r\n"))


class _GuardedHTTPPool(_Straight, AWSHTTPConnectionPool):  # type: ignore[misc]  # botocore ships no types
    ConnectionCls = GuardedHTTPConnection


class _GuardedHTTPSPool(_Straight, AWSHTTPSConnectionPool):  # type: ignore[misc]  # botocore ships no types
    ConnectionCls = GuardedHTTPSConnection


def guard_client(client: Any) -> None:
    """Put the guarded connections into a boto3 client's HTTP session, before its first call."""
    session = client._endpoint.http_session  # noqa: SLF001 - no public way to it; tests hold it
    pools = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}
    session._pool_classes_by_scheme = pools  # noqa: SLF001 - read for each proxy's manager
    session._manager.pool_classes_by_scheme = pools  # noqa: SLF001 - the manager of direct connections


class Watchdog:
    """Ends calls at their deadline. One thread, without locks and almost without work.

    All calls have the same timeout, so their deadlines come in the order of their beginnings, and a call that begins
    while the watchdog sleeps is never due before it wakes.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._flights: deque[Flight] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aws-watchdog", daemon=True)
        self._started = False
        self._starting = threading.Lock()

    def watch(self, flight: Flight) -> None:
        """Have a call ended when its time is over; cheap, and nothing is to be undone when it ends in time."""
        self._flights.append(flight)
        if not self._started:
            with self._starting:
                if not self._started:
                    self._thread.start()
                    self._started = True

    def close(self) -> None:
        """Stop the thread; calls on their way are no longer bounded."""
        self._stop.set()
        if self._started:
            self._thread.join()

    def _run(self) -> None:
        flights = self._flights
        while not self._stop.is_set():
            now = time.monotonic()
            while flights and (flights[0].done or flights[0].deadline <= now):
                flight = flights.popleft()
                if not flight.done:
                    flight.abort()
            self._stop.wait(max(flights[0].deadline - now, 0.001) if flights else self._timeout_s)
