"""`python -m bench [NAME ...]`: runs these benches, or all of them; prints a table of each and keeps its figures.

A bench is a module with `run(console)`, which gives its figures, and `to_table(figures)`. Figures are appended to
`bench/results/NAME.jsonl`, one JSON object a line.
"""

import argparse
import importlib
import importlib.util
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from streams.logs import configure_logs

from .world import machine

RESULTS = Path(__file__).with_name("results")

# In the order in which they run: what is quick and stands alone comes first.
BENCHES = {
    "lanes": "the lanes against a serial aiokafka loop",
    "path": "the whole path against a bare boto3 pool",
    "cost": "where the CPU time of a request goes",
    "calls": "AWS calls per operation, exact counts",
    "latency": "added latency at half load against a bare transactional produce and consume",
    "footprint": "start-up time and memory",
}


def main(argv: list[str] | None = None) -> int:
    known = {name: what for name, what in BENCHES.items() if importlib.util.find_spec(f"bench.{name}")}
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measurements. Without a name all of them run.",
        epilog="\n".join(f"  {name:12} {what}" for name, what in known.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run")
    parser.add_argument("--list", action="store_true", help="only list them")
    arguments = parser.parse_args(argv)
    console = Console(width=140 if not sys.stdout.isatty() else None)
    if arguments.list:
        for name, what in known.items():
            console.print(f"{name:12} {what}")
        return 0
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"no such bench: {', '.join(unknown)}. There are: {', '.join(known)}")
    configure_logs(level="WARNING")
    for name in arguments.names or known:
        console.print(f"[bold]{name}[/bold]: {known[name]}")
        bench = importlib.import_module(f"bench.{name}")
        began = time.monotonic()
        figures = bench.run(console)
        console.print(bench.to_table(figures))
        keep(
            name,
            {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "took_s": round(time.monotonic() - began),
                **figures,
            },
        )
    return 0


def keep(name: str, figures: dict[str, Any]) -> None:
    """One more line of raw data."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as results:
        results.write(json.dumps({"machine": machine(), **figures}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
