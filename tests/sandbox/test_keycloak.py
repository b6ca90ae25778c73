"""The sandbox's Keycloak is the real one, and the guide's steps have been taken in it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from sandbox.keycloak import TokenRefused
from tests.support.servers import LOOPBACK, exists, keycloak_server, listening
from tests.support.wait import wait_until

__all__ = ["keycloak_server"]

pytestmark = pytest.mark.big

# Killed while Keycloak comes up: that it serves is of no account here, and takes long.
PARENT = """
import time
from sandbox.keycloak import KeycloakServer
class Begun(KeycloakServer):
    def _await_answer(self):
        print(self.pid, self.home, flush=True)
        time.sleep(600)
Begun().start()
"""


def claims_of(server, token):
    """What a token says, its signature proven with the realm's published keys."""
    keys = KeySet.import_key_set(httpx2.get(server.jwks_url, timeout=10, trust_env=False).json())
    return jwt.decode(token, keys, algorithms=["RS256"]).claims


def test_the_guides_curl_gives_an_access_and_an_offline_token(keycloak_server):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("needs curl, as the guide does")
    form = {
        "client_id": "AWS-connector",
        "username": "AWS-service-account",
        "password": keycloak_server.user_password,
        "scope": "offline_access",
        "grant_type": "password",
        "request_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    url = f"{keycloak_server.url}/realms/alpha/protocol/openid-connect/token"
    command = [curl, "-s", "--noproxy", "*", "--location", "--request", "POST", url]
    command += ["--header", "Content-Type: application/x-www-form-urlencoded"]
    command += [word for name, value in form.items() for word in ("--data-urlencode", f"{name}={value}")]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)
    claims = claims_of(keycloak_server, told["access_token"])
    assert claims["iss"] == keycloak_server.issuer
    assert (claims["azp"], claims["preferred_username"]) == ("AWS-connector", "aws-service-account")
    assert "offline_access" in told["scope"].split()
    assert told["refresh_token"]
    assert told["refresh_expires_in"] == 0  # an offline token does not expire with a session


def test_the_offline_token_is_exchanged_for_new_access_tokens(keycloak_server):
    first = keycloak_server.password_token()
    again = keycloak_server.refreshed(first)
    assert again.access != first.access
    assert claims_of(keycloak_server, again.access)["preferred_username"] == "aws-service-account"


def test_a_wrong_password_is_refused(keycloak_server):
    with pytest.raises(TokenRefused) as refused:
        keycloak_server.password_token("sapassword1")
    assert (refused.value.status, refused.value.code) == (400, "invalid_grant")


def test_a_made_up_refresh_token_is_refused(keycloak_server):
    with pytest.raises(TokenRefused, match="invalid_grant"):
        keycloak_server.token("refresh_token", refresh_token="made.up.token")


def test_client_credentials_with_and_without_an_offline_token(keycloak_server):
    tokens = keycloak_server.client_token()
    assert claims_of(keycloak_server, tokens.access)["azp"] == keycloak_server.confidential_client_id
    offline = keycloak_server.client_token("offline_access")
    assert offline.refresh
    assert "offline_access" in offline.scope
    with pytest.raises(TokenRefused, match=r"unauthorized_client|invalid_client"):
        keycloak_server.client_token(client_secret="guessed")


def test_a_client_without_direct_access_grants_cannot_use_a_password(keycloak_server):
    with pytest.raises(TokenRefused, match="unauthorized_client"):
        keycloak_server.token(
            "password",
            client_id=keycloak_server.confidential_client_id,
            client_secret=keycloak_server.client_secret,
            username=keycloak_server.user,
            password=keycloak_server.user_password,
        )


def test_passwords_are_no_part_of_the_command_line_or_of_readable_files(keycloak_server):
    command = Path(f"/proc/{keycloak_server.pid}/cmdline")
    if not command.exists():
        pytest.skip("needs Linux's /proc")
    secrets = {keycloak_server.admin_password, keycloak_server.user_password, keycloak_server.client_secret}
    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret.encode() in command.read_bytes()]
    assert not [secret for secret in secrets if secret in keycloak_server.log_path.read_text()]
    assert (keycloak_server.home / "secrets.json").stat().st_mode & 0o077 == 0


def test_it_listens_on_the_loopback_address_only(keycloak_server):
    found = listening(keycloak_server.pid)
    assert set(found) >= set(keycloak_server.ports)
    assert set(found.values()) <= LOOPBACK, found


def test_it_ends_with_its_parent_even_when_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        pid, home = parent.stdout.readline().split(maxsplit=1)
        assert exists(int(pid))
        parent.kill()
    wait_until(lambda: not exists(int(pid)), "Keycloak is gone")
    wait_until(lambda: not Path(home.strip()).exists(), "its temporary directory is gone")
