"""`python -m sandbox.<server>`: one server until Ctrl-C. Its address goes to standard output, and nothing else there."""

import signal
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import SandboxError
from .server import LocalServer

_LOOK_EVERY_S = 0.5

S = TypeVar("S", bound=LocalServer)


def run_until_stopped(server: S, where: Callable[[S], str], tell: Callable[[S], str] = lambda _: "") -> int:
    """Run it until SIGINT or SIGTERM; returns the exit code.

    Args:
        server: not yet started.
        where: the line for standard output.
        tell: more lines for standard error, for a person.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    try:
        with server:
            print(where(server), flush=True)
            print(f"{server.product}; log in {server.log_path}; Ctrl-C ends it.", file=sys.stderr)
            if told := tell(server):
                print(told, file=sys.stderr)
            while server.alive:
                time.sleep(_LOOK_EVERY_S)
            raise SandboxError(f"{server.product} ended by itself. The end of its log:\n{server.log_tail()}")
    except KeyboardInterrupt:
        return 0
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
