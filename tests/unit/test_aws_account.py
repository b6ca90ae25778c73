"""Who the connector is: asked seldom, doubted loudly but once, probed by one lane at a time."""

import pytest
from structlog.testing import capture_logs

from connector.aws.account import AwsAccount
from connector.aws.errors import AwsError, ErrorClass
from connector.aws.mark import Marker
from connector.aws.pace import Pace
from connector.secrets import PasswordPolicy
from tests.support.domain import ACCOUNT, FakeClock

USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/ops/IDHub"


class Aws:
    """Answers what it is told to, and counts."""

    def __init__(self, arn=USER_ARN):
        self.calls = []
        self.error = None
        self.answer = {"Account": ACCOUNT, "Arn": arn, "UserId": "AIDAIDHUB"}

    def call(self, action, params, mark, may_call):
        self.calls.append(action)
        if self.error is not None:
            raise self.error
        return self.answer

    def close(self):
        pass


def refused(code="InvalidClientTokenId", kind=ErrorClass.OUR_CREDENTIALS, action="GetCallerIdentity"):
    return AwsError(kind, code, "no", action=action, status=403)


class Rig:
    def __init__(self, aws=None, **kwargs):
        self.aws = aws or Aws()
        self.clock = FakeClock()
        self.account = AwsAccount(self.aws, Marker(None), self.clock, Pace(), **kwargs)
        self.line = self.account.line()

    def caller(self):
        return self.account.caller(self.line)


def test_we_are_asked_once():
    rig = Rig()
    assert rig.caller() == rig.caller()
    assert (rig.caller().account, rig.caller().user_name, rig.caller().partition) == (ACCOUNT, "IDHub", "aws")
    assert rig.aws.calls == ["GetCallerIdentity"]


def test_and_again_after_a_while():
    rig = Rig()
    rig.caller()
    rig.clock.advance(901)
    rig.caller()
    assert len(rig.aws.calls) == 2


def test_a_role_is_no_user():
    rig = Rig(Aws(f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/idhub/i-1"))
    assert (rig.caller().user_name, rig.caller().partition) == (None, "aws-cn")


def test_bad_credentials_are_said_once_and_their_mending_too():
    rig = Rig()
    rig.aws.error = refused()
    with capture_logs() as logs:
        for _ in range(5):
            with pytest.raises(AwsError):
                rig.caller()
            rig.clock.advance(61)
        rig.aws.error = None
        rig.caller()
    assert [entry["log_level"] for entry in logs] == ["error", "info"]
    assert logs[0]["code"] == "InvalidClientTokenId"


def test_while_they_are_bad_one_probe_at_a_time_goes_out():
    rig = Rig()
    rig.aws.error = refused()
    for _ in range(10):
        with pytest.raises(AwsError):
            rig.caller()
    assert len(rig.aws.calls) == 1
    assert 0 < rig.account.credentials_wait() <= 5
    rig.clock.advance(rig.account.credentials_wait())
    with pytest.raises(AwsError):
        rig.caller()
    assert len(rig.aws.calls) == 2


def test_a_call_refused_for_our_credentials_makes_us_ask_again():
    rig = Rig()
    rig.caller()
    with capture_logs() as logs:
        rig.account.distrust(refused("ExpiredToken", action="AddUserToGroup"))
        with pytest.raises(AwsError):
            rig.caller()
        rig.clock.advance(6)
        rig.caller()
    assert [entry["log_level"] for entry in logs] == ["error", "info"]


def test_any_other_trouble_says_nothing_about_our_credentials():
    rig = Rig()
    rig.aws.error = refused("Throttling", ErrorClass.THROTTLED)
    with capture_logs() as logs, pytest.raises(AwsError):
        rig.caller()
    assert logs == []
    rig.aws.error = None
    assert rig.caller().account == ACCOUNT


def test_the_user_of_the_settings_has_to_be_the_one_of_the_credentials():
    assert Rig(expected_user="idhub").caller().user_name == "IDHub"
    rig = Rig(expected_user="other")
    with capture_logs() as logs, pytest.raises(AwsError) as wrong:
        rig.caller()
    assert wrong.value.kind is ErrorClass.OUR_CREDENTIALS
    assert "other" in wrong.value.message
    assert USER_ARN in wrong.value.message
    assert len(logs) == 1


def policy_of(rig, *, answer=None, error=None):
    rig.aws.answer, rig.aws.error = answer, error
    return rig.account.password_policy(rig.line.ask)


def test_the_password_policy_is_asked_once_in_minutes():
    rig = Rig()
    told = {"PasswordPolicy": {"MinimumPasswordLength": 30}}
    assert policy_of(rig, answer=told) == PasswordPolicy(30)
    assert policy_of(rig, answer={"PasswordPolicy": {"MinimumPasswordLength": 6}}) == PasswordPolicy(30)
    rig.clock.advance(301)
    assert policy_of(rig, answer={"PasswordPolicy": {}}) == PasswordPolicy(6)


def test_an_account_without_a_policy_has_iams_default():
    assert policy_of(Rig(), error=refused("NoSuchEntity", ErrorClass.MISSING)) == PasswordPolicy()


def test_a_policy_that_we_may_not_see_is_no_reason_to_stop():
    assert policy_of(Rig(), error=refused("AccessDenied", ErrorClass.TERMINAL)) == PasswordPolicy()


def test_any_other_trouble_is_waited_for():
    with pytest.raises(AwsError):
        policy_of(Rig(), error=refused("Throttling", ErrorClass.THROTTLED))
