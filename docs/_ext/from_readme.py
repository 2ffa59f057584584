"""``.. readme-section:: Brakes``: a section of README.rst where it belongs.

The README is the one place for what it says; its tables are compared with the code by
tests/test_docs.py. A reference to another of its sections leads to the page that holds
that section. ``.. readme-rest::`` holds those that no page asks for, so none is lost.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
README = DOCS.parent / "README.rst"


def section(title: str) -> str:
    """Return the text under a title of the README; LookupError where there is none."""
    text = README.read_text(encoding="utf-8")
    _before, found, rest = text.partition(f"\n{title}\n{'=' * len(title)}\n")
    if not found:
        raise LookupError(f"README.rst has no section {title!r}")
    return re.split(r"\n[^\n]+\n={3,}\n", rest)[0].strip("\n")


def anchor(title: str) -> str:
    """Return the label of a section's place in the documentation."""
    return "readme-" + re.sub(r"\W+", "-", title.lower())


def left_over() -> list[str]:
    """Return the titles of the README that no page asks for."""
    text = README.read_text(encoding="utf-8").partition("\n\n")[2]
    pages = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.rst"))
    placed = re.findall(r"^\.\. readme-section:: (.+)$", pages, re.M)
    titles = re.findall(r"^([^\n]+)\n={3,}$", text, re.M)
    return [title for title in titles if title not in placed]


def lines_of(title: str) -> list[str]:
    """Return the lines of a section, its references leading to our pages."""
    linked = re.sub(
        r"(?<!`)`([A-Z][^`<]+)`_(?!_)",
        lambda match: f":ref:`{match[1]} <{anchor(match[1])}>`",
        section(title),
    )
    return [f".. _{anchor(title)}:", "", *linked.splitlines(), ""]


class ReadmeSection(SphinxDirective):
    """Put a section of the README here, without its title."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Hand the section to the parser, as if it stood here."""
        try:
            return self.insert(lines_of(self.arguments[0]))
        except LookupError as error:
            raise self.error(str(error)) from None

    def insert(self, lines: list[str]) -> list[nodes.Node]:
        """Have these lines parsed next."""
        self.env.note_dependency(str(README))
        source = str(README)
        self.state_machine.insert_input(StringList(lines, source=source), source)
        return []


class ReadmeRest(ReadmeSection):
    """Put the sections here that no page asks for, with their titles."""

    required_arguments = 0

    def run(self) -> list[nodes.Node]:
        """Hand them to the parser, one after the other."""
        self.env.note_reread()
        return self.insert(
            [
                line
                for title in left_over()
                for line in [title, "=" * len(title), "", *lines_of(title)]
            ]
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directives known."""
    app.add_directive("readme-section", ReadmeSection)
    app.add_directive("readme-rest", ReadmeRest)
    return {"parallel_read_safe": True}
