"""The classifier: what an error of AWS means for the request, for every code of botocore's IAM model.

One table owns all retries; botocore's own are off, because it re-sends a mutation whose answer was lost and knows
nothing of ConcurrentModification, EntityTemporarilyUnmodifiable and DeleteConflict.

Sources: the error shapes of botocore's IAM model (2010-05-08), "Common errors" of the IAM API reference.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from connector.errors import ConnectorError


class ErrorClass(StrEnum):
    """What to do about an error."""

    THROTTLED = "THROTTLED"
    """Nothing happened; wait, no attempt is spent."""
    AMBIGUOUS = "AMBIGUOUS"
    """It may have happened: wait out the call's timeout, read back, plan again."""
    CONTENDED = "CONTENDED"
    """Nothing happened; IAM asks for minutes of patience."""
    MISSING = "MISSING"
    """NoSuchEntity: propagating within two minutes of a change, else missing."""
    EXISTS = "EXISTS"
    """EntityAlreadyExists: ours from an earlier try, or somebody else's."""
    CONFLICT = "CONFLICT"
    """DeleteConflict: children appeared, list them again."""
    TERMINAL = "TERMINAL"
    """It will not work however often it is tried."""
    OUR_CREDENTIALS = "OUR_CREDENTIALS"
    """The connector's own credentials are the trouble: nobody's request fails for that."""
    UNREACHABLE = "UNREACHABLE"
    """Nothing was sent: no name, no connection."""


class AwsError(ConnectorError):
    """AWS answered with an error, or did not answer. Never holds a parameter of the call."""

    def __init__(
        self, kind: ErrorClass, code: str, message: str, *, action: str, status: int = 0, request_id: str | None = None
    ) -> None:
        super().__init__(f"{action}: {code}: {message}")
        self.kind = kind
        self.code = code
        self.message = message
        self.action = action
        self.status = status
        self.request_id = request_id


_T = ErrorClass.THROTTLED
_A = ErrorClass.AMBIGUOUS
_C = ErrorClass.CONTENDED
_X = ErrorClass.TERMINAL
_O = ErrorClass.OUR_CREDENTIALS

CLASSES: Mapping[str, ErrorClass] = {
    # Slow down. IAM names no rates; botocore counts more codes as throttling than IAM has.
    "Throttling": _T,
    "ThrottlingException": _T,
    "ThrottledException": _T,
    "RequestThrottled": _T,
    "RequestThrottledException": _T,
    "RequestLimitExceeded": _T,
    "TooManyRequestsException": _T,
    "BandwidthLimitExceeded": _T,
    "SlowDown": _T,
    "PriorRequestNotComplete": _T,
    # May have happened.
    "ServiceFailure": _A,
    "InternalFailure": _A,
    "InternalError": _A,
    "ServiceUnavailable": _A,
    "ServiceUnavailableException": _A,
    "RequestTimeout": _A,
    "RequestTimeoutException": _A,
    "PolicyEvaluation": _A,
    # "Wait a few minutes and submit your request again."
    "ConcurrentModification": _C,
    "EntityTemporarilyUnmodifiable": _C,
    "ReportInProgress": _C,
    "ReportGenerationLimitExceeded": _C,
    "NoSuchEntity": ErrorClass.MISSING,
    "EntityAlreadyExists": ErrorClass.EXISTS,
    "DeleteConflict": ErrorClass.CONFLICT,
    # A quota, not a rate: waiting does not help.
    "LimitExceeded": _X,
    "InvalidInput": _X,
    "InvalidUserType": _X,
    "MalformedPolicyDocument": _X,
    "PasswordPolicyViolation": _X,
    "PolicyNotAttachable": _X,
    "UnmodifiableEntity": _X,
    "NameConflict": _X,
    "RoleModified": _X,
    "RoleTemplateDisabled": _X,
    "NotSupportedService": _X,
    "FeatureDisabled": _X,
    "FeatureEnabled": _X,
    "ReportExpired": _X,
    "ReportNotPresent": _X,
    "DuplicateCertificate": _X,
    "DuplicateSSHPublicKey": _X,
    "InvalidAuthenticationCode": _X,
    "InvalidCertificate": _X,
    "InvalidPublicKey": _X,
    "KeyPairMismatch": _X,
    "MalformedCertificate": _X,
    "UnrecognizedPublicKeyEncoding": _X,
    "OpenIdIdpCommunicationError": _X,
    # Of AWS Organizations' features in IAM: their shapes name no code of their own.
    "AccountNotManagementOrDelegatedAdministratorException": _X,
    "CallerIsNotManagementAccountException": _X,
    "OrganizationNotFoundException": _X,
    "OrganizationNotInAllFeaturesModeException": _X,
    "ServiceAccessNotEnabledException": _X,
    # Of every AWS service: the request as such.
    "AccessDenied": _X,
    "AccessDeniedException": _X,
    "UnauthorizedOperation": _X,
    "ValidationError": _X,
    "ValidationException": _X,
    "InvalidAction": _X,
    "InvalidParameterValue": _X,
    "InvalidParameterCombination": _X,
    "InvalidQueryParameter": _X,
    "MalformedQueryString": _X,
    "MissingParameter": _X,
    "MissingAction": _X,
    # Of every AWS service: who asks. A wrong clock looks like a wrong signature.
    "InvalidClientTokenId": _O,
    "InvalidAccessKeyId": _O,
    "UnrecognizedClientException": _O,
    "InvalidToken": _O,
    "ExpiredToken": _O,
    "ExpiredTokenException": _O,
    "TokenRefreshRequired": _O,
    "SignatureDoesNotMatch": _O,
    "IncompleteSignature": _O,
    "RequestExpired": _O,
    "AuthFailure": _O,
    "MissingAuthenticationToken": _O,
    "MissingAuthenticationTokenException": _O,
    "NotSignedUp": _O,
    "OptInRequired": _O,
}

ACCESS_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


def classify(code: str, status: int) -> ErrorClass:
    """What an error code of AWS means; an unknown one is judged by its HTTP status."""
    known = CLASSES.get(code)
    if known is not None:
        return known
    if status == 429:
        return ErrorClass.THROTTLED
    return ErrorClass.AMBIGUOUS if status >= 500 or status == 408 else ErrorClass.TERMINAL


class Missing(StrEnum):
    """What a NoSuchEntity says is missing."""

    USER = "USER"
    ENTITLEMENT = "ENTITLEMENT"
    OTHER = "OTHER"


_MISSING: tuple[tuple[re.Pattern[str], Missing], ...] = (
    # "The user with name alice cannot be found."; not "The user policy with name …".
    (re.compile(r"\bthe user with (?:the )?name\b", re.IGNORECASE), Missing.USER),
    (re.compile(r"\bthe group with (?:the )?name\b", re.IGNORECASE), Missing.ENTITLEMENT),
    # "Policy arn:aws:iam::aws:policy/X does not exist or is not attachable.", "Policy … was not found."
    (re.compile(r"^policy\b|\bpolicy arn:", re.IGNORECASE), Missing.ENTITLEMENT),
)


def what_is_missing(message: str) -> Missing:
    """IAM has one code for all of them; only its sentence tells what it did not find."""
    for pattern, missing in _MISSING:
        if pattern.search(message):
            return missing
    return Missing.OTHER
