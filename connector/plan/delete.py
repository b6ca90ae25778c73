"""DELETE_ACCOUNT: shut the user out, take away everything that hangs on it, then the user.

IAM refuses to delete a user that still has children (DeleteUser, error DeleteConflict), nine kinds of them. The
deny goes first, so that nothing works any more while the rest is taken away, and is lifted right before the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from connector.model.iam import Facet, Identity, Item
from connector.model.requests import Request
from connector.model.results import Intent, StepOutcome

from .calls import Call, Context, Effect, Plan, Seen, Step
from .deny import DENY, LIFT, denies, lift_call, put_call
from .names import DENY_POLICY
from .notes import SESSIONS_LIVE_ON
from .safety import other_account

USER = "user"


ANOTHER_USER = "A new user has this name now ({}); it was not touched."


@dataclass(frozen=True, slots=True)
class CleanUp:
    """One kind of child: where it is read, how it is taken away."""

    facet: Facet
    prefix: str
    """Of the step key."""
    action: str
    parameter: str | None
    """The parameter that takes the item's id."""


# In the order of the steps: what lets somebody in goes first, what only binds goes last.
CLEAN_UPS: tuple[CleanUp, ...] = (
    CleanUp(Facet.LOGIN, "login", "DeleteLoginProfile", None),
    CleanUp(Facet.ACCESS_KEYS, "key", "DeleteAccessKey", "AccessKeyId"),
    CleanUp(
        Facet.SERVICE_CREDENTIALS,
        "service-credential",
        "DeleteServiceSpecificCredential",
        "ServiceSpecificCredentialId",
    ),
    CleanUp(Facet.SSH_KEYS, "ssh-key", "DeleteSSHPublicKey", "SSHPublicKeyId"),
    CleanUp(Facet.SIGNING_CERTIFICATES, "certificate", "DeleteSigningCertificate", "CertificateId"),
    CleanUp(Facet.MFA_DEVICES, "mfa", "DeactivateMFADevice", "SerialNumber"),
    CleanUp(Facet.GROUPS, "group", "RemoveUserFromGroup", "GroupName"),
    CleanUp(Facet.ATTACHED_POLICIES, "policy", "DetachUserPolicy", "PolicyArn"),
    CleanUp(Facet.INLINE_POLICIES, "inline", "DeleteUserPolicy", "PolicyName"),
)
BY_ACTION: Mapping[str, CleanUp] = {row.action: row for row in CLEAN_UPS}
DEVICE = "DeleteVirtualMFADevice"

CREDENTIALS = (Facet.ACCESS_KEYS, Facet.SERVICE_CREDENTIALS, Facet.SSH_KEYS, Facet.SIGNING_CERTIFICATES)


def plan_delete(request: Request, seen: Seen, context: Context) -> Plan:
    """Deny, removals, lift, DeleteUser; for a user that is gone only what it may have left behind."""
    identity = seen.overlaid.identity
    if identity is None:
        return _plan_gone(request, context)
    if other_account(request, identity, context) is not None:
        return _plan_gone(request, context, other=identity)
    removals, last = _removals(identity, seen, context)
    every = tuple(step.key for step in removals)
    lift = _lift_step(identity, context, needs=every)
    needs = (*every, *(step.key for step in last), LIFT)
    last = tuple(replace(step, needs=every) for step in last)
    user = Step(USER, Call("DeleteUser", {"UserName": identity.user_name}), removal=True, needs=needs, again=True)
    active = tuple(i for facet in CREDENTIALS for i in seen.told.items.get(facet, ()) if i.status == "Active")
    steps = (_deny_step(identity, context), *removals, *last, lift, user)
    return Plan(steps, notes=(SESSIONS_LIVE_ON,), was_active=active)


def _deny_step(identity: Identity, context: Context) -> Step:
    """Sent once, and once more when it was lifted and something is there again.

    Nothing waits for its success: a user whose quotas are full is deleted all the same.
    """
    return Step(DENY, put_call(identity), again=LIFT in context.done)


def _lift_step(identity: Identity, context: Context, needs: tuple[str, ...]) -> Step:
    return Step(LIFT, lift_call(identity, or_detach=True), removal=True, needs=needs, again=LIFT in context.done)


def _removals(identity: Identity, seen: Seen, context: Context) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """What hangs on the user, by the reading, our own writes and the intent; and the denies among it, which go last."""
    steps: dict[str, Step] = {}
    last: dict[str, Step] = {}
    for row in CLEAN_UPS:
        shown = seen.told.items.get(row.facet, ())
        keys = {item.key for item in shown}
        written = tuple(item for item in seen.overlaid.items.get(row.facet, ()) if item.key not in keys)
        for item in (*written, *shown):
            # Our own deny has a step of its own; so has one by attachment that only our own write tells of.
            if item.id == DENY_POLICY or (denies(item.id) and item.key not in keys):
                continue
            one = removal(row, item, identity.user_name, again=item.key in keys)
            (last if denies(item.id) else steps)[one.key] = one
            if row.facet is Facet.MFA_DEVICES and is_virtual(item.id):
                device = _device(item.id, needs=(one.key,), again=one.again)
                steps[device.key] = device
    for step in _from_intent(context.intent, identity.user_name):
        if step.key not in last:
            (last if denies(step.call.target) else steps).setdefault(step.key, step)
    return tuple(steps.values()), tuple(last.values())


def is_virtual(serial: str) -> bool:
    """A virtual MFA device's serial number is its ARN; it outlives the user and then blocks the name."""
    return serial.startswith("arn:") and ":mfa/" in serial


def removal(row: CleanUp, item: Item, user_name: str, *, again: bool) -> Step:
    params = {"UserName": user_name}
    if row.parameter is not None:
        params[row.parameter] = item.id
    call = Call(row.action, params, item.id if row.parameter else "", (Effect(row.facet, item, present=False),))
    key = row.prefix if row.parameter is None else f"{row.prefix}:{item.id}"
    return Step(key, call, removal=True, again=again)


def _device(serial: str, needs: tuple[str, ...] = (), *, again: bool = False) -> Step:
    call = Call(DEVICE, {"SerialNumber": serial}, serial)
    return Step(f"mfa-device:{serial}", call, removal=True, needs=needs, again=again)


def _from_intent(intent: Intent | None, user_name: str) -> tuple[Step, ...]:
    """What an earlier life was about to take away: sent again, whatever the lists show now."""
    steps = []
    for named in intent.steps if intent is not None else ():
        if named.action == DEVICE:
            steps.append(_device(named.target))
        elif named.key != LIFT and (row := BY_ACTION.get(named.action)) is not None:
            steps.append(removal(row, Item(named.target or row.prefix), user_name, again=False))
    return tuple(steps)


def _plan_gone(request: Request, context: Context, other: Identity | None = None) -> Plan:
    """The user is not there: what the intent names was done, by an earlier life, or went with the user."""
    user = Call("DeleteUser", {"UserName": request.user_name})
    if context.intent is None:
        return Plan((Step(USER, user, removal=True, shown=True, found=StepOutcome.ALREADY_SO),), gone=True)
    notes: tuple[str, ...] = (SESSIONS_LIVE_ON,)
    if other is not None:
        notes = (*notes, ANOTHER_USER.format(other.user_id))
    steps = []
    for named in context.intent.steps:
        if named.action == DEVICE and other is None:
            steps.append(_device(named.target))
        elif named.key == USER and USER in context.sent and other is None:
            # Its answer was lost and the reading may be stale; asked once more, the answer tells.
            steps.append(Step(USER, user, removal=True))
        else:
            found = StepOutcome.DONE if named.key in context.attempted else StepOutcome.ALREADY_SO
            call = Call(named.action, {}, named.target)
            steps.append(Step(named.key, call, removal=True, shown=True, found=found))
    return Plan(tuple(steps), notes=notes, gone=True)
