"""The console password: set by whoever is asked to, once in every life of a request.

The one reply carries the password that was set last, so each life sets one of its own, and a step that an earlier life
may have sent is sent again.
"""

from connector.model.iam import PASSWORD_ITEM, Facet, Item

from .calls import Call, Context, Effect, Seen, Step

LOGIN = "login"
"""Key of the step."""

NO_PASSWORD = "The account has no console password: no key of IDHub is configured to deliver one (IDHUB_AWS_IDHUB_KEY)."  # noqa: S105 - a sentence, no password

_EFFECTS = (Effect(Facet.LOGIN, Item(PASSWORD_ITEM), present=True),)


def login_step(name: str, seen: Seen, context: Context, *, needs: tuple[str, ...] = ()) -> Step:
    """A login profile with the password of this life, whether there is one already or not."""
    params = {"UserName": name, "PasswordResetRequired": context.reset_required}
    create = Call("CreateLoginProfile", params, effects=_EFFECTS, password=True)
    update = update_call(name, context)
    if seen.told.has(Facet.LOGIN, PASSWORD_ITEM):
        call = Call("UpdateLoginProfile", params, "", _EFFECTS, password=True, otherwise=(("NoSuchEntity", create),))
    else:
        call = Call(
            "CreateLoginProfile", params, "", _EFFECTS, password=True, otherwise=(("EntityAlreadyExists", update),)
        )
    return Step(LOGIN, call, needs=needs)


def update_call(name: str, context: Context) -> Call:
    """A new password for a login profile that is there."""
    params = {"UserName": name, "PasswordResetRequired": context.reset_required}
    return Call("UpdateLoginProfile", params, effects=_EFFECTS, password=True)
