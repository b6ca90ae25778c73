"""SSH public keys and X.509 signing certificates: what a user uploads.

Both are looked at as far as their wrapping goes (PEM, base64, the outermost structure); no cryptography is done.
"""

import hashlib
import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import replace

from .access_keys import require_settable
from .context import Answer, Context
from .errors import AwsError, over_quota
from .model import Certificate, SshKey, User, with_item, without_item
from .paging import page_items
from .shapes import Params

_PEM = re.compile(r"\s*-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----\s*")
_RSA = b"\x00\x00\x00\x07ssh-rsa"


def upload_ssh_public_key(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    encoding, raw = _decoded_ssh(params["SSHPublicKeyBody"])
    digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    fingerprint = ":".join(digest[n : n + 2] for n in range(0, 32, 2))
    if any(key.fingerprint == fingerprint for key in user.ssh_keys.values()):
        raise AwsError("DuplicateSSHPublicKey", "The SSH public key is already associated with the specified IAM user.")
    if len(user.ssh_keys) >= ctx.quotas.ssh_public_keys_per_user:
        raise over_quota("SSHPublicKeysPerUser", ctx.quotas.ssh_public_keys_per_user)
    key = SshKey(ctx.ids.unique("APKA"), encoding, params["SSHPublicKeyBody"], fingerprint, ctx.date)
    ctx.put_user(replace(user, ssh_keys=with_item(user.ssh_keys, key.key_id, key)))
    return {"SSHPublicKey": _to_ssh(user, key, body=True)}


def list_ssh_public_keys(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    keys, rest = page_items(ctx, params, user.ssh_keys)
    return {"SSHPublicKeys": [_to_ssh(user, key) for key in keys], **rest}


def get_ssh_public_key(ctx: Context, params: Params) -> Answer:
    """In the encoding it was uploaded in; the stand-in does not turn one into the other."""
    user, key = _find_ssh(ctx, params)
    if params["Encoding"] != key.encoding:
        raise AwsError("UnrecognizedPublicKeyEncoding", f"The stand-in has this key in {key.encoding} encoding only.")
    return {"SSHPublicKey": _to_ssh(user, key, body=True)}


def update_ssh_public_key(ctx: Context, params: Params) -> Answer:
    user, key = _find_ssh(ctx, params)
    require_settable(params["Status"])
    ctx.put_user(replace(user, ssh_keys=with_item(user.ssh_keys, key.key_id, replace(key, status=params["Status"]))))
    return {}


def delete_ssh_public_key(ctx: Context, params: Params) -> Answer:
    user, key = _find_ssh(ctx, params)
    ctx.put_user(replace(user, ssh_keys=without_item(user.ssh_keys, key.key_id)))
    return {}


def upload_signing_certificate(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    body = params["CertificateBody"]
    raw = _unwrapped(body, "CERTIFICATE")
    if raw is None or not _is_sequence(raw):
        raise AwsError("MalformedCertificate", "The certificate body is not a PEM encoded X.509 certificate.")
    if ctx.state.certificate_bodies[body.strip()] > 0:
        raise AwsError("DuplicateCertificate", "The certificate is already associated with an IAM user in the account.")
    if len(user.certificates) >= ctx.quotas.signing_certificates_per_user:
        raise over_quota("SigningCertificatesPerUser", ctx.quotas.signing_certificates_per_user)
    certificate = Certificate(ctx.ids.unique("", 32), body.strip(), ctx.date)
    ctx.put_user(replace(user, certificates=with_item(user.certificates, certificate.certificate_id, certificate)))
    return {"Certificate": _to_certificate(user, certificate)}


def list_signing_certificates(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    certificates, rest = page_items(ctx, params, user.certificates)
    return {"Certificates": [_to_certificate(user, one) for one in certificates], **rest}


def update_signing_certificate(ctx: Context, params: Params) -> Answer:
    user, one = _find_certificate(ctx, params)
    require_settable(params["Status"])
    certificates = with_item(user.certificates, one.certificate_id, replace(one, status=params["Status"]))
    ctx.put_user(replace(user, certificates=certificates))
    return {}


def delete_signing_certificate(ctx: Context, params: Params) -> Answer:
    user, one = _find_certificate(ctx, params)
    ctx.put_user(replace(user, certificates=without_item(user.certificates, one.certificate_id)))
    return {}


def _decoded_ssh(body: str) -> tuple[str, bytes]:
    words = body.split()
    if len(words) >= 2 and words[0] == "ssh-rsa":
        raw = _unbase64(words[1])
        if raw is not None and raw.startswith(_RSA):
            return "SSH", raw
    elif (raw := _unwrapped(body, "PUBLIC KEY")) is not None and _is_sequence(raw):
        return "PEM", raw
    raise AwsError("InvalidPublicKey", "The SSH public key is not an RSA key in ssh-rsa or PEM format.")


def _unwrapped(body: str, label: str) -> bytes | None:
    match = _PEM.fullmatch(body)
    return _unbase64("".join(match[2].split())) if match is not None and match[1] == label else None


def _unbase64(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None


def _is_sequence(raw: bytes) -> bool:
    """Whether it is one DER SEQUENCE and nothing after it (X.690, 8.1.3)."""
    if len(raw) < 2 or raw[0] != 0x30:
        return False
    if raw[1] < 0x80:
        return len(raw) == 2 + raw[1]
    size = raw[1] & 0x7F
    return len(raw) == 2 + size + int.from_bytes(raw[2 : 2 + size], "big")


def _find_ssh(ctx: Context, params: Params) -> tuple[User, SshKey]:
    user = ctx.user(params["UserName"])
    key = user.ssh_keys.get(params["SSHPublicKeyId"])
    if key is None:
        raise AwsError("NoSuchEntity", f"The Public Key with id {params['SSHPublicKeyId']} cannot be found.")
    return user, key


def _find_certificate(ctx: Context, params: Params) -> tuple[User, Certificate]:
    user = ctx.target(params)
    one = user.certificates.get(params["CertificateId"])
    if one is None:
        raise AwsError("NoSuchEntity", f"The Certificate with id {params['CertificateId']} cannot be found.")
    return user, one


def _to_ssh(user: User, key: SshKey, *, body: bool = False) -> Answer:
    told: Answer = {
        "UserName": user.name,
        "SSHPublicKeyId": key.key_id,
        "Status": key.status,
        "UploadDate": key.uploaded,
    }
    return {**told, "Fingerprint": key.fingerprint, "SSHPublicKeyBody": key.body} if body else told


def _to_certificate(user: User, one: Certificate) -> Answer:
    return {
        "UserName": user.name,
        "CertificateId": one.certificate_id,
        "CertificateBody": one.body,
        "Status": one.status,
        "UploadDate": one.uploaded,
    }
