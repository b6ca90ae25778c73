"""`python -m sandbox.aws`: one stand-in until Ctrl-C, SIGTERM or, with --watch-parent, the end of standard input."""

import argparse
import asyncio
import gc
import os
import signal
import sys
import threading

from .server import GREETING, HOST, AwsStandIn


async def _run(host: str, port: int, seed: int, watch_parent: bool) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, ended.set)
    standin = AwsStandIn(port, seed, host)
    try:
        await standin.start()
    except OSError as error:
        print(f"The AWS stand-in cannot listen on {host}:{port}: {error.strerror}. --port 0 picks a free one.",
              file=sys.stderr)  # fmt: skip
        return 1
    if watch_parent:
        threading.Thread(target=_wait_for_the_end_of_stdin, args=(loop, ended), daemon=True).start()
    print(f"{GREETING}{standin.url}", flush=True)
    # The journal only grows, and nothing in it is garbage: looking through it again and again would cost a fifth.
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    await ended.wait()
    await standin.stop()
    return 0


def _wait_for_the_end_of_stdin(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """In a thread: a pipe, a file and a terminal are all read alike there."""
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(ended.set)


def main() -> int:
    options = argparse.ArgumentParser(
        prog="python -m sandbox.aws", description="A strict stand-in for AWS on this machine."
    )
    options.add_argument(
        "--host", default=HOST, help=f"the address to listen on (default: {HOST}; a container needs another)"
    )
    options.add_argument("--port", type=int, default=0, help="where to listen (default: a free port)")
    options.add_argument("--seed", type=int, default=0, help="of all that is left to chance (default: 0)")
    options.add_argument("--watch-parent", action="store_true", help="end when standard input ends")
    chosen = options.parse_args()
    return asyncio.run(_run(chosen.host, chosen.port, chosen.seed, chosen.watch_parent))


if __name__ == "__main__":
    sys.exit(main())
