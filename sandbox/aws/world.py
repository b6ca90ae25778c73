"""The AWS accounts of one stand-in, and whose an access key is."""

import re
from dataclasses import dataclass

from .iam import Account, AwsError, IamSettings
from .seeds import DEFAULT_ACCOUNT, plant

_ACCOUNT_ID = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls."""

    account: Account
    user_name: str
    user_id: str
    arn: str
    access_key_id: str
    secret: str


class World:
    """All accounts, by id."""

    def __init__(self, settings: IamSettings, seed: int, now: float) -> None:
        self._settings = settings
        self._seed = seed
        self.accounts: dict[str, Account] = {}
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

    def find(self, access_key_id: str) -> Principal:
        """Whose key it is.

        Raises:
            AwsError: InvalidClientTokenId when nobody has it, or it is inactive.
        """
        for account in self.accounts.values():
            found = account.owner_of(access_key_id)
            if found is not None and found[1].status == "Active":
                user, key = found
                arn = f"arn:{account.owner.partition}:iam::{account.account_id}:user{user.path}{user.name}"
                return Principal(account, user.name, user.user_id, arn, access_key_id, key.secret)
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.")
