"""boto3 against the stand-in over a real socket: the wire, the nine reasons not to delete a user, quotas."""

from contextlib import closing

import pytest

from sandbox.aws import BREAK_GLASS, CONNECTOR, CONSOLE_ADMIN, DEFAULT_ACCOUNT, connector_key, console_key
from sandbox.aws.samples import certificate, ssh_public_key
from tests.support.aws import boto_client, refused

GOOD = "Correct-Horse-42"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
DENY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
CODES = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}


@pytest.fixture
def alice(iam):
    iam.create_user(UserName="Alice")
    return "alice"


# Each makes something that hangs on alice and returns the call that takes it away again.


def login_profile(iam):
    iam.create_login_profile(UserName="alice", Password=GOOD)
    return lambda: iam.delete_login_profile(UserName="alice")


def access_key(iam):
    key = iam.create_access_key(UserName="alice")["AccessKey"]["AccessKeyId"]
    return lambda: iam.delete_access_key(UserName="alice", AccessKeyId=key)


def service_credential(iam):
    made = iam.create_service_specific_credential(UserName="alice", ServiceName="bedrock.amazonaws.com")
    one = made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    return lambda: iam.delete_service_specific_credential(UserName="alice", ServiceSpecificCredentialId=one)


def ssh_key(iam):
    made = iam.upload_ssh_public_key(UserName="alice", SSHPublicKeyBody=ssh_public_key("alice"))
    key = made["SSHPublicKey"]["SSHPublicKeyId"]
    return lambda: iam.delete_ssh_public_key(UserName="alice", SSHPublicKeyId=key)


def signing_certificate(iam):
    made = iam.upload_signing_certificate(UserName="alice", CertificateBody=certificate("alice"))
    one = made["Certificate"]["CertificateId"]
    return lambda: iam.delete_signing_certificate(UserName="alice", CertificateId=one)


def mfa_device(iam):
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(UserName="alice", SerialNumber=serial, **CODES)
    return lambda: iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)


def membership(iam):
    iam.add_user_to_group(UserName="alice", GroupName="developers")
    return lambda: iam.remove_user_from_group(UserName="alice", GroupName="developers")


def attached_policy(iam):
    iam.attach_user_policy(UserName="alice", PolicyArn=READ_ONLY)
    return lambda: iam.detach_user_policy(UserName="alice", PolicyArn=READ_ONLY)


def inline_policy(iam):
    iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=DENY)
    return lambda: iam.delete_user_policy(UserName="alice", PolicyName="p")


NINE = (
    (login_profile, "must delete login profile first"),
    (access_key, "must delete access keys first"),
    (service_credential, "must remove referenced objects first"),
    (ssh_key, "must remove referenced objects first"),
    (signing_certificate, "must delete certificates first"),
    (mfa_device, "must delete MFA device first"),
    (membership, "must remove users from group first"),
    (attached_policy, "must detach all policies first"),
    (inline_policy, "must delete policies first"),
)


@pytest.mark.parametrize(("hang", "sentence"), NINE, ids=[hang.__name__ for hang, _ in NINE])
def test_a_user_with_something_on_it_is_not_deleted(iam, alice, hang, sentence):
    take_away = hang(iam)
    with refused("DeleteConflict") as answer:
        iam.delete_user(UserName=alice)
    assert sentence in answer.message
    assert answer.status == 409
    take_away()
    iam.delete_user(UserName=alice)
    with refused("NoSuchEntity") as answer:
        iam.get_user(UserName=alice)
    assert answer.message == "The user with name alice cannot be found."
    assert answer.status == 404


def test_a_user_with_everything_on_it_is_deleted_when_all_is_gone(iam, alice):
    for take_away in [hang(iam) for hang, _ in NINE]:
        with refused("DeleteConflict"):
            iam.delete_user(UserName=alice)
        take_away()
    iam.delete_user(UserName=alice)


# Who calls


def test_the_access_key_says_who_calls(aws, iam):
    assert iam.get_user()["User"]["UserName"] == CONNECTOR
    with closing(boto_client(aws.url, "sts")) as sts:
        identity = sts.get_caller_identity()
    assert identity["Account"] == DEFAULT_ACCOUNT
    assert identity["Arn"] == f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/service/{CONNECTOR}"
    assert identity["UserId"] == iam.get_user()["User"]["UserId"]
    with closing(boto_client(aws.url, key=console_key())) as console:
        assert console.get_user()["User"]["UserName"] == CONSOLE_ADMIN


def test_an_unknown_key_an_inactive_key_and_a_wrong_secret_are_refused(aws):
    with closing(boto_client(aws.url, key="AKIAUNKNOWN123456789")) as nobody, refused("InvalidClientTokenId") as answer:
        nobody.get_user()
    assert answer.status == 403
    with closing(boto_client(aws.url, secret="wrong")) as forger:
        with refused("SignatureDoesNotMatch") as answer:
            forger.get_user()
        assert answer.status == 403
        aws.knobs(verify_signatures=False)
        forger.get_user()
    aws.call("UpdateAccessKey", {"UserName": CONNECTOR, "AccessKeyId": connector_key(), "Status": "Inactive"})
    with closing(boto_client(aws.url)) as switched_off, refused("InvalidClientTokenId"):
        switched_off.get_user()


def test_a_key_that_is_made_can_be_called_with(aws, iam, alice):
    key = iam.create_access_key(UserName=alice)["AccessKey"]
    with closing(boto_client(aws.url, key=key["AccessKeyId"], secret=key["SecretAccessKey"])) as hers:
        assert hers.get_user()["User"]["UserName"] == "Alice"
        used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
        assert used["UserName"] == "Alice"
        assert used["AccessKeyLastUsed"]["Region"] == "us-east-1"
        iam.delete_access_key(UserName=alice, AccessKeyId=key["AccessKeyId"])
        with refused("InvalidClientTokenId"):
            hers.get_user()


def test_accounts_know_nothing_of_each_other(aws, iam, alice):
    made = aws.add_account("444455556666", "aws-us-gov")["connector"]
    with closing(boto_client(aws.url, key=made["access_key_id"], secret=made["secret_access_key"])) as other:
        assert other.get_user()["User"]["Arn"].startswith("arn:aws-us-gov:iam::444455556666:user/")
        with refused("NoSuchEntity"):
            other.get_user(UserName=alice)
        other.attach_user_policy(UserName=BREAK_GLASS, PolicyArn="arn:aws-us-gov:iam::aws:policy/AWSDenyAll")
    assert aws.state("444455556666")["users"][BREAK_GLASS]["attached_policies"]
    assert not aws.state()["users"][BREAK_GLASS]["attached_policies"]


def test_a_new_account_has_the_usual_things_in_it(aws, iam):
    assert [group["GroupName"] for group in iam.list_groups()["Groups"]] == [
        "admins",
        "auditors",
        "developers",
        "readonly",
    ]
    assert [user["UserName"] for user in iam.list_users()["Users"]] == [BREAK_GLASS, CONSOLE_ADMIN, CONNECTOR]
    assert [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]] == ["team-base"]
    assert len(iam.list_policies(Scope="AWS")["Policies"]) >= 30
    assert iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"] == 14


# The wire


def test_what_is_sent_comes_back_as_it_was(iam):
    tags = [{"Key": "name", "Value": "Zoë Müller-Łukasz = 50.5 / @home"}, {"Key": "leer", "Value": ""}]
    iam.create_user(UserName="we+ird=,.@-_", Path="/!x/&<y>/", Tags=tags)
    user = iam.get_user(UserName="WE+IRD=,.@-_")["User"]
    assert user["Path"] == "/!x/&<y>/"
    assert {tag["Key"]: tag["Value"] for tag in user["Tags"]} == {tag["Key"]: tag["Value"] for tag in tags}
    iam.untag_user(UserName="we+ird=,.@-_", TagKeys=["name", "leer"])
    assert "Tags" not in iam.get_user(UserName="we+ird=,.@-_")["User"]


def test_documents_come_back_decoded_as_boto3_has_them(iam, alice):
    iam.put_user_policy(UserName=alice, PolicyName="p", PolicyDocument=DENY)
    assert iam.get_user_policy(UserName=alice, PolicyName="p")["PolicyDocument"] == POLICY
    arn = iam.create_policy(PolicyName="mine", PolicyDocument=DENY, Description="50 % < 100 %")["Policy"]["Arn"]
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Description"] == "50 % < 100 %"
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == POLICY
    [detail] = [one for one in iam.get_account_authorization_details()["UserDetailList"] if one["UserName"] == "Alice"]
    assert detail["UserPolicyList"] == [{"PolicyName": "p", "PolicyDocument": POLICY}]


def test_every_answer_has_a_request_id_of_its_own_and_a_date(iam):
    first, second = (iam.get_user()["ResponseMetadata"] for _ in range(2))
    assert first["RequestId"] != second["RequestId"]
    assert first["HTTPHeaders"]["x-amzn-requestid"] == first["RequestId"]
    assert first["HTTPHeaders"]["date"].endswith("GMT")


def test_an_action_that_is_not_simulated_is_refused_and_counted(aws, iam):
    for _ in range(2):
        with refused("InvalidAction") as answer:
            iam.list_saml_providers()
    assert answer.status == 400
    assert aws.overview()["unknown_actions"] == {"ListSAMLProviders": 2}


def test_the_account_summary_is_a_map(iam, alice):
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["Users"] == 4
    assert summary["GroupsPerUserQuota"] == 10


# Quotas


def test_each_quota_of_a_user_is_a_refusal_and_no_throttling(iam, alice):
    groups = [f"group{number}" for number in range(11)]
    for group in groups:
        iam.create_group(GroupName=group)
    policies = [one["Arn"] for one in iam.list_policies(Scope="AWS")["Policies"] if one["IsAttachable"]][:11]
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="one-more")["VirtualMFADevice"]["SerialNumber"]
    service = {"UserName": alice, "ServiceName": "codecommit.amazonaws.com"}
    attempts = (
        (10, lambda n: iam.add_user_to_group(UserName=alice, GroupName=groups[n])),
        (10, lambda n: iam.attach_user_policy(UserName=alice, PolicyArn=policies[n])),
        (2, lambda _: iam.create_access_key(UserName=alice)),
        (2, lambda _: iam.create_service_specific_credential(**service)),
        (5, lambda n: iam.upload_ssh_public_key(UserName=alice, SSHPublicKeyBody=ssh_public_key(str(n)))),
        (2, lambda n: iam.upload_signing_certificate(UserName=alice, CertificateBody=certificate(str(n)))),
        (8, lambda n: iam.enable_mfa_device(UserName=alice, SerialNumber=f"GAHT{n:08}" if n < 8 else made, **CODES)),
    )
    for quota, attempt in attempts:
        for number in range(quota):
            attempt(number)
        with refused("LimitExceeded") as answer:
            attempt(quota)
        assert answer.status == 409
        assert answer.message.endswith(f": {quota}"), answer.message
    # For another service the count begins anew.
    iam.create_service_specific_credential(UserName=alice, ServiceName="cassandra.amazonaws.com")


def test_quotas_are_knobs(aws, iam, alice):
    aws.knobs(quotas={"groups_per_user": 1})
    iam.add_user_to_group(UserName=alice, GroupName="admins")
    with refused("LimitExceeded") as answer:
        iam.add_user_to_group(UserName=alice, GroupName="readonly")
    assert answer.message == "Cannot exceed quota for GroupsPerUser: 1"


def test_a_weak_password_is_refused_and_a_good_one_can_be_signed_in_with(aws, iam, alice):
    with refused("PasswordPolicyViolation") as answer:
        iam.create_login_profile(UserName=alice, Password="weak")
    assert answer.message == "Password should have a minimum length of 14"
    iam.create_login_profile(UserName=alice, Password=GOOD, PasswordResetRequired=True)
    assert aws.sign_in("alice", GOOD)["PasswordResetRequired"] is True
    assert iam.get_user(UserName=alice)["User"]["PasswordLastUsed"]


def test_unwillingness_is_a_knob(aws, iam, alice):
    aws.knobs(login_profile_window_s=3600)
    iam.create_login_profile(UserName=alice, Password=GOOD)
    with refused("EntityTemporarilyUnmodifiable") as answer:
        iam.delete_login_profile(UserName=alice)
    assert answer.status == 409
    aws.knobs(login_profile_window_s=0, unmodifiable_users=["ALICE"])
    with refused("EntityTemporarilyUnmodifiable"):
        iam.delete_login_profile(UserName=alice)
    aws.knobs(unmodifiable_users=[])
    iam.delete_login_profile(UserName=alice)


def test_the_rest_of_the_calls_go_through_boto3_too(aws, iam, alice):
    """Those that no other test here sends; the account tests say what they mean."""
    iam.update_user(UserName=alice, NewUserName="Alicia", NewPath="/p/")
    iam.put_user_permissions_boundary(UserName="alicia", PermissionsBoundary=READ_ONLY)
    assert iam.get_user(UserName="alicia")["User"]["PermissionsBoundary"]["PermissionsBoundaryType"] == "Policy"
    iam.delete_user_permissions_boundary(UserName="alicia")
    iam.create_login_profile(UserName="alicia", Password=GOOD)
    iam.update_login_profile(UserName="alicia", PasswordResetRequired=True)
    assert iam.get_login_profile(UserName="alicia")["LoginProfile"]["PasswordResetRequired"] is True
    key = iam.create_access_key(UserName="alicia")["AccessKey"]
    iam.update_access_key(UserName="alicia", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    iam.update_access_key(UserName="alicia", AccessKeyId=key["AccessKeyId"], Status="Active")
    with closing(boto_client(aws.url, key=key["AccessKeyId"], secret=key["SecretAccessKey"])) as hers:
        hers.change_password(OldPassword=GOOD, NewPassword=GOOD + "!")
    made = iam.create_service_specific_credential(UserName="alicia", ServiceName="codecommit.amazonaws.com")
    one = {
        "UserName": "alicia",
        "ServiceSpecificCredentialId": made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"],
    }
    iam.update_service_specific_credential(**one, Status="Inactive")
    assert iam.reset_service_specific_credential(**one)["ServiceSpecificCredential"]["ServicePassword"]
    ssh = iam.upload_ssh_public_key(UserName="alicia", SSHPublicKeyBody=ssh_public_key("x"))["SSHPublicKey"]
    iam.update_ssh_public_key(UserName="alicia", SSHPublicKeyId=ssh["SSHPublicKeyId"], Status="Inactive")
    told = iam.get_ssh_public_key(UserName="alicia", SSHPublicKeyId=ssh["SSHPublicKeyId"], Encoding="SSH")
    assert told["SSHPublicKey"]["Status"] == "Inactive"
    signing = iam.upload_signing_certificate(UserName="alicia", CertificateBody=certificate("x"))["Certificate"]
    iam.update_signing_certificate(UserName="alicia", CertificateId=signing["CertificateId"], Status="Inactive")
    iam.update_group(GroupName="readonly", NewGroupName="readers", NewPath="/g/")
    iam.detach_group_policy(GroupName="readers", PolicyArn=READ_ONLY)
    iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=DENY)
    assert iam.get_group_policy(GroupName="readers", PolicyName="p")["PolicyDocument"] == POLICY
    iam.delete_group_policy(GroupName="readers", PolicyName="p")
    iam.delete_group(GroupName="readers")
    arn = iam.create_policy(PolicyName="x", PolicyDocument=DENY)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=DENY)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="x")["VirtualMFADevice"]
    assert serial["Base32StringSeed"]
    iam.delete_virtual_mfa_device(SerialNumber=serial["SerialNumber"])
    iam.update_account_password_policy(MinimumPasswordLength=8)
    iam.delete_account_password_policy()
    with refused("NoSuchEntity"):
        iam.get_account_password_policy()
