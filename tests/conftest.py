"""What every test gets: no sockets where none are needed, one Kafka per run for those who ask, a hypothesis profile."""

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import pytest_socket
import structlog

pytest_plugins = ["tests.support.kafka"]

TESTS = Path(__file__).parent
WITHOUT_SOCKETS = {"unit", "properties"}

# In the background of a shell SIGINT is ignored, and would be by every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A shared machine's pauses say nothing about an example; the blob reproduces a failure of another machine.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(autouse=True)
def _no_network_where_none_is_needed(request: pytest.FixtureRequest) -> Iterator[None]:
    room = request.path.relative_to(TESTS).parts[0]
    if room not in WITHOUT_SOCKETS:
        yield
        return
    pytest_socket.disable_socket(allow_unix_socket=True)  # the event loop wakes itself through a pair of those
    try:
        yield
    finally:
        pytest_socket.enable_socket()


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Whoever sets up logs, as every command does, sets them up for the whole process."""
    yield
    structlog.reset_defaults()
