"""`python -m sandbox.kafka`: one broker until Ctrl-C. Prints its address on standard output, and nothing else there."""

import argparse
import signal
import sys
import time
from pathlib import Path

from .broker import KafkaBroker
from .errors import SandboxError
from .lock import KAFKA_VERSION

_LOOK_EVERY_S = 0.5


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m sandbox.kafka", description=f"Runs Apache Kafka {KAFKA_VERSION}.")
    options.add_argument("--port", type=int, default=0, help="the broker's port (default: a free one)")
    options.add_argument("--data-dir", type=Path, help="keep the data there (default: a temporary directory, removed)")
    chosen = options.parse_args()

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    try:
        with KafkaBroker(chosen.data_dir, chosen.port) as broker:
            print(broker.bootstrap, flush=True)
            print(f"Apache Kafka {KAFKA_VERSION}; log in {broker.log_path}; Ctrl-C ends it.", file=sys.stderr)
            while broker.alive:
                time.sleep(_LOOK_EVERY_S)
            raise SandboxError(f"The broker ended by itself. The end of its log:\n{broker.log_tail()}")
    except KeyboardInterrupt:
        return 0
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
