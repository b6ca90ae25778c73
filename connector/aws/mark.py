"""The mark that every call carries in its user agent, so that CloudTrail tells which request made it.

`idhub-aws/<version> r/<request id> s/<step> m/<short HMAC>`. Readings are step 0. The HMAC, of a key that only the
connectors have, covers the request id, the step, the action and the user, so that a copied mark fits no other call.
"""

import hmac
from urllib.parse import quote

from connector import VERSION

NO_REQUEST = "-"
"""In the place of the request id, for calls that belong to none."""
MAC_CHARS = 16

_PRODUCT = f"idhub-aws/{VERSION.replace('+', '-')}"


class Marker:
    """Makes the marks of one connector."""

    def __init__(self, key: bytes | None) -> None:
        """`key` None: the marks carry no HMAC and only label the calls."""
        self._key = key

    def of(self, request_id: str, user_name: str) -> "RequestMarker":
        """The marks of one request on one user."""
        return RequestMarker(self._key, request_id, user_name)

    def is_ours(self, mac: str, request_id: str, step: int, action: str, user_name: str) -> bool:
        """Whether a mark's HMAC belongs to this call; never without a key."""
        return self._key is not None and hmac.compare_digest(mac, self.of(request_id, user_name).mac(step, action))


class RequestMarker:
    """Makes the marks of one request."""

    __slots__ = ("_key", "_request_id", "_text", "_user_name")

    def __init__(self, key: bytes | None, request_id: str, user_name: str) -> None:
        self._key = key
        self._request_id = request_id
        self._user_name = user_name.casefold()
        self._text = f"{_PRODUCT} r/{quote(request_id, safe='')} s/"

    def mark(self, step: int, action: str) -> str:
        """The mark of one call, to be appended to the user agent."""
        if self._key is None:
            return f"{self._text}{step}"
        return f"{self._text}{step} m/{self.mac(step, action)}"

    def mac(self, step: int, action: str) -> str:
        """The short HMAC of a call's mark."""
        told = f"{self._request_id}\n{step}\n{action}\n{self._user_name}".encode()
        return hmac.digest(self._key or b"", told, "sha256").hex()[:MAC_CHARS]
