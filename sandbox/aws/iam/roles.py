"""Roles: made, read, changed, deleted; their trust policy says who may assume them (`trust.py` reads it)."""

from dataclasses import replace

from .context import Answer, Context, tag_list
from .documents import require_valid_trust
from .errors import AwsError, delete_conflict, over_quota
from .model import Document, Role
from .paging import page_items, page_keys
from .shapes import Params
from .tags import merged, without
from .users import checked_boundary, to_boundary

_DEFAULT_SESSION_S = 3600


def create_role(ctx: Context, params: Params) -> Answer:
    name = params["RoleName"]
    if ctx.find_role(name) is not None:
        raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.")
    require_valid_trust(params["AssumeRolePolicyDocument"])
    if len(ctx.state.roles) >= ctx.quotas.roles:
        raise over_quota("RolesPerAccount", ctx.quotas.roles)
    role = Role(
        role_id=ctx.ids.unique("AROA"),
        name=name,
        path=params.get("Path", "/"),
        created=ctx.date,
        trust=params["AssumeRolePolicyDocument"],
        description=params.get("Description"),
        max_session_s=params.get("MaxSessionDuration", _DEFAULT_SESSION_S),
        tags=merged(ctx, {}, params.get("Tags", ())),
        boundary=checked_boundary(ctx, params.get("PermissionsBoundary")),
    )
    ctx.put(role)
    told = to_role(ctx, role, full=True)
    del told["MaxSessionDuration"]  # the answer of a creation does not have it, nor does its record in CloudTrail
    return {"Role": told}


def get_role(ctx: Context, params: Params) -> Answer:
    return {"Role": to_role(ctx, ctx.role(params["RoleName"]), full=True)}


def list_roles(ctx: Context, params: Params) -> Answer:
    prefix = params.get("PathPrefix", "/")
    keys = [key for key in ctx.state.role_names.ordered(ctx.at) if ctx.role(key).path.startswith(prefix)]
    page, rest = page_keys(ctx, params, keys)
    return {"Roles": [to_role(ctx, ctx.role(key)) for key in page], **rest}


def update_role(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    ctx.put(
        replace(
            role,
            description=params.get("Description", role.description),
            max_session_s=params.get("MaxSessionDuration", role.max_session_s),
        )
    )
    return {}


def update_assume_role_policy(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    require_valid_trust(params["PolicyDocument"])
    ctx.put(replace(role, trust=params["PolicyDocument"]))
    return {}


def delete_role(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    if role.attached:
        raise delete_conflict("detach all policies")
    if role.inline:
        raise delete_conflict("delete policies")
    ctx.state.remove_role(role)
    return {}


def put_role_permissions_boundary(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    ctx.put(replace(role, boundary=checked_boundary(ctx, params["PermissionsBoundary"])))
    return {}


def delete_role_permissions_boundary(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    if role.boundary is None:
        raise AwsError("NoSuchEntity", f"Role {role.name} does not have a permissions boundary.")
    ctx.put(replace(role, boundary=None))
    return {}


def tag_role(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    ctx.put(replace(role, tags=merged(ctx, role.tags, params["Tags"])))
    return {}


def untag_role(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    ctx.put(replace(role, tags=without(role.tags, params["TagKeys"])))
    return {}


def list_role_tags(ctx: Context, params: Params) -> Answer:
    role = ctx.role(params["RoleName"])
    tags, rest = page_items(ctx, params, {tag["Key"]: tag for tag in tag_list(role.tags)})
    return {"Tags": tags, **rest}


def to_role(ctx: Context, role: Role, *, full: bool = False) -> Answer:
    """A Role structure; lists leave out tags and boundary (`full` false), as the API reference says of them."""
    told: Answer = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": ctx.arn("role", role.path, role.name),
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": Document(role.trust),
        "MaxSessionDuration": role.max_session_s,
    }
    if role.description is not None:
        told["Description"] = role.description
    if full:
        if role.boundary is not None:
            told["PermissionsBoundary"] = to_boundary(role.boundary)
        if role.tags:
            told["Tags"] = tag_list(role.tags)
    return told
