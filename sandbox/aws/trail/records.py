"""CloudTrail's records of calls, in their real shape: what is spelled how, what is null, what never appears.

Sources: "CloudTrail record contents" and "userIdentity element" in the CloudTrail user guide, "Logging IAM and STS API
calls" in the IAM user guide, and published samples, which settle what the documents leave open: the first letter of
every member is lowered (`sSHPublicKeyId`), dates read "Mar 24, 2014 9:11:59 PM" (with a second comma where STS tells
them), documents in answers are percent-encoded, secrets and passwords are left out. A refusal at the door (AccessDenied,
a parameter that is none) has null requestParameters; a refusal by the deed (NoSuchEntityException) has them.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from sandbox.aws.iam import AwsError
from sandbox.aws.iam.actions import ACTIONS
from sandbox.aws.iam.errors import STATUS
from sandbox.aws.iam.model import Document

from .happening import Actor, Happening

Record = dict[str, Any]

SIGN_IN = "signin"

_LEFT_OUT = frozenset(
    {
        "Password", "OldPassword", "NewPassword", "AuthenticationCode1", "AuthenticationCode2", "TokenCode",
        "SecretAccessKey", "ServicePassword", "ServiceCredentialSecret", "Base32StringSeed", "QRCodePNG",
        "SecretString", "SecretBinary", "ClientRequestToken",
    }
)  # fmt: skip
_WITHOUT_PARAMETERS = frozenset({"ChangePassword", "GetCallerIdentity"})
"""Actions whose requestParameters are null even when all is well."""
_AT_THE_DOOR = frozenset({"AccessDenied", "AccessDeniedException", "ValidationError", "ValidationException"})
_OWN_NAMES = frozenset({"AccessDenied", "InvalidAction", "InvalidClientTokenId", "ExpiredToken", "InternalFailure"})
_OTHER_NAMES: Mapping[str, str] = {
    "ValidationError": "ValidationException",
    "Throttling": "ThrottlingException",
    "NotSupportedService": "ServiceNotSupportedException",
}
_VERSIONS: Mapping[str, str] = {"iam": "1.09", "organizations": "1.09", "secretsmanager": "1.09"}
_RESOURCES: Mapping[str, str] = {
    "userName": "AWS::IAM::User",
    "groupName": "AWS::IAM::Group",
    "roleName": "AWS::IAM::Role",
    "policyArn": "AWS::IAM::Policy",
    "policyName": "AWS::IAM::Policy",
    "accessKeyId": "AWS::IAM::AccessKey",
    "serialNumber": "AWS::IAM::MfaDevice",
}


def to_record(one: Happening) -> Record:
    """The record."""
    is_sign_in = one.service == SIGN_IN
    record: Record = {
        "eventVersion": _VERSIONS.get(one.service, "1.08"),
        "userIdentity": identity(one.actor, one.at),
        "eventTime": iso(one.at),
        "eventSource": f"{one.service}.amazonaws.com",
        "eventName": one.name,
        "awsRegion": one.region,
        "sourceIPAddress": one.source_ip,
        "userAgent": one.agent,
    }
    if one.error is not None:
        if not is_sign_in:
            record["errorCode"] = error_code(one)
        record["errorMessage"] = one.error.message
    record["requestParameters"] = _parameters(one)
    record["responseElements"] = _elements(one)
    if is_sign_in:
        record["additionalEventData"] = {
            "LoginTo": "https://console.aws.amazon.com/console/home",
            "MobileVersion": "No",
            "MFAUsed": "No",
        }
    else:
        record["requestID"] = one.request_id
    record["eventID"] = one.event_id
    record["readOnly"] = one.read_only
    if one.service == "sts" and one.name == "AssumeRole" and one.error is None:
        arn = one.params["RoleArn"]
        record["resources"] = [{"accountId": arn.split(":")[4], "type": "AWS::IAM::Role", "ARN": arn}]
    record["eventType"] = "AwsConsoleSignIn" if is_sign_in else "AwsApiCall"
    record["managementEvent"] = True
    record["recipientAccountId"] = one.account_id
    if one.shared_id:
        record["sharedEventID"] = one.shared_id
    record["eventCategory"] = "Management"
    record["tlsDetails"] = {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": "signin.aws.amazon.com" if is_sign_in else f"{one.service}.amazonaws.com",
    }
    if one.actor.console and not is_sign_in:
        record["sessionCredentialFromConsole"] = "true"
    return record


def user_name(one: Happening) -> str | None:
    """Whom LookupEvents files it under: the user, or an assumed role's session name."""
    told = identity(one.actor, one.at)
    if told["type"] == "AssumedRole":
        return str(told["arn"].rpartition("/")[2])
    return "root" if told["type"] == "Root" else told.get("userName")


def resources(one: Happening) -> list[dict[str, str]]:
    """What LookupEvents says it was about."""
    found = {(kind, str(value)): None for kind, value in _named(_parameters(one))}
    found |= {(kind, str(value)): None for kind, value in _named(_elements(one))}
    return [{"ResourceType": kind, "ResourceName": value} for kind, value in found]


def _named(told: Any) -> list[tuple[str, Any]]:
    found = []
    for key, value in (told or {}).items():
        if isinstance(value, dict):
            found += _named(value)
        elif key in _RESOURCES and isinstance(value, str):
            found.append((_RESOURCES[key], value))
    return found


def error_code(one: Happening) -> str:
    """The error by its shape's name in the service model, which is longer than the code on the wire."""
    error = one.error or AwsError("", "")
    if one.service not in ("iam", "sts") or error.code in _OWN_NAMES:
        return error.code
    if error.code in _OTHER_NAMES:
        return _OTHER_NAMES[error.code]
    return f"{error.code}Exception" if error.code in STATUS else error.code


def identity(actor: Actor, at: float) -> Record:
    """The userIdentity element."""
    principal = actor.principal
    root = f"arn:{actor.partition}:iam::{actor.account_id}:root"
    if actor.hidden:
        return {"type": "IAMUser", "accountId": actor.account_id, "accessKeyId": "", "userName": HIDDEN_NAME}
    if principal is not None and actor.foreign:
        return {"type": "AWSAccount", "principalId": principal.user_id, "accountId": principal.account.account_id}
    if principal is None:
        told: Record = {"type": "Root", "principalId": actor.account_id, "arn": root, "accountId": actor.account_id}
    else:
        told = {
            "type": "AssumedRole" if principal.role is not None else "IAMUser",
            "principalId": principal.user_id,
            "arn": principal.arn,
            "accountId": principal.account.account_id,
        }
        if principal.access_key_id:
            told["accessKeyId"] = principal.access_key_id
        if principal.role is None:
            told["userName"] = principal.user_name
        session = principal.session
        if session is not None:
            told["sessionContext"] = _session(actor, session.issued, mfa=session.mfa)
            if session.source_identity:
                told["sessionContext"]["sourceIdentity"] = session.source_identity
    if actor.console:
        told["sessionContext"] = _session(actor, at, mfa=False)
    return told


HIDDEN_NAME = "HIDDEN_DUE_TO_SECURITY_REASONS"


def _session(actor: Actor, issued: float, *, mfa: bool) -> Record:
    told: Record = {}
    principal = actor.principal
    role = None if principal is None else principal.role
    if principal is not None and role is not None:
        owner = principal.account.owner
        told["sessionIssuer"] = {
            "type": "Role",
            "principalId": role.role_id,
            "arn": f"arn:{owner.partition}:iam::{owner.account_id}:role{role.path}{role.name}",
            "accountId": owner.account_id,
            "userName": role.name,
        }
        told["webIdFederationData"] = {}
    told["attributes"] = {"creationDate": iso(issued), "mfaAuthenticated": "true" if mfa else "false"}
    return told


def _parameters(one: Happening) -> Any:
    if one.service == SIGN_IN or one.name in _WITHOUT_PARAMETERS:
        return None
    if one.error is not None and one.error.code in _AT_THE_DOOR:
        return None
    params = one.params
    if one.service == "iam" and one.name in ACTIONS:
        params = ACTIONS[one.name].check(params)  # numbers and booleans came as text
    return _lowered(params, one.service) or None


def _elements(one: Happening) -> Any:
    if one.service == SIGN_IN:
        return {"ConsoleLogin": "Success" if one.error is None else "Failure"}
    if one.error is not None or (one.read_only and one.service != "sts") or one.name == "GetCallerIdentity":
        return None
    return _lowered(one.answer, one.service) or None


def _lowered(value: Any, service: str) -> Any:
    if isinstance(value, Mapping):
        return {key[0].lower() + key[1:]: _lowered(v, service) for key, v in value.items() if key not in _LEFT_OUT}
    if isinstance(value, (list, tuple)):
        return [_lowered(one, service) for one in value]
    leaf = _LEAVES.get(type(value))
    return value if leaf is None else leaf(value, service)


def _date(moment: datetime, service: str) -> str:
    comma = "," if service == "sts" else ""
    return f"{moment:%b} {moment.day}, {moment.year}{comma} {moment.hour % 12 or 12}:{moment:%M:%S %p}"


_LEAVES: Mapping[type, Callable[[Any, str], Any]] = {
    datetime: _date,
    Document: lambda document, _service: quote(document, safe=""),
    bytes: lambda _blob, _service: "",
}


def iso(at: float) -> str:
    """As CloudTrail tells a moment: whole seconds, UTC."""
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}"
