"""STS: who one is, roles assumed over accounts, session tokens. Credentials are of use at once and until they expire.

Sources: AssumeRole and GetSessionToken in the STS API reference; "How to use an external ID" in the IAM user guide.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .call import Answer, Call
from .iam import AwsError
from .iam.model import Role
from .iam.principals import trusts
from .knobs import Knobs
from .world import Principal, Session, World

_ROLE_ARN = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role(/(?:[\w+=,.@/-]+/)?)([\w+=,.@-]+)")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")
_HOUR_S = 3600


class Sts:
    """The service. `allowed` says, where rights are enforced, whether the caller's own policies let it."""

    def __init__(self, world: World, knobs: Knobs, allowed: Callable[[Call, str, str], bool]) -> None:
        self._world = world
        self._knobs = knobs
        self._allowed = allowed
        self.actions: Mapping[str, Callable[[Call], Answer]] = {
            "GetCallerIdentity": _get_caller_identity,
            "AssumeRole": self._assume_role,
            "GetSessionToken": self._get_session_token,
            "GetAccessKeyInfo": self._get_access_key_info,
        }

    def perform(self, call: Call) -> Answer:
        """One call; raises AwsError."""
        action = self.actions.get(call.action)
        if action is None:
            raise AwsError("InvalidAction", f"Could not find operation {call.action} for version 2011-06-15")
        return action(call)

    def _assume_role(self, call: Call) -> Answer:
        arn, name = str(call.need("RoleArn")), str(call.need("RoleSessionName"))
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            raise AwsError("ValidationError", f"{arn} is invalid")
        _require(_SESSION_NAME, "roleSessionName", name)
        external, source = call.params.get("ExternalId"), str(call.params.get("SourceIdentity", ""))
        if external is not None:
            _require(_EXTERNAL_ID, "externalId", external)
        if source:
            _require(_SESSION_NAME, "sourceIdentity", source)
        partition, account_id, path, role_name = match.groups()
        account = self._world.accounts.get(account_id)
        role = account.find_role(role_name) if account is not None and account.owner.partition == partition else None
        tags = {tag["Key"]: tag["Value"] for tag in call.params.get("Tags", ())}
        if (
            account is None
            or role is None
            or role.path != path
            or not self._may_assume(call, arn, role, external, source)
        ):
            raise AwsError(
                "AccessDenied",
                f"User: {call.principal.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            )
        seconds = call.number("DurationSeconds", _HOUR_S, 900, 43200)
        if call.principal.role is not None and seconds > _HOUR_S:
            raise AwsError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            )
        if seconds > role.max_session_s:
            raise AwsError(
                "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        before = call.principal.session
        session = self._world.open_session(
            account,
            role,
            call.now,
            self._lifetime(seconds),
            name=name,
            source_identity=source or (before.source_identity if before is not None else ""),
            policies=_session_policies(call),
            tags=tags,
        )
        told: Answer = {
            "Credentials": _credentials(session),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.role_id}:{name}",
                "Arn": f"arn:{partition}:sts::{account_id}:assumed-role/{role.name}/{name}",
            },
        }
        if session.source_identity:
            told["SourceIdentity"] = session.source_identity
        return told

    def _may_assume(self, call: Call, arn: str, role: Role, external: str | None, source: str) -> bool:
        caller = call.principal
        keys = caller_keys(caller)
        if external is not None:
            keys["sts:externalid"] = external
        keys["sts:rolesessionname"] = str(call.params["RoleSessionName"])
        if source:
            keys["sts:sourceidentity"] = source
        own, root = _names(caller)
        wanted = ["sts:AssumeRole", *(["sts:SetSourceIdentity"] if source else [])]
        if "Tags" in call.params:
            wanted.append("sts:TagSession")
        for action in wanted:
            direct = trusts(role, action, own, keys)
            if not direct and not trusts(role, action, own | root, keys):
                return False
            # A role that trusts the caller itself, in its own account, needs no more; else its policies have to agree.
            of_own_account = arn.split(":")[4] == call.account_id
            if not (direct and of_own_account) and not self._allowed(call, action, arn):
                return False
        return True

    def _get_session_token(self, call: Call) -> Answer:
        user = call.principal.entity
        if user is None or call.principal.session is not None or isinstance(user, Role):
            raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials")
        seconds = call.number("DurationSeconds", 12 * _HOUR_S, 900, 36 * _HOUR_S)
        serial = call.params.get("SerialNumber")
        if serial is not None and (serial not in user.mfa or "TokenCode" not in call.params):
            raise AwsError("AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.")
        session = self._world.open_session(
            call.principal.account, user, call.now, self._lifetime(seconds), mfa=serial is not None
        )
        return {"Credentials": _credentials(session)}

    def _get_access_key_info(self, call: Call) -> Answer:
        key = str(call.need("AccessKeyId"))
        session = self._world.sessions.get(key)
        accounts = [session.account] if session is not None else self._world.accounts.values()
        for account in accounts:
            if session is not None or account.owner_of(key) is not None:
                return {"Account": account.account_id}
        raise AwsError("ValidationError", f"Invalid access key id {key}")

    def _lifetime(self, seconds: int) -> float:
        longest = self._knobs.session_s
        return float(seconds) if longest is None else min(float(seconds), longest)


def _get_caller_identity(call: Call) -> Answer:
    caller = call.principal
    return {"UserId": caller.user_id, "Account": call.account_id, "Arn": caller.arn}


def caller_keys(caller: Principal) -> dict[str, str | list[str]]:
    """The condition keys that a caller brings along."""
    session, entity = caller.session, caller.entity
    keys: dict[str, str | list[str]] = {
        "aws:principalarn": caller.arn if caller.role is None else _role_arn(caller, caller.role),
        "aws:principalaccount": caller.account.account_id,
        "aws:userid": caller.user_id,
        "aws:principaltype": "User" if caller.role is None else "AssumedRole",
    }
    tags = dict(entity.tags) if entity is not None else {}
    if caller.role is None:
        keys["aws:username"] = caller.user_name
    if session is not None:
        keys["aws:tokenissuetime"] = datetime.fromtimestamp(session.issued, UTC).isoformat()
        keys["aws:multifactorauthpresent"] = "true" if session.mfa else "false"
        if session.source_identity:
            keys["aws:sourceidentity"] = session.source_identity
        tags.update(session.tags)
    return keys | {f"aws:principaltag/{key.casefold()}": value for key, value in tags.items()}


def _names(caller: Principal) -> tuple[frozenset[str], frozenset[str]]:
    """The caller's own names in a trust policy, and those of its account."""
    account = caller.account
    own = {caller.arn}
    if caller.role is not None:
        own.add(_role_arn(caller, caller.role))
    root = f"arn:{account.owner.partition}:iam::{account.account_id}:root"
    return frozenset(own), frozenset({root, account.account_id})


def _role_arn(caller: Principal, role: Role) -> str:
    owner = caller.account.owner
    return f"arn:{owner.partition}:iam::{owner.account_id}:role{role.path}{role.name}"


def _session_policies(call: Call) -> tuple[str, ...]:
    policy = call.params.get("Policy")
    return () if policy is None else (str(policy),)


def _credentials(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": datetime.fromtimestamp(int(session.expires), UTC),
    }


def _require(pattern: re.Pattern[str], name: str, value: object) -> None:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern.pattern}",
        )
