"""THE table: each IAM action that the stand-in knows, its handler, and its parameters.

A parameter stands as `Name`, required ones as `Name*`, and `Name:shape` where the name's usual shape (`_USUAL`) is not
meant. An action that only reads begins with Get, List, Generate or Simulate; all others write. What is not here is
answered InvalidAction.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from . import (
    access_keys,
    aliases,
    attachments,
    groups,
    keys,
    login,
    mfa,
    overview,
    passwords,
    policies,
    report,
    roles,
    service_credentials,
    simulate,
    tags,
    users,
)
from .context import Handler
from .errors import AwsError
from .shapes import SHAPES, Params, Shape, check, missing

_USUAL: Mapping[str, str] = {
    "UserName": "existingUserName",
    "NewUserName": "userName",
    "Path": "path",
    "NewPath": "path",
    "PathPrefix": "pathPrefix",
    "PermissionsBoundary": "arn",
    "Tags": "tags",
    "TagKeys": "tagKeys",
    "Marker": "marker",
    "MaxItems": "maxItems",
    "Password": "password",
    "OldPassword": "password",
    "NewPassword": "password",
    "PasswordResetRequired": "boolean",
    "MaxSigninSessionDuration": "sessionSeconds",
    "ResetMaxSigninSessionDuration": "boolean",
    "AccessKeyId": "accessKeyId",
    "Status": "status",
    "ServiceName": "serviceName",
    "CredentialAgeDays": "ageDays",
    "ServiceSpecificCredentialId": "credentialId",
    "AllUsers": "boolean",
    "SSHPublicKeyBody": "keyMaterial",
    "SSHPublicKeyId": "publicKeyId",
    "Encoding": "encoding",
    "CertificateBody": "keyMaterial",
    "CertificateId": "certificateId",
    "VirtualMFADeviceName": "deviceName",
    "SerialNumber": "serialNumber",
    "AuthenticationCode1": "code",
    "AuthenticationCode2": "code",
    "AssignmentStatus": "assignment",
    "GroupName": "name",
    "NewGroupName": "name",
    "PolicyName": "name",
    "PolicyArn": "arn",
    "PolicyDocument": "document",
    "Description": "description",
    "VersionId": "versionId",
    "SetAsDefault": "boolean",
    "Scope": "scope",
    "OnlyAttached": "boolean",
    "PolicyUsageFilter": "usage",
    "EntityFilter": "entity",
    "Filter": "entities",
    "MinimumPasswordLength": "passwordLength",
    "RequireSymbols": "boolean",
    "RequireNumbers": "boolean",
    "RequireUppercaseCharacters": "boolean",
    "RequireLowercaseCharacters": "boolean",
    "AllowUsersToChangePassword": "boolean",
    "MaxPasswordAge": "maxPasswordAge",
    "PasswordReusePrevention": "reusePrevention",
    "HardExpiry": "boolean",
    "RoleName": "roleName",
    "AssumeRolePolicyDocument": "document",
    "MaxSessionDuration": "roleSessionSeconds",
    "AccountAlias": "alias",
    "PolicySourceArn": "arn",
    "PolicyInputList": "documents",
    "PermissionsBoundaryPolicyInputList": "documents",
    "OrderedOrganizationPolicyInputList": "organizationPolicies",
    "PolicyExclusionList": "exclusions",
    "ActionNames": "actionNames",
    "ResourceArns": "arns",
    "ResourcePolicy": "document",
    "ResourceOwner": "resource",
    "CallerArn": "resource",
    "ContextEntries": "contexts",
    "ResourceHandlingOption": "option",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One row, unfolded."""

    name: str
    handler: Handler
    shapes: Mapping[str, Shape]
    required: tuple[str, ...]
    writes: bool

    def check(self, params: Params) -> Params:
        """The parameters as the handler takes them.

        Raises:
            AwsError: ValidationError.
        """
        for name in self.required:
            if params.get(name) is None:
                raise missing(name)
        checked = {}
        for name, value in params.items():
            shape = self.shapes.get(name)
            if shape is None:
                raise AwsError("ValidationError", f"{self.name} has no parameter {name}.")
            checked[name] = check(name, shape, value)
        return checked


_PAGED = "Marker MaxItems"
_CLASSES = "RequireSymbols RequireNumbers RequireUppercaseCharacters RequireLowercaseCharacters"
_AGES = "MaxPasswordAge PasswordReusePrevention HardExpiry"
_SIMULATED = "ActionNames* ResourceArns ResourcePolicy ResourceOwner CallerArn ContextEntries ResourceHandlingOption"
_ROWS: tuple[tuple[str, Handler, str], ...] = (
    ("CreateUser", users.create_user, "UserName*:userName Path PermissionsBoundary Tags"),
    ("GetUser", users.get_user, "UserName"),
    ("ListUsers", users.list_users, f"PathPrefix {_PAGED}"),
    ("UpdateUser", users.update_user, "UserName* NewPath NewUserName"),
    ("DeleteUser", users.delete_user, "UserName*"),
    ("PutUserPermissionsBoundary", users.put_user_permissions_boundary, "UserName*:userName PermissionsBoundary*"),
    ("DeleteUserPermissionsBoundary", users.delete_user_permissions_boundary, "UserName*:userName"),
    ("TagUser", tags.tag_user, "UserName* Tags*"),
    ("UntagUser", tags.untag_user, "UserName* TagKeys*"),
    ("ListUserTags", tags.list_user_tags, f"UserName* {_PAGED}"),
    # Login profiles. IAM lets the password out in the model, but not in a creation.
    (
        "CreateLoginProfile",
        login.create_login_profile,
        "UserName:userName Password PasswordResetRequired MaxSigninSessionDuration",
    ),
    ("GetLoginProfile", login.get_login_profile, "UserName:userName"),
    (
        "UpdateLoginProfile",
        login.update_login_profile,
        "UserName*:userName Password PasswordResetRequired MaxSigninSessionDuration ResetMaxSigninSessionDuration",
    ),
    ("DeleteLoginProfile", login.delete_login_profile, "UserName:userName"),
    ("ChangePassword", login.change_password, "OldPassword* NewPassword*"),
    # The account's password policy.
    ("GetAccountPasswordPolicy", passwords.get_account_password_policy, ""),
    (
        "UpdateAccountPasswordPolicy",
        passwords.update_account_password_policy,
        f"MinimumPasswordLength {_CLASSES} {_AGES} AllowUsersToChangePassword",
    ),
    ("DeleteAccountPasswordPolicy", passwords.delete_account_password_policy, ""),
    # Credentials for programs.
    ("CreateAccessKey", access_keys.create_access_key, "UserName"),
    ("ListAccessKeys", access_keys.list_access_keys, f"UserName {_PAGED}"),
    ("UpdateAccessKey", access_keys.update_access_key, "UserName AccessKeyId* Status*"),
    ("DeleteAccessKey", access_keys.delete_access_key, "UserName AccessKeyId*"),
    ("GetAccessKeyLastUsed", access_keys.get_access_key_last_used, "AccessKeyId*"),
    (
        "CreateServiceSpecificCredential",
        service_credentials.create_service_specific_credential,
        "UserName*:userName ServiceName* CredentialAgeDays",
    ),
    (
        "ListServiceSpecificCredentials",
        service_credentials.list_service_specific_credentials,
        f"UserName:userName ServiceName AllUsers {_PAGED}",
    ),
    (
        "UpdateServiceSpecificCredential",
        service_credentials.update_service_specific_credential,
        "UserName:userName ServiceSpecificCredentialId* Status*",
    ),
    (
        "DeleteServiceSpecificCredential",
        service_credentials.delete_service_specific_credential,
        "UserName:userName ServiceSpecificCredentialId*",
    ),
    (
        "ResetServiceSpecificCredential",
        service_credentials.reset_service_specific_credential,
        "UserName:userName ServiceSpecificCredentialId*",
    ),
    ("UploadSSHPublicKey", keys.upload_ssh_public_key, "UserName*:userName SSHPublicKeyBody*"),
    ("ListSSHPublicKeys", keys.list_ssh_public_keys, f"UserName:userName {_PAGED}"),
    ("GetSSHPublicKey", keys.get_ssh_public_key, "UserName*:userName SSHPublicKeyId* Encoding*"),
    ("UpdateSSHPublicKey", keys.update_ssh_public_key, "UserName*:userName SSHPublicKeyId* Status*"),
    ("DeleteSSHPublicKey", keys.delete_ssh_public_key, "UserName*:userName SSHPublicKeyId*"),
    ("UploadSigningCertificate", keys.upload_signing_certificate, "UserName CertificateBody*"),
    ("ListSigningCertificates", keys.list_signing_certificates, f"UserName {_PAGED}"),
    ("UpdateSigningCertificate", keys.update_signing_certificate, "UserName CertificateId* Status*"),
    ("DeleteSigningCertificate", keys.delete_signing_certificate, "UserName CertificateId*"),
    # MFA.
    ("CreateVirtualMFADevice", mfa.create_virtual_mfa_device, "Path VirtualMFADeviceName* Tags"),
    (
        "EnableMFADevice",
        mfa.enable_mfa_device,
        "UserName* SerialNumber* AuthenticationCode1* AuthenticationCode2*",
    ),
    ("DeactivateMFADevice", mfa.deactivate_mfa_device, "UserName SerialNumber*"),
    ("DeleteVirtualMFADevice", mfa.delete_virtual_mfa_device, "SerialNumber*"),
    ("ListMFADevices", mfa.list_mfa_devices, f"UserName {_PAGED}"),
    ("ListVirtualMFADevices", mfa.list_virtual_mfa_devices, f"AssignmentStatus {_PAGED}"),
    ("GetMFADevice", mfa.get_mfa_device, "SerialNumber* UserName:userName"),
    (
        "ResyncMFADevice",
        mfa.resync_mfa_device,
        "UserName* SerialNumber* AuthenticationCode1* AuthenticationCode2*",
    ),
    ("TagMFADevice", mfa.tag_mfa_device, "SerialNumber* Tags*"),
    ("UntagMFADevice", mfa.untag_mfa_device, "SerialNumber* TagKeys*"),
    ("ListMFADeviceTags", mfa.list_mfa_device_tags, f"SerialNumber* {_PAGED}"),
    # Groups.
    ("CreateGroup", groups.create_group, "Path GroupName*"),
    ("GetGroup", groups.get_group, f"GroupName* {_PAGED}"),
    ("ListGroups", groups.list_groups, f"PathPrefix {_PAGED}"),
    ("UpdateGroup", groups.update_group, "GroupName* NewPath NewGroupName"),
    ("DeleteGroup", groups.delete_group, "GroupName*"),
    ("AddUserToGroup", groups.add_user_to_group, "GroupName* UserName*"),
    ("RemoveUserFromGroup", groups.remove_user_from_group, "GroupName* UserName*"),
    ("ListGroupsForUser", groups.list_groups_for_user, f"UserName* {_PAGED}"),
    # What hangs on users and groups.
    ("AttachUserPolicy", attachments.attach, "UserName*:userName PolicyArn*"),
    ("DetachUserPolicy", attachments.detach, "UserName*:userName PolicyArn*"),
    ("ListAttachedUserPolicies", attachments.list_attached, f"UserName*:userName PathPrefix:policyPath {_PAGED}"),
    ("PutUserPolicy", attachments.put_inline, "UserName* PolicyName* PolicyDocument*"),
    ("GetUserPolicy", attachments.get_inline, "UserName* PolicyName*"),
    ("DeleteUserPolicy", attachments.delete_inline, "UserName* PolicyName*"),
    ("ListUserPolicies", attachments.list_inline, f"UserName* {_PAGED}"),
    ("AttachGroupPolicy", attachments.attach, "GroupName* PolicyArn*"),
    ("DetachGroupPolicy", attachments.detach, "GroupName* PolicyArn*"),
    ("ListAttachedGroupPolicies", attachments.list_attached, f"GroupName* PathPrefix:policyPath {_PAGED}"),
    ("PutGroupPolicy", attachments.put_inline, "GroupName* PolicyName* PolicyDocument*"),
    ("GetGroupPolicy", attachments.get_inline, "GroupName* PolicyName*"),
    ("DeleteGroupPolicy", attachments.delete_inline, "GroupName* PolicyName*"),
    ("ListGroupPolicies", attachments.list_inline, f"GroupName* {_PAGED}"),
    # Roles.
    (
        "CreateRole",
        roles.create_role,
        (
            "Path RoleName* AssumeRolePolicyDocument* Description:roleDescription MaxSessionDuration "
            "MaxSigninSessionDuration PermissionsBoundary Tags"
        ),
    ),
    ("GetRole", roles.get_role, "RoleName*"),
    ("ListRoles", roles.list_roles, f"PathPrefix {_PAGED}"),
    (
        "UpdateRole",
        roles.update_role,
        (
            "RoleName* Description:roleDescription MaxSessionDuration MaxSigninSessionDuration "
            "ResetMaxSigninSessionDuration"
        ),
    ),
    ("UpdateAssumeRolePolicy", roles.update_assume_role_policy, "RoleName* PolicyDocument*"),
    ("DeleteRole", roles.delete_role, "RoleName*"),
    ("PutRolePermissionsBoundary", roles.put_role_permissions_boundary, "RoleName* PermissionsBoundary*"),
    ("DeleteRolePermissionsBoundary", roles.delete_role_permissions_boundary, "RoleName*"),
    ("TagRole", roles.tag_role, "RoleName* Tags*"),
    ("UntagRole", roles.untag_role, "RoleName* TagKeys*"),
    ("ListRoleTags", roles.list_role_tags, f"RoleName* {_PAGED}"),
    ("AttachRolePolicy", attachments.attach, "RoleName* PolicyArn*"),
    ("DetachRolePolicy", attachments.detach, "RoleName* PolicyArn*"),
    ("ListAttachedRolePolicies", attachments.list_attached, f"RoleName* PathPrefix:policyPath {_PAGED}"),
    ("PutRolePolicy", attachments.put_inline, "RoleName* PolicyName* PolicyDocument*"),
    ("GetRolePolicy", attachments.get_inline, "RoleName* PolicyName*"),
    ("DeleteRolePolicy", attachments.delete_inline, "RoleName* PolicyName*"),
    ("ListRolePolicies", attachments.list_inline, f"RoleName* {_PAGED}"),
    # Managed policies.
    ("CreatePolicy", policies.create_policy, "PolicyName* Path:policyPath PolicyDocument* Description Tags"),
    ("GetPolicy", policies.get_policy, "PolicyArn*"),
    (
        "ListPolicies",
        policies.list_policies,
        f"Scope OnlyAttached PathPrefix:policyPath PolicyUsageFilter {_PAGED}",
    ),
    ("DeletePolicy", policies.delete_policy, "PolicyArn*"),
    ("CreatePolicyVersion", policies.create_policy_version, "PolicyArn* PolicyDocument* SetAsDefault"),
    ("GetPolicyVersion", policies.get_policy_version, "PolicyArn* VersionId*"),
    ("ListPolicyVersions", policies.list_policy_versions, f"PolicyArn* {_PAGED}"),
    ("DeletePolicyVersion", policies.delete_policy_version, "PolicyArn* VersionId*"),
    ("SetDefaultPolicyVersion", policies.set_default_policy_version, "PolicyArn* VersionId*"),
    (
        "ListEntitiesForPolicy",
        policies.list_entities_for_policy,
        f"PolicyArn* EntityFilter PathPrefix:path PolicyUsageFilter {_PAGED}",
    ),
    ("TagPolicy", policies.tag_policy, "PolicyArn* Tags*"),
    ("UntagPolicy", policies.untag_policy, "PolicyArn* TagKeys*"),
    ("ListPolicyTags", policies.list_policy_tags, f"PolicyArn* {_PAGED}"),
    (
        "SimulatePrincipalPolicy",
        simulate.simulate_principal_policy,
        f"PolicySourceArn* PolicyInputList PermissionsBoundaryPolicyInputList PolicyExclusionList {_SIMULATED} {_PAGED}",
    ),
    (
        "SimulateCustomPolicy",
        simulate.simulate_custom_policy,
        f"PolicyInputList* PermissionsBoundaryPolicyInputList OrderedOrganizationPolicyInputList {_SIMULATED} {_PAGED}",
    ),
    # The account as a whole.
    ("GenerateCredentialReport", report.generate_credential_report, ""),
    ("GetCredentialReport", report.get_credential_report, ""),
    ("CreateAccountAlias", aliases.create_account_alias, "AccountAlias*"),
    ("DeleteAccountAlias", aliases.delete_account_alias, "AccountAlias*"),
    ("ListAccountAliases", aliases.list_account_aliases, _PAGED),
    ("GetAccountSummary", overview.get_account_summary, ""),
    ("GetAccountAuthorizationDetails", overview.get_account_authorization_details, f"Filter {_PAGED}"),
)

TEMPORARILY_UNMODIFIABLE = frozenset(
    {
        "ChangePassword",
        "DeactivateMFADevice",
        "DeleteLoginProfile",
        "EnableMFADevice",
        "UpdateLoginProfile",
        "UpdateUser",
    }
)
"""The actions that the service model lets answer EntityTemporarilyUnmodifiable."""


_READING = ("Get", "List", "Generate", "Simulate")


def _unfold(name: str, handler: Handler, told: str) -> Action:
    shapes: dict[str, Shape] = {}
    required: list[str] = []
    for word in told.split():
        starred, _, shape = word.partition(":")
        parameter = starred.rstrip("*")
        shapes[parameter] = SHAPES[shape or _USUAL[parameter]]
        if starred != parameter:
            required.append(parameter)
    return Action(name, handler, shapes, tuple(required), not name.startswith(_READING))


ACTIONS: Mapping[str, Action] = {row[0]: _unfold(*row) for row in _ROWS}
