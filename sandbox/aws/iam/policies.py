"""Managed policies and their versions."""

from dataclasses import replace

from .context import Answer, Context, tag_list
from .documents import require_valid, size_of
from .errors import AwsError, over_quota, policy_not_found
from .model import Document, Policy, PolicyVersion, with_item, without_item
from .paging import page_items, page_of
from .shapes import Params
from .state import policy_key
from .tags import merged, without


def create_policy(ctx: Context, params: Params) -> Answer:
    name = params["PolicyName"]
    path = params.get("Path", "/")
    if ctx.state.policy_names.get(policy_key(name, of_aws=False)) is not None:
        raise AwsError(
            "EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed."
        )
    _require_document(ctx, params)
    ours = sum(1 for policy in ctx.policies() if not policy.of_aws)
    if ours >= ctx.quotas.policies:
        raise over_quota("PoliciesPerAccount", ctx.quotas.policies)
    policy = Policy(
        policy_id=ctx.ids.unique("ANPA"),
        name=name,
        path=path,
        arn=ctx.arn("policy", path, name),
        created=ctx.date,
        default="v1",
        versions={"v1": PolicyVersion("v1", params["PolicyDocument"], ctx.date)},
        description=params.get("Description"),
        tags=merged(ctx, {}, params.get("Tags", ())),
    )
    ctx.state.put_policy(policy)
    return {"Policy": _to_policy(ctx, policy, full=True)}


def get_policy(ctx: Context, params: Params) -> Answer:
    return {"Policy": _to_policy(ctx, _find(ctx, params), full=True)}


def list_policies(ctx: Context, params: Params) -> Answer:
    scope = params.get("Scope", "All")
    prefix = params.get("PathPrefix", "/")
    usage = params.get("PolicyUsageFilter")

    def is_wanted(policy: Policy) -> bool:
        if scope == ("Local" if policy.of_aws else "AWS") or not policy.path.startswith(prefix):
            return False
        attached, bounds = ctx.attachment_count(policy.arn) > 0, ctx.boundary_count(policy.arn) > 0
        if usage is not None and not (attached if usage == "PermissionsPolicy" else bounds):
            return False
        return attached or bounds or not params.get("OnlyAttached")

    policies, rest = page_of(ctx, params, filter(is_wanted, ctx.policies()), _key)
    return {"Policies": [_to_policy(ctx, policy) for policy in policies], **rest}


def delete_policy(ctx: Context, params: Params) -> Answer:
    policy = _ours(ctx, params)
    if ctx.attachment_count(policy.arn) or ctx.boundary_count(policy.arn):
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise AwsError(
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy.",
        )
    ctx.state.remove_policy(policy)
    return {}


def create_policy_version(ctx: Context, params: Params) -> Answer:
    policy = _ours(ctx, params)
    _require_document(ctx, params)
    if len(policy.versions) >= ctx.quotas.versions_per_policy:
        raise AwsError(
            "LimitExceeded",
            f"A managed policy can have up to {ctx.quotas.versions_per_policy} versions. Before you create a new "
            "version, you must delete an existing version.",
        )
    number = policy.last_version + 1
    version = PolicyVersion(f"v{number}", params["PolicyDocument"], ctx.date)
    policy = replace(
        policy,
        versions=with_item(policy.versions, version.version_id, version),
        last_version=number,
        default=version.version_id if params.get("SetAsDefault") else policy.default,
    )
    ctx.state.put_policy(policy)
    return {"PolicyVersion": {k: v for k, v in _to_version(policy, version).items() if k != "Document"}}


def get_policy_version(ctx: Context, params: Params) -> Answer:
    policy = _find(ctx, params)
    return {"PolicyVersion": _to_version(policy, _version(policy, params))}


def list_policy_versions(ctx: Context, params: Params) -> Answer:
    policy = _find(ctx, params)
    versions, rest = page_items(ctx, params, policy.versions)
    told = [{k: v for k, v in _to_version(policy, one).items() if k != "Document"} for one in versions]
    return {"Versions": told, **rest}


def delete_policy_version(ctx: Context, params: Params) -> Answer:
    policy = _ours(ctx, params)
    version = _version(policy, params)
    if version.version_id == policy.default:
        raise AwsError("DeleteConflict", "Cannot delete the default version of a policy.")
    ctx.state.put_policy(replace(policy, versions=without_item(policy.versions, version.version_id)))
    return {}


def set_default_policy_version(ctx: Context, params: Params) -> Answer:
    policy = _ours(ctx, params)
    ctx.state.put_policy(replace(policy, default=_version(policy, params).version_id))
    return {}


def list_entities_for_policy(ctx: Context, params: Params) -> Answer:
    """Groups, roles, users. One page may hold the end of one list and the start of another."""
    arn = _find(ctx, params).arn
    kind, usage = params.get("EntityFilter"), params.get("PolicyUsageFilter")
    prefix = params.get("PathPrefix", "/")
    found: dict[str, tuple[str, Answer]] = {}
    if kind in (None, "Group") and usage != "PermissionsBoundary":
        for group in ctx.groups():
            if arn in group.attached and group.path.startswith(prefix):
                told = {"GroupName": group.name, "GroupId": group.group_id}
                found[f"group/{group.name.casefold()}"] = ("PolicyGroups", told)
    if kind in (None, "Role"):
        for role in ctx.roles():
            attached = arn in role.attached and usage != "PermissionsBoundary"
            bounds = role.boundary == arn and usage != "PermissionsPolicy"
            if (attached or bounds) and role.path.startswith(prefix):
                told = {"RoleName": role.name, "RoleId": role.role_id}
                found[f"role/{role.name.casefold()}"] = ("PolicyRoles", told)
    if kind in (None, "User"):
        for user in ctx.users():
            attached = arn in user.attached and usage != "PermissionsBoundary"
            bounds = user.boundary == arn and usage != "PermissionsPolicy"
            if (attached or bounds) and user.path.startswith(prefix):
                told = {"UserName": user.name, "UserId": user.user_id}
                found[f"user/{user.name.casefold()}"] = ("PolicyUsers", told)
    page, rest = page_items(ctx, params, found)
    answer: Answer = {"PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": [], **rest}
    for where, told in page:
        answer[where].append(told)
    return answer


def tag_policy(ctx: Context, params: Params) -> Answer:
    policy = _ours(ctx, params)
    ctx.state.put_policy(replace(policy, tags=merged(ctx, policy.tags, params["Tags"])))
    return {}


def untag_policy(ctx: Context, params: Params) -> Answer:
    policy = _ours(ctx, params)
    ctx.state.put_policy(replace(policy, tags=without(policy.tags, params["TagKeys"])))
    return {}


def list_policy_tags(ctx: Context, params: Params) -> Answer:
    tags, rest = page_items(ctx, params, {tag["Key"]: tag for tag in tag_list(_find(ctx, params).tags)})
    return {"Tags": tags, **rest}


def to_policy_head(ctx: Context, policy: Policy) -> Answer:
    """What all structures of a managed policy share."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default,
        "AttachmentCount": ctx.attachment_count(policy.arn),
        "PermissionsBoundaryUsageCount": ctx.boundary_count(policy.arn),
        "IsAttachable": policy.attachable,
        "CreateDate": policy.created,
        "UpdateDate": max(version.created for version in policy.versions.values()),
    }


def to_versions(policy: Policy) -> list[Answer]:
    return [_to_version(policy, policy.versions[key]) for key in sorted(policy.versions)]


def _to_policy(ctx: Context, policy: Policy, *, full: bool = False) -> Answer:
    told = to_policy_head(ctx, policy)
    if full:
        if policy.description is not None:
            told["Description"] = policy.description
        told["Tags"] = tag_list(policy.tags)
    return told


def _to_version(policy: Policy, version: PolicyVersion) -> Answer:
    return {
        "Document": Document(version.document),
        "VersionId": version.version_id,
        "IsDefaultVersion": version.version_id == policy.default,
        "CreateDate": version.created,
    }


def _find(ctx: Context, params: Params) -> Policy:
    policy = ctx.policy(params["PolicyArn"])
    if policy is None:
        raise policy_not_found(params["PolicyArn"])
    return policy


def _ours(ctx: Context, params: Params) -> Policy:
    policy = _find(ctx, params)
    if policy.of_aws:
        raise AwsError("AccessDenied", f"Cannot perform the operation on the protected policy {policy.arn}.")
    return policy


def _version(policy: Policy, params: Params) -> PolicyVersion:
    version = policy.versions.get(params["VersionId"])
    if version is None:
        raise AwsError(
            "NoSuchEntity", f"Policy {policy.arn} version {params['VersionId']} does not exist or is not attachable."
        )
    return version


def _require_document(ctx: Context, params: Params) -> None:
    require_valid(params["PolicyDocument"])
    if size_of(params["PolicyDocument"]) > ctx.quotas.policy_size:
        raise over_quota("PolicySize", ctx.quotas.policy_size)


def _key(policy: Policy) -> str:
    return policy_key(policy.name, policy.of_aws)
