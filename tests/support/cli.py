"""The command line as real processes, as a shell would start them."""

import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field

from tests.support.wait import wait_until

COMMAND = (sys.executable, "-c", "from streams.cli import main; main()")
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")
"""Of this process's environment: a setting of somebody's must not leak in."""
ESCAPE = re.compile("\x1b")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass
class Cli:
    """`idhub-aws` with these settings, in this folder."""

    environ: dict
    folder: object
    started: list = field(default_factory=list)

    def run(self, *words, stdin="", within_s=60, **environ):
        """Run to its end. Whatever was asked of it, it shows no traceback, and no colour in a pipe."""
        process = subprocess.run(
            [*COMMAND, *words],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=within_s,
            check=False,
            cwd=self.folder,
            env=self._environ(environ),
        )
        ran = Ran(process.returncode, process.stdout, process.stderr)
        assert "Traceback" not in ran.out + ran.err, ran.err
        assert not ESCAPE.search(ran.out + ran.err)
        return ran

    def start(self, *words, **environ):
        """Run on; ended with the test at the latest."""
        self.started.append(Running([*COMMAND, *words], self._environ(environ), self.folder))
        return self.started[-1]

    def close(self):
        for running in self.started:
            running.close()

    def _environ(self, more):
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        given = {**self.environ, **more}
        return {**kept, **{name: value for name, value in given.items() if value is not None}}


class Running:
    """A command that runs on, and the lines that it has said."""

    def __init__(self, argv, environ, folder):
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
            cwd=folder,
        )
        self.out, self.err = [], []
        pipes = ((self._process.stdout, self.out), (self._process.stderr, self.err))
        self._readers = [threading.Thread(target=_read, args=pipe_and_lines, daemon=True) for pipe_and_lines in pipes]
        for reader in self._readers:
            reader.start()

    def says(self, text, *, within_s=60.0, err=False):
        """Waits for a line that holds the text, and returns it."""
        said = self.err if err else self.out

        def found():
            assert self.alive or any(text in line for line in said), "".join(self.err)
            return next((line for line in said if text in line), None)

        return wait_until(found, f"{text!r} in the {'errors' if err else 'output'}", within_s)

    @property
    def alive(self):
        return self._process.poll() is None

    def signal(self, number):
        self._process.send_signal(number)

    def ended(self, within_s=60.0):
        """Waits for the end; the exit code."""
        code = self._process.wait(within_s)
        for reader in self._readers:
            reader.join()
        assert "Traceback" not in "".join(self.out + self.err), "".join(self.err)
        return code

    def close(self):
        if self.alive:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        self._process.stdout.close()
        self._process.stderr.close()


def _read(pipe, said):
    for line in pipe:
        said.append(line)
