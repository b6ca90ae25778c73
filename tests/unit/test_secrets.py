"""Passwords and JWEs: they fit, they open, and nothing leaks from what does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey, RSAKey

from connector.errors import SecretError
from connector.secrets import (
    ALGORITHMS,
    CLASSES,
    MAX_LENGTH,
    MIN_LENGTH,
    Opener,
    PasswordPolicy,
    Sealer,
    generate_password,
    load_opener,
    load_sealer,
)

PRIVATE = {
    "RSA": RSAKey.generate_key(2048),
    "P-256": ECKey.generate_key("P-256"),
    "X25519": OKPKey.generate_key("X25519"),
}
KINDS = pytest.mark.parametrize("kind", sorted(PRIVATE))


def write(tmp_path, content):
    path = tmp_path / "key.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@given(st.integers(min_value=1, max_value=128))
def test_a_password_fits_every_policy_that_iam_can_have(minimum):
    password = generate_password(PasswordPolicy(minimum))
    assert max(MIN_LENGTH, minimum) == len(password) <= MAX_LENGTH
    for one_class in CLASSES:
        assert set(password) & set(one_class)


def test_no_password_comes_twice():
    assert len({generate_password(PasswordPolicy()) for _ in range(500)}) == 500


@KINDS
def test_what_is_sealed_opens_with_the_private_key_only(kind, tmp_path):
    key = PRIVATE[kind]
    sealed = load_sealer(write(tmp_path, key.as_dict(private=False))).seal({"password": "s3cret", "userName": "alice"})
    opened = jwe.decrypt_compact(sealed, key, algorithms=ALGORITHMS)
    assert json.loads(opened.plaintext or b"") == {"password": "s3cret", "userName": "alice"}
    assert sealed.count(".") == 4
    header = opened.headers()
    assert header["enc"] == "A256GCM"
    assert header["alg"] == ("RSA-OAEP-256" if kind == "RSA" else "ECDH-ES+A256KW")
    assert header["kid"] == key.thumbprint()
    with pytest.raises(SecretError):
        Opener((RSAKey.generate_key(2048),)).open_password(sealed)


def test_the_header_names_the_keys_own_id(tmp_path):
    key = ECKey.generate_key("P-256", {"kid": "idhub-2026"})
    sealed = load_sealer(write(tmp_path, key.as_dict(private=False))).seal({})
    assert jwe.decrypt_compact(sealed, key, algorithms=ALGORITHMS).headers()["kid"] == "idhub-2026"


@KINDS
def test_a_requests_password_is_opened(kind, tmp_path):
    key = PRIVATE[kind]
    opener = load_opener(write(tmp_path, key.as_dict(private=True)))
    assert opener.open_password(Sealer(key).seal({"password": "pässword"})) == "pässword"


def test_a_set_of_keys_opens_what_was_sealed_for_any(tmp_path):
    old, new = PRIVATE["RSA"], PRIVATE["P-256"]
    opener = load_opener(write(tmp_path, {"keys": [new.as_dict(private=True), old.as_dict(private=True)]}))
    for key in (old, new):
        assert opener.open_password(Sealer(key).seal({"password": "x"})) == "x"


@pytest.mark.parametrize("content", [{}, {"password": ""}, {"password": 1}, {"password": "x" * 129}, ["x"], "x"])
def test_a_credential_of_another_shape_is_refused_without_quoting_it(content):
    sealed = Sealer(PRIVATE["RSA"]).seal(content)
    with pytest.raises(SecretError) as refused:
        Opener((PRIVATE["RSA"],)).open_password(sealed)
    assert "xxx" not in str(refused.value)


@pytest.mark.parametrize("sealed", ["", "a.b.c.d.e", "not a jwe", "....", "é" * 10])
def test_what_is_no_jwe_does_not_open(sealed):
    with pytest.raises(SecretError):
        Opener((PRIVATE["RSA"],)).open_password(sealed)


def test_weaker_algorithms_are_not_taken():
    header = {"alg": "RSA-OAEP", "enc": "A128CBC-HS256"}
    sealed = jwe.encrypt_compact(header, b'{"password":"x"}', PRIVATE["RSA"])
    with pytest.raises(SecretError):
        Opener((PRIVATE["RSA"],)).open_password(sealed)


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"kty":"oct","k":"c2VjcmV0LXZhbHVl"}', '{"keys":[]}'])
def test_a_file_without_a_key_is_named_and_not_quoted(content, tmp_path):
    path = write(tmp_path, content)
    with pytest.raises(SecretError) as refused:
        load_sealer(path)
    assert str(path) in str(refused.value)
    assert "c2VjcmV0" not in str(refused.value)


def test_a_key_to_sign_with_cannot_encrypt(tmp_path):
    with pytest.raises(SecretError):
        load_sealer(write(tmp_path, OKPKey.generate_key("Ed25519").as_dict(private=False)))


def test_the_connector_needs_its_private_key(tmp_path):
    with pytest.raises(SecretError, match="public key"):
        load_opener(write(tmp_path, PRIVATE["RSA"].as_dict(private=False)))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SecretError, match="cannot be read"):
        load_sealer(tmp_path)


def test_nothing_shows_a_key():
    for thing in (Sealer(PRIVATE["RSA"]), Opener((PRIVATE["RSA"],))):
        assert PRIVATE["RSA"].as_dict(private=True)["d"] not in repr(thing)
