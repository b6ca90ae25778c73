"""A schema registry that says what a test wants, on the loopback address; it knows nothing by itself."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass
class Answer:
    """One HTTP answer."""

    status: int = 200
    body: object = field(default_factory=dict)
    """JSON, or bytes as they are."""
    drip: bool = False
    """A byte at a time, for ever: every single read is quick."""


def no_such(code):
    return Answer(int(str(code)[:3]), {"error_code": code, "message": f"told by {code}"})


class FakeRegistry:
    """`answers` by `METHOD path`; anything else is a 404 without an error code, as a wrong address gives."""

    def __init__(self):
        self.answers = {}
        self.asked = Counter()
        self.headers = []
        self.bodies = []
        self._server = None

    @property
    def address(self):
        return f"{HOST}:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self):
        return f"http://{self.address}/api"

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines if line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = first.split(" ")
                what = f"{method} {path.removeprefix('/api')}"
                self.asked[what] += 1
                self.headers.append(dict(line.split(": ", 1) for line in lines if line))
                self.bodies.append(json.loads(body) if body else None)
                await self._answer(writer, self.answers.get(what, Answer(404, b"<html>not here</html>")))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer, answer):
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        writer.write(f"HTTP/1.1 {answer.status} Said\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for byte in body if answer.drip else ():
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(b"" if answer.drip else body)
        await writer.drain()
