"""Asks Keycloak's token endpoint (RFC 6749) and its admin API. A tool of tests and demos: blocking, loopback only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a successful grant answers."""

    access: str
    refresh: str | None
    expires_in_s: int
    scope: tuple[str, ...]


class TokenRefused(Exception):
    """The grant was refused: `status` is HTTP's, `code` OAuth's (`invalid_grant`)."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(f"{code}: {description} (HTTP {status})")
        self.status = status
        self.code = code


def request_tokens(token_url: str, form: Mapping[str, str]) -> Tokens:
    """One grant.

    Raises:
        TokenRefused: Keycloak said no.
        httpx2.HTTPError: it did not answer.
    """
    response = httpx2.post(token_url, data=dict(form), timeout=TIMEOUT_S, trust_env=False)
    told: dict[str, Any] = response.json()
    if response.status_code != 200:
        raise TokenRefused(response.status_code, told.get("error", ""), told.get("error_description", ""))
    return Tokens(
        told["access_token"], told.get("refresh_token"), told["expires_in"], tuple(told.get("scope", "").split())
    )


def post_once(admin_url: str, token: str, what: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    """Make these things where they are not there yet.

    Raises:
        httpx2.HTTPError: Keycloak refused one, or did not answer.
    """
    with httpx2.Client(timeout=TIMEOUT_S, trust_env=False, headers={"authorization": f"Bearer {token}"}) as client:
        for path, body in what:
            response = client.post(f"{admin_url}{path}", json=body)
            if response.status_code != 409:  # it is there already: the data of an earlier run
                response.raise_for_status()
