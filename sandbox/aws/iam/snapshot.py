"""All of an account as JSON: what a test compares with its oracle, and what the demo's last table shows."""

from typing import Any

from .context import Context
from .model import Group, Role, User
from .state import PASSWORD_POLICY


def to_snapshot(ctx: Context) -> dict[str, Any]:
    """By names as IAM keeps them; lists are sorted. Without secrets, passwords, and AWS's own policies."""
    policy = ctx.state.password_policy.get(PASSWORD_POLICY)
    serials = ctx.state.devices.ordered()
    devices = [device for serial in serials if (device := ctx.state.devices.get(serial)) is not None]
    return {
        "account": ctx.owner.account_id,
        "users": {user.name: _user(ctx, user) for user in ctx.users()},
        "groups": {group.name: _group(ctx, group) for group in ctx.groups()},
        "roles": {role.name: _role(ctx, role) for role in ctx.roles()},
        "policies": {
            policy.arn: {
                "name": policy.name,
                "default": policy.default,
                "versions": {key: version.document for key, version in policy.versions.items()},
            }
            for policy in ctx.policies()
            if not policy.of_aws
        },
        "virtual_mfa_devices": {
            device.serial: _name_of(ctx, device.user_id) if device.user_id is not None else None for device in devices
        },
        "password_policy": None if policy is None else {name: getattr(policy, name) for name in policy.__slots__},
    }


def _user(ctx: Context, user: User) -> dict[str, Any]:
    return {
        "user_id": user.user_id,
        "arn": ctx.arn("user", user.path, user.name),
        "path": user.path,
        "created": user.created.isoformat(),
        "tags": dict(user.tags),
        "boundary": user.boundary,
        "login_profile": None
        if user.login is None
        else {"created": user.login.created.isoformat(), "reset_required": user.login.reset_required},
        "access_keys": {key.key_id: key.status for key in user.access_keys.values()},
        "service_credentials": {
            one.credential_id: {"service": one.service, "status": one.status}
            for one in user.service_credentials.values()
        },
        "ssh_public_keys": {key.key_id: key.status for key in user.ssh_keys.values()},
        "signing_certificates": {one.certificate_id: one.status for one in user.certificates.values()},
        "mfa_devices": sorted(user.mfa),
        "groups": [group.name for group in ctx.groups_of(user)],
        "attached_policies": sorted(user.attached),
        "inline_policies": dict(user.inline),
    }


def _group(ctx: Context, group: Group) -> dict[str, Any]:
    return {
        "group_id": group.group_id,
        "path": group.path,
        "members": [user.name for user in ctx.members_of(group)],
        "attached_policies": sorted(group.attached),
        "inline_policies": dict(group.inline),
    }


def _role(ctx: Context, role: Role) -> dict[str, Any]:
    return {
        "role_id": role.role_id,
        "arn": ctx.arn("role", role.path, role.name),
        "trust": role.trust,
        "boundary": role.boundary,
        "attached_policies": sorted(role.attached),
        "inline_policies": dict(role.inline),
    }


def _name_of(ctx: Context, user_id: str) -> str | None:
    user = ctx.state.users.get(user_id)
    return None if user is None else user.name
