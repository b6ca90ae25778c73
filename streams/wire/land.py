"""`python -m streams.wire.land`: keep a schema of avro/ as one more version that readers will meet for ever.

What landed is how records of the past are read. So a change of structure or of defaults lands under a new number, if it
goes with every version before it; a change that no reader sees (a doc, `pii`) is put into the newest version in place.
tests/contract/test_schemas.py has the last word, with Apache Avro's own checker.
"""

import sys
from pathlib import Path
from typing import Any

from . import schemas
from .compatible import clashes

SAID_ONLY = frozenset({"doc", "pii"})
"""What people read and no reader of records."""


def to_structure(text: Any) -> Any:
    """A schema without what is only said."""
    match text:
        case dict():
            return {key: to_structure(value) for key, value in text.items() if key not in SAID_ONLY}
        case list():
            return [to_structure(part) for part in text]
        case _:
            return text


def to_land(name: str) -> int | None:
    """The number under which the current schema has to stand; None: it stands there already, word by word."""
    landed = schemas.landed(name)
    current = schemas.current(name)
    if landed and landed[-1].text == current.text:
        return None
    same = bool(landed) and to_structure(landed[-1].text) == to_structure(current.text)
    return len(landed) + (0 if same else 1)


def problems_of(name: str) -> list[str]:
    """Why the current schema does not go with a version that landed; empty where it goes with all."""
    current = schemas.current(name)
    return [
        f"{clash.problem}: {clash.mend}"
        for number, version in enumerate(schemas.landed(name), 1)
        for clash in clashes(current, version, f"version {number}")
    ]


def land(directory: Path, name: str, number: int) -> Path:
    """Copy the schema; returns where it stands now."""
    target = directory / "landed" / name / f"{number}.avsc"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((directory / f"{name}.avsc").read_bytes())
    return target


def main() -> int:
    """Land what has changed and say what was done; the exit code."""
    directory = schemas.directory()
    if directory.name != "avro":
        print("schemas land in a checkout, not in an installation", file=sys.stderr)  # noqa: T201 - a command's output
        return 2
    code = 0
    for name in schemas.NAMES:
        number, problems = to_land(name), problems_of(name)
        if problems:
            code = 1
            told = "not landed\n  " + "\n  ".join(problems)
        else:
            told = "as it landed" if number is None else f"landed in {land(directory, name, number)}"
        print(f"{name}: {told}")  # noqa: T201 - a command's output
    return code


if __name__ == "__main__":
    sys.exit(main())
