"""The AWS services behind the one address. A request's credential scope says which is meant; a new one is a new row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .iam import AwsError
from .iam.actions import ACTIONS
from .iam.context import Answer
from .world import Principal


@dataclass(frozen=True, slots=True)
class Call:
    """One call, whoever it came through."""

    principal: Principal
    action: str
    params: Mapping[str, Any]
    now: float
    """Seconds since the epoch."""
    as_of: float | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """How calls of one service are understood."""

    name: str
    version: str
    namespace: str
    """Of its XML."""
    perform: Callable[[Call], Answer]
    writes: Callable[[str], bool]
    """Whether an action changes something."""
    target: Callable[[str, Mapping[str, Any], str], str]
    """(action, parameters, caller) → name of the user that it is about, or nothing."""


def _perform_iam(call: Call) -> Answer:
    account = call.principal.account
    return account.call(call.action, call.params, actor=call.principal.user_name, now=call.now, as_of=call.as_of)


def _writes_iam(action: str) -> bool:
    row = ACTIONS.get(action)
    return row is not None and row.writes


def _target_iam(action: str, params: Mapping[str, Any], caller: str) -> str:
    name = params.get("UserName")
    if name is not None:
        return str(name)
    row = ACTIONS.get(action)
    about_caller = action == "ChangePassword" or (row is not None and "UserName" in row.shapes)
    return caller if about_caller and "AllUsers" not in params else ""


def _perform_sts(call: Call) -> Answer:
    if call.action != "GetCallerIdentity":
        raise AwsError("InvalidAction", f"Could not find operation {call.action} for version 2011-06-15")
    principal = call.principal
    return {"UserId": principal.user_id, "Account": principal.account.account_id, "Arn": principal.arn}


SERVICES: Mapping[str, Service] = {
    "iam": Service(
        "iam",
        "2010-05-08",
        "https://iam.amazonaws.com/doc/2010-05-08/",
        _perform_iam,
        _writes_iam,
        _target_iam,
    ),
    "sts": Service(
        "sts",
        "2011-06-15",
        "https://sts.amazonaws.com/doc/2011-06-15/",
        _perform_sts,
        lambda _action: False,
        lambda _action, _params, _caller: "",
    ),
}


def find_service(name: str, version: str | None) -> Service:
    """The service that a credential scope names.

    Raises:
        AwsError: SignatureDoesNotMatch for a service that is not here, NoSuchVersion for a version that it has not.
    """
    service = SERVICES.get(name)
    if service is None:
        raise AwsError("SignatureDoesNotMatch", f"Credential should be scoped to one of: {', '.join(SERVICES)}.")
    if version is not None and version != service.version:
        raise AwsError("NoSuchVersion", f"The requested version ({version}) of service {service.name} does not exist.")
    return service
