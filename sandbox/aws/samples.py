"""Made-up credentials to upload: well formed as far as the stand-in looks, and different for each label."""

import hashlib
from base64 import b64encode
from textwrap import wrap

_BLOB = 256


def ssh_public_key(label: str) -> str:
    """An `ssh-rsa` line; nobody has its private key."""
    fields = (b"ssh-rsa", b"\x01\x00\x01", b"\x00" + _bytes(label))
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return f"ssh-rsa {b64encode(blob).decode()} {label}"


def certificate(label: str) -> str:
    """A PEM block that holds a DER sequence; the stand-in takes it for an X.509 certificate."""
    content = _bytes(label)
    der = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    lines = "\n".join(wrap(b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def _bytes(label: str) -> bytes:
    return hashlib.shake_256(label.encode()).digest(_BLOB)
