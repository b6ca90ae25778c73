"""A user who owns everything that a user can own: what a deletion has to clear away."""

from sandbox.aws import DEFAULT_ACCOUNT
from sandbox.aws.client import StandInClient

from .aws.samples import certificate, ssh_public_key

NAME = "leaver"


def plant_leaver(aws: StandInClient, name: str = NAME, account: str = DEFAULT_ACCOUNT) -> None:
    """Make the user in the console of the stand-in, with every kind of credential, group and policy."""

    def call(action: str, **params: object) -> dict[str, object]:
        return aws.call(action, {"UserName": name, **params}, account=account)

    call("CreateUser")
    call("CreateLoginProfile", Password="Not-A-Real-Secret-1!")
    call("CreateAccessKey")
    call("CreateAccessKey")
    call("CreateServiceSpecificCredential", ServiceName="codecommit.amazonaws.com")
    call("UploadSSHPublicKey", SSHPublicKeyBody=ssh_public_key(name))
    call("UploadSigningCertificate", CertificateBody=certificate(name))
    device = aws.call("CreateVirtualMFADevice", {"VirtualMFADeviceName": name}, account=account)
    serial = device["VirtualMFADevice"]["SerialNumber"]
    call("EnableMFADevice", SerialNumber=serial, AuthenticationCode1="123456", AuthenticationCode2="654321")
    call("AddUserToGroup", GroupName="developers")
    call("AttachUserPolicy", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    call(
        "PutUserPolicy",
        PolicyName="own",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}',
    )
