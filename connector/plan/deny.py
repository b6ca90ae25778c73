"""The explicit deny: what shuts a user out at once, whatever else it may do or hold.

Inline, because it then goes with the user and needs no policy of the account; by attachment of AWS's own policy where
all inline policies of the user have used up their 2,048 characters together.
"""

from connector.model.iam import Facet, Identity, Item, UserState

from .calls import Call, Effect
from .names import DENY_DOCUMENT, DENY_MANAGED, DENY_POLICY, aws_policy_arn

DENY = "deny"
"""Key of the step that puts it."""
LIFT = "deny-lift"
"""Key of the step that takes it away again."""


def managed_arn(identity: Identity) -> str:
    """AWS's own deny in the user's partition."""
    return aws_policy_arn(identity.arn.split(":")[1], DENY_MANAGED)


def denies(target: str) -> bool:
    """Whether this is the ARN of AWS's own deny."""
    return target.endswith(f":aws:policy/{DENY_MANAGED}")


def has_inline(state: UserState) -> bool:
    return state.has(Facet.INLINE_POLICIES, DENY_POLICY)


def has_attached(state: UserState) -> bool:
    return state.identity is not None and state.has(Facet.ATTACHED_POLICIES, managed_arn(state.identity))


def put_call(identity: Identity) -> Call:
    """The deny inline, or by attachment when there is no room for it."""
    return Call(
        "PutUserPolicy",
        {"UserName": identity.user_name, "PolicyName": DENY_POLICY, "PolicyDocument": DENY_DOCUMENT},
        DENY_POLICY,
        (Effect(Facet.INLINE_POLICIES, Item(DENY_POLICY), present=True),),
        otherwise=(("LimitExceeded", attach_call(identity)),),
    )


def attach_call(identity: Identity) -> Call:
    arn = managed_arn(identity)
    return Call(
        "AttachUserPolicy",
        {"UserName": identity.user_name, "PolicyArn": arn},
        arn,
        (Effect(Facet.ATTACHED_POLICIES, Item(arn, detail=DENY_MANAGED), present=True),),
    )


def lift_call(identity: Identity, *, or_detach: bool) -> Call:
    """The inline deny away; `or_detach`: where there is none, the attached one is the connector's and goes."""
    return Call(
        "DeleteUserPolicy",
        {"UserName": identity.user_name, "PolicyName": DENY_POLICY},
        DENY_POLICY,
        (Effect(Facet.INLINE_POLICIES, Item(DENY_POLICY), present=False),),
        otherwise=(("NoSuchEntity", detach_call(identity)),) if or_detach else (),
    )


def detach_call(identity: Identity) -> Call:
    arn = managed_arn(identity)
    return Call(
        "DetachUserPolicy",
        {"UserName": identity.user_name, "PolicyArn": arn},
        arn,
        (Effect(Facet.ATTACHED_POLICIES, Item(arn), present=False),),
    )
