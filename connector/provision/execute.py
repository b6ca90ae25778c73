"""Executing: a plan is sent call by call, and every error of AWS has its consequence here, by its class.

A mutation is never simply repeated after a lost answer: the user is read again and a new plan made of what is left.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from connector.aws.errors import AwsError, ErrorClass, Missing, what_is_missing
from connector.aws.reads import to_identity
from connector.drift.account import within
from connector.errors import CallForbidden
from connector.model.results import ReplyError, StepOutcome
from connector.plan.calls import SILENT, Call, Plan, Step
from connector.secrets import generate_password

from .means import FORBIDDEN, Means, Script
from .patience import Patience, ambiguous, to_reply_error, to_wait
from .progress import Progress

USER = "user"
"""The key of the steps CreateUser and DeleteUser."""


class Next(Enum):
    """What follows on a call."""

    STEP = auto()
    """The step is concluded: on to the next one."""
    CALL = auto()
    """The same step once more, perhaps with another call."""
    READING = auto()
    """The plan no longer holds: read the user again, plan again."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error, and the call that it is the answer to."""

    error: AwsError
    step: Step
    call: Call
    began: float
    """Monotonic seconds."""


class Executor:
    """Sends the plans of one life."""

    def __init__(
        self,
        means: Means,
        patience: Patience,
        progress: Progress,
        missing_user: Callable[[], ReplyError],
        password: str | None,
    ) -> None:
        """`password`: the one that came with the request."""
        self._means = means
        self._patience = patience
        self._progress = progress
        self._missing_user = missing_user
        self._given = password
        self.password: str | None = None
        """The password that this life sets, once it was needed."""
        self._policy_was_renewed = False
        self._failures: dict[tuple[str, ErrorClass], int] = {}

    def run(self, plan: Plan, read_at: float) -> Script[bool]:
        """Every step whose turn comes. False: the plan no longer holds.

        `read_at`: when the plan's reading was made, in monotonic seconds.
        """
        for step in plan.steps:
            if not self._progress.is_to_run(step):
                continue
            if step.found is not None:
                self._conclude_found(step, step.found)
                continue
            if self._is_old(read_at):
                return False
            if (yield from self._run_step(step, read_at)) is Next.READING:
                return False
        return True

    def _conclude_found(self, step: Step, found: StepOutcome) -> None:
        if found is StepOutcome.DONE:
            self._progress.found_done(step, step.call, self._now())
        else:
            self._progress.conclude(step, step.call, found, error=step.problem)

    def _run_step(self, step: Step, read_at: float) -> Script[Next]:
        call = step.call
        number = self._progress.number(step.key)
        while True:
            params = dict(call.params)
            if call.password:
                params["Password"] = yield from self._password()
            began = self._means.clock.monotonic()
            self._progress.sends(step.key)
            try:
                answer = self._patience.line.send(call.action, params, number)
            except CallForbidden:
                self._progress.sent_nothing(step.key)
                yield FORBIDDEN
            except AwsError as error:
                following, call = yield from self._after(Trouble(error, step, call, began))
                if following is not Next.CALL:
                    return following
            else:
                self._acknowledged(step, call, answer)
                return Next.STEP
            if self._is_old(read_at):
                return Next.READING

    def _is_old(self, read_at: float) -> bool:
        return self._means.clock.monotonic() - read_at > self._means.pace.reading_keeps_s

    def _acknowledged(self, step: Step, call: Call, answer: Any) -> None:
        now = self._now()
        progress = self._progress
        request_id = answer.get("ResponseMetadata", {}).get("RequestId")
        already = step.shown and call.action in SILENT and step.key not in progress.attempted
        outcome = StepOutcome.ALREADY_SO if already else StepOutcome.DONE
        progress.changed_at = now
        if call.action == "CreateUser":
            tags = {tag["Key"]: tag["Value"] for tag in call.params["Tags"]}
            progress.created, progress.created_at = to_identity(answer["User"], tags), now
        progress.witness(step, call, now, request_id)
        progress.conclude(step, call, outcome, aws_request_id=request_id)

    # -- errors ----------------------------------------------------------------------------------------------------

    def _after(self, trouble: "Trouble") -> Script[tuple[Next, Call]]:
        """What an error means for the step, and the call that it goes on with."""
        for code, other in trouble.call.otherwise:
            if code == trouble.error.code:
                return Next.CALL, other
        following = yield from _CONSEQUENCES[trouble.error.kind](self, trouble)
        return following, trouble.call

    def after_slowdown(self, trouble: "Trouble") -> Script[Next]:
        """Nothing happened; no attempt is spent."""
        self._progress.sent_nothing(trouble.step.key)
        yield to_wait(trouble.error, self._backoff(trouble))
        return Next.CALL

    def after_mistrust(self, trouble: "Trouble") -> Script[Next]:
        """Nothing happened, and nothing will before AWS takes our credentials again."""
        self._progress.sent_nothing(trouble.step.key)
        yield self._patience.mistrusted(trouble.error)
        return Next.READING

    def after_lost_answer(self, trouble: "Trouble") -> Script[Next]:
        """The deed may be done, or still be under way until the call's timeout is over: read only after that."""
        progress, clock, pace = self._progress, self._means.clock, self._means.pace
        progress.unsure.add(trouble.step.key)
        progress.changed_at = self._now()
        failures = self._count(trouble)
        if failures > pace.ambiguous_attempts:
            # It may have had its effect, and an effect that nobody audits is worse than an audit too many.
            progress.witness(trouble.step, trouble.call, self._now(), certain=False)
            return self._failed(trouble, ambiguous(trouble.error, failures))
        rest = self._means.call_timeout_s - (clock.monotonic() - trouble.began)
        slower = pace.ambiguous.seconds(failures) if failures > 1 else 0.0
        yield to_wait(trouble.error, max(rest, slower, 0.0))
        return Next.READING

    def after_contention(self, trouble: "Trouble") -> Script[Next]:
        failures = self._count(trouble)
        if failures > self._means.pace.contended_attempts:
            return self._refused(trouble)
        yield to_wait(trouble.error, self._means.pace.contended.seconds(failures))
        return Next.READING

    def after_missing(self, trouble: "Trouble") -> Script[Next]:
        """NoSuchEntity: of what was to be removed, of what was to be granted, or of the user itself."""
        step, progress = trouble.step, self._progress
        missing = what_is_missing(trouble.error.message)
        if step.removal and (step.key == USER or missing is not Missing.USER):
            return self._removed_already(step)
        if not step.removal and missing is Missing.ENTITLEMENT:
            message = f"{trouble.call.target}: {trouble.error.message}"
            return self._failed(trouble, ReplyError("NO_SUCH_ENTITLEMENT", message))
        first = progress.missing_since is None
        progress.missing_since = progress.missing_since or self._now()
        if not within(progress.missing_since, self._now(), self._means.window):
            if step.removal:
                return self._removed_already(step)
            return self._failed(trouble, step.missing or self._missing_user())
        if not first or progress.changed_at is not None:
            yield to_wait(trouble.error, self._backoff(trouble))
        return Next.READING

    def _removed_already(self, step: Step) -> Next:
        if step.key in self._progress.attempted:
            self._progress.found_done(step, step.call, self._now())
        else:
            self._progress.conclude(step, step.call, StepOutcome.ALREADY_SO)
        return Next.STEP

    def after_conflict(self, trouble: "Trouble") -> Script[Next]:
        """Something hangs on the user that the plan knew nothing of: the first time it is looked for at once."""
        self._progress.conflict_rounds += 1
        rounds = self._progress.conflict_rounds
        if rounds > self._means.pace.conflict_rounds:
            message = (
                f"{trouble.error.action}: {trouble.error.message} (after looking {rounds - 1} times for what is left)"
            )
            return self._failed(trouble, ReplyError("DELETE_CONFLICT", message, retryable=True))
        if rounds > 1:
            yield to_wait(trouble.error, self._means.pace.conflict.seconds(rounds - 1))
        return Next.READING

    def after_exists(self, trouble: "Trouble") -> Script[Next]:
        """Only a reading tells whether the user of that name is ours."""
        if trouble.call.action == "CreateUser":
            self._progress.name_taken_at = self._progress.name_taken_at or self._now()
            return Next.READING
        failures = self._count(trouble)
        if trouble.call.password and failures <= self._means.pace.contended_attempts:
            # Neither there nor to be made: a login profile that has not arrived everywhere yet.
            yield to_wait(trouble.error, self._means.pace.propagating.seconds(failures))
            return Next.READING
        return self._refused(trouble)

    def after_refusal(self, trouble: "Trouble") -> Script[Next]:
        yield from ()
        if self._renews_password(trouble):
            return Next.CALL
        return self._refused(trouble)

    def _refused(self, trouble: "Trouble") -> Next:
        return self._failed(trouble, to_reply_error(trouble.error, self.password))

    def _failed(self, trouble: "Trouble", error: ReplyError) -> Next:
        self._progress.conclude(trouble.step, trouble.call, StepOutcome.FAILED, error=error)
        return Next.STEP

    def _count(self, trouble: "Trouble") -> int:
        key = (trouble.step.key, trouble.error.kind)
        self._failures[key] = self._failures.get(key, 0) + 1
        return self._failures[key]

    def _backoff(self, trouble: "Trouble") -> float:
        return self._means.pace.of(trouble.error.kind).seconds(self._count(trouble))

    # -- passwords -------------------------------------------------------------------------------------------------

    def _password(self) -> Script[str]:
        """This life's password: the request's own, or one made to the account's policy."""
        if self.password is None:
            if self._given is not None:
                self.password = self._given
            else:
                account, line = self._means.account, self._patience.line
                policy = yield from self._patience.until_told(lambda: account.password_policy(line.ask))
                self.password = generate_password(policy)
        return self.password

    def _renews_password(self, trouble: "Trouble") -> bool:
        """Once: the policy that a password was made to may have been changed since it was read."""
        if trouble.error.code != "PasswordPolicyViolation" or self._given is not None or self._policy_was_renewed:
            return False
        self._policy_was_renewed = True
        self._means.account.forget_password_policy()
        self.password = None
        return True

    def _now(self) -> datetime:
        return self._means.clock.now()


_CONSEQUENCES: Mapping[ErrorClass, Callable[[Executor, Trouble], Script[Next]]] = {
    ErrorClass.THROTTLED: Executor.after_slowdown,
    ErrorClass.UNREACHABLE: Executor.after_slowdown,
    ErrorClass.OUR_CREDENTIALS: Executor.after_mistrust,
    ErrorClass.AMBIGUOUS: Executor.after_lost_answer,
    ErrorClass.CONTENDED: Executor.after_contention,
    ErrorClass.MISSING: Executor.after_missing,
    ErrorClass.CONFLICT: Executor.after_conflict,
    ErrorClass.EXISTS: Executor.after_exists,
    ErrorClass.TERMINAL: Executor.after_refusal,
}
