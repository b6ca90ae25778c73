"""Login profiles: a user's console password, and the signing in that uses it."""

from dataclasses import replace

from .context import Answer, Context
from .errors import AwsError, no_such_login_profile, not_yet_modifiable
from .model import LoginProfile, User
from .passwords import hashed, require_good
from .shapes import Params
from .state import PASSWORD_POLICY

_KEPT = 24
"""As many earlier passwords as a policy can forbid."""


def create_login_profile(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    if user.login is not None:
        raise AwsError("EntityAlreadyExists", f"Login Profile for user {user.name} already exists.")
    if "Password" not in params:
        raise AwsError("ValidationError", "Must specify a password.")
    require_good(ctx, params["Password"])
    login = LoginProfile(
        created=ctx.date,
        created_at=ctx.moment,
        password=hashed(user.user_id, params["Password"]),
        reset_required=params.get("PasswordResetRequired", False),
        max_session=params.get("MaxSigninSessionDuration"),
    )
    ctx.put_user(replace(user, login=login))
    return {"LoginProfile": _to_login(user, login)}


def get_login_profile(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    return {"LoginProfile": _to_login(user, _login_of(user))}


def update_login_profile(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    login = _settled_login(ctx, user)
    if params.get("ResetMaxSigninSessionDuration") and "MaxSigninSessionDuration" in params:
        raise AwsError("InvalidInput", "MaxSigninSessionDuration cannot be set and reset in one request.")
    if "Password" in params:
        require_good(ctx, params["Password"])
        login = _with_password(ctx, login, hashed(user.user_id, params["Password"]))
    session = params.get("MaxSigninSessionDuration", login.max_session)
    login = replace(
        login,
        reset_required=params.get("PasswordResetRequired", login.reset_required),
        max_session=None if params.get("ResetMaxSigninSessionDuration") else session,
    )
    ctx.put_user(replace(user, login=login))
    return {}


def delete_login_profile(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    _settled_login(ctx, user)
    ctx.put_user(replace(user, login=None))
    return {}


def change_password(ctx: Context, params: Params) -> Answer:
    """By the user in person."""
    user = ctx.find_user(ctx.actor)
    if user is None:
        raise AwsError("InvalidUserType", "Only IAM Users can change their own password.")
    login = _login_of(user)
    if login.password != hashed(user.user_id, params["OldPassword"]):
        raise AwsError("AccessDenied", "The old password was incorrect.")
    require_good(ctx, params["NewPassword"])
    new = hashed(user.user_id, params["NewPassword"])
    policy = ctx.state.password_policy.get(PASSWORD_POLICY)
    forbidden = policy.reuse_prevention if policy is not None else None
    if forbidden and new in (*login.previous, login.password)[-forbidden:]:
        raise AwsError("PasswordPolicyViolation", "Password cannot be the same as a previously used password")
    ctx.put_user(replace(user, login=replace(_with_password(ctx, login, new), reset_required=False)))
    return {}


def sign_in(ctx: Context, params: Params) -> Answer:
    """Signing in to the console, which is no action of IAM; raises AccessDenied."""
    user = ctx.find_user(params["UserName"])
    login = user.login if user is not None else None
    if user is None or login is None or login.password != hashed(user.user_id, params["Password"]):
        raise AwsError("AccessDenied", "Your authentication information is incorrect. Please try again.")
    ctx.put_user(replace(user, password_last_used=ctx.date))
    return {"UserName": user.name, "PasswordResetRequired": login.reset_required}


def _login_of(user: User) -> LoginProfile:
    if user.login is None:
        raise no_such_login_profile(user.name)
    return user.login


def _settled_login(ctx: Context, user: User) -> LoginProfile:
    login = _login_of(user)
    if ctx.moment < login.created_at + ctx.settings.login_profile_window_s:
        raise not_yet_modifiable(user.name)
    return login


def _with_password(ctx: Context, login: LoginProfile, new: str) -> LoginProfile:
    if new == login.password:
        return login
    return replace(login, password=new, changed=ctx.date, previous=(*login.previous, login.password)[-_KEPT:])


def _to_login(user: User, login: LoginProfile) -> Answer:
    told: Answer = {
        "UserName": user.name,
        "CreateDate": login.created,
        "PasswordResetRequired": login.reset_required,
    }
    if login.max_session is not None:
        told["MaxSigninSessionDuration"] = login.max_session
    return told
