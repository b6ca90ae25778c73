"""The unit tests cannot reach a network even by accident; their event loop still works."""

import asyncio
import socket

import pytest
from pytest_socket import SocketBlockedError

pytestmark = pytest.mark.filterwarnings("ignore:A test tried to use socket")  # it warns as well as raises


def test_a_socket_is_refused():
    with pytest.raises(SocketBlockedError):
        socket.create_connection(("127.0.0.1", 9), timeout=0.1)


async def test_the_event_loop_can_be_woken_from_a_thread():
    assert await asyncio.to_thread(lambda: "awake") == "awake"


async def test_asyncio_is_refused_a_connection_too():
    with pytest.raises(SocketBlockedError):
        await asyncio.open_connection("127.0.0.1", 9)
