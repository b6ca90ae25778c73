"""What the guide has somebody click together in a tenant's realm, as Keycloak's admin API takes it. Pure values.

Differs from the guide in one thing: the user has a name and an address. Without them Keycloak 24 and newer answers the
password grant with "Account is not fully set up" (tried with 26.7.3).
"""

from collections.abc import Mapping
from typing import Any

REALM = "alpha"
CLIENT = "AWS-connector"
"""The guide's client: public, used with the service account's password."""
CONFIDENTIAL_CLIENT = "AWS-connector-service"
"""What Connector-Security of IDHub's documentation describes: a client with a secret and a service account of its own."""
USER = "AWS-service-account"

ADMIN = "admin"


def realm(name: str) -> dict[str, Any]:
    """A tenant's realm. `sslRequired: external` is Keycloak's default: plain HTTP from this machine only."""
    return {"realm": name, "enabled": True, "sslRequired": "external"}


def public_client() -> dict[str, Any]:
    """Step 1 of the guide: the client, redirect URIs `*`; direct access grants, which its `curl` needs."""
    return {
        "clientId": CLIENT,
        "publicClient": True,
        "directAccessGrantsEnabled": True,
        "standardFlowEnabled": True,
        "redirectUris": ["*"],
    }


def confidential_client(secret: str) -> dict[str, Any]:
    """Client credentials, with refresh and offline tokens where the scope `offline_access` asks for them."""
    return {
        "clientId": CONFIDENTIAL_CLIENT,
        "publicClient": False,
        "secret": secret,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "attributes": {"client_credentials.use_refresh_token": "true"},
    }


def service_account(password: str) -> dict[str, Any]:
    """Step 2 of the guide: the user whose password the tokens are got with."""
    return {
        "username": USER,
        "enabled": True,
        "firstName": "AWS",
        "lastName": "Connector",
        "email": "aws-connector@example.com",
        "emailVerified": True,
        "credentials": [{"type": "password", "value": password, "temporary": False}],
    }


def to_make(secrets: Mapping[str, str], name: str = REALM) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Where each thing is posted to, below `/admin`, and what, in that order. `secrets`: by the name of its owner."""
    return (
        ("/realms", realm(name)),
        (f"/realms/{name}/clients", public_client()),
        (f"/realms/{name}/clients", confidential_client(secrets[CONFIDENTIAL_CLIENT])),
        (f"/realms/{name}/users", service_account(secrets[USER])),
    )
