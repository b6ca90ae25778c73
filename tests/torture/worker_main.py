"""A worker process that kills or freezes itself at a named moment; otherwise the product's own command `worker`.

Told by the environment: TORTURE_KILL_AT and TORTURE_FREEZE_AT, `<moment>:<nth>`; TORTURE_PASSWORDS, a file to which
every password that is generated is appended. The moments, in the order of a request's life:

    DECODE LEDGER READ            the steps of `streams.users`, as each begins
    READING                       a reading is about to be sent, before the lease is asked
    INTENT                        the plan is made, its intent not yet written
    SENT COMMITTED                a transaction's records are acknowledged and not committed · are committed, nobody knows it yet
    EXECUTE                       the intent is acknowledged
    CALL DEED                     a mutation is about to be sent, before the lease is asked · AWS did it, nobody knows it yet
    OUTCOME FINISH                before the outcome is written · it is written, the offset not committed

It ends with its parent: a pytest that is killed leaves no worker behind.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import aiokafka

import connector.provision.execute
import streams.worker
from connector import factory
from streams.shared import Shared, log_step
from streams.shared import Step as Step_

MOMENTS = (
    *("DECODE", "LEDGER", "READ", "READING", "INTENT", "SENT", "COMMITTED"),
    *("EXECUTE", "CALL", "DEED", "OUTCOME", "FINISH"),
)

KILL_AT, FREEZE_AT, PASSWORDS = "TORTURE_KILL_AT", "TORTURE_FREEZE_AT", "TORTURE_PASSWORDS"


class Moments:
    """Counts what happens, and sends the signal when the nth of a moment has come."""

    def __init__(self, environ):
        self._lock = threading.Lock()
        self._counts = Counter()
        self._signals = {}
        for name, number in ((KILL_AT, signal.SIGKILL), (FREEZE_AT, signal.SIGSTOP)):
            if given := environ.get(name):
                moment, _, nth = given.partition(":")
                assert moment in MOMENTS, moment
                self._signals[moment, int(nth)] = number

    def come(self, moment):
        with self._lock:
            self._counts[moment] += 1
            nth = self._counts[moment]
        number = self._signals.pop((moment, nth), None)
        if number is not None:
            told = {"event": "torture", "signal": number.name, "at": f"{moment}:{nth}", "monotonic": time.monotonic()}
            os.write(2, f"{json.dumps(told)}\n".encode())
            os.kill(os.getpid(), number)


class TorturedApi:
    """The connector's API with moments around each call."""

    def __init__(self, api, moments):
        self._api, self._moments = api, moments

    def call(self, action, params, mark, may_call):
        reads = " s/0" in mark

        def may_call_now():
            self._moments.come("READING" if reads else "CALL")
            return may_call()

        answer = self._api.call(action, params, mark, may_call_now)
        if not reads:
            self._moments.come("DEED")
        return answer

    def close(self):
        self._api.close()


def tortured_build(moments):
    def build(settings):
        return factory.build(settings, api=TorturedApi(factory._to_api(settings), moments))

    return build


def tortured_shared(moments):
    def make(settings, connector, on_step):
        def step(step: Step_, delivery, facts):
            moments.come(step.name)
            on_step(step, delivery, facts)

        return Shared(settings, connector, step if on_step is log_step else on_step)

    return make


def torture_transactions(moments):
    commit = aiokafka.AIOKafkaProducer.commit_transaction

    async def commit_transaction(self):
        moments.come("SENT")
        await commit(self)
        moments.come("COMMITTED")

    aiokafka.AIOKafkaProducer.commit_transaction = commit_transaction


def betray_passwords(file):
    """Into a file that the tests read: what must be found nowhere else."""
    generate = connector.provision.execute.generate_password

    def generate_password(policy):
        password = generate(policy)
        with Path(file).open("a", encoding="utf-8") as to:
            to.write(password + "\n")
        return password

    connector.provision.execute.generate_password = generate_password


def end_with_parent():
    """Standard input is a pipe that nobody writes to; it ends when the parent does."""

    def wait():
        while os.read(0, 4096):
            pass
        os._exit(99)

    threading.Thread(target=wait, daemon=True).start()


def main():
    moments = Moments(os.environ)
    streams.worker.build = tortured_build(moments)
    streams.worker.Shared = tortured_shared(moments)
    torture_transactions(moments)
    if file := os.environ.get(PASSWORDS):
        betray_passwords(file)
    end_with_parent()
    sys.argv = ["idhub-aws", "worker"]
    from streams.cli import main as command  # noqa: PLC0415 - only now: everything is in its place

    command()


if __name__ == "__main__":
    main()
