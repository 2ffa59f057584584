"""``.. readme-section:: Brakes``: a section of README.rst where it belongs.

The README is the one place for what it says; its tables are compared with the code by
tests/test_docs.py. A reference to another of its sections leads to the page that holds
that section.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

README = Path(__file__).parents[2] / "README.rst"


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


class ReadmeSection(SphinxDirective):
    """Put a section of the README here, without its title."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Hand the section to the parser, as if it stood here."""
        self.env.note_dependency(str(README))
        title = self.arguments[0]
        try:
            text = section(title)
        except LookupError as error:
            raise self.error(str(error)) from None
        linked = re.sub(
            r"(?<!`)`([A-Z][^`<]+)`_(?!_)",
            lambda match: f":ref:`{match[1]} <{anchor(match[1])}>`",
            text,
        )
        lines = [f".. _{anchor(title)}:", "", *linked.splitlines(), ""]
        self.state_machine.insert_input(
            list(StringList(lines, source=str(README))), str(README)
        )
        return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("readme-section", ReadmeSection)
    return {"parallel_read_safe": True}
