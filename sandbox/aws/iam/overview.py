"""The whole account at once: GetAccountAuthorizationDetails and GetAccountSummary."""

from collections.abc import Callable, Iterator
from functools import partial

from .context import Answer, Context, tag_list
from .model import Document, Group, Policy, Role, User
from .paging import page_items
from .policies import to_policy_head, to_versions
from .shapes import Params
from .state import policy_key
from .users import to_boundary

_ALL = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")

Item = tuple[str, Callable[[], Answer]]
"""Where in the answer an entity goes, and its structure: made only for the page that is asked for."""


def get_account_authorization_details(ctx: Context, params: Params) -> Answer:
    """Users, groups and policies in one paged sequence. Of AWS's policies those in use."""
    wanted = frozenset(params.get("Filter") or _ALL)
    page, rest = page_items(ctx, params, dict(_items(ctx, wanted)))
    answer: Answer = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": [], **rest}
    for where, told in page:
        answer[where].append(told())
    return answer


def _items(ctx: Context, wanted: frozenset[str]) -> Iterator[tuple[str, Item]]:
    # The keys' first character makes the order: users, groups, roles, policies.
    if "User" in wanted:
        for user in ctx.users():
            yield f"0{user.name.casefold()}", ("UserDetailList", partial(_to_user, ctx, user))
    if "Group" in wanted:
        for group in ctx.groups():
            yield f"1{group.name.casefold()}", ("GroupDetailList", partial(_to_group, ctx, group))
    if "Role" in wanted:
        for role in ctx.roles():
            yield f"2{role.name.casefold()}", ("RoleDetailList", partial(_to_role, ctx, role))
    for policy in ctx.policies():
        in_use = ctx.attachment_count(policy.arn) or ctx.boundary_count(policy.arn)
        if ("AWSManagedPolicy" in wanted and in_use) if policy.of_aws else "LocalManagedPolicy" in wanted:
            key = f"3{policy_key(policy.name, policy.of_aws)}"
            yield key, ("Policies", partial(_to_policy, ctx, policy))


def _to_user(ctx: Context, user: User) -> Answer:
    told: Answer = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": ctx.arn("user", user.path, user.name),
        "CreateDate": user.created,
        "GroupList": [group.name for group in ctx.groups_of(user)],
        "AttachedManagedPolicies": _attached(user),
        "Tags": tag_list(user.tags),
    }
    if user.inline:
        told["UserPolicyList"] = _inline(user)
    if user.boundary is not None:
        told["PermissionsBoundary"] = to_boundary(user.boundary)
    return told


def _to_group(ctx: Context, group: Group) -> Answer:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.group_id,
        "Arn": ctx.arn("group", group.path, group.name),
        "CreateDate": group.created,
        "GroupPolicyList": _inline(group),
        "AttachedManagedPolicies": _attached(group),
    }


def _to_role(ctx: Context, role: Role) -> Answer:
    told: Answer = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": ctx.arn("role", role.path, role.name),
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": Document(role.trust),
        "InstanceProfileList": [],
        "RolePolicyList": _inline(role),
        "AttachedManagedPolicies": _attached(role),
        "Tags": tag_list(role.tags),
    }
    if role.boundary is not None:
        told["PermissionsBoundary"] = to_boundary(role.boundary)
    return told


def _to_policy(ctx: Context, policy: Policy) -> Answer:
    return {**to_policy_head(ctx, policy), "PolicyVersionList": to_versions(policy)}


def _attached(holder: User | Group | Role) -> list[Answer]:
    return [{"PolicyName": name, "PolicyArn": arn} for arn, name in sorted(holder.attached.items())]


def _inline(holder: User | Group | Role) -> list[Answer]:
    return [{"PolicyName": name, "PolicyDocument": Document(text)} for name, text in holder.inline.items()]


def get_account_summary(ctx: Context, _params: Params) -> Answer:
    users = list(ctx.users())
    ours = [policy for policy in ctx.policies() if not policy.of_aws]
    quotas = ctx.quotas
    return {
        "SummaryMap": {
            "Users": len(users),
            "UsersQuota": quotas.users,
            "Groups": len(ctx.state.group_names.ordered(ctx.at)),
            "GroupsQuota": quotas.groups,
            "Policies": len(ours),
            "PoliciesQuota": quotas.policies,
            "PolicySizeQuota": quotas.policy_size,
            "PolicyVersionsInUse": sum(len(policy.versions) for policy in ours),
            "PolicyVersionsInUseQuota": 10000,
            "VersionsPerPolicyQuota": quotas.versions_per_policy,
            "MFADevices": len(ctx.state.devices.ordered(ctx.at)),
            "MFADevicesInUse": sum(len(user.mfa) for user in users),
            "GroupsPerUserQuota": quotas.groups_per_user,
            "AccessKeysPerUserQuota": quotas.access_keys_per_user,
            "SigningCertificatesPerUserQuota": quotas.signing_certificates_per_user,
            "AttachedPoliciesPerUserQuota": quotas.attached_policies_per_user,
            "AttachedPoliciesPerGroupQuota": quotas.attached_policies_per_group,
            "UserPolicySizeQuota": quotas.user_policy_size,
            "GroupPolicySizeQuota": quotas.group_policy_size,
            "Roles": len(ctx.state.role_names.ordered(ctx.at)),
            "RolesQuota": quotas.roles,
            "AccountMFAEnabled": 1,
            "AccountAccessKeysPresent": 0,
            "AccountPasswordPresent": 1,
            "AccountSigningCertificatesPresent": 0,
            "GlobalEndpointTokenVersion": 2,
        }
    }
