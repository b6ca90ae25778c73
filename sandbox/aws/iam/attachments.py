"""What hangs on a user, a group or a role: attached managed policies and inline ones. One handler serves all."""

from collections.abc import Mapping
from dataclasses import replace

from .context import Answer, Context
from .documents import require_valid, size_of
from .errors import AwsError, no_such_policy, over_quota, policy_not_found
from .model import Document, Group, Role, User, with_item, without_item
from .paging import page_items, page_keys
from .shapes import Params
from .state import policy_key


def attach(ctx: Context, params: Params) -> Answer:
    """Attaching what is attached is no error."""
    holder = ctx.holder(params)
    arn = params["PolicyArn"]
    _require_arn(arn)
    policy = ctx.policy(arn)
    if policy is None:
        raise no_such_policy(arn)
    if not policy.attachable:
        raise AwsError("PolicyNotAttachable", f"Policy {arn} is not attachable.")
    if arn in holder.attached:
        return {}
    kind = _kind(holder)
    limit, quota = getattr(ctx.quotas, f"attached_policies_per_{kind}"), f"PoliciesPer{kind.capitalize()}"
    if len(holder.attached) >= limit:
        raise over_quota(quota, limit)
    ctx.put(replace(holder, attached=with_item(holder.attached, arn, policy.name)))
    return {}


def detach(ctx: Context, params: Params) -> Answer:
    holder = ctx.holder(params)
    arn = params["PolicyArn"]
    _require_arn(arn)
    if arn not in holder.attached:
        raise policy_not_found(arn)
    ctx.put(replace(holder, attached=without_item(holder.attached, arn)))
    return {}


def list_attached(ctx: Context, params: Params) -> Answer:
    prefix = params.get("PathPrefix", "/")
    found = {}
    for arn, name in ctx.holder(params).attached.items():
        policy = ctx.policy(arn)
        if policy is not None and policy.path.startswith(prefix):
            found[policy_key(name, policy.of_aws)] = {"PolicyName": name, "PolicyArn": arn}
    attached, rest = page_items(ctx, params, found)
    return {"AttachedPolicies": attached, **rest}


def put_inline(ctx: Context, params: Params) -> Answer:
    """Puts over what has the same name. All inline policies of one holder share one size quota."""
    holder = ctx.holder(params)
    require_valid(params["PolicyDocument"])
    inline = dict(sorted(with_item(holder.inline, params["PolicyName"], params["PolicyDocument"]).items()))
    kind = _kind(holder)
    limit = getattr(ctx.quotas, f"{kind}_policy_size")
    if sum(map(size_of, inline.values())) > limit:
        raise AwsError("LimitExceeded", f"Maximum policy size of {limit} bytes exceeded for {kind} {holder.name}")
    ctx.put(replace(holder, inline=inline))
    return {}


def get_inline(ctx: Context, params: Params) -> Answer:
    holder = ctx.holder(params)
    document = _inline(holder.inline, params)
    name = f"{_kind(holder).capitalize()}Name"
    return {name: holder.name, "PolicyName": params["PolicyName"], "PolicyDocument": Document(document)}


def delete_inline(ctx: Context, params: Params) -> Answer:
    holder = ctx.holder(params)
    _inline(holder.inline, params)
    ctx.put(replace(holder, inline=without_item(holder.inline, params["PolicyName"])))
    return {}


def list_inline(ctx: Context, params: Params) -> Answer:
    names, rest = page_keys(ctx, params, sorted(ctx.holder(params).inline))
    return {"PolicyNames": list(names), **rest}


def _kind(holder: User | Group | Role) -> str:
    return type(holder).__name__.lower()


def _require_arn(arn: str) -> None:
    if not arn.startswith("arn:") or arn.count(":") < 5:
        raise AwsError("InvalidInput", f"ARN {arn} is not valid.")


def _inline(inline: Mapping[str, str], params: Params) -> str:
    name = params["PolicyName"]
    if name not in inline:
        kind = next(kind for kind in ("group", "role", "user") if f"{kind.capitalize()}Name" in params)
        raise AwsError("NoSuchEntity", f"The {kind} policy with name {name} cannot be found.")
    return inline[name]
