"""CREATE_ACCOUNT: the user with path and tags, then the login profile, the groups and the policies.

"Already exists" is told apart by the tag that CreateUser sets: a user with this request's id (or that of the
request it resumes) is ours and the plan goes on from there, any other is somebody else's.
"""

from connector.model.iam import Identity
from connector.model.requests import CreateAccount, EntitlementType, Request
from connector.model.results import ReplyError, StepOutcome

from .attributes import UserAttributes, to_user_attributes
from .calls import Call, Context, Plan, Seen, Step, body_of
from .entitlements import grant_steps, resolve
from .login import NO_PASSWORD, login_step
from .names import REQUEST_ID_TAG, request_tag
from .rules import Rules

USER = "user"


def is_ours(identity: Identity, request: Request) -> bool:
    """Whether this request, or the one it resumes, created the user."""
    ours = {request_tag(one) for one in (request.request_id, request.resumes) if one is not None}
    return identity.tags.get(REQUEST_ID_TAG) in ours


def check_create(request: Request, rules: Rules) -> ReplyError | None:
    """Why IAM could not hold the attributes and tags, every reason at once.

    Raises:
        RequestRefused: RESERVED_TAG.
    """
    wanted = _wanted(request, rules)
    return ReplyError("INVALID_ATTRIBUTE", "; ".join(wanted.problems)) if wanted.problems else None


def _wanted(request: Request, rules: Rules) -> UserAttributes:
    body = body_of(request, CreateAccount)
    return to_user_attributes(body, request.user_name, rules, request_id=request.request_id)


def plan_create(request: Request, seen: Seen, context: Context) -> Plan:
    """The whole way to the account, or what is left of it; FAILED for a user that is not ours.

    The attributes have passed `check_create`.
    """
    body = body_of(request, CreateAccount)
    identity = seen.overlaid.identity
    wanted = _wanted(request, context.rules)
    if (identity is None and context.name_taken) or (identity is not None and not is_ours(identity, request)):
        return Plan(error=_exists(request, identity))
    name = request.user_name if identity is None else identity.user_name
    boundaries = [one for one in body.entitlements if one.type is EntitlementType.PERMISSIONS_BOUNDARY]
    limits = resolve(boundaries, context.account, context.partition)
    if (problem := next((one.problem for one in limits if one.problem is not None), None)) is not None:
        # Nobody is made without the limit that was asked for.
        return Plan(error=problem)
    steps = [_user_step(request, wanted, identity, context, tuple(one.target for one in limits))]
    notes = wanted.notes
    if context.password:
        steps.append(login_step(name, seen, context, needs=(USER,)))
    else:
        notes = (*notes, NO_PASSWORD)
    rest = [one for one in body.entitlements if identity is not None or one not in boundaries]
    steps.extend(grant_steps(rest, seen, name, context, needs=(USER,)))
    return Plan(tuple(steps), notes=notes)


def _user_step(
    request: Request, wanted: UserAttributes, identity: Identity | None, context: Context, limits: tuple[str, ...]
) -> Step:
    tags = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]
    params = {"UserName": request.user_name, "Path": wanted.path, "Tags": tags}
    if limits:
        params["PermissionsBoundary"] = limits[0]
    call = Call("CreateUser", params)
    if identity is None:
        return Step(USER, call)
    # Without an intent the tag itself is the witness that this request was here before.
    by_us = USER in context.attempted or identity.tags.get(REQUEST_ID_TAG) == request_tag(request.request_id)
    return Step(USER, call, shown=True, found=StepOutcome.DONE if by_us else StepOutcome.ALREADY_SO)


def _exists(request: Request, identity: Identity | None) -> ReplyError:
    who = f" ({identity.user_id}, {identity.arn})" if identity is not None else ", which no reading shows"
    return ReplyError(
        "ACCOUNT_EXISTS",
        f"There is a user {request.user_name}{who} that this request did not create; "
        "name the request that created it in `resumes`, or choose another name",
    )
