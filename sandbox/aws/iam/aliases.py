"""The account's alias: one at most, unique among all accounts of the world, which nobody here checks."""

from .context import Answer, Context
from .errors import AwsError
from .paging import page_keys
from .shapes import Params


def create_account_alias(ctx: Context, params: Params) -> Answer:
    """A new one replaces the old, as in IAM."""
    for alias in tuple(ctx.state.aliases.ordered()):
        if alias != params["AccountAlias"]:
            ctx.state.aliases.remove(alias)
    ctx.state.aliases.put(params["AccountAlias"], params["AccountAlias"])
    return {}


def delete_account_alias(ctx: Context, params: Params) -> Answer:
    if ctx.state.aliases.get(params["AccountAlias"]) is None:
        raise AwsError("NoSuchEntity", f"The account alias {params['AccountAlias']} cannot be found.")
    ctx.state.aliases.remove(params["AccountAlias"])
    return {}


def list_account_aliases(ctx: Context, params: Params) -> Answer:
    aliases, rest = page_keys(ctx, params, ctx.state.aliases.ordered(ctx.at))
    return {"AccountAliases": list(aliases), **rest}
