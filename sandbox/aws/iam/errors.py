"""What IAM answers instead of a result: its codes, their HTTP statuses and its sentences.

Codes and statuses are those of the service model (iam/2010-05-08) and of IAM's page "Common Errors". The sentences were
collected from reports by people who met them; programs tell some cases apart by nothing else.
"""

from collections.abc import Mapping

STATUS: Mapping[str, int] = {
    "AccessDenied": 403,
    "ConcurrentModification": 409,
    "DeleteConflict": 409,
    "DuplicateCertificate": 409,
    "DuplicateSSHPublicKey": 400,
    "EntityAlreadyExists": 409,
    "EntityTemporarilyUnmodifiable": 409,
    "ExpiredToken": 403,
    "IncompleteSignature": 400,
    "InternalFailure": 500,
    "InvalidAction": 400,
    "InvalidAuthenticationCode": 403,
    "InvalidCertificate": 400,
    "InvalidClientTokenId": 403,
    "InvalidInput": 400,
    "InvalidPublicKey": 400,
    "InvalidUserType": 400,
    "LimitExceeded": 409,
    "MalformedCertificate": 400,
    "MalformedPolicyDocument": 400,
    "MissingAction": 400,
    "MissingAuthenticationToken": 403,
    "NoSuchEntity": 404,
    "NoSuchVersion": 400,
    "NotSupportedService": 404,
    "PasswordPolicyViolation": 400,
    "PolicyNotAttachable": 400,
    "ReportExpired": 410,
    "ReportInProgress": 404,
    "ReportNotPresent": 410,
    "ServiceFailure": 500,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "Throttling": 400,
    "UnmodifiableEntity": 400,
    "UnrecognizedPublicKeyEncoding": 400,
    "ValidationError": 400,
}


class AwsError(Exception):
    """An error answer of AWS.

    Args:
        code: the wire code, such as `NoSuchEntity`.
        message: the sentence that goes with it.
        status: the HTTP status; None takes the code's usual one (400 for a code that is not in `STATUS`).
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = STATUS.get(code, 400) if status is None else status


def no_such_user(name: str) -> AwsError:
    return AwsError("NoSuchEntity", f"The user with name {name} cannot be found.")


def no_such_group(name: str) -> AwsError:
    return AwsError("NoSuchEntity", f"The group with name {name} cannot be found.")


def no_such_role(name: str) -> AwsError:
    return AwsError("NoSuchEntity", f"The role with name {name} cannot be found.")


def no_such_policy(arn: str) -> AwsError:
    """What attaching one that is not there is answered."""
    return AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")


def policy_not_found(arn: str) -> AwsError:
    """What every other call on a policy that is not there, or not attached there, is answered."""
    return AwsError("NoSuchEntity", f"Policy {arn} was not found.")


def no_such_login_profile(name: str) -> AwsError:
    return AwsError("NoSuchEntity", f"Login Profile for User {name} cannot be found.")


def over_quota(quota: str, limit: int) -> AwsError:
    """A quota of the account; not to be taken for throttling."""
    return AwsError("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}")


def delete_conflict(what: str) -> AwsError:
    return AwsError("DeleteConflict", f"Cannot delete entity, must {what} first.")


def not_yet_modifiable(user_name: str) -> AwsError:
    return AwsError(
        "EntityTemporarilyUnmodifiable",
        f"Login Profile for User {user_name} cannot be modified while login profile is being created.",
    )
