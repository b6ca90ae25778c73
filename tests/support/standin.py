"""The stand-in's account object in the place of boto3: no sockets, and every call has a fate of its own."""

import re
from dataclasses import dataclass, field
from datetime import timedelta

from joserfc.jwk import ECKey

from connector.aws.account import AwsAccount
from connector.aws.errors import AwsError, ErrorClass, classify
from connector.aws.mark import Marker
from connector.aws.pace import Pace
from connector.errors import CallForbidden
from connector.provision import Means, Provisioning
from connector.secrets import Sealer
from sandbox.aws.iam import Account
from sandbox.aws.iam import AwsError as IamError
from tests.support.domain import ACCOUNT, FakeClock
from tests.support.driving import Crash, Driver

WINDOW = timedelta(seconds=120)
IDHUB_KEY = ECKey.generate_key("P-256")

FINE = "fine"
THROTTLED = "throttled"
LOST_BEFORE = "lost before the deed"
LOST_AFTER = "lost after the deed"
CRASH_BEFORE = "crash before the deed"
CRASH_AFTER = "crash after the deed"
STALE = "stale"
FATES = (FINE, THROTTLED, LOST_BEFORE, LOST_AFTER, CRASH_BEFORE, CRASH_AFTER, STALE)

_STEP = re.compile(r" r/(\S+) s/(\d+)")


@dataclass
class Entry:
    """One call that reached the stand-in."""

    action: str
    params: dict
    request_id: str
    step: int
    changed: bool


@dataclass
class StandInApi:
    """`connector.aws.client.Api` on the account object."""

    account: Account
    clock: FakeClock
    fates: list = field(default_factory=list)
    """Used up call by call; afterwards everything is fine."""
    lag_s: float = 100.0
    """How old a stale answer is."""
    journal: list = field(default_factory=list)

    def call(self, action, params, mark, may_call):
        if not may_call():
            raise CallForbidden
        fate = self.fates.pop(0) if self.fates else FINE
        if fate == THROTTLED:
            raise AwsError(ErrorClass.THROTTLED, "Throttling", "Rate exceeded", action=action, status=400)
        if fate == CRASH_BEFORE:
            raise Crash
        if fate == LOST_BEFORE:
            raise AwsError(ErrorClass.AMBIGUOUS, "NoAnswer", "lost", action=action)
        try:
            answer = self._call(action, params, mark, stale=fate == STALE)
        except AwsError as error:
            if fate == LOST_AFTER:
                raise AwsError(ErrorClass.AMBIGUOUS, "NoAnswer", "lost", action=action) from error
            raise
        if fate == CRASH_AFTER:
            raise Crash
        if fate == LOST_AFTER:
            raise AwsError(ErrorClass.AMBIGUOUS, "NoAnswer", "lost", action=action)
        return {**answer, "ResponseMetadata": {"RequestId": f"aws-{len(self.journal)}"}}

    def _call(self, action, params, mark, *, stale):
        if action == "GetCallerIdentity":
            return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/idhub", "UserId": "AIDAIDHUB"}
        before, now = self.account.changes, self.clock.now().timestamp()
        as_of = now - self.lag_s if stale else None
        found = _STEP.search(mark)
        try:
            answer = self.account.call(action, params, actor="idhub", now=now, as_of=as_of)
        except IamError as error:
            kind = classify(error.code, error.status)
            raise AwsError(kind, error.code, error.message, action=action, status=error.status) from None
        finally:
            changed = self.account.changes != before
            self.journal.append(Entry(action, dict(params), found[1], int(found[2]), changed))
        return answer

    def close(self):
        pass

    def mutations(self):
        return [entry for entry in self.journal if entry.step]


class World:
    """An account with three groups, a connector on it, and a clock that only waits move."""

    def __init__(self, fates=(), lag_s=100.0, **means):
        self.clock = FakeClock()
        self.account = Account(ACCOUNT)
        for name in ("admins", "devs", "ops"):
            self.console("CreateGroup", GroupName=name)
        self.settled()
        self.api = StandInApi(self.account, self.clock, list(fates), lag_s)
        account = AwsAccount(self.api, Marker(b"key"), self.clock, Pace())
        means.setdefault("sealer", Sealer(IDHUB_KEY))
        self.means = Means(account, self.clock, Pace(), 10.0, WINDOW, **means)
        self.driver = Driver(Provisioning(self.means), self.clock)

    def console(self, action, **params):
        """Somebody else changes something."""
        return self.account.call(action, params, actor="console", now=self.clock.now().timestamp())

    def settled(self):
        """So much later that every read is fresh and no window is open."""
        self.clock.advance(1000)

    def run(self, request, **kwargs):
        return self.driver.run(request, **kwargs)

    def user(self, name="alice"):
        return self.account.snapshot()["users"].get(name)

    def effects(self, request_id):
        """The steps of a request that really changed something."""
        return {entry.step for entry in self.api.mutations() if entry.changed and entry.request_id == request_id}

    def audited(self, outcome):
        return {audit.step for audit in outcome.audits}
