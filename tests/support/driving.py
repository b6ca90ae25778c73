"""Drives lives of requests as `streams.users` does, with time that stands still unless a wait moves it.

What the topics would hold is kept here: accounts, intents, replies, audit records. A crash drops the life and begins
another one with the intent written last.
"""

from dataclasses import dataclass, field

from connector.errors import CallForbidden
from connector.model.results import Finished, Wait, WriteIntent

ENDLESS = 4000


class Crash(BaseException):
    """The worker is killed here; raised by an Api that a test has prepared."""


def yes():
    return True


@dataclass
class Driver:
    """One partition's worth of memory around a `Provisioning`."""

    provisioning: object
    clock: object
    accounts: dict = field(default_factory=dict)
    intents: dict = field(default_factory=dict)
    outcomes: dict = field(default_factory=dict)
    audits: dict = field(default_factory=dict)
    changes: list = field(default_factory=list)
    waits: list = field(default_factory=list)
    lives: int = 0
    on_wait: object = None
    """Called with each wait before time moves."""

    def begin(self, request):
        self.lives += 1
        known = self.accounts.get(request.user_name.casefold())
        return self.provisioning.begin(request, known, self.intents.get(request.request_id))

    def run(self, request, may_call=yes, crash_after=frozenset()):
        """The outcome of a request, however many lives it takes.

        `crash_after`: numbers of advances, counted over all lives, after which the worker dies.
        """
        life, advances = self.begin(request), 0
        while advances < ENDLESS:
            advances += 1
            try:
                following = life.advance(may_call)
            except Crash:
                life = self.begin(request)
                continue
            except CallForbidden:
                continue
            match following:
                case Wait():
                    self.waits.append(following)
                    if self.on_wait is not None:
                        self.on_wait(following)
                    self.clock.advance(following.seconds)
                case WriteIntent(intent):
                    self.intents[request.request_id] = intent
                case Finished(outcome):
                    if advances in crash_after:
                        life = self.begin(request)
                        continue
                    return self.publish(request, outcome)
            if advances in crash_after:
                life = self.begin(request)
        raise AssertionError(f"{request.request_id} does not end; last wait {self.waits[-1:]}")

    def publish(self, request, outcome):
        """What streams writes in one transaction."""
        if outcome.account is not None:
            self.accounts[request.user_name.casefold()] = outcome.account
        if outcome.change is not None:
            self.changes.append(outcome.change)
        for audit in outcome.audits:
            assert audit.audit_id not in self.audits, "one access change, one audit record"
            self.audits[audit.audit_id] = audit
        self.outcomes[request.request_id] = outcome
        return outcome

    def waited_for(self):
        return [wait.reason for wait in self.waits]
