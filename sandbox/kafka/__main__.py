"""`python -m sandbox.kafka`: one broker until Ctrl-C."""

import argparse
import sys
from pathlib import Path

from sandbox.parts.run import run_until_stopped

from .broker import KafkaBroker
from .lock import KAFKA


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m sandbox.kafka", description=f"Runs {KAFKA}.")
    options.add_argument("--port", type=int, default=0, help="the broker's port (default: a free one)")
    options.add_argument("--data-dir", type=Path, help="keep the data there (default: a temporary directory, removed)")
    chosen = options.parse_args()
    return run_until_stopped(KafkaBroker(chosen.data_dir, chosen.port), lambda broker: broker.bootstrap)


if __name__ == "__main__":
    sys.exit(main())
