"""The real Keycloak as one process on this machine, with the realm, the clients and the user of the connector's guide.

`KeycloakServer` starts it from a pinned archive, kills, freezes and restarts it, and asks it for tokens;
`python -m sandbox.keycloak` runs one until Ctrl-C.
"""

from sandbox.parts import SandboxError

from .server import KeycloakServer
from .tokens import TokenRefused, Tokens

__all__ = ["KeycloakServer", "SandboxError", "TokenRefused", "Tokens"]
