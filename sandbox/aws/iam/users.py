"""Users themselves: create, read, rename, delete; and their permissions boundary."""

from collections.abc import Callable
from dataclasses import replace

from .context import Answer, Context, tag_list
from .errors import AwsError, delete_conflict, no_such_policy, over_quota
from .model import User
from .paging import page_keys
from .shapes import Params
from .tags import merged

_BLOCKING: tuple[tuple[Callable[[User], bool], str], ...] = (
    # DeleteUser in the API reference: all of them must be gone. Two kinds share a sentence that names neither.
    (lambda user: bool(user.attached), "detach all policies"),
    (lambda user: bool(user.inline), "delete policies"),
    (lambda user: bool(user.groups), "remove users from group"),
    (lambda user: user.login is not None, "delete login profile"),
    (lambda user: bool(user.access_keys), "delete access keys"),
    (lambda user: bool(user.mfa), "delete MFA device"),
    (lambda user: bool(user.certificates), "delete certificates"),
    (lambda user: bool(user.ssh_keys), "remove referenced objects"),
    (lambda user: bool(user.service_credentials), "remove referenced objects"),
)


def create_user(ctx: Context, params: Params) -> Answer:
    name = params["UserName"]
    if ctx.find_user(name) is not None:
        raise AwsError("EntityAlreadyExists", f"User with name {name} already exists.")
    if len(ctx.state.users) >= ctx.quotas.users:
        raise over_quota("UsersPerAccount", ctx.quotas.users)
    user = User(
        user_id=ctx.ids.unique("AIDA"),
        name=name,
        path=params.get("Path", "/"),
        created=ctx.date,
        tags=merged(ctx, {}, params.get("Tags", ())),
        boundary=checked_boundary(ctx, params.get("PermissionsBoundary")),
    )
    ctx.put_user(user)
    return {"User": to_user(ctx, user, full=True)}


def get_user(ctx: Context, params: Params) -> Answer:
    return {"User": to_user(ctx, ctx.target(params), full=True)}


def list_users(ctx: Context, params: Params) -> Answer:
    keys = ctx.state.user_names.ordered(ctx.at)
    prefix = params.get("PathPrefix", "/")
    if prefix != "/":
        keys = [key for key in keys if ctx.user(key).path.startswith(prefix)]
    page, rest = page_keys(ctx, params, keys)
    return {"Users": [to_user(ctx, ctx.user(key)) for key in page], **rest}


def update_user(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    new_name = params.get("NewUserName", user.name)
    other = ctx.find_user(new_name)
    if other is not None and other.user_id != user.user_id:
        raise AwsError("EntityAlreadyExists", f"User with name {new_name} already exists.")
    ctx.put_user(replace(user, name=new_name, path=params.get("NewPath", user.path)))
    return {}


def delete_user(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    for blocks, what in _BLOCKING:
        if blocks(user):
            raise delete_conflict(what)
    ctx.state.remove_user(user)
    return {}


def put_user_permissions_boundary(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    ctx.put_user(replace(user, boundary=checked_boundary(ctx, params["PermissionsBoundary"])))
    return {}


def delete_user_permissions_boundary(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    if user.boundary is None:
        raise AwsError("NoSuchEntity", f"User {user.name} does not have a permissions boundary.")
    ctx.put_user(replace(user, boundary=None))
    return {}


def to_user(ctx: Context, user: User, *, full: bool = False) -> Answer:
    """A User structure; lists leave out tags and boundary (`full` false), as the API reference says of them."""
    told: Answer = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": ctx.arn("user", user.path, user.name),
        "CreateDate": user.created,
    }
    if user.password_last_used is not None:
        told["PasswordLastUsed"] = user.password_last_used
    if full:
        if user.boundary is not None:
            told["PermissionsBoundary"] = to_boundary(user.boundary)
        if user.tags:
            told["Tags"] = tag_list(user.tags)
    return told


def to_boundary(arn: str) -> Answer:
    # The service model's enum has another word; its text, and IAM's answers, have this one.
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def checked_boundary(ctx: Context, arn: str | None) -> str | None:
    """The boundary to be; raises NoSuchEntity, PolicyNotAttachable."""
    if arn is None:
        return None
    policy = ctx.policy(arn)
    if policy is None:
        raise no_such_policy(arn)
    if not policy.attachable:
        raise AwsError("PolicyNotAttachable", f"Policy {arn} is not attachable.")
    return arn
