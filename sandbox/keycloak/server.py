"""One Keycloak as an object; `sandbox.parts.server` has what can be done with it.

Tried with 26.7.3: without `--cache=local` it looks for others to cluster with, on every interface.
"""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

import httpx2

from sandbox.parts.errors import SandboxError
from sandbox.parts.java import find_java
from sandbox.parts.ports import HOST
from sandbox.parts.probe import answers_http
from sandbox.parts.server import LocalServer, to_stderr

from . import realm as guide
from .build import KEYCLOAK, PATH, SHORT, built_files, java_command
from .tokens import Tokens, post_once, request_tokens

_SECRETS = "secrets.json"


class KeycloakServer(LocalServer):
    """Keycloak 26.7.3, listening on the loopback address only, with the guide's realm. All passwords are random.

    The guide's `curl` (password grant, scope `offline_access`) is `password_token()`.
    """

    product = KEYCLOAK
    short = SHORT
    start_timeout_s = 180.0
    realm = guide.REALM
    client_id = guide.CLIENT
    confidential_client_id = guide.CONFIDENTIAL_CLIENT
    user = guide.USER

    def __init__(self, data_dir: Path | None = None, port: int = 0) -> None:
        super().__init__(data_dir, port)
        self._java = Path()
        self._files = Path()
        self._secrets: dict[str, str] = {}

    @property
    def url(self) -> str:
        """The guide's `https://<IDHUB_FQDN>/auth`."""
        return f"http://{self.address}{PATH}"

    @property
    def issuer(self) -> str:
        """The `iss` of the realm's tokens."""
        return f"{self.url}/realms/{self.realm}"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"

    @property
    def jwks_url(self) -> str:
        """Where the keys are that its tokens are signed with."""
        return f"{self.issuer}/protocol/openid-connect/certs"

    @property
    def user_password(self) -> str:
        """Of the guide's service account user."""
        return self._secrets[guide.USER]

    @property
    def client_secret(self) -> str:
        """Of the confidential client."""
        return self._secrets[guide.CONFIDENTIAL_CLIENT]

    @property
    def admin_password(self) -> str:
        """Of `admin`, in the realm `master`."""
        return self._secrets[guide.ADMIN]

    def token(self, grant_type: str, **form: str) -> Tokens:
        """Any grant of the realm; what `form` does not say is the guide's, what it has empty is left out.

        Raises:
            TokenRefused: Keycloak said no.
        """
        given = {name: value for name, value in form.items() if value}
        return request_tokens(self.token_url, {"client_id": self.client_id, "grant_type": grant_type, **given})

    def password_token(self, password: str | None = None, scope: str = "offline_access") -> Tokens:
        """The guide's step 3: access and refresh token of the service account user, by the public client."""
        return self.token(
            "password",
            username=self.user,
            password=self.user_password if password is None else password,
            scope=scope,
            request_token_type="urn:ietf:params:oauth:token-type:access_token",
        )

    def client_token(self, scope: str = "", client_secret: str | None = None) -> Tokens:
        """Client credentials of the confidential client; with `offline_access` a refresh token comes along."""
        secret = self.client_secret if client_secret is None else client_secret
        return self.token(
            "client_credentials", client_id=self.confidential_client_id, client_secret=secret, scope=scope
        )

    def refreshed(self, tokens: Tokens) -> Tokens:
        """A new access token for the public client's refresh token."""
        return self.token("refresh_token", refresh_token=tokens.refresh or "")

    def advice(self) -> str:
        """For a person at a terminal: where it is, and how to get a token. Holds passwords of this throw-away realm."""
        return (
            f"Keycloak       {self.url}  realm {self.realm}, client {self.client_id}\n"
            f"  administer   {self.url}/admin  as {guide.ADMIN} / {self.admin_password}\n"
            f"  tokens       curl -s {self.token_url} -d client_id={self.client_id} -d grant_type=password "
            f"-d username={self.user} -d password={self.user_password} -d scope=offline_access"
        )

    # -- how it runs --------------------------------------------------------------------------------------

    def _fetch(self) -> None:
        self._java = find_java(KEYCLOAK)
        self._files = built_files(self._java, to_stderr)

    def _command(self) -> list[str]:
        self._secrets = _kept_secrets(self.home / _SECRETS)
        for name in ("lib", "conf", "providers", "themes"):
            link = self.home / name
            link.unlink(missing_ok=True)
            link.symlink_to(self._files / name)
        options = (
            "--optimized",
            "--cache=local",
            "--http-enabled=true",
            "--hostname-strict=false",
            f"--http-host={HOST}",
            f"--http-port={self.ports[0]}",
        )
        return [*java_command(self._java, self.home), "start", *options]

    def _environment(self) -> Mapping[str, str]:
        return {
            "KC_BOOTSTRAP_ADMIN_USERNAME": guide.ADMIN,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self.admin_password,
        }

    def _answers(self) -> bool:
        return answers_http(self.ports[0], f"{PATH}/realms/master")

    def _settle(self) -> None:
        """The guide's realm, where it is not there yet."""
        admin = {"client_id": "admin-cli", "grant_type": "password", "username": guide.ADMIN}
        try:
            token = request_tokens(
                f"{self.url}/realms/master/protocol/openid-connect/token", {**admin, "password": self.admin_password}
            )
            post_once(f"{self.url}/admin", token.access, guide.to_make(self._secrets))
        except httpx2.HTTPError as error:
            raise SandboxError(f"{KEYCLOAK} came up and refused the realm {self.realm}: {error}.") from error


def _kept_secrets(file: Path) -> dict[str, str]:
    """Random ones, kept beside the data that they belong to."""
    if not file.exists():
        made = {name: secrets.token_urlsafe(18) for name in (guide.ADMIN, guide.USER, guide.CONFIDENTIAL_CLIENT)}
        file.touch(mode=0o600)
        file.write_text(json.dumps(made), "ascii")
    kept: dict[str, str] = json.loads(file.read_text("ascii"))
    return kept
