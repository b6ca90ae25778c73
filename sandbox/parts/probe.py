"""Asks an HTTP server whether it is up, without a client library and whatever the environment says of proxies."""

import contextlib
import http.client

from .ports import HOST


def answers_http(port: int, path: str, timeout_s: float = 1.0) -> bool:
    """Whether the path is served with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    return False
