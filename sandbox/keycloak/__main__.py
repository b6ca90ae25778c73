"""`python -m sandbox.keycloak`: one Keycloak until Ctrl-C. Prints its URL, and how to get the guide's tokens."""

import argparse
import sys
from pathlib import Path

from sandbox.parts.run import run_until_stopped

from .build import KEYCLOAK
from .server import KeycloakServer


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m sandbox.keycloak", description=f"Runs {KEYCLOAK}.")
    options.add_argument("--port", type=int, default=0, help="its port (default: a free one)")
    options.add_argument("--data-dir", type=Path, help="keep its data there (default: a temporary directory, removed)")
    chosen = options.parse_args()
    return run_until_stopped(
        KeycloakServer(chosen.data_dir, chosen.port), lambda keycloak: keycloak.url, lambda keycloak: keycloak.advice()
    )


if __name__ == "__main__":
    sys.exit(main())
