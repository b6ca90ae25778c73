"""The connector as the factory builds it, on real sockets against a stand-in in a process of its own.

Time is the connector's alone: the driver moves a fake clock by what a life asks to wait, and no test sleeps.
"""

import json
import re
import time
from datetime import UTC, datetime

from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from connector.aws.mark import Marker
from connector.factory import build
from connector.secrets import ALGORITHMS
from connector.settings import load_settings
from sandbox.aws import CONNECTOR, DEFAULT_ACCOUNT, connector_key, secret_of
from tests.support import credentials
from tests.support.domain import FakeClock
from tests.support.domain import request as to_request
from tests.support.driving import Crash, Driver

MARK_KEY = "key-of-the-marks"
IDHUB_KEY = RSAKey.generate_key(2048)
CONNECTOR_KEY = ECKey.generate_key("P-256")
CALL_TIMEOUT_S = 2.0

_MARK = re.compile(r" idhub-aws/\S+ r/(?P<request>\S+) s/(?P<step>\d+) m/(?P<mac>[0-9a-f]+)$")


def key_files(folder):
    """IDHub's public and the connector's private key, as files."""
    idhub, connector = folder / "idhub.json", folder / "connector.json"
    idhub.write_text(json.dumps(IDHUB_KEY.as_dict(private=False)), encoding="utf-8")
    connector.write_text(json.dumps(CONNECTOR_KEY.as_dict(private=True)), encoding="utf-8")
    return {"IDHUB_AWS_IDHUB_KEY": str(idhub), "IDHUB_AWS_CONNECTOR_KEY": str(connector)}


class Rig:
    """A connector, its driver, and the stand-in's console."""

    def __init__(self, aws, folder, monkeypatch, **environ):
        self.aws = aws
        self._since = 0
        aws.reset()
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        access_key = connector_key()
        given = {
            "IDHUB_AWS_ACCESS_KEY_ID": access_key,
            "IDHUB_AWS_SECRET_ACCESS_KEY": secret_of(access_key),
            "IDHUB_AWS_USER_NAME": CONNECTOR,
            "IDHUB_AWS_MARK_KEY": MARK_KEY,
            "IDHUB_AWS_CALL_TIMEOUT_S": str(CALL_TIMEOUT_S),
            "IDHUB_AWS_CONNECT_TIMEOUT_S": "1",
            "IDHUB_AWS_CALL_THREADS": "4",
            "IDHUB_AWS_ENABLE_PROGRAMMATIC_ACCESS": "true",
            **key_files(folder),
            **environ,
        }
        settings = load_settings({k: v for k, v in given.items() if v is not None}, folder / "no.env")
        self.clock = FakeClock(datetime.fromtimestamp(int(time.time()), UTC))
        self.connector = build(settings, clock=self.clock)
        self.driver = Driver(self.connector.provisioning, self.clock)

    def close(self):
        self.connector.close()

    # -- the console -----------------------------------------------------------------------------------------------

    def console(self, action, **params):
        return self.aws.call(action, params)

    def user(self, name="alice"):
        return self.aws.state()["users"].get(name)

    def make_user(self, name="alice", kinds=()):
        """A user with some of everything, long known everywhere."""
        self.console("CreateUser", UserName=name)
        if "group" in kinds and "ops" not in self.aws.state()["groups"]:
            self.console("CreateGroup", GroupName="ops")
        credentials.equip(self.console, name, kinds)
        self.aws.settle()

    # -- requests --------------------------------------------------------------------------------------------------

    def request(self, body, user_name="alice", request_id="req-1", **fields):
        return to_request(body, user_name, request_id, **{"aws_account_id": DEFAULT_ACCOUNT, **fields})

    def run(self, body, **fields):
        return self.driver.run(self.request(body, **fields))

    def settled(self):
        """Later than any window: nothing that was read or written lately counts."""
        self.clock.advance(1000)
        self.aws.settle()

    def forget(self):
        """What led here is no part of what a test looks at: the journal, the waits and the lives."""
        self._since = self.aws.journal()[-1].seq
        self.driver.waits.clear()
        self.driver.lives = 0

    # -- the journal -----------------------------------------------------------------------------------------------

    def calls(self, request_id=None):
        """What the connector sent, all of it or that of one request."""
        entries = [entry for entry in self.aws.journal(self._since) if entry.principal == CONNECTOR]
        return [entry for entry in entries if request_id is None or mark_of(entry)["request"] == request_id]

    def actions(self, request_id=None):
        """The same as names of actions, without the question who we are."""
        return [entry.action for entry in self.calls(request_id) if entry.service == "iam"]

    def mutations(self, request_id=None):
        return [entry for entry in self.calls(request_id) if mark_of(entry)["step"] != "0"]

    def assert_audited(self, outcome):
        """Each step with an effect is in exactly one audit record; no record tells of a step that was never sent."""
        entries = self.mutations(outcome.reply.request_id)
        effects = {int(mark_of(entry)["step"]) for entry in entries if entry.changed}
        sent = {int(mark_of(entry)["step"]) for entry in entries}
        audited = [audit.step for audit in outcome.audits]
        assert len(audited) == len(set(audited))
        assert effects <= set(audited) <= sent

    def open(self, sealed):
        return json.loads(jwe.decrypt_compact(sealed, IDHUB_KEY, algorithms=ALGORITHMS).plaintext)


def mark_of(entry):
    """The parts of a call's mark; fails for a call without one."""
    found = _MARK.search(entry.user_agent)
    assert found, entry.user_agent
    return found.groupdict()


def is_proven(entry, user_name):
    """Whether the mark's HMAC fits the call."""
    mark = mark_of(entry)
    return Marker(MARK_KEY.encode()).is_ours(mark["mac"], mark["request"], int(mark["step"]), entry.action, user_name)


class CrashAt:
    """A `may_call` that is asked right before each call, and dies at the n-th one."""

    def __init__(self, number):
        self.left = number
        self.fired = False

    def __call__(self):
        if self.left == 0 and not self.fired:
            self.fired = True
            raise Crash
        self.left -= 1
        return True
