"""The habits of the house that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THIS = Path(__file__)  # holds, as examples, all that it forbids
ROOMS = ("connector", "streams", "sandbox")
PURE_ROOMS = ("model", "plan", "drift", "scim", "errors.py")
LONGEST = 450

PROMISES = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
# A suppression, and what a good one looks like: codes, then why.
SUPPRESSION = re.compile(r"#\s*(?:ruff:\s*)?noqa\b|#\s*type:\s*ignore\b|#\s*pragma:\s*no cover\b")
REASONED = re.compile(
    r"#\s*(?:(?:ruff:\s*)?noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[a-z, -]+\]|pragma:\s*no cover)"
    r"\s*(?:#|-|–|—)\s*\w+"
)
# Somebody's home, or the folder of one machine's work tree.
MACHINE_PATH = re.compile(r"(?<![\w.:/*$}])/(?:root|work|Users/\w+|home/\w+)/[\w.]|/tmp/(?:spec|bash_jobs)\b")


def tracked() -> list[Path]:
    """What a commit of the tree as it stands would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file() and path != THIS]


def code(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def lines_where(paths: list[Path], wrong) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if wrong(line)
    ]


def is_pure(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return parts[0] == "connector" and parts[1] in PURE_ROOMS


def test_nothing_is_promised_in_comments():
    assert lines_where(code(*ROOMS, "bench", "tests"), PROMISES.search) == []


def test_every_suppression_says_why():
    def unreasoned(line: str) -> bool:
        return bool(SUPPRESSION.search(line)) and not REASONED.search(line)

    assert lines_where(code(*ROOMS, "bench", "tests"), unreasoned) == []


def test_modules_stay_small():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in code(*ROOMS, "bench")}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_why_it_exists():
    silent = [
        str(path.relative_to(ROOT))
        for path in code(*ROOMS)
        if (text := path.read_text("utf-8")).strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_pure_rooms_wait_for_nothing():
    waiting = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {type(node).__name__}"
        for path in code("connector")
        if is_pure(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert waiting == []


def test_the_schemas_never_become_a_package():
    """`avro/__init__.py` would shadow the installed Apache Avro."""
    assert not (ROOT / "avro" / "__init__.py").exists()


def test_no_file_names_the_machine_it_was_written_on():
    text_files = [path for path in tracked() if b"\0" not in path.read_bytes()[:8192] and path.suffix != ".lock"]
    assert lines_where(text_files, MACHINE_PATH.search) == []


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("import x  # noqa", False),
        ("import x  # noqa: F401", False),
        ("import x  # noqa: F401, E402 - loaded for its side effect", True),
        ("x = y  # type: ignore", False),
        ("x = y  # type: ignore[arg-type]", False),
        ("x = y  # type: ignore[arg-type]  # the stub is wrong", True),
    ],
)
def test_what_counts_as_a_reason(line, good):
    assert SUPPRESSION.search(line)
    assert bool(REASONED.search(line)) is good


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("see /root/.cache/x", True),
        ('open("/home/ann/notes")', True),
        ("/work/shared/design", True),
        ("https://example.org/work/x", False),
        ("${HOME}/work/x and docs/work/x", False),
    ],
)
def test_what_counts_as_a_machine_path(line, named):
    assert bool(MACHINE_PATH.search(line)) is named
