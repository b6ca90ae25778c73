"""The account's password policy, and whether a password keeps it. Passwords themselves are not kept, only hashes."""

import hashlib

from .context import Answer, Context
from .errors import AwsError
from .model import PasswordPolicy
from .shapes import Params
from .state import PASSWORD_POLICY

SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")
"""IAM's list in UpdateAccountPasswordPolicy; others do not count."""

_DEFAULT_LENGTH = 8
_DEFAULT_CLASSES = 3
"""Without a policy of its own an account has AWS's default: 8 characters, three of the four classes."""


def hashed(user_id: str, password: str) -> str:
    """Tells passwords of one user apart; no protection beyond that is meant, all of it is made up."""
    return hashlib.sha256(f"{user_id}\n{password}".encode()).hexdigest()


def require_good(ctx: Context, password: str) -> None:
    """Raises PasswordPolicyViolation for a password that the account's policy refuses."""
    present = (
        ("symbol", any(c in SYMBOLS for c in password)),
        ("number", any(c in "0123456789" for c in password)),
        ("uppercase letter", any("A" <= c <= "Z" for c in password)),
        ("lowercase letter", any("a" <= c <= "z" for c in password)),
    )
    policy = ctx.state.password_policy.get(PASSWORD_POLICY)
    if policy is None:
        if len(password) < _DEFAULT_LENGTH:
            raise _violation(f"Password should have a minimum length of {_DEFAULT_LENGTH}")
        if sum(there for _, there in present) < _DEFAULT_CLASSES:
            raise _violation("Password should have at least three of: uppercase, lowercase, numbers, symbols")
        return
    if len(password) < policy.min_length:
        raise _violation(f"Password should have a minimum length of {policy.min_length}")
    wanted = (policy.symbols, policy.numbers, policy.uppercase, policy.lowercase)
    for (what, there), required in zip(present, wanted, strict=True):
        if required and not there:
            raise _violation(f"Password should have at least one {what}")


def _violation(message: str) -> AwsError:
    return AwsError("PasswordPolicyViolation", message)


def get_account_password_policy(ctx: Context, _params: Params) -> Answer:
    policy = ctx.state.password_policy.get(PASSWORD_POLICY, ctx.at)
    if policy is None:
        raise _no_policy(ctx)
    told: Answer = {
        "MinimumPasswordLength": policy.min_length,
        "RequireSymbols": policy.symbols,
        "RequireNumbers": policy.numbers,
        "RequireUppercaseCharacters": policy.uppercase,
        "RequireLowercaseCharacters": policy.lowercase,
        "AllowUsersToChangePassword": policy.users_may_change,
        "ExpirePasswords": policy.max_age is not None,
        "MaxPasswordAge": policy.max_age,
        "PasswordReusePrevention": policy.reuse_prevention,
        "HardExpiry": policy.hard_expiry,
    }
    return {"PasswordPolicy": {key: value for key, value in told.items() if value is not None}}


def update_account_password_policy(ctx: Context, params: Params) -> Answer:
    """What is not given falls back to IAM's defaults, not to what was set before."""
    policy = PasswordPolicy(
        min_length=params.get("MinimumPasswordLength", 6),
        symbols=params.get("RequireSymbols", False),
        numbers=params.get("RequireNumbers", False),
        uppercase=params.get("RequireUppercaseCharacters", False),
        lowercase=params.get("RequireLowercaseCharacters", False),
        users_may_change=params.get("AllowUsersToChangePassword", False),
        max_age=params.get("MaxPasswordAge"),
        reuse_prevention=params.get("PasswordReusePrevention"),
        hard_expiry=params.get("HardExpiry"),
    )
    ctx.state.password_policy.put(PASSWORD_POLICY, policy)
    return {}


def delete_account_password_policy(ctx: Context, _params: Params) -> Answer:
    if ctx.state.password_policy.get(PASSWORD_POLICY) is None:
        raise _no_policy(ctx)
    ctx.state.password_policy.remove(PASSWORD_POLICY)
    return {}


def _no_policy(ctx: Context) -> AwsError:
    return AwsError(
        "NoSuchEntity",
        f"The Password Policy with domain name {ctx.owner.account_id} cannot be found.",
    )
