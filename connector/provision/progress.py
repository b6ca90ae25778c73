"""What one life of a request knows of its steps: numbers, attempts, results, and what of it is to be audited."""

from dataclasses import dataclass, replace
from datetime import datetime

from connector.model.iam import Identity, Item, OwnWrite
from connector.model.requests import Request
from connector.model.results import Intent, IntentStep, ReplyError, StepOutcome, StepResult
from connector.plan.calls import Call, Plan, Step

SATISFIED = frozenset({StepOutcome.DONE, StepOutcome.ALREADY_SO})


@dataclass(frozen=True, slots=True)
class Witness:
    """An access change that has to be audited: a call that was acknowledged, or what stands for it."""

    key: str
    number: int
    action: str
    target: str
    at: datetime
    aws_request_id: str | None
    attempts: int = 0


class Progress:
    """Mutable on purpose: it grows with every call, over all re-plans of one life."""

    def __init__(self, request: Request, intent: Intent | None, begun_at: datetime) -> None:
        self._request = request
        self.begun_at = begun_at
        self.intent = intent
        """What was announced last: by an earlier life, then by this one."""
        self.resumed = intent is not None
        self._lives = intent.lives + 1 if intent is not None else 1
        named = intent.steps if intent is not None else ()
        self.earlier = frozenset(step.key for step in named)
        """Steps that an earlier life may have sent."""
        self._prior = {step.key: step.attempts for step in named}
        self._numbers = {step.key: step.number for step in named}
        self._announced: set[str] = set()
        self._sent: dict[str, int] = {}
        self.unsure: set[str] = set()
        """Steps whose answer was lost in this life."""
        self.results: dict[str, StepResult] = {}
        self.witnesses: dict[str, Witness] = {}
        self.writes: list[OwnWrite] = []
        self.created: Identity | None = None
        """The user that this life's CreateUser was acknowledged for."""
        self.created_at: datetime | None = None
        self.name_taken_at: datetime | None = None
        """When CreateUser was first answered EntityAlreadyExists."""
        self.missing_since: datetime | None = None
        """When a mutation was first answered that there is no such user."""
        self.changed_at: datetime | None = None
        """When a call of this life last changed, or may have changed, the user."""
        self.uncertain = False
        """A step was given up though it may have had its effect."""
        self.conflict_rounds = 0

    @property
    def attempted(self) -> frozenset[str]:
        """Steps that this request has sent or may have sent."""
        return self.earlier | self.unsure | self.witnesses.keys()

    @property
    def satisfied(self) -> frozenset[str]:
        """Steps of this life that hold now."""
        return frozenset(key for key, result in self.results.items() if result.outcome in SATISFIED)

    def number(self, key: str) -> int:
        """The step's number: the one of an earlier life, else the next free one."""
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = max(self._numbers.values(), default=0) + 1
        return known

    # -- the intent ------------------------------------------------------------------------------------------------

    def to_announce(self, plan: Plan, user_id: str | None, now: datetime) -> Intent | None:
        """The intent to be acknowledged before the plan is executed; None when the last one names all of it."""
        for step in plan.steps:
            self.number(step.key)
        new = [step for step in plan.steps if step.sends and step.key not in self._announced and self._is_due(step)]
        if not new:
            return None
        before = self.intent
        steps = {step.key: step for step in before.steps} if before is not None else {}
        for step in new:
            call, number = step.call, self.number(step.key)
            attempts = self.attempts(step.key)
            steps[step.key] = IntentStep(number, step.key, call.action, call.target, attempts)
        return Intent(
            request_id=self._request.request_id,
            request_hash=self._request.content_hash,
            operation=self._request.operation,
            user_id=(before.user_id if before is not None else None) or user_id,
            steps=tuple(sorted(steps.values(), key=lambda step: step.number)),
            was_active=_merged(before.was_active if before is not None else (), plan.was_active),
            lives=self._lives,
            started_at=before.started_at if before is not None else now,
        )

    def announced(self, intent: Intent) -> None:
        """The intent was acknowledged."""
        self.intent = intent
        self._announced.update(step.key for step in intent.steps)

    def _is_due(self, step: Step) -> bool:
        return step.key not in self.results or step.again

    # -- the calls -------------------------------------------------------------------------------------------------

    def is_to_run(self, step: Step) -> bool:
        """Whether a step's turn has come: not concluded yet (or shown once more), and what it needs holds."""
        before = self.results.get(step.key)
        if before is not None and not (step.again and before.outcome is not StepOutcome.FAILED):
            return False
        return all((result := self.results.get(key)) and result.outcome in SATISFIED for key in step.needs)

    def sends(self, key: str) -> None:
        self._sent[key] = self._sent.get(key, 0) + 1

    def sent_nothing(self, key: str) -> None:
        """The call did not reach AWS, or AWS only asked to slow down: no attempt was spent."""
        self._sent[key] -= 1

    def attempts(self, key: str) -> int:
        return self._prior.get(key, 0) + self._sent.get(key, 0)

    def conclude(
        self,
        step: Step,
        call: Call,
        outcome: StepOutcome,
        *,
        aws_request_id: str | None = None,
        error: ReplyError | None = None,
    ) -> None:
        """What came of a step; a later conclusion takes the place of an earlier one."""
        self.results[step.key] = StepResult(
            number=self.number(step.key),
            action=call.action,
            target=call.target,
            outcome=outcome,
            aws_request_id=aws_request_id,
            error_code=error.code if error is not None else None,
            error_message=error.message if error is not None else None,
            attempts=self.attempts(step.key),
        )

    def witness(
        self, step: Step, call: Call, at: datetime, aws_request_id: str | None = None, *, certain: bool = True
    ) -> None:
        """A call had, or may have had, its effect: one audit record for the step, however often it was sent."""
        self.uncertain |= not certain
        if certain:
            self.writes.extend(OwnWrite(one.facet, one.item, one.present, at) for one in call.effects)
        before = self.witnesses.get(step.key)
        if before is None or aws_request_id is not None:
            self.witnesses[step.key] = Witness(
                step.key, self.number(step.key), call.action, call.target, at, aws_request_id
            )

    def found_done(self, step: Step, call: Call, at: datetime) -> None:
        """An earlier try turns out to have done it: its call counts, though its answer was never seen."""
        if step.key not in self.unsure and step.key not in self.witnesses:
            self._prior[step.key] = max(1, self._prior.get(step.key, 0))
        self.witness(step, call, at)
        self.conclude(step, call, StepOutcome.DONE)

    def forget(self, key: str) -> None:
        """A conclusion turned out not to hold."""
        self.results.pop(key, None)

    def all_witnesses(self) -> tuple[Witness, ...]:
        """What is to be audited, by step number, with the attempts of all lives."""
        found = (replace(one, attempts=self.attempts(one.key)) for one in self.witnesses.values())
        return tuple(sorted(found, key=lambda one: one.number))

    def all_results(self, plan: Plan) -> tuple[StepResult, ...]:
        """Every step by its number; what never had its turn is NOT_TRIED."""
        results = dict(self.results)
        for step in plan.steps:
            if step.key not in results:
                call, number = step.call, self.number(step.key)
                results[step.key] = StepResult(number, call.action, call.target, StepOutcome.NOT_TRIED)
        return tuple(sorted(results.values(), key=lambda result: result.number))


def _merged(before: tuple[Item, ...], now: tuple[Item, ...]) -> tuple[Item, ...]:
    """What was active first counts: by the second look we may have made it inactive."""
    known = {item.key for item in before}
    return (*before, *(replace(item) for item in now if item.key not in known))
