"""The stand-in's account object by itself, and a clock that the test turns: no sockets."""

import pytest

from sandbox.aws.iam import Account, AwsError, IamSettings

GOOD = "Correct-Horse-42"
DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


class Iam:
    """An account and a clock that the test turns."""

    def __init__(self, **settings):
        self.settings = IamSettings(**settings)
        self.account = Account("123456789012", settings=self.settings)
        self.now = 1_000_000.0

    def __call__(self, action, as_of=None, actor="tester", **params):
        return self.account.call(action, params, actor=actor, now=self.now, as_of=as_of)

    def code(self, action, **params):
        """The error code that a call is answered with."""
        with pytest.raises(AwsError) as caught:
            self(action, **params)
        return caught.value.code

    def changes(self, action, **params):
        """Whether a call changes something."""
        before = self.account.changes
        self(action, **params)
        return self.account.changes != before


def iam_with_alice():
    """An account that holds the user Alice and the group Admins."""
    iam = Iam()
    iam("CreateUser", UserName="Alice")
    iam("CreateGroup", GroupName="Admins")
    return iam
