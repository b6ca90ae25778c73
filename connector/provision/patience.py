"""Waiting: what a reading does about each class of error, until it has an answer.

A reading changes nothing, so it is simply repeated. What a mutation does is told in `execute`.
"""

from collections.abc import Callable

from connector.aws.account import Line
from connector.aws.errors import ACCESS_DENIED, AwsError, ErrorClass
from connector.errors import CallForbidden
from connector.model.results import ReplyError, Wait
from connector.plan.safety import Caller

from .means import FORBIDDEN, Means, RequestFailed, Script, T

REASONS = {
    ErrorClass.THROTTLED: "throttled",
    ErrorClass.UNREACHABLE: "unreachable",
    ErrorClass.AMBIGUOUS: "ambiguous",
    ErrorClass.CONTENDED: "contended",
    ErrorClass.MISSING: "propagating",
    ErrorClass.EXISTS: "propagating",
    ErrorClass.CONFLICT: "conflict",
    ErrorClass.OUR_CREDENTIALS: "credentials",
}
"""What a wait is called in the log, the metrics and `watch`."""


def to_wait(error: AwsError, seconds: float) -> Wait:
    """A wait that says what it is for."""
    return Wait(seconds, REASONS[error.kind], {"action": error.action, "code": error.code})


def to_reply_error(error: AwsError, secret: str | None = None) -> ReplyError:
    """What AWS said, for a person; a password is cut out should AWS ever repeat it."""
    message = error.message.replace(secret, "***") if secret else error.message
    if error.code in ACCESS_DENIED:
        return ReplyError("ACCESS_DENIED", f"the connector may not iam:{error.action}: {message}")
    return ReplyError(error.code, f"{error.action}: {message}", retryable=error.kind is ErrorClass.CONTENDED)


class Patience:
    """Readings that wait and try again."""

    def __init__(self, means: Means, line: Line) -> None:
        self._means = means
        self.line = line

    def who(self) -> Script[Caller]:
        """Who the connector is at AWS; waits as long as AWS does not take its credentials."""
        return self.until_told(lambda: self._means.account.caller(self.line))

    def until_told(self, read: Callable[[], T]) -> Script[T]:
        """The answer of a reading, however long it takes.

        Raises:
            RequestFailed: AWS refuses the reading itself, or lost its answer too often.
        """
        failures = 0
        while True:
            try:
                return read()
            except CallForbidden:
                yield FORBIDDEN
            except AwsError as error:
                failures += 1
                yield self.wait_for(error, failures)
                if error.kind is ErrorClass.OUR_CREDENTIALS and error.action != "GetCallerIdentity":
                    # However many readings wait, one probe goes out, and nothing else until it succeeds.
                    yield from self.who()

    def wait_for(self, error: AwsError, failures: int) -> Wait:
        """The wait before a reading is tried again.

        Raises:
            RequestFailed: it makes no sense to try again.
        """
        pace = self._means.pace
        match error.kind:
            case ErrorClass.OUR_CREDENTIALS:
                return self.mistrusted(error)
            case ErrorClass.THROTTLED | ErrorClass.UNREACHABLE | ErrorClass.CONTENDED:
                return to_wait(error, pace.of(error.kind).seconds(failures))
            case ErrorClass.AMBIGUOUS if failures <= pace.read_attempts:
                return to_wait(error, pace.of(error.kind).seconds(failures))
            case ErrorClass.AMBIGUOUS:
                raise RequestFailed(ambiguous(error, failures))
            case _:
                raise RequestFailed(to_reply_error(error))

    def mistrusted(self, error: AwsError) -> Wait:
        """AWS does not take our credentials: nobody's request fails for that."""
        account = self._means.account
        if error.action != "GetCallerIdentity":
            account.distrust(error)
        return to_wait(error, account.credentials_wait())


def ambiguous(error: AwsError, failures: int) -> ReplyError:
    """Too many lost answers."""
    return ReplyError(
        "AWS_AMBIGUOUS",
        f"{error.action}: {failures} answers in a row were lost ({error.message}); ask again when AWS answers",
        retryable=True,
    )
