"""What a worker says and does while something that it stands on is missing: Kafka, the topics, settings, credentials.

One clear line, no traceback, no loss; and it goes on when the thing is there again.
"""

import asyncio

import pytest

from sandbox.aws import CONNECTOR, connector_key
from sandbox.kafka import KafkaBroker
from streams.send import entitlement
from tests.support.kafka import make_topic
from tests.support.wait import eventually
from tests.torture.checks import check_all, gather
from tests.torture.load import ask
from tests.torture.world import PLAIN, answered, publish_all, world

REPLY_S = 60.0


def joiners(stem, count):
    return [
        ask(f"{stem}-{number}", "CREATE_ACCOUNT", f"{stem}-{number}", entitlements=[entitlement("GROUP", "readonly")])
        for number in range(count)
    ]


async def test_kafka_away_at_start_and_later(tmp_path):
    with KafkaBroker(tmp_path / "kafka") as broker, world(broker.bootstrap, tmp_path) as here:
        await here.make_topics()
        before = here.aws.state()
        await asyncio.to_thread(broker.kill)

        worker = here.worker(argv=PLAIN)
        await worker.logged("kafka.away")
        await asyncio.to_thread(broker.start)
        await worker.logged("partition.open")
        assert len(worker.events("kafka.away")) == len(worker.events("kafka.back")) == 1

        here.aws.knobs(latency=0.1)
        load = joiners("away", 20)
        async with here.client() as client:
            await publish_all(client, load)
            await eventually(lambda: len(here.aws.journal()) > 20, "calls are on their way")
            await asyncio.to_thread(broker.kill)
            await worker.logged("kafka.away", 2)
            await asyncio.to_thread(broker.start)
            await answered(client, load)
        await here.end_workers()
        said = worker.events("kafka.away", "kafka.back")
        assert [one["event"] for one in said] == ["kafka.away", "kafka.back"] * 2
        assert all(one["bootstrap_servers"] == broker.bootstrap and one["error"] for one in said[::2])
        print(check_all(await gather(here, load, before, cut_short=True)))


async def test_missing_topics_end_the_worker_with_the_mend(kafka, tmp_path):
    with world(kafka.bootstrap, tmp_path) as here:
        worker = here.worker(argv=PLAIN)
        assert await worker.ended() == 1
        for name in ("requests", "refreshes", "ledger", "accounts"):
            assert f"{here.topics.of(name)}: is missing; run `idhub-aws topics create`" in worker.text()
        assert "Traceback" not in worker.text()


async def test_a_topic_with_another_number_of_partitions_ends_the_worker_with_the_mend(kafka, tmp_path):
    with world(kafka.bootstrap, tmp_path) as here:
        await make_topic(here.bootstrap, here.topics.ledger, 2, {"cleanup.policy": "compact,delete"})
        await make_topic(here.bootstrap, here.topics.requests, 3)
        await here.make_topics()
        worker = here.worker(argv=PLAIN)
        assert await worker.ended() == 1
        assert f"{here.topics.ledger}: has 2 partitions where" in worker.text()
        assert "drain all" in worker.text()
        assert "Traceback" not in worker.text()


async def test_wrong_settings_are_all_reported_at_once(kafka, tmp_path):
    with world(kafka.bootstrap, tmp_path) as here:
        worker = here.worker(
            argv=PLAIN,
            SESSION_TIMEOUT_S="soon",
            TICK_S="-1",
            IDHUB_KEY="/no/such/file",
            CALL_TREADS="4",
            LOG_LEVEL="LOUD",
        )
        assert await worker.ended() == 2
        lines = worker.text().splitlines()
        for name, why in (
            ("SESSION_TIMEOUT_S", "number"),
            ("TICK_S", "greater than 0"),
            ("IDHUB_KEY", "no such file"),
            ("CALL_TREADS", "did you mean IDHUB_AWS_CALL_THREADS?"),
            ("LOG_LEVEL", "'DEBUG'"),
        ):
            [line] = [line for line in lines if f"IDHUB_AWS_{name}:" in line]
            assert why in line
        assert len(lines) == 5
        assert "Traceback" not in worker.text()


def probes(here):
    return [
        one for one in here.aws.journal() if (one.action, one.told) == ("GetCallerIdentity", "InvalidClientTokenId")
    ]


UNTRUSTED = "AWS does not take the connector's own credentials; requests wait until it does"
TRUSTED = "AWS takes the connector's credentials again"


@pytest.mark.parametrize("when", ["at start", "later"])
async def test_bad_credentials_of_our_own_fail_nobodys_request(kafka, tmp_path, when):
    def set_key(status):
        here.aws.call("UpdateAccessKey", {"UserName": CONNECTOR, "AccessKeyId": connector_key(), "Status": status})

    with world(kafka.bootstrap, tmp_path) as here:
        await here.make_topics()
        before = here.aws.state()
        load = joiners("early", 5)
        async with here.client() as client:
            if when == "later":
                worker = await here.ready_worker(argv=PLAIN)
                await publish_all(client, load)
                await answered(client, load)
            set_key("Inactive")
            if when == "at start":
                worker = await here.ready_worker(argv=PLAIN)
            more = joiners("waiting", 20)
            await publish_all(client, more)
            [told] = await worker.logged(UNTRUSTED)
            assert told["level"] == "error"
            assert told["code"] == "InvalidClientTokenId"
            assert "IDHUB_AWS_ACCESS_KEY_ID" in told["way_out"]
            # One probe at a time, however many wait, and nothing else is called meanwhile.
            wanted = 2 if when == "at start" else 1
            await eventually(lambda: len(probes(here)) >= wanted, f"{wanted} probes", within_s=30)
            since = here.aws.journal(probes(here)[0].seq)
            assert {one.action for one in since if one.principal == CONNECTOR} <= {"GetCallerIdentity"}
            assert not [one for one in client.replies if one.startswith("waiting")]

            set_key("Active")
            await answered(client, more)
        assert {reply["status"] for replies in client.replies.values() for reply in replies} == {"SUCCEEDED"}
        await here.end_workers()
        assert len(worker.events(UNTRUSTED)) == len(worker.events(TRUSTED)) == 1
        asked = [*load, *more] if when == "later" else more
        print(check_all(await gather(here, asked, before, cut_short=False)))


async def test_a_wrong_secret_is_said_and_waited_for(kafka, tmp_path):
    with world(kafka.bootstrap, tmp_path) as here:
        await here.make_topics()
        async with here.client() as client:
            worker = await here.ready_worker(argv=PLAIN, SECRET_ACCESS_KEY="not-the-secret")
            load = joiners("wrong", 3)
            await publish_all(client, load)
            [told] = await worker.logged(UNTRUSTED)
            assert told["code"] == "SignatureDoesNotMatch"
            assert "not-the-secret" not in worker.text()
            # Whoever starts a worker with the right one serves them all.
            worker.ask_to_end()
            assert await worker.ended() == 0
            here.worker(argv=PLAIN)
            await answered(client, load)
        assert {reply["status"] for replies in client.replies.values() for reply in replies} == {"SUCCEEDED"}
        await here.end_workers()
