"""The account object by itself: no sockets, and time is what the test says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.iam import Account, AwsError, IamSettings, Quotas
from sandbox.aws.samples import certificate, ssh_public_key

GOOD = "Correct-Horse-42"
DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


class Iam:
    """An account and a clock that the test turns."""

    def __init__(self, **settings):
        self.settings = IamSettings(**settings)
        self.account = Account("123456789012", settings=self.settings)
        self.now = 1_000_000.0

    def __call__(self, action, as_of=None, actor="tester", **params):
        return self.account.call(action, params, actor=actor, now=self.now, as_of=as_of)

    def code(self, action, **params):
        """The error code that a call is answered with."""
        with pytest.raises(AwsError) as caught:
            self(action, **params)
        return caught.value.code

    def changes(self, action, **params):
        """Whether a call changes something."""
        before = self.account.changes
        self(action, **params)
        return self.account.changes != before


@pytest.fixture
def iam():
    iam = Iam()
    iam("CreateUser", UserName="Alice")
    iam("CreateGroup", GroupName="Admins")
    return iam


# Names


def test_names_are_found_in_any_case_and_keep_the_one_they_were_given(iam):
    assert iam("GetUser", UserName="aLICE")["User"]["UserName"] == "Alice"
    iam("AddUserToGroup", UserName="ALICE", GroupName="admins")
    assert [group["GroupName"] for group in iam("ListGroupsForUser", UserName="alice")["Groups"]] == ["Admins"]
    assert iam.code("CreateUser", UserName="ALICE") == "EntityAlreadyExists"
    assert iam.code("CreateGroup", GroupName="ADMINS") == "EntityAlreadyExists"
    iam("CreatePolicy", PolicyName="Base", PolicyDocument=DENY)
    assert iam.code("CreatePolicy", PolicyName="BASE", PolicyDocument=DENY) == "EntityAlreadyExists"


def test_a_rename_keeps_the_user_id_and_everything_that_hangs_on_it(iam):
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    before = iam("GetUser", UserName="alice")["User"]
    iam("UpdateUser", UserName="alice", NewUserName="Alicia", NewPath="/people/")
    after = iam("GetUser", UserName="alicia")["User"]
    assert after["UserId"] == before["UserId"]
    assert after["Arn"] == "arn:aws:iam::123456789012:user/people/Alicia"
    assert iam.code("GetUser", UserName="alice") == "NoSuchEntity"
    assert [user["UserName"] for user in iam("GetGroup", GroupName="admins")["Users"]] == ["Alicia"]
    iam("UpdateUser", UserName="alicia", NewUserName="ALICIA")
    assert iam("GetUser", UserName="alicia")["User"]["UserName"] == "ALICIA"


def test_a_user_cannot_be_renamed_to_one_that_exists(iam):
    iam("CreateUser", UserName="bob")
    assert iam.code("UpdateUser", UserName="bob", NewUserName="ALICE") == "EntityAlreadyExists"


def test_a_group_keeps_its_members_when_it_is_renamed(iam):
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    iam("UpdateGroup", GroupName="admins", NewGroupName="Operators")
    assert [group["GroupName"] for group in iam("ListGroupsForUser", UserName="alice")["Groups"]] == ["Operators"]
    assert iam.code("GetGroup", GroupName="admins") == "NoSuchEntity"


def test_a_user_that_is_created_again_is_somebody_else(iam):
    first = iam("GetUser", UserName="alice")["User"]["UserId"]
    iam("DeleteUser", UserName="alice")
    second = iam("CreateUser", UserName="alice")["User"]["UserId"]
    assert first != second
    assert first.startswith("AIDA")
    assert len(first) == 21


def test_equal_seeds_give_equal_accounts():
    first, second, other = (Account("1" * 12, seed=seed) for seed in (7, 7, 8))
    ids = [
        one.call("CreateUser", {"UserName": "a"}, actor="x", now=0)["User"]["UserId"] for one in (first, second, other)
    ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "x" * 65])
def test_a_name_that_iam_refuses_is_a_validation_error(iam, name):
    assert iam.code("CreateUser", UserName=name) == "ValidationError"


def test_iam_says_what_is_wrong_with_a_name(iam):
    with pytest.raises(AwsError, match="The specified value for userName is invalid"):
        iam("CreateUser", UserName="a b")
    with pytest.raises(AwsError, match="'userName' failed to satisfy constraint: Member must have length less than or"):
        iam("CreateUser", UserName="x" * 65)
    with pytest.raises(AwsError, match="null at 'groupName' failed to satisfy constraint: Member must not be null"):
        iam("AddUserToGroup", UserName="alice")


@pytest.mark.parametrize("path", ["x", "/x", "x/", "/a b/", "/" + "x" * 511 + "/"])
def test_a_path_that_iam_refuses_is_a_validation_error(iam, path):
    assert iam.code("CreateUser", UserName="bob", Path=path) == "ValidationError"


def test_a_refused_password_is_not_repeated(iam):
    with pytest.raises(AwsError) as caught:
        iam("CreateLoginProfile", UserName="alice", Password="€" + GOOD)
    assert caught.value.code == "ValidationError"
    assert GOOD not in str(caught.value)


def test_an_unknown_action_and_an_unknown_parameter_are_refused(iam):
    assert iam.code("CreateRole", RoleName="x") == "InvalidAction"
    assert iam.code("GetUser", Username="alice") == "ValidationError"


def test_without_a_user_name_a_call_is_about_the_caller(iam):
    assert iam("GetUser", actor="alice")["User"]["UserName"] == "Alice"
    iam("CreateAccessKey", actor="alice")
    assert len(iam("ListAccessKeys", UserName="alice")["AccessKeyMetadata"]) == 1
    with pytest.raises(AwsError, match="Must specify userName when calling with non-User credentials"):
        iam("GetUser", actor="a-role")


# Tags and boundaries


def test_tag_keys_that_differ_in_case_only_replace_each_other(iam):
    iam("TagUser", UserName="alice", Tags=[{"Key": "Department", "Value": "Sales"}])
    iam("TagUser", UserName="alice", Tags=[{"Key": "dePartment", "Value": "IT"}])
    assert iam("ListUserTags", UserName="alice")["Tags"] == [{"Key": "dePartment", "Value": "IT"}]
    iam("UntagUser", UserName="alice", TagKeys=["DEPARTMENT", "never there"])
    assert iam("ListUserTags", UserName="alice")["Tags"] == []
    assert "Tags" not in iam("GetUser", UserName="alice")["User"]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}], "InvalidInput"),
        ([{"Key": "aws:x", "Value": ""}], "InvalidInput"),
        ([{"Key": "a;b", "Value": ""}], "ValidationError"),
        ([{"Key": "a", "Value": "x" * 257}], "ValidationError"),
        ([{"Key": "", "Value": "x"}], "ValidationError"),
        ([{"Key": "a"}], "ValidationError"),
        ([{"Key": f"k{n}", "Value": ""} for n in range(51)], "ValidationError"),
    ],
)
def test_tags_that_iam_refuses(iam, tags, code):
    assert iam.code("TagUser", UserName="alice", Tags=tags) == code
    assert iam.code("CreateUser", UserName="bob", Tags=tags) == code
    assert iam.code("GetUser", UserName="bob") == "NoSuchEntity"


def test_a_user_has_fifty_tags_at_most(iam):
    iam("TagUser", UserName="alice", Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    iam("TagUser", UserName="alice", Tags=[{"Key": "K1", "Value": "replaces"}])
    assert iam.code("TagUser", UserName="alice", Tags=[{"Key": "one-more", "Value": ""}]) == "LimitExceeded"


def test_a_boundary_is_told_by_get_user_and_not_by_lists(iam):
    iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=READ_ONLY)
    assert iam("GetUser", UserName="alice")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
    assert "PermissionsBoundary" not in iam("ListUsers")["Users"][0]
    assert iam("GetPolicy", PolicyArn=READ_ONLY)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    iam("DeleteUserPermissionsBoundary", UserName="alice")
    assert iam.code("DeleteUserPermissionsBoundary", UserName="alice") == "NoSuchEntity"
    assert iam.code("CreateUser", UserName="b", PermissionsBoundary=READ_ONLY + "x") == "NoSuchEntity"


def test_a_boundary_does_not_stand_in_the_way_of_a_deletion(iam):
    iam("PutUserPermissionsBoundary", UserName="alice", PermissionsBoundary=READ_ONLY)
    iam("DeleteUser", UserName="alice")
    assert iam("GetPolicy", PolicyArn=READ_ONLY)["Policy"]["PermissionsBoundaryUsageCount"] == 0


# Passwords


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("Short-1", "minimum length of 14"),
        ("lower-case-only-1", "uppercase letter"),
        ("UPPER-CASE-ONLY-1", "lowercase letter"),
        ("No-Number-At-All-", "number"),
        ("NoSymbolAtAll1234", "symbol"),
        ('QuotesAre"NoSymbol1', "symbol"),
    ],
)
def test_a_password_is_held_to_the_accounts_policy(iam, password, sentence):
    iam(
        "UpdateAccountPasswordPolicy",
        MinimumPasswordLength=14,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
    )
    with pytest.raises(AwsError, match=sentence) as caught:
        iam("CreateLoginProfile", UserName="alice", Password=password)
    assert caught.value.code == "PasswordPolicyViolation"
    iam("CreateLoginProfile", UserName="alice", Password=GOOD)
    with pytest.raises(AwsError, match=sentence):
        iam("UpdateLoginProfile", UserName="alice", Password=password)


def test_without_a_policy_the_default_one_of_aws_holds(iam):
    assert iam.code("GetAccountPasswordPolicy") == "NoSuchEntity"
    assert iam.code("CreateLoginProfile", UserName="alice", Password="Aa1-") == "PasswordPolicyViolation"
    assert iam.code("CreateLoginProfile", UserName="alice", Password="abcdefgh1") == "PasswordPolicyViolation"
    iam("CreateLoginProfile", UserName="alice", Password="abcdefG1")


def test_a_password_policy_that_is_set_again_forgets_what_is_not_named(iam):
    iam("UpdateAccountPasswordPolicy", MinimumPasswordLength=20, RequireSymbols=True, MaxPasswordAge=90)
    iam("UpdateAccountPasswordPolicy", RequireNumbers=True)
    policy = iam("GetAccountPasswordPolicy")["PasswordPolicy"]
    assert policy["MinimumPasswordLength"] == 6
    assert policy["RequireSymbols"] is False
    assert policy["ExpirePasswords"] is False
    assert "MaxPasswordAge" not in policy
    iam("DeleteAccountPasswordPolicy")
    assert iam.code("DeleteAccountPasswordPolicy") == "NoSuchEntity"


def test_signing_in_needs_the_password_that_was_set_last(iam):
    iam("CreateLoginProfile", UserName="alice", Password=GOOD, PasswordResetRequired=True)
    assert iam.account.sign_in("ALICE", GOOD, iam.now)["PasswordResetRequired"] is True
    iam("UpdateLoginProfile", UserName="alice", Password=GOOD + "!", PasswordResetRequired=False)
    with pytest.raises(AwsError, match="incorrect"):
        iam.account.sign_in("alice", GOOD, iam.now)
    iam.now += 60
    assert iam.account.sign_in("alice", GOOD + "!", iam.now)["PasswordResetRequired"] is False
    assert iam("GetUser", UserName="alice")["User"]["PasswordLastUsed"].timestamp() == iam.now


def test_a_user_changes_the_password_in_person_and_takes_no_old_one(iam):
    iam("UpdateAccountPasswordPolicy", PasswordReusePrevention=2)
    iam("CreateLoginProfile", UserName="alice", Password=GOOD, PasswordResetRequired=True)
    assert iam.code("ChangePassword", actor="alice", OldPassword="wrong", NewPassword=GOOD + "1") == "AccessDenied"
    iam("ChangePassword", actor="alice", OldPassword=GOOD, NewPassword=GOOD + "1")
    assert iam("GetLoginProfile", UserName="alice")["LoginProfile"]["PasswordResetRequired"] is False
    again = {"actor": "alice", "OldPassword": GOOD + "1", "NewPassword": GOOD}
    assert iam.code("ChangePassword", **again) == "PasswordPolicyViolation"


def test_a_fresh_login_profile_is_left_alone_for_a_while():
    iam = Iam(login_profile_window_s=30)
    iam("CreateUser", UserName="alice")
    iam("CreateLoginProfile", UserName="alice", Password=GOOD)
    iam.now += 29.9
    assert iam.code("DeleteLoginProfile", UserName="alice") == "EntityTemporarilyUnmodifiable"
    assert iam.code("UpdateLoginProfile", UserName="alice", Password=GOOD) == "EntityTemporarilyUnmodifiable"
    iam.now += 0.1
    iam("DeleteLoginProfile", UserName="alice")
    assert iam.code("DeleteLoginProfile", UserName="alice") == "NoSuchEntity"


def test_a_user_can_be_made_unmodifiable(iam):
    iam.settings.unmodifiable_users = frozenset({"ALICE"})
    assert iam.code("UpdateUser", UserName="alice", NewPath="/x/") == "EntityTemporarilyUnmodifiable"
    iam("TagUser", UserName="alice", Tags=[])
    iam.settings.unmodifiable_users = frozenset()
    iam("UpdateUser", UserName="alice", NewPath="/x/")


# Credentials


def test_access_keys(iam):
    key = iam("CreateAccessKey", UserName="alice")["AccessKey"]
    assert key["Status"] == "Active"
    assert len(key["SecretAccessKey"]) == 40
    iam("UpdateAccessKey", UserName="alice", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    [listed] = iam("ListAccessKeys", UserName="alice")["AccessKeyMetadata"]
    assert listed["Status"] == "Inactive"
    assert "SecretAccessKey" not in listed
    status = {"AccessKeyId": key["AccessKeyId"], "Status": "Expired"}
    assert iam.code("UpdateAccessKey", UserName="alice", **status) == "InvalidInput"
    used = iam("GetAccessKeyLastUsed", AccessKeyId=key["AccessKeyId"])
    assert used["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    iam.account.note_use(key["AccessKeyId"], iam.now, "iam", "us-east-1")
    assert iam("GetAccessKeyLastUsed", AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]["ServiceName"] == "iam"
    iam("DeleteAccessKey", UserName="alice", AccessKeyId=key["AccessKeyId"])
    assert iam.code("DeleteAccessKey", UserName="alice", AccessKeyId=key["AccessKeyId"]) == "NoSuchEntity"


def test_a_key_of_one_user_is_none_of_another(iam):
    iam("CreateUser", UserName="bob")
    key = iam("CreateAccessKey", UserName="alice")["AccessKey"]["AccessKeyId"]
    assert iam.code("DeleteAccessKey", UserName="bob", AccessKeyId=key) == "NoSuchEntity"


def test_service_specific_credentials_expire_and_cannot_be_revived(iam):
    bedrock = {"UserName": "alice", "ServiceName": "bedrock.amazonaws.com", "CredentialAgeDays": 1}
    made = iam("CreateServiceSpecificCredential", **bedrock)["ServiceSpecificCredential"]
    assert made["ServiceCredentialSecret"]
    assert made["ExpirationDate"].timestamp() == iam.now + 86400
    iam.now += 86400
    [listed] = iam("ListServiceSpecificCredentials", UserName="alice")["ServiceSpecificCredentials"]
    assert listed["Status"] == "Expired"
    wanted = {"ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"], "Status": "Active"}
    assert iam.code("UpdateServiceSpecificCredential", UserName="alice", **wanted) == "InvalidInput"
    assert iam.code("DeleteUser", UserName="alice") == "DeleteConflict"


def test_a_service_credential_can_be_reset_but_not_for_any_service(iam):
    made = iam("CreateServiceSpecificCredential", UserName="alice", ServiceName="codecommit.amazonaws.com")
    first = made["ServiceSpecificCredential"]
    assert first["ServiceUserName"] == "Alice-at-123456789012"
    again = iam(
        "ResetServiceSpecificCredential",
        UserName="alice",
        ServiceSpecificCredentialId=first["ServiceSpecificCredentialId"],
    )["ServiceSpecificCredential"]
    assert again["ServicePassword"] != first["ServicePassword"]
    assert (
        iam.code("CreateServiceSpecificCredential", UserName="alice", ServiceName="s3.amazonaws.com")
        == "NotSupportedService"
    )
    assert len(iam("ListServiceSpecificCredentials", AllUsers=True)["ServiceSpecificCredentials"]) == 1


def test_ssh_keys_and_certificates_are_looked_at_and_not_taken_twice(iam):
    iam("CreateUser", UserName="bob")
    assert iam.code("UploadSSHPublicKey", UserName="alice", SSHPublicKeyBody="ssh-ed25519 AAAA") == "InvalidPublicKey"
    key = iam("UploadSSHPublicKey", UserName="alice", SSHPublicKeyBody=ssh_public_key("a"))["SSHPublicKey"]
    assert (
        iam.code("UploadSSHPublicKey", UserName="alice", SSHPublicKeyBody=ssh_public_key("a"))
        == "DuplicateSSHPublicKey"
    )
    iam("UploadSSHPublicKey", UserName="bob", SSHPublicKeyBody=ssh_public_key("a"))
    told = iam("GetSSHPublicKey", UserName="alice", SSHPublicKeyId=key["SSHPublicKeyId"], Encoding="SSH")
    assert told["SSHPublicKey"]["SSHPublicKeyBody"] == ssh_public_key("a")
    assert iam.code("UploadSigningCertificate", UserName="alice", CertificateBody="hello") == "MalformedCertificate"
    iam("UploadSigningCertificate", UserName="alice", CertificateBody=certificate("c"))
    assert (
        iam.code("UploadSigningCertificate", UserName="bob", CertificateBody=certificate("c")) == "DuplicateCertificate"
    )


# MFA


def enable_mfa(iam, user, name):
    serial = iam("CreateVirtualMFADevice", VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam("EnableMFADevice", UserName=user, SerialNumber=serial, **codes)
    return serial


def test_a_deactivated_virtual_device_still_holds_its_name(iam):
    serial = enable_mfa(iam, "alice", "alice")
    assert iam.code("DeleteVirtualMFADevice", SerialNumber=serial) == "DeleteConflict"
    iam("DeactivateMFADevice", UserName="alice", SerialNumber=serial)
    iam("DeleteUser", UserName="alice")
    assert iam.code("CreateVirtualMFADevice", VirtualMFADeviceName="alice") == "EntityAlreadyExists"
    [orphan] = iam("ListVirtualMFADevices", AssignmentStatus="Unassigned")["VirtualMFADevices"]
    assert orphan["SerialNumber"] == serial
    iam("DeleteVirtualMFADevice", SerialNumber=serial)
    iam("CreateVirtualMFADevice", VirtualMFADeviceName="alice")


def test_a_device_has_one_user_and_wants_two_different_codes(iam):
    iam("CreateUser", UserName="bob")
    serial = enable_mfa(iam, "alice", "alice")
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    assert iam.code("EnableMFADevice", UserName="bob", SerialNumber=serial, **codes) == "EntityAlreadyExists"
    same = {"AuthenticationCode1": "111111", "AuthenticationCode2": "111111"}
    assert (
        iam.code("EnableMFADevice", UserName="bob", SerialNumber="GAHT12345678", **same) == "InvalidAuthenticationCode"
    )
    iam("EnableMFADevice", UserName="bob", SerialNumber="GAHT12345678", **codes)
    assert iam.code("EnableMFADevice", UserName="alice", SerialNumber="GAHT12345678", **codes) == "EntityAlreadyExists"
    [assigned] = iam("ListVirtualMFADevices", AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert assigned["User"]["UserName"] == "Alice"


# Groups and policies


def test_a_group_that_is_in_use_is_not_deleted(iam):
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    assert iam.code("DeleteGroup", GroupName="admins") == "DeleteConflict"
    iam("RemoveUserFromGroup", UserName="alice", GroupName="admins")
    iam("AttachGroupPolicy", GroupName="admins", PolicyArn=READ_ONLY)
    assert iam.code("DeleteGroup", GroupName="admins") == "DeleteConflict"
    iam("DetachGroupPolicy", GroupName="admins", PolicyArn=READ_ONLY)
    iam("PutGroupPolicy", GroupName="admins", PolicyName="deny", PolicyDocument=DENY)
    assert iam.code("DeleteGroup", GroupName="admins") == "DeleteConflict"
    iam("DeleteGroupPolicy", GroupName="admins", PolicyName="deny")
    iam("DeleteGroup", GroupName="admins")


def test_removing_somebody_who_is_no_member_says_nothing_unless_told_to(iam):
    assert not iam.changes("RemoveUserFromGroup", UserName="alice", GroupName="admins")
    iam.settings.non_member_error = True
    assert iam.code("RemoveUserFromGroup", UserName="alice", GroupName="admins") == "NoSuchEntity"


def test_policies_that_are_not_there_or_not_to_be_attached(iam):
    missing = "arn:aws:iam::aws:policy/NoSuchPolicy"
    with pytest.raises(AwsError, match=f"Policy {missing} does not exist or is not attachable."):
        iam("AttachUserPolicy", UserName="alice", PolicyArn=missing)
    service_role = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy"
    assert iam.code("AttachUserPolicy", UserName="alice", PolicyArn=service_role) == "PolicyNotAttachable"
    assert iam.code("AttachUserPolicy", UserName="alice", PolicyArn="not an arn but long enough") == "InvalidInput"
    assert iam.code("DetachUserPolicy", UserName="alice", PolicyArn=READ_ONLY) == "NoSuchEntity"
    assert iam.code("DeletePolicy", PolicyArn=READ_ONLY) == "AccessDenied"


def test_versions_of_a_policy(iam):
    arn = iam("CreatePolicy", PolicyName="p", PolicyDocument=DENY, Path="/x/")["Policy"]["Arn"]
    assert arn == "arn:aws:iam::123456789012:policy/x/p"
    for _ in range(4):
        iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY)
    assert iam.code("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY) == "LimitExceeded"
    iam("SetDefaultPolicyVersion", PolicyArn=arn, VersionId="v5")
    assert iam.code("DeletePolicyVersion", PolicyArn=arn, VersionId="v5") == "DeleteConflict"
    assert iam.code("DeletePolicy", PolicyArn=arn) == "DeleteConflict"
    for version in ("v1", "v2", "v3", "v4"):
        iam("DeletePolicyVersion", PolicyArn=arn, VersionId=version)
    assert (
        iam("CreatePolicyVersion", PolicyArn=arn, PolicyDocument=DENY, SetAsDefault=True)["PolicyVersion"]["VersionId"]
        == "v6"
    )
    iam("DeletePolicyVersion", PolicyArn=arn, VersionId="v5")
    iam("AttachUserPolicy", UserName="alice", PolicyArn=arn)
    assert iam.code("DeletePolicy", PolicyArn=arn) == "DeleteConflict"
    told = iam("ListEntitiesForPolicy", PolicyArn=arn)
    assert [user["UserName"] for user in told["PolicyUsers"]] == ["Alice"]
    assert [one["Arn"] for one in iam("ListPolicies", Scope="Local", OnlyAttached=True)["Policies"]] == [arn]
    iam("DetachUserPolicy", UserName="alice", PolicyArn=arn)
    iam("DeletePolicy", PolicyArn=arn)
    assert iam.code("GetPolicy", PolicyArn=arn) == "NoSuchEntity"


def statement(**changed):
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | changed


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        '{"Version":"2012-10-17"}',
        {"Version": "2020-01-01", "Statement": [statement()]},
        {"Version": "2012-10-17", "Statement": []},
        {"Version": "2012-10-17", "Statement": [statement(Effect="Maybe")]},
        {"Version": "2012-10-17", "Statement": [statement(Action="GetObject")]},
        {"Version": "2012-10-17", "Statement": [statement(Action=[])]},
        {"Version": "2012-10-17", "Statement": [statement(Resource="bucket")]},
        {"Version": "2012-10-17", "Statement": [statement(NotResource="*")]},
        {"Version": "2012-10-17", "Statement": [statement(Principal="*")]},
        {"Version": "2012-10-17", "Statement": [statement(Sid="a-b")]},
        {"Version": "2012-10-17", "Statement": [statement(Sid="a"), statement(Sid="a")]},
        {"Version": "2012-10-17", "Statement": [statement(Colour="red")]},
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*"}]},
    ],
)
def test_a_document_that_is_no_policy_is_refused(iam, document):
    text = document if isinstance(document, str) else json.dumps(document)
    assert iam.code("PutUserPolicy", UserName="alice", PolicyName="p", PolicyDocument=text) == "MalformedPolicyDocument"
    assert iam.code("CreatePolicy", PolicyName="p", PolicyDocument=text) == "MalformedPolicyDocument"


# Quotas


def test_quotas_are_refusals_and_can_be_changed():
    iam = Iam(quotas=Quotas(users=2, groups=1, groups_per_user=0, attached_policies_per_user=0, policies=0))
    iam("CreateUser", UserName="a")
    iam("CreateUser", UserName="b")
    iam("CreateGroup", GroupName="g")
    assert iam.code("CreateUser", UserName="c") == "LimitExceeded"
    assert iam.code("CreateGroup", GroupName="h") == "LimitExceeded"
    assert iam.code("AddUserToGroup", UserName="a", GroupName="g") == "LimitExceeded"
    assert iam.code("AttachUserPolicy", UserName="a", PolicyArn=READ_ONLY) == "LimitExceeded"
    assert iam.code("CreatePolicy", PolicyName="p", PolicyDocument=DENY) == "LimitExceeded"
    iam.settings.quotas.users = 3
    iam("CreateUser", UserName="c")


def test_inline_policies_of_a_user_share_their_size_which_leaves_out_white_space(iam):
    spaced = DENY.replace(",", ",\n" + " " * 3000)
    iam("PutUserPolicy", UserName="alice", PolicyName="a", PolicyDocument=spaced)
    big = json.dumps({"Version": "2012-10-17", "Statement": [statement(Resource="arn:aws:s3:::" + "x" * 1900)]})
    with pytest.raises(AwsError, match="Maximum policy size of 2048 bytes exceeded for user Alice"):
        iam("PutUserPolicy", UserName="alice", PolicyName="b", PolicyDocument=big)
    iam("PutGroupPolicy", GroupName="admins", PolicyName="b", PolicyDocument=big)


# What changed


def test_only_what_alters_something_counts_as_a_change(iam):
    group = {"UserName": "alice", "GroupName": "admins"}
    policy = {"UserName": "alice", "PolicyArn": READ_ONLY}
    inline = {"UserName": "alice", "PolicyName": "p", "PolicyDocument": DENY}
    tags = {"UserName": "alice", "Tags": [{"Key": "a", "Value": "b"}]}
    for action, params in (
        ("AddUserToGroup", group),
        ("AttachUserPolicy", policy),
        ("PutUserPolicy", inline),
        ("TagUser", tags),
    ):
        assert iam.changes(action, **params), action
        assert not iam.changes(action, **params), action
    iam("CreateLoginProfile", UserName="alice", Password=GOOD)
    assert not iam.changes("UpdateLoginProfile", UserName="alice", Password=GOOD)
    assert iam.changes("UpdateLoginProfile", UserName="alice", Password=GOOD + "1")
    assert not iam.changes("GetUser", UserName="alice")


# The past


def test_a_read_of_the_past_shows_the_past(iam):
    iam.account.settle()
    iam.now += 10
    iam("AddUserToGroup", UserName="alice", GroupName="admins")
    iam("UpdateUser", UserName="alice", NewUserName="alicia")
    iam("CreateUser", UserName="bob")
    before, after = iam.now - 1, iam.now
    assert iam("GetUser", as_of=before, UserName="alice")["User"]["UserName"] == "Alice"
    assert iam("GetUser", as_of=after, UserName="alicia")["User"]["UserName"] == "alicia"
    with pytest.raises(AwsError, match="alicia cannot be found"):
        iam("GetUser", as_of=before, UserName="alicia")
    assert iam("GetGroup", as_of=before, GroupName="admins")["Users"] == []
    assert [user["UserName"] for user in iam("ListUsers", as_of=before)["Users"]] == ["Alice"]
    iam.account.settle()
    assert iam("GetUser", as_of=before, UserName="bob")["User"]["UserName"] == "bob"


def test_a_write_may_not_have_heard_of_what_it_names(iam):
    iam.account.settle()
    iam.now += 10
    iam("CreateUser", UserName="bob")
    iam("CreateGroup", GroupName="new")
    arn = iam("CreatePolicy", PolicyName="p", PolicyDocument=DENY)["Policy"]["Arn"]
    early = iam.now - 1
    for action, params in (
        ("AddUserToGroup", {"UserName": "bob", "GroupName": "admins"}),
        ("AddUserToGroup", {"UserName": "alice", "GroupName": "new"}),
        ("AttachUserPolicy", {"UserName": "alice", "PolicyArn": arn}),
    ):
        with pytest.raises(AwsError) as caught:
            iam(action, as_of=early, **params)
        assert caught.value.code == "NoSuchEntity"
    iam("CreateUser", as_of=early, UserName="carol")
    iam("AddUserToGroup", as_of=iam.now, UserName="bob", GroupName="new")


NAMES = st.sampled_from(["ann", "Ann", "bob"])
GROUPS = st.sampled_from(["g1", "g2"])
ARNS = st.sampled_from([READ_ONLY, "arn:aws:iam::aws:policy/SecurityAudit"])
CALLS = st.one_of(
    st.tuples(
        st.sampled_from(["CreateUser", "DeleteUser", "DeleteLoginProfile"]), st.fixed_dictionaries({"UserName": NAMES})
    ),
    st.tuples(st.just("UpdateUser"), st.fixed_dictionaries({"UserName": NAMES, "NewUserName": NAMES})),
    st.tuples(st.sampled_from(["CreateGroup", "DeleteGroup"]), st.fixed_dictionaries({"GroupName": GROUPS})),
    st.tuples(
        st.sampled_from(["AddUserToGroup", "RemoveUserFromGroup"]),
        st.fixed_dictionaries({"UserName": NAMES, "GroupName": GROUPS}),
    ),
    st.tuples(
        st.sampled_from(["AttachUserPolicy", "DetachUserPolicy"]),
        st.fixed_dictionaries({"UserName": NAMES, "PolicyArn": ARNS}),
    ),
    st.tuples(
        st.just("TagUser"),
        st.fixed_dictionaries({"UserName": NAMES, "Tags": st.just([{"Key": "k", "Value": "v"}])}),
    ),
    st.tuples(st.just("CreateLoginProfile"), st.fixed_dictionaries({"UserName": NAMES, "Password": st.just(GOOD)})),
    st.tuples(
        st.just("PutUserPermissionsBoundary"), st.fixed_dictionaries({"UserName": NAMES, "PermissionsBoundary": ARNS})
    ),
)


def reading(iam, as_of=None):
    """All that reads tell, from the state now or at a moment."""
    told = [iam("GetAccountAuthorizationDetails", as_of=as_of), iam("ListPolicies", as_of=as_of, OnlyAttached=True)]
    told.extend(iam("GetGroup", as_of=as_of, GroupName=group["GroupName"]) for group in told[0]["GroupDetailList"])
    return told


@given(st.lists(CALLS, max_size=25))
def test_any_story_can_be_read_at_any_moment_and_counts_exactly_its_changes(story):
    iam = Iam()
    past = []
    for action, params in story:
        iam.now += 1
        before, count = iam.account.snapshot(), iam.account.changes
        try:
            iam(action, **params)
        except AwsError:
            assert iam.account.changes == count
        after = iam.account.snapshot()
        assert (iam.account.changes != count) == (after != before), (action, params)
        for user in after["users"].values():
            for group in user["groups"]:
                assert group in after["groups"]
        past.append((iam.now, reading(iam)))
    for moment, told in past:
        assert reading(iam, as_of=moment) == told
    assert iam.account.snapshot() == after if story else True
