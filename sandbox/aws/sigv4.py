"""Who signed a request: the Authorization header of Signature Version 4, and, if wanted, whether it is right.

Source: "Create a signed AWS API request" in the IAM user guide. Header authentication only. Query and JSON services sign
the path `/`; S3 signs its own, and tells the body's hash in a header.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from .iam.errors import AwsError

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request, *"
    r"SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What an Authorization header says."""

    access_key_id: str
    date: str
    region: str
    service: str
    headers: str
    """Names of the signed headers, joined by semicolons."""
    value: str


def read_signature(header: bytes | None) -> Signature:
    """Reads the header.

    Raises:
        AwsError: MissingAuthenticationToken without one, IncompleteSignature for one that is none.
    """
    if not header:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")
    match = _HEADER.fullmatch(header.decode("latin-1"))
    if match is None:
        raise AwsError(
            "IncompleteSignature",
            "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.",
        )
    return Signature(*match.groups())


def require_right(
    signature: Signature,
    secret: str,
    *,
    method: str,
    query: str,
    headers: Mapping[bytes, bytes],
    body: bytes,
    path: str = "/",
) -> None:
    """Raises SignatureDoesNotMatch when the request was not signed with the secret."""
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    told = "".join(
        f"{name}:{' '.join(headers.get(name.encode(), b'').decode('latin-1').split())}\n"
        for name in signature.headers.split(";")
    )
    payload = hashlib.sha256(body).hexdigest()
    said = headers.get(b"x-amz-content-sha256", b"").decode("latin-1")
    if said and len(said) != len(payload):
        payload = said  # UNSIGNED-PAYLOAD, and the streaming kinds
    request = f"{method}\n{path}\n{canonical_query}\n{told}\n{signature.headers}\n{payload}"
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    at = headers.get(b"x-amz-date", b"").decode("latin-1")
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), signature.value):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        )


@lru_cache(maxsize=256)
def _signing_key(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for word in (*scope, "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key
