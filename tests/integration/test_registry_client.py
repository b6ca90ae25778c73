"""The client of Confluent's API on a real socket: what each answer means, and that no answer takes longer than it may."""

import asyncio
import base64
import copy
import json

import pytest
from structlog.testing import capture_logs

from sandbox.parts.ports import free_ports
from streams.errors import RegistryAway, RegistryRefused, SchemaRefused
from streams.topics import TopicNames
from streams.wire import schemas
from streams.wire.codec import Codec
from streams.wire.errors import SchemaNotCached, Undecodable, UnknownSchema
from streams.wire.registry import RegistryClient
from streams.wire.subjects import Subject, check, check_landed, id_of, register, subjects
from tests.support.registry import HOST, Answer, FakeRegistry, no_such
from tests.support.wait import eventually

REFRESH = schemas.current("Refresh")
SUBJECT = Subject("acme/idhub.refreshes", REFRESH)
PATH = "/subjects/acme%2Fidhub.refreshes-value"
TOPICS = TopicNames("idhub.aws")


@pytest.fixture
async def registry():
    async with FakeRegistry() as fake:
        yield fake


@pytest.fixture
async def client(registry):
    made = RegistryClient(registry.url, timeout_s=5)
    yield made
    await made.close()


def registered(schema, **more):
    return Answer(body={"schema": json.dumps(schema), **more})


async def test_a_schema_of_ours_is_recognised_however_it_is_written(registry, client):
    registry.answers["GET /schemas/ids/7"] = Answer(body={"schema": json.dumps(REFRESH.text, indent=3)})
    assert await client.schema(7) is REFRESH


async def test_an_older_writers_schema_is_read_as_it_is(registry, client):
    older = copy.deepcopy(REFRESH.text)
    older["fields"] = [field for field in older["fields"] if field["name"] != "observedState"]
    registry.answers["GET /schemas/ids/7"] = registered(older)
    schema = await client.schema(7)
    assert (schema.name, schema.text) == ("Refresh", older)


async def test_an_id_that_is_not_there_is_none(registry, client):
    registry.answers["GET /schemas/ids/7"] = no_such(40403)
    assert await client.schema(7) is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(body={"schema": 'syntax = "proto3";', "schemaType": "PROTOBUF"}), "7 is PROTOBUF, not Avro"),
        (Answer(body={"schema": '"string"'}), "7 is no Avro record"),
        (Answer(body={"schema": '{"type":'}), "7 is no Avro record"),
        (Answer(body={"schema": '{"type": "record", "name": "X", "fields": [{"name": "a", "type": "Y"}]}'}), "no Avro"),
        (Answer(body={"schema": '{"type": "record", "name": "a.Invoice", "fields": []}'}), "not one of ours .Invoice"),
        (Answer(body={}), "7 is no Avro record"),
        (registered(REFRESH.text, references=[{"name": "a", "subject": "b", "version": 1}]), "7 refers to others"),
    ],
)
async def test_what_can_never_be_ours_is_said(registry, client, answer, says):
    registry.answers["GET /schemas/ids/7"] = answer
    with pytest.raises(Undecodable, match=says):
        await client.schema(7)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_registry_that_cannot_now_is_away(registry, client, status):
    registry.answers["GET /schemas/ids/7"] = Answer(status, {"error_code": 50001, "message": "leader lost"})
    with pytest.raises(RegistryAway, match=rf"http://127.0.0.1:\d+/api answers {status} \(leader lost\)"):
        await client.schema(7)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(401, b""), "answers 401: it wants another user:password"),
        (Answer(403, {"error_code": 40301, "message": "no"}), "403 .no.: it wants another"),
        (Answer(404, b"<html>"), "is SCHEMA_REGISTRY_URL right"),
        (Answer(200, b"<html>please log in</html>"), "is no schema registry: is SCHEMA_REGISTRY_URL right"),
        (Answer(200, []), "a list where an object belongs"),
        (Answer(422, {"error_code": 42201, "message": "bad"}), "answers 422 .bad."),
    ],
)
async def test_what_only_a_person_can_mend_is_told(registry, client, answer, says):
    registry.answers["GET /schemas/ids/7"] = answer
    with pytest.raises(RegistryRefused, match=says):
        await client.schema(7)


async def test_nobody_listening_is_away():
    client = RegistryClient(f"http://{HOST}:{free_ports(1)[0]}", timeout_s=5)
    with pytest.raises(RegistryAway, match=r"does not answer \(ConnectError"):
        await client.schema(7)
    await client.close()


async def test_an_answer_that_trickles_is_given_up_as_a_whole(registry):
    registry.answers["GET /schemas/ids/7"] = Answer(body={"schema": "x" * 10_000}, drip=True)
    impatient = RegistryClient(registry.url, timeout_s=0.3)
    with pytest.raises(RegistryAway, match=r"does not answer within 0.3 s"):
        await impatient.schema(7)
    await impatient.close()


async def test_user_and_password_go_out_and_are_never_shown(registry):
    url = registry.url.replace("http://", "http://me%40x:pass%2Fword@")
    client = RegistryClient(url, timeout_s=5)
    with pytest.raises(RegistryRefused) as refused:
        await client.schema(7)
    sent = {name.lower(): value for name, value in registry.headers[0].items()}
    assert base64.b64decode(sent["authorization"].removeprefix("Basic ")) == b"me@x:pass/word"
    assert client.address == registry.url
    assert "pass" not in f"{refused.value}{client.address}"
    await client.close()


async def test_a_missing_private_ca_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(RegistryRefused, match=r"cannot set up TLS .*: look at SSL_CERT_FILE"):
        RegistryClient("https://registry.example.com")


# -- subjects ------------------------------------------------------------------------------------------------------


async def test_a_schema_that_is_there_is_only_looked_up(registry, client):
    registry.answers[f"POST {PATH}"] = Answer(body={"id": 7})
    assert await id_of(client, SUBJECT) == 7
    assert list(registry.asked) == [f"POST {PATH}"]
    assert json.loads(registry.bodies[0]["schema"]) == REFRESH.text


async def test_the_first_creation_sets_the_level_before_the_schema(registry, client):
    registry.answers |= {
        f"POST {PATH}": no_such(40401),
        f"GET {PATH}/versions": no_such(40401),
        f"PUT /config{PATH.removeprefix('/subjects')}": Answer(body={"compatibility": "FULL_TRANSITIVE"}),
        f"POST {PATH}/versions": Answer(body={"id": 9}),
    }
    assert await id_of(client, SUBJECT) == 9
    assert list(registry.asked)[-2:] == [f"PUT /config{PATH.removeprefix('/subjects')}", f"POST {PATH}/versions"]
    assert {"compatibility": "FULL_TRANSITIVE"} in registry.bodies


async def test_two_that_set_the_level_at_once_do_not_mind(registry, client):
    setting = f"/config{PATH.removeprefix('/subjects')}"
    registry.answers[f"PUT {setting}"] = Answer(409, {"error_code": 409, "message": "A rule already exists."})
    registry.answers[f"GET {setting}"] = Answer(body={"compatibilityLevel": "FULL_TRANSITIVE"})
    await client.set_compatibility(SUBJECT.name, "FULL_TRANSITIVE")
    registry.answers[f"GET {setting}"] = Answer(body={"compatibilityLevel": "NONE"})
    with pytest.raises(RegistryAway, match="somebody else sets the compatibility"):
        await client.set_compatibility(SUBJECT.name, "FULL_TRANSITIVE")


async def test_a_level_that_somebody_set_is_left_by_the_worker(registry, client):
    registry.answers |= {
        f"POST {PATH}": no_such(40403),
        f"GET {PATH}/versions": Answer(body=[1]),
        f"POST {PATH}/versions": Answer(body={"id": 9}),
    }
    assert await id_of(client, SUBJECT) == 9
    assert not [what for what in registry.asked if what.startswith("PUT")]


def incompatible(registry):
    older = copy.deepcopy(REFRESH.text)
    older["fields"].append({"name": "ticket", "type": "string"})
    registry.answers |= {
        f"POST {PATH}": no_such(40403),
        f"GET {PATH}/versions": Answer(body=[1, 2]),
        f"GET {PATH}/versions/1": registered(REFRESH.text, id=3),
        f"GET {PATH}/versions/2": registered(older, id=4),
        f"POST {PATH}/versions": Answer(409, {"error_code": 409, "message": "[ticket at /fields/9]"}),
        f"GET /config{PATH.removeprefix('/subjects')}": Answer(body={"compatibilityLevel": "FULL_TRANSITIVE"}),
    }


WHY = "acme/idhub.refreshes-value: ticket is gone, and readers of version 2 need it; keep it"


@pytest.mark.parametrize("how", [id_of, register])
async def test_a_refused_schema_is_explained_by_its_fields(registry, client, how):
    incompatible(registry)
    with pytest.raises(SchemaRefused) as refused:
        await how(client, SUBJECT)
    assert str(refused.value) == WHY


async def test_a_refusal_that_we_cannot_explain_keeps_the_registrys_words(registry, client):
    incompatible(registry)
    registry.answers[f"GET {PATH}/versions"] = Answer(body=[1])
    with pytest.raises(SchemaRefused, match=r"refuses the schema: \[ticket at /fields/9\]"):
        await id_of(client, SUBJECT)


async def test_check_says_the_same_before_anything_is_registered(registry, client):
    incompatible(registry)
    assert list(map(str, await check(client, SUBJECT))) == [WHY]


async def test_check_can_be_used_before_the_first_creation(registry, client):
    registry.answers[f"GET {PATH}/versions"] = no_such(40401)
    (finding,) = await check(client, SUBJECT)
    assert (finding.problem, finding.note) == ("", "new; `idhub-aws schemas register` creates it")


@pytest.mark.parametrize(
    ("level", "says"),
    [("BACKWARD", "its compatibility is BACKWARD and not"), (None, "it has no compatibility of its own")],
)
async def test_check_wants_the_level(registry, client, level, says):
    incompatible(registry)
    answer = Answer(body={"compatibilityLevel": level}) if level else no_such(40408)
    registry.answers |= {
        f"GET {PATH}/versions": Answer(body=[1]),
        f"GET /config{PATH.removeprefix('/subjects')}": answer,
    }
    (finding,) = await check(client, SUBJECT)
    assert says in finding.problem
    assert finding.mend == "run `idhub-aws schemas register`, which sets it"


async def test_check_believes_the_registrys_own_rules(registry, client):
    incompatible(registry)
    asking = f"POST /compatibility{PATH}/versions?verbose=true"
    registry.answers |= {f"GET {PATH}/versions": Answer(body=[1]), asking: Answer(body={"is_compatible": False})}
    (finding,) = await check(client, SUBJECT)
    assert finding.problem == "the registry would refuse it"
    registry.answers |= {asking: Answer(body={"is_compatible": True}), f"POST {PATH}": Answer(body={"id": 3})}
    (finding,) = await check(client, SUBJECT)
    assert (finding.problem, finding.note) == ("", "registered, 1 version")


def test_there_is_a_subject_for_every_topic_with_records_of_ours():
    names = {subject.name: subject.schema.name for subject in subjects(TOPICS, ["acme.replies", TOPICS.replies])}
    assert names["idhub.aws.requests-value"] == "ProvisioningRequest"
    assert names["acme.replies-value"] == "ProvisioningReply"
    assert "idhub.aws.dead-letters-value" not in names
    assert set(names.values()) >= {"Refresh", "AuditEvent", "AccountState", "AccountChange", "LedgerEntry"}


def test_without_a_registry_the_landed_ones_are_looked_at():
    assert [finding.problem for subject in subjects(TOPICS) for finding in check_landed(subject)] == [""] * len(
        subjects(TOPICS)
    )


# -- the codec -----------------------------------------------------------------------------------------------------

RECORD = {"awsAccountId": "012345678901", "userName": "alice"}


def knows_all(registry):
    for number, subject in enumerate(subjects(TOPICS), 1):
        registry.answers[f"POST /subjects/{subject.name}"] = Answer(body={"id": number})
    return {subject.topic: number for number, subject in enumerate(subjects(TOPICS), 1)}


async def test_a_codec_writes_what_it_can_read_without_asking_again(registry):
    ids = knows_all(registry)
    codec = Codec(registry.url, TOPICS)
    await codec.open()
    asked = registry.asked.total()
    await codec.open()
    value = codec.encode(TOPICS.refreshes, "Refresh", RECORD)
    assert value[:5] == b"\0" + ids[TOPICS.refreshes].to_bytes(4, "big")
    assert codec.decode(value, "Refresh")[1]["userName"] == "alice"
    plain = Codec(None, TOPICS)
    await plain.open()
    assert codec.decode(plain.encode(TOPICS.refreshes, "Refresh", RECORD))[1]["userName"] == "alice"
    assert registry.asked.total() == asked == len(ids)
    with pytest.raises(UnknownSchema, match="none is configured"):
        plain.decode(value)
    await codec.close()
    await plain.close()


async def test_nothing_is_written_before_the_ids_are_known(registry):
    codec = Codec(registry.url, TOPICS)
    with pytest.raises(KeyError):
        codec.encode(TOPICS.refreshes, "Refresh", RECORD)
    await codec.close()


async def test_fifty_first_looks_are_one_request_over_http_too(registry):
    registry.answers["GET /schemas/ids/300"] = registered(REFRESH.text)
    codec = Codec(registry.url, TOPICS)
    value = (b"\0" + (300).to_bytes(4, "big")) + Codec(None, TOPICS).encode("", "Refresh", RECORD)[10:]
    with pytest.raises(SchemaNotCached) as missing:
        codec.decode(value)
    assert await asyncio.gather(*(codec.resolve(missing.value) for _ in range(50))) == [None] * 50
    assert registry.asked == {"GET /schemas/ids/300": 1}
    assert codec.decode(value, "Refresh")[1]["awsAccountId"] == "012345678901"
    await codec.close()


async def test_what_is_shown_waits_for_a_registry_that_comes_back(registry):
    codec = Codec(registry.url, TOPICS)
    value = (b"\0" + (300).to_bytes(4, "big")) + Codec(None, TOPICS).encode("", "Refresh", RECORD)[10:]
    registry.answers["GET /schemas/ids/300"] = no_such(40403)
    with capture_logs() as said:
        preparing = asyncio.create_task(codec.prepare(value))
        await eventually(registry.asked.total, "the registry is asked")
        registry.answers["GET /schemas/ids/300"] = registered(REFRESH.text)
        await preparing
    assert codec.decode(value, "Refresh")[1]["userName"] == "alice"
    assert [line["event"] for line in said] == ["schema.unknown", "schema.known"]
    await codec.prepare(None)
    await codec.prepare(b"\0\0\0\0")
    registry.answers["GET /schemas/ids/301"] = no_such(40403)
    await codec.prepare(b"\0\0\0\1\x2d", within_s=0.1)  # not in time: nothing is raised
    await codec.close()
