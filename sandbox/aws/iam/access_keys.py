"""Access keys. A key of an active user is a way into the stand-in too: `owner_of` says whose it is."""

from dataclasses import replace

from .context import Answer, Context
from .errors import AwsError, over_quota
from .model import AccessKey, User, with_item, without_item
from .paging import page_items
from .shapes import Params


def create_access_key(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    if len(user.access_keys) >= ctx.quotas.access_keys_per_user:
        raise over_quota("AccessKeysPerUser", ctx.quotas.access_keys_per_user)
    key = AccessKey(ctx.ids.unique("AKIA", 16), ctx.ids.secret(), ctx.date)
    ctx.put_user(replace(user, access_keys=with_item(user.access_keys, key.key_id, key)))
    told = {**_to_key(user, key), "SecretAccessKey": key.secret}
    return {"AccessKey": told}


def list_access_keys(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    keys, rest = page_items(ctx, params, user.access_keys)
    return {"AccessKeyMetadata": [_to_key(user, key) for key in keys], **rest}


def update_access_key(ctx: Context, params: Params) -> Answer:
    user, key = _find(ctx, params)
    require_settable(params["Status"])
    if params["Status"] != key.status:
        changed = replace(key, status=params["Status"], rotated=ctx.date)
        ctx.put_user(replace(user, access_keys=with_item(user.access_keys, key.key_id, changed)))
    return {}


def delete_access_key(ctx: Context, params: Params) -> Answer:
    user, key = _find(ctx, params)
    ctx.put_user(replace(user, access_keys=without_item(user.access_keys, key.key_id)))
    return {}


def get_access_key_last_used(ctx: Context, params: Params) -> Answer:
    user_id = ctx.state.key_owner.get(params["AccessKeyId"])
    user = ctx.state.users.get(user_id) if user_id is not None else None
    if user is None:
        # IAM answers AccessDenied, so that nobody can try out key ids.
        raise AwsError("AccessDenied", f"Access to the access key {params['AccessKeyId']} is denied.")
    used = ctx.state.last_used.get(params["AccessKeyId"])
    if used is None:
        return {"UserName": user.name, "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}}
    when, service, region = used
    return {
        "UserName": user.name,
        "AccessKeyLastUsed": {"LastUsedDate": when, "ServiceName": service, "Region": region},
    }


def require_settable(status: str) -> None:
    """Active and Inactive can be set; Expired is in the model's enum, but only time sets it."""
    if status == "Expired":
        raise AwsError("InvalidInput", "Status can be set to Active or Inactive only.")


def _find(ctx: Context, params: Params) -> tuple[User, AccessKey]:
    user = ctx.target(params)
    key = user.access_keys.get(params["AccessKeyId"])
    if key is None:
        raise AwsError("NoSuchEntity", f"The Access Key with id {params['AccessKeyId']} cannot be found.")
    return user, key


def _to_key(user: User, key: AccessKey) -> Answer:
    return {"UserName": user.name, "AccessKeyId": key.key_id, "Status": key.status, "CreateDate": key.created}
