"""Secrets Manager: secrets with versions and stages. A secret's value is in no journal and in no record.

Source: the Secrets Manager API reference. Names are unique per account and Region; a secret that was deleted keeps its
name until its recovery window is over, unless it was deleted without one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from .call import Answer, Call
from .iam import AwsError

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SUFFIX_LENGTH = 6
_DAY_S = 86400.0


@dataclass(slots=True)
class Version:
    version_id: str
    created: datetime
    value: dict[str, Any] = field(repr=False)
    """SecretString or SecretBinary."""


@dataclass(slots=True)
class Secret:
    arn: str
    name: str
    created: datetime
    changed: datetime
    description: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)
    versions: dict[str, Version] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    """Stage → version id."""
    accessed: datetime | None = None
    deleted: float | None = None
    """When DeleteSecret was called."""
    gone: float | None = None
    """When it will be gone for good."""


class SecretsManager:
    """The service."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._secrets: dict[str, Secret] = {}
        self.actions: Mapping[str, Callable[[Call], Answer]] = {
            "CreateSecret": self._create,
            "PutSecretValue": self._put,
            "UpdateSecret": self._update,
            "GetSecretValue": self._get,
            "DescribeSecret": self._describe,
            "ListSecrets": self._list,
            "DeleteSecret": self._delete,
            "RestoreSecret": self._restore,
        }

    def perform(self, call: Call) -> Answer:
        """One call; raises AwsError."""
        action = self.actions.get(call.action)
        if action is None:
            raise AwsError("InvalidAction", f"Unknown operation {call.action}")
        self._secrets = {arn: one for arn, one in self._secrets.items() if one.gone is None or one.gone > call.now}
        return action(call)

    def arn_of(self, call: Call) -> str:
        """The resource that a call is about."""
        found = self._search(call) if "SecretId" in call.params else None
        return "*" if found is None else found.arn

    def _place(self, call: Call) -> str:
        return f"arn:{call.principal.account.owner.partition}:secretsmanager:{call.region}:{call.account_id}:secret:"

    def _search(self, call: Call) -> Secret | None:
        wanted, place = str(call.params["SecretId"]), self._place(call)
        for arn, secret in self._secrets.items():
            if wanted in (arn, arn[: -_SUFFIX_LENGTH - 1]) or (arn.startswith(place) and wanted == secret.name):
                return secret
        return None

    def _find(self, call: Call, *, deleted_too: bool = False) -> Secret:
        call.need("SecretId")
        secret = self._search(call)
        if secret is None:
            raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 400)
        if secret.deleted is not None and not deleted_too:
            raise _refused("You can't perform this operation on the secret because it was marked for deletion.")
        return secret

    def _create(self, call: Call) -> Answer:
        name, place = str(call.need("Name")), self._place(call)
        before = next((one for arn, one in self._secrets.items() if arn.startswith(place) and one.name == name), None)
        if before is not None and before.deleted is not None:
            raise _refused(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        if before is not None:
            raise AwsError(
                "ResourceExistsException", f"The operation failed because the secret {name} already exists.", 400
            )
        suffix = "".join(self._random.choices(_SUFFIX, k=_SUFFIX_LENGTH))
        now = _date(call.now)
        secret = Secret(
            f"{place}{name}-{suffix}", name, now, now, call.params.get("Description", ""), call.params.get("Tags", [])
        )
        self._secrets[secret.arn] = secret
        told: Answer = {"ARN": secret.arn, "Name": name}
        if "SecretString" in call.params or "SecretBinary" in call.params:
            told["VersionId"] = self._add(call, secret).version_id
        return told

    def _put(self, call: Call) -> Answer:
        secret = self._find(call)
        version = self._add(call, secret)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version.version_id,
            "VersionStages": _stages_of(secret, version.version_id),
        }

    def _update(self, call: Call) -> Answer:
        secret = self._find(call)
        secret.description = call.params.get("Description", secret.description)
        secret.changed = _date(call.now)
        told: Answer = {"ARN": secret.arn, "Name": secret.name}
        if "SecretString" in call.params or "SecretBinary" in call.params:
            told["VersionId"] = self._add(call, secret).version_id
        return told

    def _add(self, call: Call, secret: Secret) -> Version:
        given = {name: call.params[name] for name in ("SecretString", "SecretBinary") if name in call.params}
        if len(given) != 1:
            raise AwsError("InvalidRequestException", "You must provide either SecretString or SecretBinary.", 400)
        version_id = str(call.params.get("ClientRequestToken") or f"{self._random.getrandbits(128):032x}")
        before = secret.versions.get(version_id)
        if before is not None:
            if before.value != given:
                raise AwsError(
                    "ResourceExistsException", f"A resource with the ID {version_id} you requested already exists.", 400
                )
            return before
        version = secret.versions[version_id] = Version(version_id, _date(call.now), given)
        for stage in call.params.get("VersionStages") or [CURRENT]:
            if stage == CURRENT and CURRENT in secret.stages:
                secret.stages[PREVIOUS] = secret.stages[CURRENT]
            secret.stages[stage] = version_id
        secret.changed = _date(call.now)
        return version

    def _get(self, call: Call) -> Answer:
        secret = self._find(call)
        stage = call.params.get("VersionStage")
        version_id = call.params.get("VersionId") or secret.stages.get(stage or CURRENT, "")
        version = secret.versions.get(version_id)
        if version is None or (stage is not None and secret.stages.get(stage) != version_id):
            what = f"VersionId: {version_id}" if version_id else f"staging label: {stage or CURRENT}"
            raise AwsError(
                "ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {what}", 400
            )
        secret.accessed = _date(call.now)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version_id,
            "VersionStages": _stages_of(secret, version_id),
            "CreatedDate": version.created,
            **version.value,
        }

    def _describe(self, call: Call) -> Answer:
        return _described(self._find(call, deleted_too=True))

    def _list(self, call: Call) -> Answer:
        place = self._place(call)
        ours = [one for arn, one in sorted(self._secrets.items()) if arn.startswith(place) and one.deleted is None]
        start = call.number("NextToken", 0, 0, 2**31, "InvalidNextTokenException")
        size = call.number("MaxResults", 100, 1, 100, "InvalidParameterException")
        told: Answer = {"SecretList": [_described(one) for one in ours[start : start + size]]}
        if start + size < len(ours):
            told["NextToken"] = str(start + size)
        return told

    def _delete(self, call: Call) -> Answer:
        secret = self._find(call, deleted_too=True)
        force = bool(call.params.get("ForceDeleteWithoutRecovery"))
        if force and "RecoveryWindowInDays" in call.params:
            raise AwsError(
                "InvalidParameterException",
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
                400,
            )
        days = call.number("RecoveryWindowInDays", 30, 7, 30, "InvalidParameterException")
        secret.deleted = call.now
        secret.gone = call.now if force else call.now + days * _DAY_S
        return {"ARN": secret.arn, "Name": secret.name, "DeletionDate": _date(secret.gone)}

    def _restore(self, call: Call) -> Answer:
        secret = self._find(call, deleted_too=True)
        secret.deleted = secret.gone = None
        return {"ARN": secret.arn, "Name": secret.name}


def _described(secret: Secret) -> Answer:
    told: Answer = {
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": secret.created,
        "LastChangedDate": secret.changed,
        "VersionIdsToStages": {
            version_id: stages for version_id in secret.versions if (stages := _stages_of(secret, version_id))
        },
        "Tags": secret.tags,
    }
    if secret.description:
        told["Description"] = secret.description
    if secret.accessed is not None:
        told["LastAccessedDate"] = datetime.combine(secret.accessed.date(), datetime.min.time(), UTC)
    if secret.deleted is not None:
        told["DeletedDate"] = _date(secret.deleted)
    return told


def _stages_of(secret: Secret, version_id: str) -> list[str]:
    return [stage for stage, one in sorted(secret.stages.items()) if one == version_id]


def _refused(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message, 400)


def _date(at: float) -> datetime:
    return datetime.fromtimestamp(round(at, 3), UTC)
