"""avro/README.md, docs/cli.md and docs/security.md say what the code does."""

import io
import re
import sys
from types import SimpleNamespace

import pytest

from streams import cli
from streams.send import OPERATIONS
from streams.topics import ROLES, TopicNames
from streams.wire import decode_record, encode_record, schemas
from streams.wire.headers import CORRELATION_ID, DEAD_LETTER, REPLY_TOPIC, TRACEPARENT, cloud_event
from streams.wire.keys import user_key
from tests.support.docs import BLOCKS, PAGES, ROOT, blocks_of, commands, made_anew

README = (ROOT / "avro" / "README.md").read_text(encoding="utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_what_is_made_from_the_code_is_up_to_date(page):
    assert (ROOT / page).read_text(encoding="utf-8") == made_anew(page), "run `python -m tests.support.docs`"


def test_every_block_stands_in_a_page():
    assert sorted(name for page in PAGES for name in blocks_of(page)) == sorted(BLOCKS)


# -- avro/README.md ------------------------------------------------------------------------------------------------


def test_every_header_is_described():
    event = [name for name, _ in cloud_event(event_id="", event_type="", subject="", time=None)]
    for name in (REPLY_TOPIC, CORRELATION_ID, TRACEPARENT, *DEAD_LETTER, *event, "ce_time"):
        assert f"`{name}`" in README, name


def python_of(heading):
    """The Python under a heading."""
    section = README[README.index(f"## {heading}") :]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


@pytest.fixture
def librdkafka(monkeypatch):
    """In the place of confluent-kafka, which the project does not need: it takes what is produced, gives what is asked."""
    seen = SimpleNamespace(config=None, produced=[], messages=[])

    class Producer:
        def __init__(self, config):
            seen.config = config

        def produce(self, topic, *, key, value, headers):
            seen.produced.append((topic, key, value, headers))

        def flush(self):
            seen.flushed = True

    class Consumer:
        def __init__(self, config):
            seen.config = config

        def subscribe(self, topics):
            seen.topics = topics

        def poll(self, _):
            if not seen.messages:
                raise KeyboardInterrupt
            return seen.messages.pop(0)

    monkeypatch.setitem(sys.modules, "confluent_kafka", SimpleNamespace(Producer=Producer, Consumer=Consumer))
    monkeypatch.chdir(ROOT)
    return seen


def test_the_producer_makes_a_request_that_the_connector_takes(librdkafka):
    exec(python_of("A producer"), {})
    ((topic, key, value, headers),) = librdkafka.produced
    _, fields = decode_record(value, "ProvisioningRequest")
    assert topic == TopicNames("idhub.aws").requests
    assert key == user_key(fields["awsAccountId"], fields["userName"])
    assert CORRELATION_ID in headers
    assert librdkafka.config["partitioner"] == "murmur2_random"
    assert librdkafka.flushed


def test_the_consumer_reads_what_the_connector_writes(librdkafka, capsys):
    reply = {
        "requestId": "r-1",
        "operation": "DELETE_ACCOUNT",
        "status": "UNCHANGED",
        "requestHash": "h",
        "userName": "x",
    }
    value = encode_record("ProvisioningReply", reply)
    librdkafka.messages = [None, SimpleNamespace(error=lambda: None, value=lambda: value)]
    with pytest.raises(KeyboardInterrupt):
        exec(python_of("A consumer"), {})
    assert capsys.readouterr().out == "r-1 UNCHANGED None\n"
    assert librdkafka.topics == [TopicNames("idhub.aws").replies]
    assert librdkafka.config["isolation.level"] == "read_committed"


def test_the_examples_name_every_version():
    assert schemas.current("ProvisioningRequest").fingerprint.hex() in python_of("A producer")
    for version in schemas.landed("ProvisioningReply"):
        assert version.fingerprint.hex() in python_of("A consumer")


def test_every_record_is_explained():
    assert [name for name in schemas.NAMES if f"**{name}**" not in README] == []


# -- docs/cli.md ---------------------------------------------------------------------------------------------------


def test_every_exit_code_is_described():
    table = dict(re.findall(r"^\| (\d+) \| (.+) \|$", CLI, re.MULTILINE))
    codes = {cli.EXIT_FAILED, cli.EXIT_USAGE, cli.EXIT_INTERRUPTED, cli.EXIT_NO_REPLY, *cli.EXIT_OF_STATUS.values()}
    assert set(map(int, table)) == codes
    for status, code in cli.EXIT_OF_STATUS.items():
        assert f"`{status}`" in table[str(code)]


def options_of(words):
    return {opt for found, command in commands() if found == words for param in command.params for opt in param.opts}


def test_no_example_uses_an_option_that_is_not_there():
    used = re.findall(r"idhub-aws ((?:send|watch|topics \w+))([^\n`|]*)", f"{CLI}\n{README}\n{SECURITY}")
    assert used
    for words, rest in used:
        wrong = set(re.findall(r"(?<=\s)--[a-z-]+", rest)) - options_of(tuple(words.split())) - {"--help"}
        assert not wrong, (words, wrong)


def test_every_short_word_of_send_is_in_its_help():
    (send,) = (command for words, command in commands() if words == ("send",))
    told = send.params[0].help
    assert [word for word in OPERATIONS if word not in re.findall(r"\w+", told)] == []


# -- docs/security.md ----------------------------------------------------------------------------------------------


def test_the_first_sentence_says_who_is_an_administrator():
    first = next(line for line in SECURITY.splitlines() if line and not line.startswith("#"))
    assert first.startswith("**Whoever may write the `requests` topic is an IAM administrator")
    assert [role for role in ROLES if f"| {role} |" not in SECURITY] == []


def test_the_pages_are_plain_text():
    for text in (README, CLI, SECURITY):
        assert io.StringIO(text).read().isprintable() or not set(text) & {
            chr(n) for n in (*range(9), *range(11, 32), 127)
        }
