"""Every error code of botocore's IAM model has a row in the classifier, and each row its consequence."""

import botocore.session
import pytest

from connector.aws.errors import CLASSES, AwsError, ErrorClass, Missing, classify, what_is_missing
from connector.aws.pace import Backoff, Pace
from connector.provision.patience import to_reply_error


def codes_of_the_model():
    model = botocore.session.Session().get_service_model("iam")
    for name in model.shape_names:
        shape = model.shape_for(name)
        if shape.type_name == "structure" and shape.metadata.get("exception"):
            told = shape.metadata.get("error", {})
            yield told.get("code", name), told.get("httpStatusCode", 400)


@pytest.mark.parametrize(("code", "status"), sorted(set(codes_of_the_model())))
def test_the_models_codes_have_a_row(code, status):
    assert code in CLASSES
    assert (CLASSES[code] is ErrorClass.AMBIGUOUS) == (status >= 500)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("Throttling", 400, ErrorClass.THROTTLED),
        ("ThrottlingException", 400, ErrorClass.THROTTLED),
        ("RequestLimitExceeded", 503, ErrorClass.THROTTLED),
        ("TooManyRequestsException", 429, ErrorClass.THROTTLED),
        # A quota: waiting does not help.
        ("LimitExceeded", 409, ErrorClass.TERMINAL),
        ("ServiceFailure", 500, ErrorClass.AMBIGUOUS),
        ("ConcurrentModification", 409, ErrorClass.CONTENDED),
        ("EntityTemporarilyUnmodifiable", 409, ErrorClass.CONTENDED),
        ("NoSuchEntity", 404, ErrorClass.MISSING),
        ("EntityAlreadyExists", 409, ErrorClass.EXISTS),
        ("DeleteConflict", 409, ErrorClass.CONFLICT),
        ("PasswordPolicyViolation", 400, ErrorClass.TERMINAL),
        ("AccessDenied", 403, ErrorClass.TERMINAL),
        ("InvalidClientTokenId", 403, ErrorClass.OUR_CREDENTIALS),
        ("ExpiredToken", 403, ErrorClass.OUR_CREDENTIALS),
        ("SignatureDoesNotMatch", 403, ErrorClass.OUR_CREDENTIALS),
    ],
)
def test_the_table_of_the_design(code, status, kind):
    assert classify(code, status) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, ErrorClass.AMBIGUOUS),
        (502, ErrorClass.AMBIGUOUS),
        (599, ErrorClass.AMBIGUOUS),
        (408, ErrorClass.AMBIGUOUS),
        (429, ErrorClass.THROTTLED),
        (400, ErrorClass.TERMINAL),
        (403, ErrorClass.TERMINAL),
        (302, ErrorClass.TERMINAL),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(status, kind):
    assert classify("NeverHeardOf", status) is kind


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        ("The user with name alice cannot be found.", Missing.USER),
        ("The group with name admins cannot be found.", Missing.ENTITLEMENT),
        ("Policy arn:aws:iam::aws:policy/X does not exist or is not attachable.", Missing.ENTITLEMENT),
        ("Policy arn:aws:iam::123456789012:policy/X was not found.", Missing.ENTITLEMENT),
        ("The user policy with name mine cannot be found.", Missing.OTHER),
        ("Login Profile for User alice cannot be found.", Missing.OTHER),
        ("The Access Key with id AKIA1 cannot be found.", Missing.OTHER),
        ("", Missing.OTHER),
    ],
)
def test_only_the_sentence_tells_what_is_missing(message, missing):
    assert what_is_missing(message) is missing


def test_waits_grow_to_their_cap():
    backoff = Backoff(0.2, 20.0, jitter=0.0)
    assert [backoff.seconds(n) for n in (1, 2, 3, 8, 9, 5000)] == [0.2, 0.4, 0.8, 20.0, 20.0, 20.0]


def test_chance_only_shortens_a_wait_and_by_half_at_most():
    waits = [Backoff(8.0, 20.0).seconds(1) for _ in range(200)]
    assert 4.0 <= min(waits) < max(waits) <= 8.0


def test_the_rounds_of_a_conflict_outlast_stale_readings():
    pace = Pace()
    assert sum(pace.conflict.seconds(n) for n in range(1, pace.conflict_rounds)) > 120


def test_every_class_that_is_waited_for_has_a_pace():
    waited_for = set(ErrorClass) - {ErrorClass.TERMINAL, ErrorClass.EXISTS}
    for kind in waited_for:
        assert Pace().of(kind).seconds(1) > 0


def test_an_error_says_what_was_called_and_what_came():
    error = AwsError(ErrorClass.TERMINAL, "LimitExceeded", "too many", action="AddUserToGroup", status=409)
    assert str(error) == "AddUserToGroup: LimitExceeded: too many"


def test_what_is_told_of_an_error_repeats_no_password():
    error = AwsError(
        ErrorClass.TERMINAL, "ValidationError", "Value 'top-secret' at 'password'", action="CreateLoginProfile"
    )
    told = to_reply_error(error, "top-secret")
    assert (told.code, told.message) == ("ValidationError", "CreateLoginProfile: Value '***' at 'password'")


def test_a_refusal_names_the_action_that_is_missing():
    told = to_reply_error(AwsError(ErrorClass.TERMINAL, "AccessDenied", "no", action="DeleteUser"))
    assert told.code == "ACCESS_DENIED"
    assert "iam:DeleteUser" in told.message
