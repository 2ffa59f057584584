"""``.. guide-section:: fa uncertain``: a section of the guide for staff.

Its text stands in the app only, as HTML, since the admin shows it, too
(``negin_sms/admin/guide.py``). What is written below the directive, such as pictures,
follows the section's text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

GUIDES = Path(__file__).parents[2] / "negin_sms/templates/admin/negin_sms/guide"
_SECTION = r'<section id="{}">\n<h2>([^<]+)</h2>\n(.+?)\n</section>'


def section(language: str, name: str) -> tuple[str, str]:
    """Return a section's title and its HTML; LookupError where there is none."""
    text = (GUIDES / f"{language}.html").read_text(encoding="utf-8")
    found = re.search(_SECTION.format(re.escape(name)), text, re.DOTALL)
    if not found:
        raise LookupError(f"{language}.html has no section {name!r}")
    return found[1], found[2]


class GuideSection(SphinxDirective):
    """Put a section of the guide here, with its title."""

    required_arguments = 2
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Make a section of its HTML and of what stands below the directive."""
        language, name = self.arguments
        self.env.note_dependency(str(GUIDES / f"{language}.html"))
        try:
            title, html = section(language, name)
        except LookupError as error:
            raise self.error(str(error)) from None
        node = nodes.section(ids=[name], names=[name])
        node += nodes.title(title, title)
        node += nodes.raw("", html, format="html")
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("guide-section", GuideSection)
    return {"parallel_read_safe": True}
