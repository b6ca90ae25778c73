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

    def mark(self, request_id: str, step: int, action: str, user_name: str) -> str:
        """The mark of one call, to be appended to the user agent."""
        text = f"{_PRODUCT} r/{quote(request_id, safe='')} s/{step}"
        if self._key is None:
            return text
        return f"{text} m/{self._mac(request_id, step, action, user_name)}"

    def is_ours(self, mac: str, request_id: str, step: int, action: str, user_name: str) -> bool:
        """Whether a mark's HMAC belongs to this call; never without a key."""
        return self._key is not None and hmac.compare_digest(mac, self._mac(request_id, step, action, user_name))

    def _mac(self, request_id: str, step: int, action: str, user_name: str) -> str:
        told = f"{request_id}\n{step}\n{action}\n{user_name.casefold()}".encode()
        return hmac.digest(self._key or b"", told, "sha256").hex()[:MAC_CHARS]
