"""The life of a request, in its numbered steps (the others are `streams.users`'):

    3 read the facets that the operation's row names · 4 plan · 5 refuse what is unsafe · 6 intent · 7 execute

after finding out who the connector is at AWS. It is written in a line, as a generator: what it yields is waited for or
written by the driver. Dropping it at any point is a crash, and the next life goes on from the intent written last.
"""

from datetime import UTC, datetime
from functools import partial

from connector.aws.reads import read_document, read_identity, read_items
from connector.drift.account import is_gone, overlay, own_writes_of, within
from connector.errors import CallForbidden, RequestRefused, SecretError
from connector.model.iam import AccountRecord, Facet, Identity, Item, UserState
from connector.model.requests import CreateAccount, EnableAccount, Operation, Request, ResetPassword
from connector.model.results import (
    Advance,
    Finished,
    Intent,
    Outcome,
    ReplyError,
    ReplyStatus,
    StepOutcome,
    StepResult,
    Wait,
    WriteIntent,
)
from connector.plan import safety
from connector.plan.calls import Context, Plan, Seen, plan_hash
from connector.plan.login import LOGIN
from connector.plan.operations import OPERATIONS, Row
from connector.plan.safety import Caller
from connector.plan.update import UPDATE, new_name_of
from connector.ports import MayCall

from .execute import USER, Executor
from .means import Forbidden, Means, RequestFailed, Script
from .outcome import Ending, to_outcome
from .patience import Patience
from .progress import SATISFIED, Progress
from .second_look import is_known_disabled

WITH_PASSWORD = (CreateAccount, EnableAccount, ResetPassword)
"""Bodies that may bring a password along."""


class Life:
    """One life of one request. Not to be advanced by two threads at once."""

    def __init__(self, means: Means, request: Request, last_known: AccountRecord | None, intent: Intent | None) -> None:
        self._means = means
        self._request = request
        self._last_known = last_known
        self._progress = Progress(request, intent, means.clock.now())
        self._patience = Patience(means, means.account.line(request.request_id, request.user_name))
        self._script = self._live()
        self._finished: Finished | None = None
        self._caller: Caller | None = None
        self._seen: Seen | None = None
        self._seen_at: datetime | None = None
        self._executor: Executor | None = None
        self._doubtful = False
        """The last reading contradicted itself: the user is there, and its lists know no such user."""
        self._plan_hash: str | None = None

    def advance(self, may_call: MayCall) -> Advance:
        """Go on until there is something to wait for, to write, or to publish. Blocks while AWS answers.

        Raises:
            CallForbidden: `may_call` said no right before a call; nothing was sent, and advancing again is possible.
        """
        if self._finished is not None:
            return self._finished
        self._patience.line.may_call = may_call
        try:
            following = next(self._script)
        except StopIteration as end:
            if end.value is None:
                raise RuntimeError("this life has ended by an error; begin a new one") from None
            self._finished = Finished(end.value)
            return self._finished
        if isinstance(following, Forbidden):
            raise CallForbidden
        return following

    def _live(self) -> Script[Outcome]:
        try:
            return (yield from self._run())
        except RequestRefused as refused:
            # Once something was done, "rejected" would not be the truth.
            status = None if self._progress.witnesses else ReplyStatus.REJECTED
            return self._end(status=status, error=ReplyError(refused.code, refused.message))
        except RequestFailed as failed:
            return self._end(error=failed.error)

    def _run(self) -> Script[Outcome]:
        request, progress = self._request, self._progress
        safety.refuse_unread(request, OPERATIONS, self._beginning())
        row = OPERATIONS[request.operation]
        executor = Executor(self._means, self._patience, progress, self._missing_user, self._open_credential())
        self._executor = executor
        while True:
            self._caller = yield from self._patience.who()
            safety.refuse_here(request, self._caller, self._means.protected)
            if (error := row.check(request, self._means.rules)) is not None:
                return self._end(error=error)
            seen = yield from self._read_enough(row)
            read_at = self._means.clock.monotonic()
            plan = row.plan(request, seen, self._context(self._caller))
            if progress.intent is None:
                self._refuse_unsafe(seen, plan)
                if request.dry_run:
                    return self._end_planned(plan)
            if plan.error is not None:
                return self._end(plan, error=plan.error)
            intent = progress.to_announce(plan, self._user_id(seen), self._means.clock.now())
            if intent is not None:
                if progress.intent is None:
                    safety.refuse_late(request, self._means.clock.now())
                yield WriteIntent(intent)
                progress.announced(intent)
            if not (yield from executor.run(plan, read_at)):
                continue
            if row.ends_absent and not plan.gone and not (yield from self._read_back(plan)):
                continue
            return self._end(plan)

    # -- before anything is read -----------------------------------------------------------------------------------

    def _beginning(self) -> datetime:
        """For `notAfter`, which is looked at only before the first intent."""
        return datetime.min.replace(tzinfo=UTC) if self._progress.resumed else self._means.clock.now()

    def _open_credential(self) -> str | None:
        body = self._request.body
        if not isinstance(body, WITH_PASSWORD) or body.credential is None:
            return None
        if self._means.opener is None:
            raise RequestRefused(
                "BAD_CREDENTIAL", "credential: the connector has no key to open it with (IDHUB_AWS_CONNECTOR_KEY)"
            )
        try:
            return self._means.opener.open_password(body.credential)
        except SecretError as error:
            raise RequestRefused("BAD_CREDENTIAL", f"credential: {error}") from None

    # -- reading ---------------------------------------------------------------------------------------------------

    def _read_enough(self, row: Row) -> Script[Seen]:
        """A reading; where the row needs all of it, one that contradicts itself is made anew while it may be stale."""
        since, looks = self._means.clock.now(), 0
        while True:
            seen = yield from self._read(row)
            if not (row.complete and self._doubtful and within(since, self._means.clock.now(), self._means.window)):
                return seen
            looks += 1
            yield self._propagating(looks)

    def _read(self, row: Row) -> Script[Seen]:
        """The identity first, then what the row looks at, overlaid with our own writes."""
        ask, name = self._patience.line.ask, self._request.user_name
        identity = yield from self._read_identity()
        absent = self._is_absent(identity)
        told: dict[Facet, tuple[Item, ...]] = {}
        unread: list[Facet] = []
        if identity is not None and not absent:
            name = identity.user_name
            for facet in sorted(row.facets(self._request, identity)):
                items = yield from self._patience.until_told(partial(read_items, ask, name, facet))
                if items is None:
                    unread.append(facet)
                    continue
                if facet is Facet.INLINE_POLICIES:
                    items = yield from self._read_documents(row, name, items)
                told[facet] = items
        self._doubtful = bool(unread)
        now, state = self._means.clock.now(), UserState(identity, told)
        written = (*own_writes_of(self._last_known, identity), *self._progress.writes)
        overlaid = overlay(state, written, now, self._means.window)
        self._seen, self._seen_at = Seen(state, UserState(None) if absent else overlaid), now
        if not unread:
            return self._seen
        # Of what could not be read our own writes are all that is known: enough to plan by, not to be published.
        nothing: dict[Facet, tuple[Item, ...]] = dict.fromkeys(unread, ())
        return Seen(state, overlay(UserState(identity, {**told, **nothing}), written, now, self._means.window))

    def _read_documents(self, row: Row, name: str, items: tuple[Item, ...]) -> Script[tuple[Item, ...]]:
        """The inline policies, those that the planner compares with their documents' fingerprints."""
        ask, wanted = self._patience.line.ask, row.documents(self._request)
        read = []
        for item in items:
            with_document = partial(read_document, ask, name, item)
            read.append((yield from self._patience.until_told(with_document)) if item.key in wanted else item)
        return tuple(read)

    def _read_identity(self) -> Script[Identity | None]:
        """GetUser; within two minutes of a change of a user that has to be there, an absence is a stale reading."""
        ask, name = self._patience.line.ask, self._request.user_name
        looks, new_name = 0, new_name_of(self._request)
        while True:
            identity = yield from self._patience.until_told(lambda: read_identity(ask, name))
            if new_name is not None and self._is_absent(identity):
                renamed = yield from self._patience.until_told(partial(read_identity, ask, new_name))
                identity = renamed if renamed is not None and renamed.user_id in self._known_ids() else identity
            if not (self._is_absent(identity) and self._has_to_be_there()):
                return identity
            looks += 1
            yield self._propagating(looks)

    def _is_absent(self, identity: Identity | None) -> bool:
        if identity is not None and new_name_of(self._request) == identity.user_name:
            return False  # found under its new name; the old one's record says deleted
        return identity is None or is_gone(self._last_known, identity, self._means.clock.now(), self._means.window)

    def _known_ids(self) -> set[str]:
        """UserIds by which a renamed user is known to be the one that is meant."""
        last, intent = self._last_known, self._progress.intent
        ids = (
            intent.user_id if intent is not None else None,
            self._request.expected_user_id,
            last.identity.user_id if last is not None and last.identity is not None else None,
        )
        return {one for one in ids if one is not None}

    def _has_to_be_there(self) -> bool:
        progress, last = self._progress, self._last_known
        now, window = self._means.clock.now(), self._means.window
        if self._request.operation is Operation.DELETE_ACCOUNT and USER in (progress.unsure | progress.satisfied):
            return False
        if UPDATE in progress.attempted and new_name_of(self._request) is not None:
            # Perhaps renamed, and not yet to be seen under either name.
            return within(progress.changed_at or progress.begun_at, now, window)
        known = last is not None and not last.deleted and within(last.changed_at, now, window)
        return known or within(progress.created_at, now, window) or within(progress.name_taken_at, now, window)

    def _read_back(self, plan: Plan) -> Script[bool]:
        """Whether the user is gone: a reading shows none, or another one. Not counted: stale readings."""
        progress = self._progress
        if USER not in progress.satisfied:
            return True
        ask, name = self._patience.line.ask, self._request.user_name
        since, looks = self._means.clock.now(), 0
        while True:
            identity = yield from self._patience.until_told(lambda: read_identity(ask, name))
            if identity is None or (self._seen is not None and identity.user_id != self._user_id(self._seen)):
                return True
            if not within(since, self._means.clock.now(), self._means.window):
                break
            looks += 1
            yield self._propagating(looks)
        progress.forget(USER)
        progress.conflict_rounds += 1
        if progress.conflict_rounds <= self._means.pace.conflict_rounds:
            return False
        step = next(step for step in plan.steps if step.key == USER)
        message = "IAM took the deletion, and still shows the user after the time that its readings may be stale"
        progress.conclude(
            step, step.call, StepOutcome.FAILED, error=ReplyError("DELETE_CONFLICT", message, retryable=True)
        )
        return True

    def _propagating(self, looks: int) -> Wait:
        return Wait(self._means.pace.propagating.seconds(looks), "propagating", {"action": "GetUser"})

    # -- planning --------------------------------------------------------------------------------------------------

    def _context(self, caller: Caller) -> Context:
        progress = self._progress
        return Context(
            account=caller.account,
            partition=caller.partition,
            window_open=self._is_window_open(),
            attempted=progress.attempted,
            sent=frozenset(progress.unsure),
            done=progress.satisfied,
            intent=progress.intent,
            name_taken=progress.name_taken_at is not None,
            known_disabled=is_known_disabled(self._last_known),
            password=self._means.sealer is not None or self._has_credential(),
            reset_required=self._means.reset_required,
            rules=self._means.rules,
        )

    def _has_credential(self) -> bool:
        return isinstance(self._request.body, WITH_PASSWORD) and self._request.body.credential is not None

    def _is_window_open(self) -> bool:
        progress, last = self._progress, self._last_known
        now, window = self._means.clock.now(), self._means.window
        # The calls of an earlier life may have been made until right before this one began.
        moments = (
            progress.changed_at,
            progress.begun_at if progress.resumed else None,
            last.changed_at if last is not None else None,
        )
        return self._doubtful or any(within(moment, now, window) for moment in moments)

    def _refuse_unsafe(self, seen: Seen, plan: Plan) -> None:
        safety.refuse_other_identity(self._request, seen.overlaid.identity)
        self._plan_hash = plan_hash(self._request, self._user_id(seen), plan)
        safety.refuse_changed_plan(self._request, self._plan_hash)

    def _user_id(self, seen: Seen) -> str | None:
        """Of the user that is meant: the one of the intent, if there is one."""
        planned = self._progress.intent.user_id if self._progress.intent is not None else None
        return planned or (seen.overlaid.identity.user_id if seen.overlaid.identity is not None else None)

    def _missing_user(self) -> ReplyError:
        return safety.no_such_account(self._request)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _end_planned(self, plan: Plan) -> Outcome:
        if plan.error is not None:
            return self._end(plan, error=plan.error)
        steps = tuple(
            StepResult(
                number=self._progress.number(step.key),
                action=step.call.action,
                target=step.call.target,
                outcome=_planned(step.found, shown=step.shown),
                error_code=step.problem.code if step.problem is not None else None,
                error_message=step.problem.message if step.problem is not None else None,
            )
            for step in plan.steps
        )
        return self._end(plan, status=ReplyStatus.PLANNED, steps=steps)

    def _end(
        self,
        plan: Plan | None = None,
        *,
        status: ReplyStatus | None = None,
        error: ReplyError | None = None,
        steps: tuple[StepResult, ...] | None = None,
    ) -> Outcome:
        progress = self._progress
        if steps is None:
            steps = progress.all_results(plan if plan is not None else Plan())
        user_gone = self._request.operation is Operation.DELETE_ACCOUNT and USER in progress.satisfied
        ending = Ending(
            request=self._request,
            begun_at=progress.begun_at,
            ended_at=self._means.clock.now(),
            window=self._means.window,
            second_look=self._means.second_look,
            caller=self._caller,
            last_known=self._last_known,
            seen=self._seen,
            seen_at=self._seen_at,
            user_id=self._meant(),
            renamed_to=new_name_of(self._request) if UPDATE in progress.satisfied else None,
            created=progress.created,
            gone=user_gone or (plan is not None and plan.gone),
            steps=steps,
            witnesses=progress.all_witnesses(),
            writes=tuple(progress.writes),
            uncertain=progress.uncertain,
            credential=self._seal(),
            plan_hash=self._plan_hash,
            notes=plan.notes if plan is not None else (),
            error=error,
            status=status,
        )
        return to_outcome(ending)

    def _meant(self) -> str | None:
        if self._progress.created is not None:
            return self._progress.created.user_id
        return self._user_id(self._seen) if self._seen is not None else None

    def _seal(self) -> str | None:
        """The password that was set last, for IDHub's eyes only."""
        password = self._executor.password if self._executor is not None else None
        login = self._progress.results.get(LOGIN)
        if password is None or self._means.sealer is None or login is None or login.outcome not in SATISFIED:
            return None
        request = self._request
        return self._means.sealer.seal(
            {"password": password, "userName": request.user_name, "requestId": request.request_id}
        )


def _planned(found: StepOutcome | None, *, shown: bool) -> StepOutcome:
    if found is not None:
        return found
    return StepOutcome.ALREADY_SO if shown else StepOutcome.PLANNED
