"""Logs: one form for ours and for libraries', and never a secret."""

import json
import logging

import pytest
import structlog

from streams.logs import configure_logs

CANARY = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _as_it_was():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def break_with_a_secret():
    password = CANARY  # noqa: F841 - it stands in the frame, where a traceback with locals would find it
    raise RuntimeError("broken")


def log_a_failure():
    try:
        break_with_a_secret()
    except RuntimeError:
        structlog.get_logger().exception("handler.broken", offset=7)
        logging.getLogger("library").exception("it broke")


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_a_traceback_shows_where_and_no_values(as_json, capsys):
    configure_logs(json=as_json)
    log_a_failure()
    told = capsys.readouterr().err
    assert told.count("break_with_a_secret") >= 2
    assert CANARY not in told


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("name", ["password", "Credential", "secret_access_key", "token"])
def test_a_value_that_is_named_as_a_secret_is_not_shown(name, as_json, capsys):
    configure_logs(json=as_json)
    structlog.get_logger().info("sent", **{name: CANARY})
    told = capsys.readouterr().err
    assert CANARY not in told
    assert "***" in told


def test_every_line_is_json_where_a_machine_reads_it(capsys):
    configure_logs(json=True)
    log_a_failure()
    logging.getLogger("library").warning("careful %s", "there")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("handler.broken", "error"),
        ("it broke", "error"),
        ("careful there", "warning"),
    ]
    assert all("timestamp" in line for line in lines)


def test_the_level_holds_for_ours(capsys):
    configure_logs(level="WARNING")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    told = capsys.readouterr().err
    assert "loud" in told
    assert "quiet" not in told


def test_aiokafkas_own_complaints_stay_away_unless_debugging(capsys):
    configure_logs(level="INFO")
    logging.getLogger("aiokafka.conn").error("Unable connect")
    assert capsys.readouterr().err == ""
    configure_logs(level="DEBUG")
    logging.getLogger("aiokafka.conn").error("Unable connect")
    assert "Unable connect" in capsys.readouterr().err
