"""The command line without Kafka: help, wrong usage, wrong settings, exit codes, and no traceback ever."""

import os
import subprocess
import sys

import pytest
import typer.main
from aiokafka.errors import KafkaConnectionError
from typer.testing import CliRunner

from connector import VERSION
from connector.errors import SecretError
from connector.model.results import ReplyStatus
from streams import cli
from streams.errors import BrokerAway, TopicsWrong

HEAVY = {"aiokafka", "boto3", "botocore", "fastavro", "rich", "structlog", "joserfc", "yaml", "httpx2", "hypothesis"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("IDHUB_AWS_", "KAFKA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # no .env of somebody's


def run(*words, **environ):
    return CliRunner().invoke(cli.app, list(words), env=environ)


def commands():
    """Every command with its words."""

    def walk(command, words):
        yield words, command
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, name))

    return dict(walk(typer.main.get_command(cli.app), ()))


COMMANDS = commands()


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "itself")
def test_help_teaches(words):
    told = run(*words, "--help")
    assert told.exit_code == 0
    assert told.stdout.startswith("Usage: ")
    assert "\x1b" not in told.stdout


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "itself")
def test_every_command_and_option_says_what_it_is_for(words):
    command = COMMANDS[words]
    assert command.help
    assert [p.name for p in command.params if p.name != "help" and not getattr(p, "help", None)] == []


@pytest.mark.parametrize(
    "words", [("send",), ("watch",), ("topics", "create"), ("topics", "acls"), ("worker",)], ids=" ".join
)
def test_help_shows_an_example_that_keeps_its_line(words):
    told = run(*words, "--help").stdout
    assert "Example" in told
    assert any(line.strip().startswith("idhub-aws") or " idhub-aws " in line for line in told.splitlines())


@pytest.mark.parametrize("words", [["--help"], ["send", "--help"], ["--version"]], ids=" ".join)
def test_what_is_quick_imports_nothing_heavy(words):
    code = (
        "import sys\nfrom streams.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert set(eval(told.stderr)) & HEAVY == set()
    assert told.stdout


def test_the_version_is_that_of_the_package():
    assert run("--version").stdout == f"{VERSION}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sned"], "No such command 'sned'"),
        (["send", "--grup", "x"], "No such option"),
        (["send", "--timeout", "-1"], "--timeout"),
        (["send"], "say what is to be done to whom"),
        (["send", "create", "alice"], "give --account with its 12 digits"),
        (["send", "craete", "alice", "--account", "123456789012"], "none of CREATE_ACCOUNT"),
        (["watch", "--topics", "nonsense"], "no topic nonsense to watch"),
        (["watch", "--since", "yesterday"], "write 10m, 2h, 1d"),
        (["topics", "acls", "--role", "root"], "no role root; there are idhub, gateway, worker"),
        (["topics", "acls", "--principal", "nobody=User:x"], "no role nobody"),
        (["topics", "acls", "--principal", "worker"], "write ROLE=PRINCIPAL"),
    ],
)
def test_wrong_usage_is_said_and_exits_2(words, said):
    told = run(*words)
    assert said in told.stderr
    assert (told.exit_code, told.stdout) == (2, "")
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "words", [["worker"], ["send", "create", "x"], ["watch"], ["topics", "check"], ["topics", "create"]]
)
def test_wrong_settings_are_told_at_once_and_exit_2(words):
    told = run(*words, IDHUB_AWS_PARTITIONS="0", IDHUB_AWS_GRUOP="x", KAFKA_BOOTSTRAP_SERVERS="nowhere")
    assert told.exit_code == 2
    lines = told.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("idhub-aws: ") for line in lines)
    assert "did you mean IDHUB_AWS_GROUP?" in told.stderr


def test_every_status_of_a_reply_has_an_exit_code():
    assert set(cli.EXIT_OF_STATUS) == {status.value for status in ReplyStatus} - {"UNKNOWN"}
    assert {cli.EXIT_OF_STATUS[s] for s in ("SUCCEEDED", "UNCHANGED", "PLANNED")} == {0}
    codes = [cli.EXIT_OF_STATUS[s] for s in ("PARTIAL", "FAILED", "REJECTED")]
    assert (*codes, cli.EXIT_NO_REPLY, cli.EXIT_INTERRUPTED) == (3, 4, 5, 6, 130)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BrokerAway("Kafka at k:1 does not answer"), "idhub-aws: Kafka at k:1 does not answer"),
        (TopicsWrong("a: is missing\nb: is missing"), "idhub-aws: a: is missing\nb: is missing"),
        (SecretError("the key file is empty"), "idhub-aws: the key file is empty"),
        (KafkaConnectionError("gone"), "idhub-aws: Kafka: KafkaConnectionError: KafkaConnectionError: gone"),
        (OSError(28, "No space left on device"), "idhub-aws: [Errno 28] No space left on device"),
    ],
)
def test_what_is_understood_is_one_line_and_exits_1(error, said, capsys):
    async def fail():
        raise error

    with pytest.raises(typer.Exit) as exited:
        cli._run(fail())
    assert exited.value.exit_code == 1
    assert capsys.readouterr().err == f"{said}\n"


def test_an_interruption_exits_130(capsys):
    async def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as exited:
        cli._run(interrupted())
    assert exited.value.exit_code == 130
    assert capsys.readouterr().err == ""


def test_acls_are_printed_for_the_settings_in_force():
    told = run(
        "topics", "acls", "--role", "worker", "--principal", "worker=User:CN=aws",
        IDHUB_AWS_TOPIC_PREFIX="my.own", IDHUB_AWS_GROUP="blue", KAFKA_BOOTSTRAP_SERVERS="k:9092",
    )  # fmt: skip
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[0].startswith("# worker: ")
    assert all(
        line.startswith("kafka-acls.sh --bootstrap-server k:9092 --add --allow-principal 'User:CN=aws' ")
        for line in lines[1:]
    )
    assert "--topic my.own.requests" in told.stdout
    assert "--group blue" in told.stdout


def test_acls_are_printed_for_every_role():
    told = run("topics", "acls").stdout
    assert [line.split(":")[0] for line in told.splitlines() if line.startswith("#")] == [
        "# IDHub", "# gateway", "# worker", "# operators", "# security teams", "# other programs",
    ]  # fmt: skip


def test_a_reader_who_has_gone_is_no_news():
    """`idhub-aws topics acls | head -1`."""
    code = "from streams.cli import main; main()"
    command = [sys.executable, "-c", code, "topics", "acls"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
        process.wait()
    assert said == ""


def test_a_terminal_without_arrows_gets_no_traceback():
    code = "import sys\nfrom streams import cli\ncli.app = lambda: print('a → b')\ncli.main()"
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert told.stdout == "a ? b\n"
