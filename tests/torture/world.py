"""The world of the torture tests: a stand-in and workers, each a process of its own, on the run's Kafka.

Workers are configured by the environment as in production; only times are short. Everything has names of its own, so
that worlds on one broker do not meet, and everything ends with the `with` block, frozen workers included.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from connector.secrets import ALGORITHMS
from connector.settings import load_settings
from sandbox.aws import BREAK_GLASS, CONNECTOR, connector_key, secret_of
from sandbox.aws.process import StandInProcess
from streams.admin import create_topics
from streams.clients import end
from streams.send import RequestClient
from streams.topics import TOPICS, TopicNames
from tests.support.wait import eventually, wait_until

from .load import hash_of
from .worker_main import FREEZE_AT, KILL_AT, PASSWORDS

ROOT = Path(__file__).parent.parent.parent
SEED = int(os.environ.get("TORTURE_SEED") or int.from_bytes(os.urandom(3), "big"))
"""Of all chance in a run; printed by the tests, given by TORTURE_SEED to see one again."""
SCALE = float(os.environ.get("TORTURE_SCALE") or 1)
"""How many times more requests and rounds than in the short form, which is the one for every day."""

IDHUB_KEY = RSAKey.generate_key(2048)
CONNECTOR_KEY = ECKey.generate_key("P-256")
MARK_KEY = "the-key-of-the-marks-" + uuid.uuid4().hex

SHORT = {
    "SESSION_TIMEOUT_S": "3",
    "REBALANCE_TIMEOUT_S": "6",
    "CALL_TIMEOUT_S": "1",
    "CONNECT_TIMEOUT_S": "0.5",
    "TICK_S": "0.2",
    "DRAIN_S": "6",
    "PROPAGATION_WINDOW_S": "1",
    "CALL_THREADS": "12",
    "PARTITIONS": "3",
    "REPLICATION_FACTOR": "1",
    "LOG_JSON": "true",
}
SESSION_S = float(SHORT["SESSION_TIMEOUT_S"])

PLAIN = ("-c", "from streams.cli import main; main()", "worker")
TORTURED = ("-m", "tests.torture.worker_main")

_FOREIGN = ("AWS_", "IDHUB_", "KAFKA_", "SCHEMA_REGISTRY_URL", "TORTURE_")
"""Nothing of the user's own may slip into a worker."""


def scaled(number):
    return max(1, round(number * SCALE))


class WorkerProcess:
    """One worker; standard output and error go to a file."""

    def __init__(self, name, argv, environ, home):
        self.name = name
        self.access_key = environ["IDHUB_AWS_ACCESS_KEY_ID"]
        self._log = home / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *argv], env=environ, cwd=home, stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    @property
    def pid(self):
        return self._process.pid

    @property
    def alive(self):
        return self._process.poll() is None

    @property
    def code(self):
        return self._process.poll()

    def kill(self):
        self._process.kill()
        self._process.wait()

    def freeze(self):
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)

    def ask_to_end(self):
        self._process.terminate()

    def await_end(self, what="the worker ends", within_s=30.0):
        """Its exit code; negative for a signal."""
        wait_until(lambda: not self.alive, f"{what}\n{self.tail()}", within_s)
        return self._process.returncode

    async def ended(self, what="the worker ends", within_s=60.0):
        await eventually(lambda: not self.alive, f"{what}\n{self.tail()}", within_s)
        return self._process.returncode

    async def frozen(self, within_s=60.0):
        """Until it has frozen itself."""

        def stopped():
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
            return pid and os.WIFSTOPPED(status)

        await eventually(stopped, f"{self.name} freezes itself\n{self.tail()}", within_s)

    def close(self):
        """Whatever state it is in."""
        if self.alive:
            self._process.kill()
            self._process.send_signal(signal.SIGCONT)
            self._process.wait()
        self._process.stdin.close()

    # -- the log ----------------------------------------------------------------------------------------------

    def text(self):
        return self._log.read_text(encoding="utf-8", errors="replace")

    def raw(self):
        return self._log.read_bytes()

    def tail(self, lines=15):
        return "\n".join(self.text().splitlines()[-lines:])

    def events(self, *names):
        """What it has logged under these names; under any where none is given."""
        found = []
        for line in self.text().splitlines():
            if line.startswith("{"):
                try:
                    told = json.loads(line)
                except ValueError:
                    continue  # the last line, half written
                if not names or told["event"] in names:
                    found.append(told)
        return found

    async def logged(self, name, count=1, within_s=30.0):
        await eventually(
            lambda: len(self.events(name)) >= count or not self.alive, f"{self.name} logs {name}", within_s
        )
        found = self.events(name)
        assert len(found) >= count, f"{self.name} ended before it logged {name}\n{self.tail()}"
        return found


@dataclass
class World:
    """What is up, and how to reach it."""

    home: Path
    bootstrap: str
    stand_in: StandInProcess
    environ: dict
    workers: list = field(default_factory=list)

    @property
    def aws(self):
        return self.stand_in.client

    def environ_of(self, **settings):
        return {**self.environ, **{f"IDHUB_AWS_{name}": str(value) for name, value in settings.items()}}

    def settings(self, **settings):
        given = {
            name: value
            for name, value in self.environ_of(**settings).items()
            if name.startswith(("IDHUB_AWS_", "KAFKA_"))
        }
        return load_settings(given, dotenv=self.home / "no.env")

    @property
    def topics(self):
        return TopicNames(self.environ["IDHUB_AWS_TOPIC_PREFIX"])

    @property
    def partitions(self):
        return int(self.environ["IDHUB_AWS_PARTITIONS"])

    def worker(self, *, kill_at=None, freeze_at=None, own_key=False, argv=TORTURED, environ=None, **settings):
        """A worker, begun. `kill_at`, `freeze_at`: a moment of `worker_main`, such as INTENT:3.

        `own_key`: with an access key of its own, so that the journal tells the workers' calls apart.
        """
        name = f"worker-{len(self.workers) + 1}"
        if own_key:
            self.aws.knobs(quotas={"access_keys_per_user": 100})
            key = self.aws.call("CreateAccessKey", {"UserName": CONNECTOR})["AccessKey"]
            settings |= {"ACCESS_KEY_ID": key["AccessKeyId"], "SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        given = {
            **{key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)},
            **self.environ_of(**settings),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "AWS_ENDPOINT_URL": self.stand_in.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            PASSWORDS: str(self.home / "passwords"),
            **({KILL_AT: kill_at} if kill_at else {}),
            **({FREEZE_AT: freeze_at} if freeze_at else {}),
            **(environ or {}),
        }
        self.workers.append(WorkerProcess(name, argv, given, self.home))
        return self.workers[-1]

    async def ready_worker(self, **options):
        """A worker that holds partitions."""
        worker = self.worker(**options)
        await worker.logged("partition.open")
        return worker

    async def end_workers(self):
        """All that run, in order: each exits with 0."""
        running = [worker for worker in self.workers if worker.alive]
        for worker in running:
            worker.ask_to_end()
        for worker in running:
            assert await worker.ended() == 0, worker.tail()

    @asynccontextmanager
    async def client(self):
        async with RequestClient(self.settings()) as client:
            yield client

    async def make_topics(self):
        return await create_topics(self.settings())

    def generated_passwords(self):
        """Every password that a worker made, those of killed lives included."""
        file = self.home / "passwords"
        return set(file.read_text(encoding="utf-8").splitlines()) if file.exists() else set()

    async def read_all(self, *, committed=True):
        """Every record of every topic, by the topic's short name."""
        names = {self.topics.of(topic.name): topic.name for topic in TOPICS if topic.present}
        found = {short: [] for short in names.values()}
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed" if committed else "read_uncommitted",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            parts = [TopicPartition(name, number) for name in names for number in range(self.partitions)]
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            while any([await consumer.position(part) < offset for part, offset in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        found[names[record.topic]].append(record)
        finally:
            await end(consumer)
        for records in found.values():
            records.sort(key=lambda record: (record.partition, record.offset))
        return found


@contextmanager
def world(bootstrap, home, *, seed=0, **settings):
    """A stand-in, and what workers need; `settings` (names without the prefix) are those of all workers in it."""
    with ExitStack() as stack:
        aws = stack.enter_context(StandInProcess(seed=seed))
        idhub, own = home / "idhub.json", home / "connector.json"
        idhub.write_text(json.dumps(IDHUB_KEY.as_dict(private=False)), encoding="utf-8")
        own.write_text(json.dumps(CONNECTOR_KEY.as_dict(private=True)), encoding="utf-8")
        prefix = f"torture.{uuid.uuid4().hex[:10]}"
        given = {
            **SHORT,
            "TOPIC_PREFIX": prefix,
            "GROUP": prefix,
            "ACCESS_KEY_ID": connector_key(),
            "SECRET_ACCESS_KEY": secret_of(connector_key()),
            "USER_NAME": CONNECTOR,
            "PROTECTED_PRINCIPALS": BREAK_GLASS,
            "IDHUB_KEY": str(idhub),
            "CONNECTOR_KEY": str(own),
            "MARK_KEY": MARK_KEY,
            **{name: str(value) for name, value in settings.items()},
        }
        environ = {f"IDHUB_AWS_{name}": value for name, value in given.items()}
        one = World(home, bootstrap, aws, {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, **environ})
        stack.callback(lambda: [worker.close() for worker in one.workers])
        yield one


# -- requests ----------------------------------------------------------------------------------------------------------


async def publish_all(client, load, *, pause_s=0.0):
    """In order; where each one was put."""
    places = []
    for fields in load:
        places.append(await client.publish(fields))
        if pause_s:
            await asyncio.sleep(pause_s)
    return places


async def answered(client, load, within_s=120.0):
    """Until every request has a reply."""
    wanted = {(fields["requestId"], hash_of(fields)) for fields in load}

    def missing():
        got = {(request_id, reply["requestHash"]) for request_id, all_ in client.replies.items() for reply in all_}
        return wanted - got

    try:
        await eventually(lambda: not missing(), "every request is answered", within_s)
    except AssertionError:
        raise AssertionError(f"no reply within {within_s:g} s to {sorted(missing())[:10]}") from None


def open_credential(credential):
    """The password in a reply."""
    return json.loads(jwe.decrypt_compact(credential, IDHUB_KEY, algorithms=ALGORITHMS).plaintext)["password"]


def seal_credential(password):
    """A password as a producer sends it: to the connector's key."""
    header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}
    public = ECKey.import_key(CONNECTOR_KEY.as_dict(private=False))
    return jwe.encrypt_compact(header, json.dumps({"password": password}), public, algorithms=ALGORITHMS)
