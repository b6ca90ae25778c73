"""IAM's unique identifiers and generated secrets, from a seed: AIDA… for users, AKIA… for access keys, and so on.

An identifier belongs to one entity for ever; a user that is created again under its old name gets another one.
"""

import random

_UNIQUE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SECRET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Ids:
    """The generator of one account."""

    __slots__ = ("_choices",)

    def __init__(self, seed: str) -> None:
        self._choices = random.Random(seed).choices

    def unique(self, prefix: str, length: int = 17) -> str:
        """`prefix` says the kind: AIDA user, AGPA group, ANPA policy, APKA public key, ACCA service credential."""
        return prefix + "".join(self._choices(_UNIQUE, k=length))

    def secret(self, length: int = 40) -> str:
        return "".join(self._choices(_SECRET, k=length))

    def base32(self, length: int = 64) -> str:
        return "".join(self._choices(_BASE32, k=length))
