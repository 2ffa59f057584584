"""Form fields of the way that a message takes: account, lines, registered text."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from negin_sms import conf

LTR = {"dir": "ltr"}
# No entry of numbers: those of browsers take Latin digits only.
NUMERIC = {**LTR, "inputmode": "numeric"}


def account_choices() -> list[tuple[str, str]]:
    """Return the accounts of the settings, as they are when somebody chooses."""
    return [(account.alias, account.alias) for account in conf.get_accounts()]


def line_field(name: Any, *, when_empty: Any) -> forms.CharField:
    """Ask for a line; ``when_empty`` says which one it is otherwise.

    Both are lazy strings.
    """
    return forms.CharField(
        label=capfirst(name),
        required=False,
        max_length=20,
        widget=widgets.AdminTextInputWidget(attrs=LTR),
        help_text=when_empty,
    )


def template_field() -> forms.IntegerField:
    """Ask for the number of a text that the panel has registered."""
    return forms.IntegerField(
        label=capfirst(_("template")),
        required=False,
        min_value=0,
        widget=widgets.AdminTextInputWidget(attrs=NUMERIC),
        help_text=_("Number of the text registered for the service line."),
    )
