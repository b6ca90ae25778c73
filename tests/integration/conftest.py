"""One stand-in for all tests of this folder, as new for each of them."""

import pytest

from sandbox.aws.process import StandInProcess
from tests.support.rig import Rig


@pytest.fixture(scope="session")
def stand_in():
    with StandInProcess() as process:
        yield process.client


@pytest.fixture
def make_rig(stand_in, tmp_path, monkeypatch):
    """`make_rig(**environ)`: settings given as the environment gives them."""
    rigs = []

    def make(**environ):
        rigs.append(Rig(stand_in, tmp_path, monkeypatch, **environ))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(make_rig):
    return make_rig()
