"""The AWS services behind the one address. A request's credential scope says which is meant; a new one is a new row."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from .call import Answer, Call, Later
from .guard import Guard
from .http import Request
from .iam import AwsError
from .iam.actions import ACTIONS
from .iam.rights import Decision
from .knobs import Knobs
from .organizations import Organizations
from .s3 import S3, Buckets, S3Wire, Thing
from .secret_store import SecretsManager
from .sqs.queues import Queues
from .sqs.service import NO_QUEUE, Sqs
from .sts import Sts
from .trail.lookup import CloudTrail
from .trail.trail import Trail
from .wire import JSON_CODES, JsonWire, QueryWire, Wire
from .world import World


@dataclass(frozen=True, slots=True)
class Service:
    """How calls of one service are understood."""

    name: str
    wire: Wire
    perform: Callable[[Call], Answer | Later]
    writes: Callable[[str], bool]
    """Whether an action changes something."""
    resource: Callable[[Call], str] = lambda _call: "*"
    """ARN of what a call is about, where rights are asked for."""
    right: Callable[[str], str | None] = str
    """Action → the right that it needs, without the service; None for one that needs none."""
    recorded: Callable[[str], bool] = lambda _action: True
    """Whether CloudTrail takes an action for a management event."""
    target: Callable[[str, Mapping[str, Any], str], str] = lambda _action, _params, _caller: ""
    """(action, parameters, caller) → name of the user that it is about, or nothing."""


class Services:
    """All of them, over one world."""

    def __init__(self, world: World, knobs: Knobs, seed: int) -> None:
        self.queues = Queues(Random(f"{seed}/sqs"))
        self.buckets = Buckets(lambda arn, body: self.queues.send(arn, body, time.time()))
        self.trail = Trail(
            knobs, Random(f"{seed}/trail"), lambda arn, body: self.queues.send(arn, body, time.time()), self._store
        )
        self.organizations = Organizations(world)
        self.guard = Guard(self.organizations.over)
        self._knobs = knobs
        sts, sqs, s3 = (
            Sts(world, knobs, self._allowed),
            Sqs(self.queues, self.trail.pump),
            S3(self.buckets, self.trail.pump),
        )
        secrets = SecretsManager(Random(f"{seed}/secrets"))
        rows = (
            Service(
                "iam",
                QueryWire("iam", "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/"),
                _perform_iam,
                _writes_iam,
                resource_iam,
                target=_target_iam,
            ),
            Service(
                "sts",
                QueryWire("sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"),
                sts.perform,
                lambda _action: False,
                right=lambda _action: None,
            ),
            Service(
                "cloudtrail",
                JsonWire("1.1", ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "CloudTrail_20131101")),
                CloudTrail(self.trail).perform,
                _changes,
            ),
            Service(
                "sqs",
                JsonWire("1.0", ("AmazonSQS",), _SQS_CODES, "com.amazonaws.sqs#", _SQS_FORMER_CODES),
                sqs.perform,
                _changes,
                sqs.arn_of,
                lambda action: action.removesuffix("Batch"),
                lambda action: "Message" not in action,
            ),
            Service(
                "s3",
                S3Wire(),
                s3.perform,
                _changes,
                s3.arn_of,
                lambda action: _S3_RIGHTS.get(action, action),
                lambda action: "Object" not in action,
            ),
            Service("secretsmanager", JsonWire("1.1", ("secretsmanager",)), secrets.perform, _changes, secrets.arn_of),
            Service(
                "organizations",
                JsonWire(
                    "1.1", ("AWSOrganizationsV20161128",), {**JSON_CODES, "Throttling": "TooManyRequestsException"}
                ),
                self.organizations.perform,
                _changes,
            ),
        )
        self.table: Mapping[str, Service] = {row.name: row for row in rows}

    def find(self, name: str) -> Service:
        """The service that a credential scope names; raises SignatureDoesNotMatch for one that is not here."""
        service = self.table.get(name)
        if service is None:
            raise AwsError("SignatureDoesNotMatch", f"Credential should be scoped to one of: {', '.join(self.table)}.")
        return service

    def guess(self, request: Request) -> Service:
        """Whose call it may be, when no signature says so: it must be refused in some protocol."""
        target = request.headers.get(b"x-amz-target", b"").decode("latin-1")
        for service in self.table.values():
            if isinstance(service.wire, JsonWire) and target.rpartition(".")[0] in service.wire.prefixes:
                return service
        return self.table["s3" if request.path != "/" and not target else "iam"]

    def _allowed(self, call: Call, action: str, resource: str) -> bool:
        return not self._knobs.enforce_policies or self.guard.judge(call, action, resource).decision is Decision.ALLOWED

    def _store(self, bucket: str, key: str, body: bytes) -> None:
        there = self.buckets.by_name.get(bucket)
        if there is not None:
            self.buckets.put(there, key, Thing(body, time.time(), "application/json"))


_S3_RIGHTS: Mapping[str, str] = {
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
}
_SQS_CODES = {**JSON_CODES, "Throttling": "RequestThrottled", "ValidationError": "MissingParameter"}
_SQS_FORMER_CODES: Mapping[str, str] = {
    NO_QUEUE: "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "AccessDeniedException": "AccessDenied",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ExpiredTokenException": "ExpiredToken",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnknownOperationException": "InvalidAction",
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
}


def _changes(action: str) -> bool:
    return not action.startswith(("Get", "List", "Describe", "Lookup", "Head"))


def _perform_iam(call: Call) -> Answer:
    session = call.principal.session
    if session is not None and call.principal.role is None and not session.mfa:
        # GetSessionToken in the STS reference: without MFA such credentials cannot call IAM.
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid")
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


def resource_iam(call: Call) -> str:
    """The ARN that IAM asks a right for: of a group before that of a user, as for AddUserToGroup."""
    account, params = call.principal.account, call.params
    prefix = f"arn:{account.owner.partition}:iam::{account.account_id}:"
    for name, kind, find in (
        ("GroupName", "group", account.find_group),
        ("RoleName", "role", account.find_role),
        ("UserName", "user", account.find_user),
    ):
        if name in params:
            found = find(str(params[name]))
            path, told = (params.get("Path", "/"), params[name]) if found is None else (found.path, found.name)
            return f"{prefix}{kind}{path}{told}"
    for name in ("PolicyArn", "PolicySourceArn", "SerialNumber"):
        if name in params:
            return str(params[name])
    for name, kind in (("PolicyName", "policy"), ("VirtualMFADeviceName", "mfa")):
        if name in params:
            return f"{prefix}{kind}{params.get('Path', '/')}{params[name]}"
    about_caller = _target_iam(call.action, params, call.principal.user_name)
    return call.principal.arn if about_caller else "*"
