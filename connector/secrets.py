"""Passwords: made, sealed for IDHub, opened from a request. Besides the call that sets one, only this room sees them.

JWE in compact form (RFC 7516): RSA-OAEP-256 for an RSA key, ECDH-ES+A256KW for an elliptic one (RFC 7518), always with
A256GCM. No message of an error holds a password, a key or a JWE.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from .errors import SecretError

ALGORITHMS = ["RSA-OAEP-256", "ECDH-ES+A256KW", "A256GCM"]
"""Named at each use: joserfc's own list has no RSA-OAEP-256, and nothing else is to be taken."""

Key = RSAKey | ECKey | OKPKey

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
DIGITS = "0123456789"
SYMBOLS = "!@#$%^&*()_+-=[]{}|'"
"""What IAM counts as a non-alphanumeric character (UpdateAccountPasswordPolicy, RequireSymbols)."""
CLASSES = (UPPER, LOWER, DIGITS, SYMBOLS)

MIN_LENGTH = 20
MAX_LENGTH = 128
"""IAM's own limit."""


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What the account asks of a password. All four classes of characters are used whatever it says."""

    minimum_length: int = 8
    """IAM's default where the account has no policy of its own."""


def generate_password(policy: PasswordPolicy) -> str:
    """At least 20 characters with letters of both cases, digits and symbols, from the system's own source of chance."""
    length = min(max(MIN_LENGTH, policy.minimum_length), MAX_LENGTH)
    everything = "".join(CLASSES)
    chars = [secrets.choice(one) for one in CLASSES]
    chars += [secrets.choice(everything) for _ in range(length - len(chars))]
    secrets.SystemRandom().shuffle(chars)
    return "".join(chars)


class Sealer:
    """Encrypts to one public key: what it seals only IDHub can open."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._header: dict[str, str] = {"alg": _algorithm(key), "enc": "A256GCM"}
        self._header["kid"] = key.kid or key.thumbprint()

    def seal(self, content: Mapping[str, Any]) -> str:
        """The content as a compact JWE whose header names the key (`kid`)."""
        return jwe.encrypt_compact(self._header, json.dumps(content), self._key, algorithms=ALGORITHMS)

    def __repr__(self) -> str:
        return f"Sealer(kid={self._header['kid']})"


class Opener:
    """Decrypts what was sealed for the connector."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._keys = keys

    def open_password(self, sealed: str) -> str:
        """The password in a request's credential: a JWE whose content is a JSON object with the text `password`.

        Raises:
            SecretError: it does not open with this key, or holds something else.
        """
        plain = next((opened for key in self._keys if (opened := _open(sealed, key)) is not None), None)
        if plain is None:
            raise SecretError("it does not open with the connector's key (IDHUB_AWS_CONNECTOR_KEY)")
        try:
            content = json.loads(plain)
        except ValueError:
            content = None
        password = content.get("password") if isinstance(content, dict) else None
        if not isinstance(password, str) or not 1 <= len(password) <= MAX_LENGTH:
            raise SecretError('it opens, but its content is not {"password": "…"} with 1 to 128 characters')
        return password

    def __repr__(self) -> str:
        return f"Opener({len(self._keys)} keys)"


def _open(sealed: str, key: Key) -> bytes | None:
    """The content, or None: nothing of the cause is kept, it may quote what it could not read."""
    try:
        return jwe.decrypt_compact(sealed, key, algorithms=ALGORITHMS).plaintext
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def load_sealer(path: Path) -> Sealer:
    """IDHub's public key, from a JWK file; of a JWK set the first key is taken.

    Raises:
        SecretError: the file holds no such key.
    """
    return Sealer(_load(path)[0])


def load_opener(path: Path) -> Opener:
    """The connector's private key, from a JWK file, or several from a JWK set, so that keys can be rotated.

    Raises:
        SecretError: the file holds no such key, or a public one.
    """
    keys = _load(path)
    if not all(key.is_private for key in keys):
        raise SecretError(f"{path}: holds a public key; the connector needs its private one")
    return Opener(keys)


def _load(path: Path) -> tuple[Key, ...]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(_import(one) for one in data.get("keys", [data]))
    except OSError as error:
        raise SecretError(f"{path}: cannot be read: {error.strerror}") from None
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        found = ()
    if not found:
        raise SecretError(f"{path}: holds no RSA or elliptic JWK (RFC 7517) to encrypt with")
    return found


def _import(data: dict[str, Any]) -> Key:
    kinds: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    key = kinds[data["kty"]].import_key(data)
    if isinstance(key, OKPKey) and key.curve_name not in {"X25519", "X448"}:
        raise ValueError("a curve to sign with")
    return key


def _algorithm(key: Key) -> str:
    return "RSA-OAEP-256" if isinstance(key, RSAKey) else "ECDH-ES+A256KW"
