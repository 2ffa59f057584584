"""README.rst and the pages in docs/, for the tests that run them or compare them."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.rst").read_text(encoding="utf-8")
PAGES = sorted(
    str(page.relative_to(DOCS)).removesuffix(".rst")
    for page in DOCS.rglob("*.rst")
    if "_build" not in page.parts
)

_BLOCK = re.compile(r"^( *)\.\. code-block:: (\w+)\n\n((?:\1    .*\n|\n)+)", re.M)
_LITERAL = re.compile(r"^( *)(?:(?!\.\. )\S.*)?::\n\n((?:\1 +\S.*\n|\n)+)", re.M)


def read(page: str) -> str:
    """Return the text of a page; "README" is one too."""
    if page == "README":
        return README
    return (DOCS / f"{page}.rst").read_text(encoding="utf-8")


def section(title: str, page: str = "README") -> str:
    """Return what stands under a title, up to the next of its rank."""
    _before, found, rest = read(page).partition(f"\n{title}\n{'=' * len(title)}\n")
    assert found, f"{page} has no section {title!r}"
    return re.split(r"\n[^\n]+\n={3,}\n", rest)[0]


def code(text: str) -> list[tuple[str, str]]:
    """Return the code blocks of a text in their order, each with its language."""
    found = _BLOCK.findall(text.rstrip("\n") + "\n")
    return [(language, textwrap.dedent(block)) for _indent, language, block in found]


def blocks(text: str, language: str = "python") -> list[str]:
    """Return the code blocks of a language."""
    return [block for written_in, block in code(text) if written_in == language]


def literals(text: str) -> list[str]:
    """Return the blocks after a double colon, which name no language."""
    return [textwrap.dedent(block) for _indent, block in _LITERAL.findall(text)]


def typed(block: str) -> list[tuple[str, str]]:
    """Return the commands of a console's block, each with what is shown below it."""
    commands: list[tuple[str, str]] = []
    for line in block.splitlines():
        prompt, _space, rest = line.partition(" ")
        if prompt in ("$", "#"):
            commands.append((rest, ""))
        elif commands[-1][0].count('"') % 2:  # a command that goes on
            commands[-1] = (f"{commands[-1][0]}\n{line}", "")
        else:
            command, shown = commands[-1]
            commands[-1] = (command, f"{shown}{line}\n")
    return commands
