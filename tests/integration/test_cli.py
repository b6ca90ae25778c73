"""`idhub-aws` as a person or a script uses it: real processes, a real Kafka, a worker on the AWS stand-in."""

import json
import signal
import socket
import uuid
from contextlib import closing
from datetime import datetime

import pytest

from sandbox.aws import BREAK_GLASS, CONNECTOR, DEFAULT_ACCOUNT, connector_key, secret_of
from sandbox.aws.process import StandInProcess
from streams.topics import PRESENT
from tests.support.cli import Cli

ACCOUNT = DEFAULT_ACCOUNT
TO = ("--account", ACCOUNT)


def settings_of(bootstrap, prefix):
    return {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "IDHUB_AWS_TOPIC_PREFIX": prefix,
        "IDHUB_AWS_GROUP": prefix,
        "IDHUB_AWS_PARTITIONS": "2",
        "IDHUB_AWS_REPLICATION_FACTOR": "1",
        "IDHUB_AWS_SESSION_TIMEOUT_S": "6",
        "IDHUB_AWS_CALL_TIMEOUT_S": "2",
        "IDHUB_AWS_CONNECT_TIMEOUT_S": "1",
        "IDHUB_AWS_CALL_THREADS": "4",
    }


@pytest.fixture(scope="module")
def stand_in_url():
    with StandInProcess() as process:
        yield process.url


@pytest.fixture(scope="module")
def cli(kafka, stand_in_url, tmp_path_factory):
    """The command line with a worker behind it."""
    given = {
        **settings_of(kafka.bootstrap, f"cli-{uuid.uuid4().hex[:10]}"),
        "IDHUB_AWS_ACCESS_KEY_ID": connector_key(),
        "IDHUB_AWS_SECRET_ACCESS_KEY": secret_of(connector_key()),
        "IDHUB_AWS_USER_NAME": CONNECTOR,
        "IDHUB_AWS_PROTECTED_PRINCIPALS": BREAK_GLASS,
        "AWS_ENDPOINT_URL": stand_in_url,
    }
    one = Cli(given, tmp_path_factory.mktemp("cli"))
    with closing(one):
        assert one.run("topics", "create").code == 0
        worker = one.start("worker")
        worker.says("partition.open", err=True)
        yield one
        worker.signal(signal.SIGTERM)
        assert worker.ended() == 0


@pytest.fixture
def alone(kafka, new_name, tmp_path):
    """The command line on a Kafka without topics, and without a worker."""
    with closing(Cli(settings_of(kafka.bootstrap, new_name("cli")), tmp_path)) as one:
        yield one


def lines(text):
    return text.splitlines()


# -- topics --------------------------------------------------------------------------------------------------------


def test_topics_are_created_checked_and_created_again(alone):
    created = alone.run("topics", "create")
    assert created.code == 0
    assert len([line for line in lines(created.out) if line.startswith("created ")]) == len(PRESENT)
    assert alone.run("topics", "check").out == "all topics as they should be\n"
    again = alone.run("topics", "create")
    assert (again.code, again.out) == (0, "0 created, all topics as they should be\n")


def test_topics_that_are_missing_are_named_with_the_mend(alone):
    told = alone.run("topics", "check")
    assert (told.code, told.out) == (1, "")
    assert len(lines(told.err)) == len(PRESENT)
    assert all(line.endswith("is missing; run `idhub-aws topics create`") for line in lines(told.err))


def test_a_refusal_to_create_is_said_once(alone):
    told = alone.run("topics", "create", IDHUB_AWS_REPLICATION_FACTOR="3")
    assert told.code == 1
    assert told.err.startswith("idhub-aws: Kafka refuses to create ")
    assert "IDHUB_AWS_REPLICATION_FACTOR" in told.err


# -- send ----------------------------------------------------------------------------------------------------------


def test_a_request_is_answered_and_told_step_by_step(cli):
    told = cli.run("send", "create", "Ann.Miller", *TO, "--group", "developers", "--attribute", "department=Finance")
    assert (told.code, told.err) == (0, "")
    first, *rest = lines(told.out)
    assert first.startswith("SUCCEEDED  CREATE_ACCOUNT Ann.Miller  (request ")
    assert any("AddUserToGroup" in line and "developers" in line and "DONE" in line for line in rest)
    assert any(f"arn:aws:iam::{ACCOUNT}:user/Ann.Miller" in line and "groups: developers" in line for line in rest)


def test_a_script_gets_json(cli):
    told = cli.run("send", "create", "json", *TO, "--request-id", "json-1", "--json")
    reply = json.loads(told.out)
    assert (told.code, len(lines(told.out))) == (0, 1)
    assert (reply["status"], reply["requestId"], reply["userName"]) == ("SUCCEEDED", "json-1", "json")
    assert datetime.fromisoformat(reply["finishedAt"]) >= datetime.fromisoformat(reply["startedAt"])
    assert [step["outcome"] for step in reply["steps"]] == ["DONE"]
    assert not [name for name in reply if name.startswith("_")]


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("delete", "never-was", *TO), "UNCHANGED", 0),
        (("create", "planned", *TO, "--dry-run"), "PLANNED", 0),
        (("grant", "exits", *TO, "--group", "developers", "--group", "no-such-group"), "PARTIAL", 3),
        (("grant", "never-was", *TO, "--group", "developers"), "FAILED", 4),
        (("create", "bad name!", *TO), "REJECTED", 5),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_exit_code_tells_how_it_ended(cli, words, status, code):
    if status == "PARTIAL":
        assert cli.run("send", "create", "exits", *TO).code == 0
    told = cli.run("send", *words)
    assert lines(told.out)[0].split()[0] == status
    assert told.code == code


def test_the_same_id_and_content_gets_the_same_reply(cli):
    words = ("send", "create", "twice", *TO, "--request-id", "twice-1", "--json")
    first, second = cli.run(*words), cli.run(*words)
    assert first.out == second.out
    assert json.loads(first.out)["status"] == "SUCCEEDED"


def test_the_same_id_with_another_content_is_a_conflict_and_is_told_as_one(cli):
    """The reply to this content, not the one that the first content got."""
    assert cli.run("send", "create", "clash", *TO, "--request-id", "clash-1").code == 0
    told = cli.run("send", "create", "clash", *TO, "--request-id", "clash-1", "--group", "developers")
    assert told.code == 5
    assert "CONFLICT" in told.out


def test_no_reply_in_time_says_how_to_go_on(cli):
    told = cli.run("send", "delete", "slow", *TO, "--request-id", "slow-1", "--timeout", "0")
    assert (told.code, told.out) == (6, "")
    (line,) = lines(told.err)
    assert line.startswith("idhub-aws: no reply to slow-1 within 0 s; the request may still run: ")
    assert "watch --request slow-1" in line
    assert "--request-id slow-1" in line
    assert cli.run("send", "delete", "slow", *TO, "--request-id", "slow-1").code == 0


def test_a_request_comes_from_a_file_or_a_pipe(cli):
    request = {
        "requestId": "file-1",
        "operation": "CREATE_ACCOUNT",
        "awsAccountId": ACCOUNT,
        "userName": "from-file",
        "entitlements": [{"type": "GROUP", "name": "developers"}],
    }
    (cli.folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    planned = cli.run("send", "--file", "request.json", "--dry-run", "--request-id", "file-0")
    assert (planned.code, lines(planned.out)[0].split()[0]) == (0, "PLANNED")
    assert cli.run("send", "--file", "request.json").code == 0
    piped = cli.run("send", "--file", "-", "--json", stdin=json.dumps({**request, "requestId": "file-2"}))
    assert json.loads(piped.out)["error"]["code"] == "ACCOUNT_EXISTS"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "alice"), "the AWS account is missing: give --account with its 12 digits"),
        (("--file", "nowhere.json"), "No such file"),
        (("create", "alice", "--file", "request.json"), "leave out: operation, user"),
    ],
)
def test_a_request_that_cannot_be_made_is_never_published(cli, words, said):
    told = cli.run("send", *words)
    assert (told.code, told.out, len(lines(told.err))) == (2, "", 1)
    assert said in told.err


def test_without_topics_there_is_one_clear_line(alone):
    for words in (("send", "create", "alice", *TO), ("watch", "--until-end")):
        told = alone.run(*words)
        assert (told.code, told.out, len(lines(told.err))) == (1, "", 1)
        assert "run `idhub-aws topics create`" in told.err
    assert len(lines(alone.run("topics", "check").err)) == len(PRESENT)  # nothing was made by asking


# -- watch ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(cli):
    """Two users with something to see, and a record that cannot be read."""
    assert cli.run("send", "create", "seen", *TO, "--group", "developers", "--request-id", "seen-1").code == 0
    assert cli.run("send", "delete", "seen", *TO, "--request-id", "seen-2").code == 0
    assert cli.run("send", "create", "other", *TO, "--request-id", "other-1").code == 0
    return cli


def kinds(ran):
    return [json.loads(line)["kind"] for line in lines(ran.out)]


def test_what_happened_is_told_line_by_line(history):
    told = history.run("watch", "--since", "1h", "--until-end", "--user", "SEEN")
    assert (told.code, told.err) == (0, "")
    assert any("reply    SUCCEEDED  CREATE_ACCOUNT seen (request seen-1)" in line for line in lines(told.out))
    assert any(
        "audit    AddUserToGroup developers on seen by idhub-aws-cli (request seen-1)" in line
        for line in lines(told.out)
    )
    assert any("change   DELETED seen (IDHUB)" in line for line in lines(told.out))
    assert not any("other" in line for line in lines(told.out))


def test_what_happened_is_told_to_a_program(history):
    told = history.run("watch", "--since", "1h", "--until-end", "--request", "seen-1", "--json")
    records = [json.loads(line) for line in lines(told.out)]
    assert set(kinds(told)) == {"ProvisioningReply", "AuditEvent", "AccountChange"}
    assert {one["record"]["requestId"] for one in records} == {"seen-1"}
    assert all({"topic", "partition", "offset", "timestamp"} <= set(one) for one in records)


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ("requests", {"ProvisioningRequest"}),
        ("accounts", {"AccountState"}),
        ("audit,replies", {"AuditEvent", "ProvisioningReply"}),
    ],
)
def test_topics_can_be_chosen(history, topics, expected):
    assert set(kinds(history.run("watch", "--until-end", "--topics", topics, "--json"))) == expected


def test_what_is_later_than_everything_is_nothing(history):
    told = history.run("watch", "--since", "2100-01-01", "--until-end")
    assert (told.code, told.out, told.err) == (0, "", "")


def test_records_are_seen_as_they_come_and_an_interruption_ends_it(cli):
    watching = cli.start("watch", "--topics", "replies", "--since", "1h", "--user", "live")
    watching.says("Z reply    SUCCEEDED  CREATE_ACCOUNT live") if cli.run(
        "send", "create", "live", *TO
    ).code == 0 else None
    watching.signal(signal.SIGINT)
    assert watching.ended() == 130
    assert watching.err == []


# -- Kafka away ----------------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path):
    """The command line where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with closing(Cli(settings_of(f"127.0.0.1:{sock.getsockname()[1]}", "x"), tmp_path)) as one:
            yield one


@pytest.mark.parametrize(
    "words",
    [("topics", "create"), ("topics", "check"), ("send", "create", "alice", *TO), ("watch",), ("watch", "--until-end")],
    ids=" ".join,
)
def test_a_kafka_that_is_away_is_one_clear_line(nowhere, words):
    told = nowhere.run(*words, within_s=30)
    assert (told.code, told.out) == (1, "")
    (line,) = lines(told.err)
    assert line.startswith("idhub-aws: Kafka at 127.0.0.1:")
    assert line.endswith("is it running, and is KAFKA_BOOTSTRAP_SERVERS right?")


def test_a_worker_waits_for_kafka_and_says_so_once(nowhere):
    worker = nowhere.start(
        "worker", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x"
    )
    worker.says("kafka.away", err=True)
    worker.signal(signal.SIGTERM)
    assert worker.ended() == 0
    assert len([line for line in worker.err if "kafka.away" in line]) == 1


def test_a_worker_without_topics_says_what_is_missing_and_ends(alone):
    told = alone.run("worker", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")
    assert told.code == 1
    assert told.err.count("is missing; run `idhub-aws topics create`") == len(PRESENT)


def test_an_outage_is_said_once_and_watching_goes_on(kafka_to_break, new_name, tmp_path):
    with closing(Cli(settings_of(kafka_to_break.bootstrap, new_name("cli")), tmp_path)) as cli:
        send = ("send", "create", "afterwards", *TO, "--timeout", "0", "--request-id")
        assert cli.run("topics", "create").code == 0
        watching = cli.start("watch", "--topics", "requests", "--since", "1h", "--user", "afterwards")
        assert cli.run(*send, "before").code == 6
        watching.says("(request before)")
        kafka_to_break.kill()
        watching.says("kafka.away", err=True)
        kafka_to_break.restart()
        assert cli.run(*send, "after").code == 6
        watching.says("(request after)")
        watching.signal(signal.SIGINT)
        assert watching.ended() == 130
        assert len([line for line in watching.err if "kafka.away" in line]) == 1
        assert all("kafka." in line for line in watching.err)
