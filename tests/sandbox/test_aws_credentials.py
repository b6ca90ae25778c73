"""The account object by itself: passwords, keys, certificates, MFA."""

import pytest

from sandbox.aws.iam import AwsError
from sandbox.aws.samples import certificate, ssh_public_key
from tests.support.account import GOOD, Iam, iam_with_alice


@pytest.fixture
def iam():
    return iam_with_alice()


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
