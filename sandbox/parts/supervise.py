"""Runs one command and ends it when the parent ends, however the parent ends.

    supervise.py DIRECTORY COMMAND…      (DIRECTORY may be empty)

Standard input is a pipe whose other end only the parent holds: end of file means that the parent is gone, by SIGKILL
too. Then the command is killed and DIRECTORY, the parent's temporary one, removed. The command's process id goes
to standard output as one line; its own output goes to our standard error. Exit code: the command's, 128 + the signal's
number where one ended it, 127 where it could not be started.

Runs as a script under `python -I -S`, so it must import nothing but the standard library: it is up in some 15 ms.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

NOT_STARTED = 127


def main(directory: str, command: list[str]) -> int:
    # Whoever stops us by hand means the command; SIGKILL is the one that cannot be passed on.
    child: subprocess.Popen[bytes] | None = None

    def pass_on(signum: int, _frame: object) -> None:
        if child is not None:
            child.send_signal(signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, pass_on)

    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except OSError as error:
        print(f"ERROR Cannot start {command[0]}: {error}", file=sys.stderr)
        return NOT_STARTED
    orphaned = threading.Event()

    def wait_for_the_parents_end() -> None:
        while os.read(0, 1024):
            pass
        orphaned.set()
        child.kill()  # reaches a stopped process too

    threading.Thread(target=wait_for_the_parents_end, daemon=True).start()
    print(child.pid, flush=True)
    code = child.wait()
    if orphaned.is_set() and directory:
        shutil.rmtree(directory, ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
