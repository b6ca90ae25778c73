"""The parts of the documentation that are made from the code: `python -m tests.support.docs` writes them anew.

Each stands between `<!-- made from the code: NAME -->` and `<!-- until here -->`.
"""

import re
from inspect import cleandoc
from pathlib import Path

import typer.main

from streams import cli, topics
from streams.wire import schemas

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(<!-- made from the code: ([\w-]+) -->\n).*?(<!-- until here -->)", re.DOTALL)
UNSEEN = {"help", "install_completion", "show_completion"}


def commands(command=None, words=()):
    """Every command that does something, with its words."""
    command = command or typer.main.get_command(cli.app)
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, one in inner.items():
        yield from commands(one, (*words, name))


def command_reference():
    """A section for each command: what it does, its arguments and options."""
    return "\n\n".join(_section(words, command) for words, command in commands())


def _section(words, command):
    # Examples and exit codes stand behind `\b`, which keeps their lines in a terminal.
    text, *examples = cleandoc(command.help).split("\b")
    paragraphs = [" ".join(paragraph.split()).replace("<", "&lt;") for paragraph in text.strip().split("\n\n")]
    shown = [
        line.strip()
        for part in examples
        if part.strip().startswith("Example")
        for line in part.strip().splitlines()[1:]
    ]
    params = [param for param in command.params if param.name not in UNSEEN]
    parts = [f"### `idhub-aws {' '.join(words)}`", *paragraphs]
    parts += ["\n".join(["```sh", *shown, "```"])] if shown else []
    parts += ["\n".join(["| | |", "|---|---|", *map(_row, params)])] if params else []
    return "\n\n".join(parts)


def _row(param):
    takes = f" {param.metavar}" if param.metavar and not getattr(param, "is_flag", False) else ""
    given = param.name.upper() if param.param_type_name == "argument" else f"{', '.join(param.opts)}{takes}"
    default = f" Default: `{param.default}`." if isinstance(param.default, str | float) and param.default else ""
    return f"| `{_cell(given)}` | {_cell(' '.join(param.help.split()))}{default} |"


def _cell(text):
    return text.replace("|", "\\|")


BLOCKS = {
    "topics": topics.table,
    "records": schemas.table,
    "roles": topics.roles_table,
    "commands": command_reference,
}
PAGES = ("avro/README.md", "docs/security.md", "docs/cli.md")


def made_anew(page):
    """The page as it should be."""

    def block(match):
        return f"{match[1]}{BLOCKS[match[2]]()}\n{match[3]}"

    return BLOCK.sub(block, (ROOT / page).read_text(encoding="utf-8"))


def blocks_of(page):
    return [name for _, name, _ in BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))]


if __name__ == "__main__":
    for page in PAGES:
        (ROOT / page).write_text(made_anew(page), encoding="utf-8")
        print(page, *blocks_of(page))
