"""``.. readme-section:: Sending``: a section of README.rst where it belongs.

The README is the front page: what it says of the essentials stands there only, and its
tables are compared with the code by tests/documentation/test_reference.py. Its links to
files in docs/ become links to their pages.
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

README = Path(__file__).parents[2] / "README.rst"


def section(title: str) -> str:
    """Return the text under a title of the README; LookupError where there is none."""
    text = README.read_text(encoding="utf-8")
    _before, found, rest = text.partition(f"\n{title}\n{'=' * len(title)}\n")
    if not found:
        raise LookupError(f"README.rst has no section {title!r}")
    text = re.split(r"\n[^\n]+\n={3,}\n", rest)[0].strip("\n")
    return re.sub(r"`([^`<]+)<docs/([\w/.-]+)\.rst>`__", r":doc:`\1</\2>`", text)


class ReadmeSection(SphinxDirective):
    """Put a section of the README here, without its title."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Hand the section to the parser, as if it stood here."""
        try:
            lines = [*section(self.arguments[0]).splitlines(), ""]
        except LookupError as error:
            raise self.error(str(error)) from None
        source = str(README)
        self.env.note_dependency(source)
        self.state_machine.insert_input(StringList(lines, source=source), source)
        return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("readme-section", ReadmeSection)
    return {"parallel_read_safe": True}
