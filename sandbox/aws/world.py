"""The AWS accounts of one stand-in, the sessions of their users and roles, and whose an access key is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from .iam import Account, AwsError, IamSettings
from .iam.model import Role, User
from .seeds import DEFAULT_ACCOUNT, plant

_ACCOUNT_ID = re.compile(r"\d{12}")
_TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials, as STS hands them out."""

    account: Account
    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    issued: float
    """Seconds since the epoch."""
    expires: float
    owner_id: str
    """Unique id of the role that was assumed, or of the user."""
    name: str = ""
    """RoleSessionName; empty for GetSessionToken, whose session acts as the user."""
    source_identity: str = ""
    mfa: bool = False
    policies: tuple[str, ...] = ()
    """Session policies."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)  # made for each call: freezing it costs more than it does
class Principal:
    """Who calls."""

    account: Account
    user_name: str
    """A user's name, or `<role>/<session>`, which is no user's."""
    user_id: str
    arn: str
    access_key_id: str
    secret: str = field(repr=False)
    session: Session | None = None
    entity: User | Role | None = None
    """The user or the role at the moment of the call."""

    @property
    def role(self) -> Role | None:
        return self.entity if isinstance(self.entity, Role) else None


class World:
    """All accounts, by id; all sessions, by access key id."""

    def __init__(self, settings: IamSettings, seed: int, now: float) -> None:
        self._settings = settings
        self._seed = seed
        self._random = Random(f"{seed}/sessions")
        self.accounts: dict[str, Account] = {}
        self.sessions: dict[str, Session] = {}
        self.add(DEFAULT_ACCOUNT, now)

    def add(self, account_id: str, now: float, partition: str = "aws") -> Account:
        """A new account with the usual things in it; `now` in seconds since the epoch.

        Raises:
            ValueError: for an id that is none, or is taken.
        """
        if _ACCOUNT_ID.fullmatch(account_id) is None:
            raise ValueError(f"An account id has twelve digits, unlike {account_id!r}.")
        if account_id in self.accounts:
            raise ValueError(f"Account {account_id} exists already.")
        account = Account(account_id, partition=partition, seed=self._seed, settings=self._settings)
        plant(account, now)
        self.accounts[account_id] = account
        return account

    def open_session(
        self,
        account: Account,
        owner: User | Role,
        now: float,
        seconds: float,
        *,
        name: str = "",
        source_identity: str = "",
        mfa: bool = False,
        policies: tuple[str, ...] = (),
        tags: Mapping[str, str] | None = None,
    ) -> Session:
        """New temporary credentials for a role or a user, good for so many seconds."""
        session = Session(
            account,
            "ASIA" + "".join(self._random.choices(_KEY, k=16)),
            "".join(self._random.choices(_TOKEN, k=40)),
            "IQoJb3JpZ2luX2Vj" + "".join(self._random.choices(_TOKEN, k=200)),
            now,
            now + seconds,
            owner.role_id if isinstance(owner, Role) else owner.user_id,
            name,
            source_identity,
            mfa,
            policies,
            tags or {},
        )
        self.sessions[session.access_key_id] = session
        return session

    def find(self, access_key_id: str, token: str | None = None, now: float = 0.0) -> Principal:
        """Whose key it is.

        Raises:
            AwsError: InvalidClientTokenId when nobody has it, it is inactive, or its token is not this one;
                ExpiredToken.
        """
        if access_key_id.startswith("ASIA"):
            return self._find_session(access_key_id, token, now)
        for account in self.accounts.values():
            found = account.owner_of(access_key_id)
            if found is not None and found[1].status == "Active" and token is None:
                user, key = found
                return Principal(
                    account, user.name, user.user_id, _user_arn(account, user), access_key_id, key.secret, None, user
                )
        raise _unknown_key()

    def _find_session(self, access_key_id: str, token: str | None, now: float) -> Principal:
        session = self.sessions.get(access_key_id)
        if session is None or token != session.token:
            raise _unknown_key()
        if now >= session.expires:
            raise AwsError("ExpiredToken", "The security token included in the request is expired")
        state = session.account.state
        user, role = state.users.get(session.owner_id), state.roles.get(session.owner_id)
        if user is not None:
            arn = _user_arn(session.account, user)
            return Principal(
                session.account, user.name, user.user_id, arn, access_key_id, session.secret, session, user
            )
        if role is None:
            raise _unknown_key()
        owner = session.account.owner
        arn = f"arn:{owner.partition}:sts::{owner.account_id}:assumed-role/{role.name}/{session.name}"
        user_id = f"{role.role_id}:{session.name}"
        name = f"{role.name}/{session.name}"
        return Principal(session.account, name, user_id, arn, access_key_id, session.secret, session, role)


def _user_arn(account: Account, user: User) -> str:
    return f"arn:{account.owner.partition}:iam::{account.account_id}:user{user.path}{user.name}"


def _unknown_key() -> AwsError:
    return AwsError("InvalidClientTokenId", "The security token included in the request is invalid.")
