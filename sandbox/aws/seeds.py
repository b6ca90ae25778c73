"""What every account of the stand-in holds at first: groups, a policy of its own, three users, a password policy."""

from .iam import Account

CONNECTOR = "idhub-connector"
CONSOLE_ADMIN = "console-admin"
BREAK_GLASS = "break-glass"
DEFAULT_ACCOUNT = "111122223333"

_TEAM_BASE = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],'
    '"Resource":["arn:aws:s3:::team-*"]}]}'
)
_GROUPS = (
    ("admins", "AdministratorAccess"),
    ("developers", "PowerUserAccess"),
    ("auditors", "SecurityAudit"),
    ("readonly", "ReadOnlyAccess"),
)
_USERS = ((CONNECTOR, "/service/"), (CONSOLE_ADMIN, "/"), (BREAK_GLASS, "/"))


def connector_key(account_id: str = DEFAULT_ACCOUNT) -> str:
    """The access key id of an account's connector user."""
    return f"AKIA{account_id}CONN"


def console_key(account_id: str = DEFAULT_ACCOUNT) -> str:
    """The access key id of `console-admin`: for changes that somebody else makes, by boto3."""
    return f"AKIA{account_id}CONS"


def secret_of(access_key_id: str) -> str:
    """The secret that belongs to one of the two keys above. Everybody may know it: it opens nothing real."""
    return f"sandbox-secret-of-{access_key_id}"


def plant(account: Account, now: float) -> None:
    """Fills a new account; everything in it has long arrived everywhere."""

    def call(action: str, **params: object) -> None:
        account.call(action, params, actor="root", now=now)

    partition = account.owner.partition
    for group, policy in _GROUPS:
        call("CreateGroup", GroupName=group)
        call("AttachGroupPolicy", GroupName=group, PolicyArn=f"arn:{partition}:iam::aws:policy/{policy}")
    call("CreatePolicy", PolicyName="team-base", PolicyDocument=_TEAM_BASE, Description="What every team may do.")
    for user, path in _USERS:
        call("CreateUser", UserName=user, Path=path)
    call("AddUserToGroup", GroupName="admins", UserName=BREAK_GLASS)
    call(
        "UpdateAccountPasswordPolicy",
        MinimumPasswordLength=14,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
        AllowUsersToChangePassword=True,
    )
    for user, key in ((CONNECTOR, connector_key), (CONSOLE_ADMIN, console_key)):
        access_key_id = key(account.account_id)
        account.plant_key(user, access_key_id, secret_of(access_key_id), now)
    account.settle()
