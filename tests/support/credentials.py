"""Everything that can hang on an IAM user, put there by the calls that a console would make."""

import base64
import itertools

_NUMBERS = itertools.count(1)

DOCUMENT = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'


def ssh_key():
    raw = b"\x00\x00\x00\x07ssh-rsa" + next(_NUMBERS).to_bytes(8, "big")
    return f"ssh-rsa {base64.b64encode(raw).decode()}"


def certificate():
    body = next(_NUMBERS).to_bytes(8, "big")
    der = bytes([0x30, len(body)]) + body
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----"


def _login(call, user):
    call("CreateLoginProfile", UserName=user, Password="Correct-horse-7-battery")


def _access_key(call, user):
    call("CreateAccessKey", UserName=user)


def _service_credential(call, user):
    call("CreateServiceSpecificCredential", UserName=user, ServiceName="codecommit.amazonaws.com")


def _bedrock_key(call, user):
    call("CreateServiceSpecificCredential", UserName=user, ServiceName="bedrock.amazonaws.com")


def _ssh_key(call, user):
    call("UploadSSHPublicKey", UserName=user, SSHPublicKeyBody=ssh_key())


def _certificate(call, user):
    call("UploadSigningCertificate", UserName=user, CertificateBody=certificate())


def _virtual_mfa(call, user):
    name = f"{user}-{next(_NUMBERS)}"
    serial = call("CreateVirtualMFADevice", VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
    _enable(call, user, serial)


def _hardware_mfa(call, user):
    _enable(call, user, f"GAHT{next(_NUMBERS):08d}")


def _enable(call, user, serial):
    call(
        "EnableMFADevice",
        UserName=user,
        SerialNumber=serial,
        AuthenticationCode1="123456",
        AuthenticationCode2="654321",
    )


def _group(call, user):
    call("AddUserToGroup", UserName=user, GroupName="ops")


def _policy(call, user):
    call("AttachUserPolicy", UserName=user, PolicyArn="arn:aws:iam::aws:policy/SecurityAudit")


def _deny_all(call, user):
    call("AttachUserPolicy", UserName=user, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")


def _inline(call, user):
    call("PutUserPolicy", UserName=user, PolicyName=f"mine-{next(_NUMBERS)}", PolicyDocument=DOCUMENT)


def _full_inline(call, user):
    """So much that the quota of 2,048 characters leaves no room for a deny."""
    padding = "x" * 1900
    document = DOCUMENT.replace('Resource":"*', f'Resource":"arn:aws:s3:::b/{padding}')
    call("PutUserPolicy", UserName=user, PolicyName="huge", PolicyDocument=document)


KINDS = {
    "login profile": _login,
    "access key": _access_key,
    "service credential": _service_credential,
    "bedrock key": _bedrock_key,
    "ssh key": _ssh_key,
    "certificate": _certificate,
    "virtual mfa": _virtual_mfa,
    "hardware mfa": _hardware_mfa,
    "group": _group,
    "policy": _policy,
    "deny all": _deny_all,
    "inline policy": _inline,
    "full inline quota": _full_inline,
}


def equip(call, user, kinds):
    """Puts one of each named kind on a user; `call(action, **params)`. A full quota has no room for another policy."""
    for kind in kinds:
        if kind != "inline policy" or "full inline quota" not in kinds:
            KINDS[kind](call, user)
