"""Fields that know something of messages; without JavaScript they are plain ones."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from negin_sms import conf
from negin_sms.choices import Scenario
from negin_sms.digits import are_wanted
from negin_sms.gateway import wire

_MEANINGS = {
    Scenario.SINGLE: _("From one line."),
    Scenario.SERVICE_LINE: _("From Negin's own service line; none of yours is used."),
    Scenario.SECOND_LINE: _(
        "From a line; from the second one to those who have opted out of the first."
    ),
    Scenario.CHELCHELEH: _("From a line; where that fails, through Chelcheleh."),
    Scenario.SERVICE_FALLBACK: _(
        "From a line; where that fails, from Negin's service line."
    ),
}


class CountedTextarea(AdminTextareaWidget):
    """A text with its length in parts below it, counted while somebody types."""

    template_name = "admin/negin_sms/widgets/counted_textarea.html"
    _accounts = ""

    def count_as(self, accounts: Iterable[conf.Account]) -> None:
        """Let the script count footers in, and say what a message costs about."""
        known = {
            each.alias: {
                "line": each.line,
                "footer": each.footer,
                "prices": {line: [fa, en] for line, fa, en in each.prices},
            }
            for each in accounts
        }
        self._accounts = json.dumps(known)

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Say in which digits the script counts, and of which accounts."""
        context = super().get_context(name, value, attrs)
        digits = "fa" if are_wanted() else ""
        return context | {"digits": digits, "accounts": self._accounts}

    class Media:
        css = {"all": ["negin_sms/compose.css"]}
        js = ["negin_sms/segments.js", "negin_sms/counter.js"]


class TemplateSelect(forms.Select):
    """The text templates; choosing one fills the field that ``data-fills`` names."""

    class Media:
        js = ["negin_sms/text_templates.js"]

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the text for the script."""
        option = super().create_option(name, value, *args, **kwargs)
        if value:
            option["attrs"]["data-text"] = value.instance.text
        return option


class ScenarioSelect(forms.RadioSelect):
    """The five ways to send, by what they mean; each names the fields it uses.

    ``before`` are those that "as before" may stand for.
    """

    before: Collection[str] = ()

    class Media:
        css = {"all": ["negin_sms/compose.css"]}
        js = ["negin_sms/scenarios.js"]

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the meaning to the label, and the fields for the script."""
        option = super().create_option(name, value, *args, **kwargs)
        scenarios = [Scenario(each) for each in ([value] if value else self.before)]
        used = {field for each in scenarios for field in _fields_of(each)}
        option["attrs"]["data-uses"] = " ".join(sorted(used))
        if not value:
            option["label"] = format_html(
                '<span class="negin-sms-choice">{}</span>', option["label"]
            )
            return option
        (scenario,) = scenarios
        option["label"] = format_html(
            '<span class="negin-sms-choice">{}</span> <span class="help">{}</span>',
            scenario.label,
            _MEANINGS[scenario],
        )
        return option


def _fields_of(scenario: Scenario) -> frozenset[str]:
    use = wire.uses(scenario)
    return use.requires | use.allows
