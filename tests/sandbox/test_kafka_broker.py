"""The sandbox's Kafka is the real one, and can be treated as badly as a test needs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from sandbox.kafka import KafkaBroker, SandboxError
from sandbox.kafka.probe import answers
from sandbox.parts.ports import HOST
from tests.support.kafka import make_topic, produce, read_topic
from tests.support.wait import eventually, wait_until

PARENT = """
import sys, time
from pathlib import Path
from sandbox.kafka import KafkaBroker
broker = KafkaBroker()
broker.start()
if sys.argv[1] == "frozen":
    broker.freeze()
print(broker.pid, broker.home, flush=True)
time.sleep(600)
"""


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def values(records) -> list[bytes]:
    return [record.value for record in records]


async def test_records_come_back_in_order(kafka, new_name):
    topic = await make_topic(kafka.bootstrap, new_name("order"))
    await produce(kafka.bootstrap, topic, *(b"%d" % n for n in range(50)))
    assert values(await read_topic(kafka.bootstrap, topic)) == [b"%d" % n for n in range(50)]


async def test_a_transaction_is_seen_whole_or_not_at_all(kafka, new_name):
    topic = await make_topic(kafka.bootstrap, new_name("txn"), partitions=2)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=new_name("tid")) as producer:
        async with producer.transaction():
            for part in (0, 1):
                await producer.send_and_wait(topic, b"kept", partition=part)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"dropped", partition=0)
        await producer.abort_transaction()
    assert values(await read_topic(kafka.bootstrap, topic)) == [b"kept", b"kept"]
    uncommitted = await read_topic(kafka.bootstrap, topic, isolation_level="read_uncommitted")
    assert values(uncommitted) == [b"kept", b"dropped", b"kept"]


async def test_no_topic_appears_by_itself(kafka, new_name):
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, request_timeout_ms=2000) as producer:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send_and_wait(new_name("nobody-made-this"), b"x")


async def test_what_was_acknowledged_survives_a_kill(kafka_to_break, new_name):
    bootstrap, home = kafka_to_break.bootstrap, kafka_to_break.home
    topic = await make_topic(bootstrap, new_name("kill"))
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=new_name("tid")) as producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"before")
        await asyncio.to_thread(kafka_to_break.kill)
        assert not kafka_to_break.alive
        assert kafka_to_break.pid == 0
        await asyncio.to_thread(kafka_to_break.start)
        async with producer.transaction():  # the client that was there before finds it again: same address
            await producer.send_and_wait(topic, b"after")
    assert (kafka_to_break.bootstrap, kafka_to_break.home) == (bootstrap, home)
    assert values(await read_topic(bootstrap, topic)) == [b"before", b"after"]
    await asyncio.to_thread(kafka_to_break.restart)
    assert kafka_to_break.bootstrap == bootstrap
    assert values(await read_topic(bootstrap, topic)) == [b"before", b"after"]


async def test_a_frozen_broker_answers_nothing_until_it_is_thawed(kafka_to_break, new_name):
    port = int(kafka_to_break.bootstrap.rpartition(":")[2])
    topic = await make_topic(kafka_to_break.bootstrap, new_name("freeze"))
    async with AIOKafkaProducer(bootstrap_servers=kafka_to_break.bootstrap) as producer:
        await producer.send_and_wait(topic, b"before")
        kafka_to_break.freeze()
        await eventually(lambda: not answers(port, timeout_s=0.3), "the broker falls silent")
        socket.create_connection((HOST, port), timeout=1).close()  # the kernel still takes connections: it hangs
        sending = asyncio.create_task(producer.send_and_wait(topic, b"during"))
        done, _ = await asyncio.wait({sending}, timeout=0.3)
        assert not done
        assert kafka_to_break.alive
        kafka_to_break.thaw()
        await sending
    assert values(await read_topic(kafka_to_break.bootstrap, topic)) == [b"before", b"during"]


def test_a_stopped_broker_leaves_nothing():
    broker = KafkaBroker()
    broker.start()
    pid, home = broker.pid, broker.home
    assert home.is_dir()
    broker.stop()
    assert not exists(pid)
    assert not home.exists()
    with pytest.raises(SandboxError, match="has not been started"):
        _ = broker.bootstrap


@pytest.mark.parametrize("state", ["running", "frozen"])
def test_the_broker_ends_with_its_parent_even_when_that_is_killed(state):
    with subprocess.Popen([sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, text=True) as parent:
        pid, home = parent.stdout.readline().split(maxsplit=1)
        assert exists(int(pid))
        parent.kill()
    wait_until(lambda: not exists(int(pid)), "the broker is gone")
    wait_until(lambda: not Path(home.strip()).exists(), "its temporary directory is gone")


def test_a_frozen_broker_can_be_stopped_in_order(tmp_path):
    with KafkaBroker(tmp_path / "kept") as broker:
        broker.freeze()
    assert (tmp_path / "kept" / "data" / ".kafka_cleanshutdown").exists()


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_broker(kafka_to_break):
    assert os.getpgid(kafka_to_break.pid) != os.getpgrp()


def test_a_broker_whose_supervisor_was_killed_is_still_ended(tmp_path):
    # Its directory stays: with that gone the broker would end by itself.
    with KafkaBroker(tmp_path / "kept") as broker:
        pid = broker.pid
        broker._supervisor.kill()
        broker._supervisor.wait()
        assert exists(pid)
    wait_until(lambda: not exists(pid), "the broker is gone")


def test_it_listens_on_the_loopback_address_only(kafka_to_break):
    fds = Path(f"/proc/{kafka_to_break.pid}/fd")
    if not fds.exists():
        pytest.skip("needs Linux's /proc")
    own = {str(fd.readlink()) for fd in fds.iterdir() if fd.is_symlink()}
    listening = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in own:
                address, port = local.split(":")
                listening[int(port, 16)] = address
    assert len(listening) == 2, listening  # the broker's and the controller's
    assert set(listening.values()) == {"0100007F"}, listening


def test_a_named_directory_is_kept_and_can_be_started_from_again(tmp_path, new_name):
    topic = new_name("kept")
    home = tmp_path / "müller's data"  # a properties file is Latin-1 at best
    with KafkaBroker(home) as first:
        asyncio.run(make_topic(first.bootstrap, topic))
        asyncio.run(produce(first.bootstrap, topic, b"kept"))
    assert (home / "data" / "meta.properties").exists()
    with KafkaBroker(home) as second:
        assert values(asyncio.run(read_topic(second.bootstrap, topic))) == [b"kept"]


def test_a_port_in_use_is_named():
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=f"Port {port} on 127.0.0.1 is in use"), KafkaBroker(port=port):
            pass


def test_a_broker_that_refuses_its_settings_says_so():
    broker = KafkaBroker(overrides={"num.io.threads": "none"})
    with pytest.raises(SandboxError, match=r"exit code 1(?s:.)*Invalid value none for configuration num.io.threads"):
        broker.start()
    assert not broker.alive
    broker.stop()


def test_a_broker_that_is_killed_while_it_starts_is_reported(tmp_path, monkeypatch):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\n[ "$1" = -version ] && exec echo \'openjdk version "21.0.1"\' >&2\nkill -9 $$\n')
    java.chmod(0o755)
    with KafkaBroker():  # makes sure that the cache has all that a format needs
        pass
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SandboxError, match=r"ended before it answered \(ended by SIGKILL, perhaps for want of memory"):
        KafkaBroker().start()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_module_runs_one_until_it_is_told_to_stop(signum):
    command = [sys.executable, "-m", "sandbox.kafka"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        port = int(running.stdout.readline().rpartition(":")[2])
        assert answers(port)
        running.send_signal(signum)
        assert running.wait(30) == 0
        assert running.stdout.read() == ""
    assert not answers(port)
