"""Groups and who is in them."""

from dataclasses import replace

from .context import Answer, Context
from .errors import AwsError, delete_conflict, over_quota
from .model import Group
from .paging import page_keys, page_of
from .shapes import Params
from .users import to_user


def create_group(ctx: Context, params: Params) -> Answer:
    name = params["GroupName"]
    if ctx.find_group(name) is not None:
        raise AwsError("EntityAlreadyExists", f"Group with name {name} already exists.")
    if len(ctx.state.groups) >= ctx.quotas.groups:
        raise over_quota("GroupsPerAccount", ctx.quotas.groups)
    group = Group(ctx.ids.unique("AGPA"), name, params.get("Path", "/"), ctx.date)
    ctx.state.put_group(group)
    return {"Group": to_group(ctx, group)}


def get_group(ctx: Context, params: Params) -> Answer:
    group = ctx.group(params["GroupName"])
    members, rest = page_of(ctx, params, ctx.members_of(group), lambda user: user.name.casefold())
    return {"Group": to_group(ctx, group), "Users": [to_user(ctx, user) for user in members], **rest}


def list_groups(ctx: Context, params: Params) -> Answer:
    prefix = params.get("PathPrefix", "/")
    keys = [group.name.casefold() for group in ctx.groups() if group.path.startswith(prefix)]
    page, rest = page_keys(ctx, params, keys)
    return {"Groups": [to_group(ctx, ctx.group(key)) for key in page], **rest}


def update_group(ctx: Context, params: Params) -> Answer:
    group = ctx.group(params["GroupName"])
    new_name = params.get("NewGroupName", group.name)
    other = ctx.find_group(new_name)
    if other is not None and other.group_id != group.group_id:
        raise AwsError("EntityAlreadyExists", f"Group with name {new_name} already exists.")
    ctx.state.put_group(replace(group, name=new_name, path=params.get("NewPath", group.path)))
    return {}


def delete_group(ctx: Context, params: Params) -> Answer:
    group = ctx.group(params["GroupName"])
    if ctx.state.members.get(group.group_id):
        raise delete_conflict("remove users from group")
    if group.attached:
        raise delete_conflict("detach all policies")
    if group.inline:
        raise delete_conflict("delete policies")
    ctx.state.remove_group(group)
    return {}


def add_user_to_group(ctx: Context, params: Params) -> Answer:
    """Adding a member again is no error."""
    group = ctx.group(params["GroupName"])
    user = ctx.user(params["UserName"])
    if group.group_id in user.groups:
        return {}
    if len(user.groups) >= ctx.quotas.groups_per_user:
        raise over_quota("GroupsPerUser", ctx.quotas.groups_per_user)
    ctx.put_user(replace(user, groups=user.groups | {group.group_id}))
    return {}


def remove_user_from_group(ctx: Context, params: Params) -> Answer:
    """Whether IAM says anything when the user is no member: see `IamSettings.non_member_error`."""
    group = ctx.group(params["GroupName"])
    user = ctx.user(params["UserName"])
    if group.group_id not in user.groups and ctx.settings.non_member_error:
        raise AwsError("NoSuchEntity", f"User {user.name} is not in group {group.name}.")
    ctx.put_user(replace(user, groups=user.groups - {group.group_id}))
    return {}


def list_groups_for_user(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    groups, rest = page_of(ctx, params, ctx.groups_of(user), lambda group: group.name.casefold())
    return {"Groups": [to_group(ctx, group) for group in groups], **rest}


def to_group(ctx: Context, group: Group) -> Answer:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.group_id,
        "Arn": ctx.arn("group", group.path, group.name),
        "CreateDate": group.created,
    }
