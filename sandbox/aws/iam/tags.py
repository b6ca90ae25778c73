"""Tags of users, and the rules that all tags share: keys differ by more than case, `aws:` is AWS's, 50 at most."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .context import Answer, Context, tag_list
from .errors import AwsError
from .paging import page_items
from .shapes import Params


def merged(ctx: Context, before: Mapping[str, str], given: Iterable[Mapping[str, str]]) -> Mapping[str, str]:
    """Tags after those given were added; a key that only differs in case replaces the earlier one.

    Raises:
        AwsError: InvalidInput for reserved or doubled keys, LimitExceeded for too many.
    """
    new: dict[str, str] = {}
    for tag in given:
        folded = tag["Key"].casefold()
        if folded.startswith("aws:"):
            raise AwsError("InvalidInput", "aws: prefixed tag key names are not allowed for external use.")
        if any(key.casefold() == folded for key in new):
            raise AwsError("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        new[tag["Key"]] = tag["Value"]
    replaced = {key.casefold() for key in new}
    result = {key: value for key, value in before.items() if key.casefold() not in replaced} | new
    if len(result) > ctx.quotas.tags:
        raise AwsError("LimitExceeded", f"The number of tags has reached the maximum limit of {ctx.quotas.tags}.")
    return dict(sorted(result.items()))


def without(before: Mapping[str, str], keys: Iterable[str]) -> Mapping[str, str]:
    """Tags after those keys were taken away; their case does not matter."""
    gone = {key.casefold() for key in keys}
    return {key: value for key, value in before.items() if key.casefold() not in gone}


def tag_user(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    ctx.put_user(replace(user, tags=merged(ctx, user.tags, params["Tags"])))
    return {}


def untag_user(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    ctx.put_user(replace(user, tags=without(user.tags, params["TagKeys"])))
    return {}


def list_user_tags(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    tags, rest = page_items(ctx, params, {tag["Key"]: tag for tag in tag_list(user.tags)})
    return {"Tags": tags, **rest}
