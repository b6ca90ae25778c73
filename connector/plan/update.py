"""UPDATE_ACCOUNT: attributes and tags, then path and name in one call.

The name goes last, since nothing can be done under the old one afterwards. A user is known by its UserId: found under
the new name it has been renamed, by an earlier life or by somebody else.
"""

from connector.model.iam import PATH_ITEM, Facet, Identity, Item
from connector.model.requests import Request, UpdateAccount
from connector.model.results import ReplyError, StepOutcome

from .attributes import MAX_TAGS, UserAttributes, to_user_attributes
from .calls import Call, Context, Effect, Plan, Seen, Step, body_of, ensure
from .names import OWN_TAGS, is_user_name
from .rules import Rules
from .safety import no_such_account, other_account
from .switches import tag_call, untag_call

UPDATE = "update"
"""Key of the step that sets path and name."""


def new_name_of(request: Request) -> str | None:
    """The name that the user is to have afterwards; None where it keeps its own."""
    return request.body.new_user_name if isinstance(request.body, UpdateAccount) else None


def check_update(request: Request, rules: Rules) -> ReplyError | None:
    """Why IAM could not hold the attributes and tags, or the name, every reason at once.

    Raises:
        RequestRefused: RESERVED_TAG.
    """
    body = body_of(request, UpdateAccount)
    problems = list(to_user_attributes(body, request.user_name, rules).problems)
    if body.new_user_name is not None and not is_user_name(body.new_user_name):
        problems.append(
            f"newUserName: {body.new_user_name[:80]!r} is no name of a user: 1 to 64 of A-Z a-z 0-9 _+=,.@-"
        )
    return ReplyError("INVALID_ATTRIBUTE", "; ".join(problems)) if problems else None


def plan_update(request: Request, seen: Seen, context: Context) -> Plan:
    """Untag, tag, update; NO_SUCH_ACCOUNT for an absent user. The attributes have passed `check_update`."""
    body = body_of(request, UpdateAccount)
    identity = seen.overlaid.identity
    if identity is None:
        return Plan(error=no_such_account(request), gone=True)
    if (other := other_account(request, identity, context)) is not None:
        return Plan(error=other)
    wanted = to_user_attributes(body, request.user_name, context.rules)
    if (error := _too_many(identity, wanted)) is not None:
        return Plan(error=error)
    steps = []
    if wanted.cleared:
        steps.append(_untag_step(identity, wanted, context))
    if wanted.tags:
        steps.append(_tag_step(identity, wanted, context))
    if wanted.path is not None or body.new_user_name is not None:
        steps.append(_update_step(identity, wanted.path, body.new_user_name, context))
    return Plan(tuple(steps), notes=wanted.notes)


def _too_many(identity: Identity, wanted: UserAttributes) -> ReplyError | None:
    cleared = {key.casefold() for key in wanted.cleared}
    after = {key.casefold() for key in identity.tags} - cleared | {key.casefold() for key in wanted.tags}
    if len(after) <= MAX_TAGS:
        return None
    own = sum(key.startswith(OWN_TAGS) for key in after)
    return ReplyError(
        "INVALID_ATTRIBUTE",
        f"the user would have {len(after)} tags, {own} of them the connector's own; IAM allows {MAX_TAGS}",
    )


def _untag_step(identity: Identity, wanted: UserAttributes, context: Context) -> Step:
    has = {key.casefold() for key in identity.tags}
    shown = not any(key.casefold() in has for key in wanted.cleared)
    call = untag_call(identity.user_name, wanted.cleared, ", ".join(wanted.cleared))
    return ensure("untag", call, context, shown=shown)


def _tag_step(identity: Identity, wanted: UserAttributes, context: Context) -> Step:
    shown = all(identity.tags.get(key) == value for key, value in wanted.tags.items())
    return ensure("tags", tag_call(identity.user_name, wanted.tags, ", ".join(wanted.tags)), context, shown=shown)


def _update_step(identity: Identity, path: str | None, name: str | None, context: Context) -> Step:
    params = {"UserName": identity.user_name}
    effects: tuple[Effect, ...] = ()
    if path is not None:
        params["NewPath"] = path
        effects = (Effect(Facet.IDENTITY, Item(PATH_ITEM, detail=path), present=True),)
    renamed = name is not None and identity.user_name == name
    if name is not None and not renamed:
        params["NewUserName"] = name
    call = Call("UpdateUser", params, ", ".join(filter(None, (path, name))), effects)
    moved = path is None or identity.path == path
    if renamed and moved:
        # A reading that shows the new name is no older than the renaming.
        outcome = StepOutcome.DONE if UPDATE in context.attempted else StepOutcome.ALREADY_SO
        return Step(UPDATE, call, shown=True, found=outcome)
    return ensure(UPDATE, call, context, shown=moved and name is None)
