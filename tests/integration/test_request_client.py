"""A producer that waits for its reply: which reply is its own, and what happens when none can come."""

import asyncio

import pytest

from connector.settings import load_settings
from streams import send
from streams.admin import create_topics
from streams.errors import BrokerAway, StreamsError
from streams.send import RequestClient, new_request
from streams.topics import TopicNames
from streams.wire import decode_record, encode_record
from streams.wire.requests import hash_of
from tests.support.kafka import produce, read_topic

ACCOUNT = "111122223333"


def settings_for(bootstrap, prefix, folder):
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "IDHUB_AWS_TOPIC_PREFIX": prefix,
        "IDHUB_AWS_PARTITIONS": "2",
        "IDHUB_AWS_REPLICATION_FACTOR": "1",
    }
    return load_settings(environ, folder / "none.env")


@pytest.fixture
async def settings(kafka, new_name, tmp_path):
    made = settings_for(kafka.bootstrap, new_name("client"), tmp_path)
    await create_topics(made)
    return made


def asked(**fields):
    return new_request("DELETE_ACCOUNT", ACCOUNT, "alice", requestId="r-1", **fields)


def reply_to(fields, status="UNCHANGED"):
    content = decode_record(encode_record("ProvisioningRequest", fields))[1]
    return encode_record(
        "ProvisioningReply",
        {
            "requestId": fields["requestId"],
            "operation": fields["operation"],
            "status": status,
            "requestHash": hash_of(content),
            "userName": fields["userName"],
        },
    )


async def answer(settings, *values):
    await produce(settings.bootstrap_servers, TopicNames(settings.topic_prefix).replies, *values, key=b"k")


async def test_a_request_is_published_under_its_canonical_key(settings):
    async with RequestClient(settings) as client:
        place = await client.publish(asked(userName="Alice"))
    (record,) = await read_topic(settings.bootstrap_servers, place.topic)
    assert (record.key, record.partition, record.offset) == (f"{ACCOUNT}/alice".encode(), place.partition, place.offset)


async def test_the_reply_to_another_content_under_the_same_id_is_not_taken_for_ones_own(settings):
    mine, other = asked(), asked(dryRun=True)
    async with RequestClient(settings) as client:
        asking = asyncio.create_task(client.ask(mine, timeout_s=30))
        await answer(settings, reply_to(other, "PLANNED"), reply_to(mine))
        assert (await asking)["status"] == "UNCHANGED"
        assert [reply["status"] for reply in client.replies["r-1"]] == ["PLANNED", "UNCHANGED"]


async def test_what_is_no_reply_is_nobodys_answer_and_ends_nothing(settings):
    async with RequestClient(settings) as client:
        await answer(settings, b"garbage", encode_record("ProvisioningRequest", asked()), reply_to(asked()))
        assert (await client.reply("r-1", timeout_s=30))["status"] == "UNCHANGED"


async def test_only_what_comes_after_it_was_opened_is_an_answer(settings):
    await answer(settings, reply_to(asked(), "FAILED"))
    async with RequestClient(settings) as client:
        await answer(settings, reply_to(asked()))
        assert (await client.reply("r-1", timeout_s=30))["status"] == "UNCHANGED"


async def test_a_second_reply_can_be_waited_for(settings):
    async with RequestClient(settings) as client:
        await answer(settings, reply_to(asked(), "FAILED"), reply_to(asked()))
        assert (await client.reply("r-1", timeout_s=30, count=2))["status"] == "UNCHANGED"


async def test_no_reply_in_time_names_the_request(settings):
    async with RequestClient(settings) as client:
        with pytest.raises(TimeoutError, match="no reply to r-1 within 0 s; the request may still run"):
            await client.reply("r-1", timeout_s=0)


async def test_replies_that_cannot_be_read_any_more_are_told_to_who_waits(settings, monkeypatch):
    def broken(*_):
        raise RuntimeError("the decoder broke")

    async with RequestClient(settings) as client:
        monkeypatch.setattr(send, "_decode", broken)
        await answer(settings, reply_to(asked()))
        with pytest.raises(RuntimeError, match="the decoder broke"):
            await client.reply("r-1", timeout_s=30)


async def test_without_topics_there_is_nothing_to_open(kafka, new_name, tmp_path):
    with pytest.raises(StreamsError, match="run `idhub-aws topics create`"):
        async with RequestClient(settings_for(kafka.bootstrap, new_name("client"), tmp_path)):
            pass


async def test_a_kafka_that_went_away_is_said_in_time(kafka_to_break, new_name, tmp_path, monkeypatch):
    monkeypatch.setattr(send, "PUBLISH_S", 1.0)
    made = settings_for(kafka_to_break.bootstrap, new_name("client"), tmp_path)
    await create_topics(made)
    async with RequestClient(made) as client:
        kafka_to_break.kill()
        with pytest.raises(BrokerAway, match=r"does not answer .* sent again with --request-id r-1 it is done once"):
            await client.ask(asked())
