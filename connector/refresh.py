"""A refresh: read the named facets of one user again, and say what is different from what was last known.

The only other way, besides a request, to new knowledge of a user. It changes nothing in AWS. A user is gone only when
two readings a window apart agree (or a deletion of our own, which is `connector.provision`'s).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.aws.account import AwsAccount, Line
from connector.aws.errors import AwsError, ErrorClass
from connector.aws.pace import Pace
from connector.aws.reads import read_identity, read_items
from connector.drift.account import (
    Cause,
    diff_account,
    fill_unknown,
    is_gone,
    merge_reading,
    note_absence,
    overlay,
    own_writes_of,
    says_more,
    to_change,
    within,
)
from connector.model.iam import AccountRecord, Facet, Item, UserState
from connector.model.refreshes import RefreshReason
from connector.model.results import AccountChange, Wait
from connector.plan.names import is_user_name
from connector.ports import Clock, MayCall

ORIGIN, OURS = "FOREIGN", "IDHUB"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh publishes: nothing where nothing is different."""

    account: AccountRecord | None = None
    change: AccountChange | None = None
    problem: str | None = None
    """Why the user could not be read at all, for the log: waiting would not help."""


class Refreshing:
    """Reads users anew."""

    def __init__(self, account: AwsAccount, clock: Clock, pace: Pace, window: timedelta) -> None:
        self._account = account
        self._clock = clock
        self._pace = pace
        self._window = window

    def refresh(
        self,
        aws_account_id: str,
        user_name: str,
        facets: Iterable[Facet],
        last_known: AccountRecord | None,
        *,
        reason: str,
        may_call: MayCall,
        event_ids: tuple[str, ...] = (),
        actor: str | None = None,
        occurred_at: datetime | None = None,
        attempt: int = 1,
    ) -> Wait | Refreshed:
        """Read the identity and the named facets, overlay, compare. Blocks while AWS answers.

        `attempt`: how often this refresh was tried, this time included; waits grow with it. `reason` marks the calls.

        Raises:
            CallForbidden: `may_call` said no right before a call; nothing was sent.
        """
        line = self._account.line(reason, user_name)
        line.may_call = may_call
        try:
            caller = self._account.caller(line)
            if caller.account != aws_account_id:
                return Refreshed(problem=f"the connector works on {caller.account} and not on {aws_account_id}")
            if not is_user_name(user_name):
                return Refreshed(problem="IAM has no user of such a name")
            state = self._read(line, user_name, facets)
        except AwsError as error:
            return self._after(error, attempt)
        now = self._clock.now()
        renamed = occurred_at if reason == RefreshReason.RENAME else None
        origin = ORIGIN if renamed is None else OURS
        cause = Cause(origin, occurred_at or now, actor, event_ids=event_ids)
        if state.identity is None:
            if within(renamed, now, self._window):
                # IAM has not told everywhere yet that it gave the user this name.
                return Wait(self._pace.propagating.seconds(attempt), "propagating", {"action": "GetUser"})
            if last_known is not None and last_known.deleted and (last_known.look_again_at or now) < now:
                return Refreshed(replace(last_known, look_again_at=None))  # gone it is
            return self._absent(last_known, now, cause)
        if is_gone(last_known, state.identity, now, self._window):
            return Refreshed()
        return self._present(aws_account_id, state, last_known, now, cause, renamed=renamed)

    def _read(self, line: Line, user_name: str, facets: Iterable[Facet]) -> UserState:
        identity = read_identity(line.ask, user_name)
        if identity is None:
            return UserState(None)
        told: dict[Facet, tuple[Item, ...]] = {}
        for facet in sorted(set(facets) - {Facet.IDENTITY}):
            items = read_items(line.ask, identity.user_name, facet)
            if items is not None:
                told[facet] = items
        return UserState(identity, told)

    def _present(
        self,
        aws_account_id: str,
        told: UserState,
        last: AccountRecord | None,
        now: datetime,
        cause: Cause,
        *,
        renamed: datetime | None,
    ) -> Refreshed:
        state = overlay(told, own_writes_of(last, told.identity), now, self._window)
        after = merge_reading(last, aws_account_id, state, now, window=self._window)
        if state != told:
            # The reading is older than our own change: what it says of the rest is looked at once more.
            after = replace(after, look_again_at=now + self._window)
        if renamed is not None:
            after = replace(after, changed_at=max(renamed, after.changed_at or renamed))
        fields = diff_account(fill_unknown(last, after), after)
        change = to_change(last, after, fields, cause, renamed=renamed is not None)
        return Refreshed(after if change is not None or says_more(last, after) else None, change)

    def _absent(self, last: AccountRecord | None, now: datetime, cause: Cause) -> Refreshed:
        if last is None or last.deleted:
            return Refreshed()
        after = note_absence(last, now, self._window)
        change = to_change(last, after, diff_account(last, after), cause) if after.deleted else None
        return Refreshed(after if after != last else None, change)

    def _after(self, error: AwsError, attempt: int) -> Wait | Refreshed:
        if error.kind is ErrorClass.OUR_CREDENTIALS:
            if error.action != "GetCallerIdentity":
                self._account.distrust(error)
            return _wait(error, self._account.credentials_wait(), "credentials")
        try:
            seconds = self._pace.of(error.kind).seconds(attempt)
        except KeyError:
            return Refreshed(problem=str(error))
        return _wait(error, seconds, error.kind.lower())


def _wait(error: AwsError, seconds: float, reason: str) -> Wait:
    return Wait(seconds, reason, {"action": error.action, "code": error.code})
