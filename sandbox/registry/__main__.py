"""`python -m sandbox.registry`: one schema registry until Ctrl-C. Prints what SCHEMA_REGISTRY_URL has to be."""

import argparse
import sys
from pathlib import Path

from sandbox.parts.run import run_until_stopped

from .server import REGISTRY, RegistryServer


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m sandbox.registry", description=f"Runs {REGISTRY}.")
    options.add_argument("--port", type=int, default=0, help="its port (default: a free one)")
    options.add_argument(
        "--data-dir", type=Path, help="keep the schemas there (default: a temporary directory, removed)"
    )
    chosen = options.parse_args()
    return run_until_stopped(RegistryServer(chosen.data_dir, chosen.port), lambda registry: registry.url)


if __name__ == "__main__":
    sys.exit(main())
