"""One AWS account: who the connector is in it, and what it needs to know of it once and not for every request.

Bad credentials of our own are nobody's fault who asked for something: they are said once in the log, and again when
they are mended; meanwhile one probe at a time goes out, however many lanes wait.
"""

import threading
from collections.abc import Mapping
from typing import Any

import structlog

from connector.plan.names import to_arn
from connector.plan.safety import Caller
from connector.ports import Clock, MayCall
from connector.secrets import PasswordPolicy

from .client import Api
from .errors import ACCESS_DENIED, AwsError, ErrorClass
from .mark import NO_REQUEST, Marker, RequestMarker
from .pace import Pace
from .reads import Ask

CALLER_KEEPS_S = 900.0
"""Seconds after which GetCallerIdentity is asked again: a credential chain may change under a running worker."""
POLICY_KEEPS_S = 300.0
"""Seconds for which the account's password policy is believed."""

log = structlog.get_logger(__name__)


class Line:
    """One request's line to AWS: puts its mark on every call, and asks its worker whether it may call."""

    __slots__ = ("_api", "_marker", "may_call")

    def __init__(self, api: Api, marker: RequestMarker) -> None:
        self._api = api
        self._marker = marker
        self.may_call: MayCall = _not_yet

    def ask(self, action: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """One reading.

        Raises:
            AwsError: AWS answered with an error, or did not.
            CallForbidden: the worker may not call; nothing was sent.
        """
        return self.send(action, params, 0)

    def send(self, action: str, params: Mapping[str, Any], step: int) -> Mapping[str, Any]:
        """One call of a step; raises as `ask` does."""
        return self._api.call(action, params, self._marker.mark(step, action), self.may_call)


def _not_yet() -> bool:
    return False


class AwsAccount:
    """The account that the connector's credentials belong to; shared by all lanes and their threads."""

    def __init__(self, api: Api, marker: Marker, clock: Clock, pace: Pace, expected_user: str | None = None) -> None:
        """`expected_user`: the user name that the settings say the credentials belong to."""
        self._api = api
        self._marker = marker
        self._clock = clock
        self._pace = pace
        self._expected_user = expected_user
        self._lock = threading.Lock()
        self._caller: Caller | None = None
        self._caller_until = 0.0
        self._refusals = 0
        self._refused: AwsError | None = None
        self._probe_at = 0.0
        self._policy: PasswordPolicy | None = None
        self._policy_until = 0.0

    @property
    def known_caller(self) -> Caller | None:
        """Who we are, as far as it was asked."""
        return self._caller

    def line(self, request_id: str = NO_REQUEST, user_name: str = "") -> "Line":
        """A line to AWS whose calls are marked as those of one request on one user."""
        return Line(self._api, self._marker.of(request_id, user_name))

    def caller(self, line: "Line") -> Caller:
        """Who the connector is, asked once in a while.

        Raises:
            AwsError: OUR_CREDENTIALS when AWS does not take them (without a call while it is too early to try again),
                or any class of a call that failed.
            CallForbidden: the worker may not call.
        """
        caller = self._caller
        if caller is not None and self._clock.monotonic() < self._caller_until:
            return caller
        with self._lock:
            if self._caller is not None and self._clock.monotonic() < self._caller_until:
                return self._caller
            refused = self._refused
            if refused is not None and self._clock.monotonic() < self._probe_at:
                raise AwsError(refused.kind, refused.code, refused.message, action=refused.action)
            try:
                caller = self._to_caller(line.ask("GetCallerIdentity", {}))
            except AwsError as error:
                if error.kind is ErrorClass.OUR_CREDENTIALS:
                    self._refuse(error)
                raise
            if self._refused is not None:
                log.info("AWS takes the connector's credentials again", arn=caller.arn)
            self._caller, self._refused, self._refusals = caller, None, 0
            self._caller_until = self._clock.monotonic() + CALLER_KEEPS_S
            return caller

    def distrust(self, error: AwsError) -> None:
        """A call was refused for our credentials: nothing goes on before GetCallerIdentity succeeds again.

        Many calls may be refused at once, and that is one refusal: the wait grows with the probes that fail.
        """
        with self._lock:
            if self._refused is None:
                self._refuse(error)

    def credentials_wait(self) -> float:
        """Seconds until it is worth asking again."""
        return max(0.05, self._probe_at - self._clock.monotonic())

    def _refuse(self, error: AwsError) -> None:
        if self._refused is None:
            log.error(
                "AWS does not take the connector's own credentials; requests wait until it does",
                code=error.code,
                reason=error.message,
                way_out="mend IDHUB_AWS_ACCESS_KEY_ID, the credential chain (AWS_PROFILE …) or this machine's clock",
            )
        self._caller = None
        self._refused = error
        self._refusals += 1
        self._probe_at = self._clock.monotonic() + self._pace.credentials.seconds(self._refusals)

    def _to_caller(self, told: Mapping[str, Any]) -> Caller:
        text = told["Arn"]
        arn = to_arn(text)
        partition = text.split(":")[1]
        user_name = arn.name if arn is not None and arn.kind == "user" else None
        wanted = self._expected_user
        if wanted is not None and (user_name is None or user_name.casefold() != wanted.casefold()):
            raise AwsError(
                ErrorClass.OUR_CREDENTIALS,
                "OtherUser",
                f"the settings name the user {wanted} (IDHUB_AWS_USER_NAME), but the credentials belong to {text}",
                action="GetCallerIdentity",
            )
        return Caller(told["Account"], text, partition, user_name)

    def password_policy(self, ask: Ask) -> PasswordPolicy:
        """The account's rules for passwords; IAM's default where it has none, or does not let us see it.

        Raises:
            AwsError: of the classes that are waited for.
        """
        if self._policy is not None and self._clock.monotonic() < self._policy_until:
            return self._policy
        try:
            told = ask("GetAccountPasswordPolicy", {})["PasswordPolicy"]
            policy = PasswordPolicy(told.get("MinimumPasswordLength", 6))
        except AwsError as error:
            if error.kind is not ErrorClass.MISSING and error.code not in ACCESS_DENIED:
                raise
            policy = PasswordPolicy()
        self._policy, self._policy_until = policy, self._clock.monotonic() + POLICY_KEEPS_S
        return policy

    def forget_password_policy(self) -> None:
        """AWS refused a password that was made to the policy: it has changed meanwhile."""
        self._policy = None
