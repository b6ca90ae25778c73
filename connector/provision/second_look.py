"""The second look: a minute after DISABLE, or a DELETE that could not be finished, whatever was put back goes again.

Somebody who had the user's access may still have made a new one from it before the deny had arrived everywhere. The
look runs in the user's lane as a request of the connector's own, with an intent and an audit of its own, and asks for
nothing new: it holds only while the user was last known to be disabled.
"""

from connector.drift.enabled import is_enabled
from connector.model.iam import AccountRecord
from connector.model.requests import DisableAccount, Operation, Request, RequestedBy
from connector.plan.names import DENY_MANAGED, DENY_POLICY

PREFIX = "!second-look/"
"""Of the request id: with a character that no producer's id can have."""
SYSTEM = "idhub-aws"
"""Who asks."""


def is_known_disabled(last: AccountRecord | None) -> bool:
    """Whether the connector's deny stands, by what was last known."""
    if last is None or last.deleted:
        return False
    return is_enabled(last.items, deny_policy=DENY_POLICY, deny_managed=DENY_MANAGED) is False


def to_second_look(last: AccountRecord | None) -> Request | None:
    """The request of the look that is due; None where the user is not disabled (any more), or nothing is due.

    The same for the same state, so that a look that was begun by a worker that died is resumed and not done twice.
    """
    if last is None or last.look_again_at is None or last.identity is None or not is_known_disabled(last):
        return None
    due = int(last.look_again_at.timestamp() * 1000)
    request_id = f"{PREFIX}{last.identity.user_id}/{due}"
    return Request(
        request_id=request_id,
        operation=Operation.DISABLE_ACCOUNT,
        aws_account_id=last.aws_account_id,
        user_name=last.user_name,
        body=DisableAccount(second_look=True),
        content_hash=request_id,
        expected_user_id=last.identity.user_id,
        requested_by=RequestedBy(SYSTEM),
    )
