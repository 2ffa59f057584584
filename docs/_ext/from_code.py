"""Tables that are read from the code: commands, checks, codes, choices."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.core.management import BaseCommand, get_commands, load_command_class
from sphinx.util.docutils import SphinxDirective

from negin_sms import choices
from negin_sms.checks import accounts, databases
from negin_sms.contrib import checks as of_adapters
from negin_sms.contrib.otp.checks import check_otp_settings
from negin_sms.gateway.codes import CODES, Verdict

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

_VERDICTS = {
    Verdict.REFUSED: "``rejected``: this message, for good",
    Verdict.LINE: "``rejected``; where the line is the account's, ``queued``, and the account is paused",
    Verdict.ACCOUNT: "``queued``; the account is paused, a person has to act",
    Verdict.PATIENCE: "``queued``; the account is paused for a moment",
    Verdict.UNSURE: "``uncertain``: a person decides",
}


class FromCode(SphinxDirective):
    """Parse the lines that ``lines`` gives."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return what the lines come to."""
        return self.parse_text_to_nodes(
            "\n".join(self.lines()), allow_section_headings=True
        )

    def lines(self) -> Iterator[str]:
        """Give the lines, in reStructuredText."""
        raise NotImplementedError


class Commands(FromCode):
    """Each command of the app with its help and its options."""

    def lines(self) -> Iterator[str]:
        """Give a paragraph and a list of options for each command."""
        for name in sorted(
            n for n, app in get_commands().items() if app == "negin_sms"
        ):
            parser = load_command_class("negin_sms", name).create_parser("", name)
            yield from [f".. rubric:: {name}", "", _plain(parser.description), ""]
            for action in parser._actions:
                if not _is_django_s(action):
                    yield f"* {_usage(action)}: {_plain(action.help)}".rstrip(": ")
            yield ""


class Checks(FromCode):
    """Each system check, by its id, from the docstrings."""

    def lines(self) -> Iterator[str]:
        """Give a list."""
        found = [
            inspect.getdoc(check) or ""
            for module in (accounts, databases, of_adapters)
            for name, check in vars(module).items()
            if name.startswith("check_")
        ]
        of_otp = inspect.getdoc(check_otp_settings) or ""
        for app, texts in (("negin_sms", sorted(found)), ("negin_sms_otp", [of_otp])):
            for text in texts:
                code, _colon, meaning = text.splitlines()[0].partition(": ")
                yield f"* ``{app}.{code}``: {meaning}"


class Codes(FromCode):
    """Each status code of the gateway with its words and what it does to a message."""

    def lines(self) -> Iterator[str]:
        """Give a table."""
        yield from [".. list-table::", "   :header-rows: 1", ""]
        yield from ["   * - Code", "     - Words", "     - What becomes of the message"]
        for number, code in sorted(CODES.items()):
            yield f"   * - {number}"
            yield f"     - {code.meaning}"
            yield f"     - {_VERDICTS[code.verdict]}"


class Choices(FromCode):
    """The values and words of one of ``negin_sms.choices``."""

    required_arguments = 1

    def lines(self) -> Iterator[str]:
        """Give a list."""
        for each in getattr(choices, self.arguments[0]):
            yield f"* ``{each.value}`` (``{each.name}``): {each.label}"


_DJANGO_S = {
    option
    for action in BaseCommand().create_parser("", "")._actions
    for option in action.option_strings
}


def _is_django_s(action: argparse.Action) -> bool:
    return bool(action.option_strings) and set(action.option_strings) <= _DJANGO_S


def _usage(action: argparse.Action) -> str:
    if not action.option_strings:
        values = "|".join(map(str, action.choices or ()))
        return f"``{values or action.dest.upper()}``"
    takes_value = action.nargs != 0
    value = f" {action.metavar or action.dest.upper()}" if takes_value else ""
    return f"``{', '.join(action.option_strings)}{value}``"


def _plain(text: str | None) -> str:
    """Return words for people as words, whatever they look like to the parser."""
    return (text or "").replace("\\", "\\\\").replace("*", r"\*").replace("`", r"\`")


def indent_tree(
    app: object, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Show the tree of exceptions as it is written."""
    if name == "negin_sms.exceptions" and len(lines) > 1:
        start = lines.index("NeginSmsError")
        end = lines.index("", start)
        tree = [f"   {line}" for line in lines[start:end]]
        lines[start:end] = [".. code-block:: text", "", *tree]


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directives known."""
    app.add_directive("sms-commands", Commands)
    app.add_directive("sms-checks", Checks)
    app.add_directive("sms-codes", Codes)
    app.add_directive("sms-choices", Choices)
    app.connect("autodoc-process-docstring", indent_tree)
    return {"parallel_read_safe": True}
