"""One message to many: what the compose page asks for."""

from __future__ import annotations

import secrets
from typing import cast

from django import forms
from django.conf import settings
from django.contrib.admin import widgets
from django.db.models import Model
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from negin_sms import conf
from negin_sms.choices import Priority, Scenario
from negin_sms.models import SmsTemplate

from .date_fields import MomentField
from .recipient_fields import NOT_ENDLESS, NUMBERS, RecipientFields
from .way_fields import account_choices, line_field, template_field
from .widgets import CountedTextarea, ScenarioSelect, TemplateSelect

_HOUR = 3600
LIFETIMES = [
    ("", _("As the account's settings say")),
    (_HOUR // 6, _("10 minutes")),
    (_HOUR, _("1 hour")),
    (6 * _HOUR, _("6 hours")),
    (24 * _HOUR, _("1 day")),
    (3 * 24 * _HOUR, _("3 days")),
    (7 * 24 * _HOUR, _("7 days")),
]
# The rest of the group is its own token.
_LONGEST_NAME = 50


def _new_token() -> str:
    return secrets.token_hex(8)


def language_name(code: str) -> str:
    """Return a language of the settings by its name in the page's language."""
    # Django's own list has them in English, for catalogues to translate.
    return gettext(str(dict(settings.LANGUAGES).get(code, code)))


class TemplateField(forms.ModelChoiceField):
    """A text template, by its name and its language's."""

    def label_from_instance(self, obj: Model) -> str:
        """Return what the list of choices shows."""
        template = cast(SmsTemplate, obj)
        return f"{template.name} ({language_name(template.language)})"


class ComposeFields(RecipientFields):
    """Recipients, a text, and how and when to send it."""

    kept = forms.CharField(
        label=_("Recipients that are fine"),
        required=False,
        strip=False,
        validators=NOT_ENDLESS,
        widget=widgets.AdminTextareaWidget(attrs=NUMBERS | {"readonly": True}),
    )
    text_template = TemplateField(
        SmsTemplate.objects.order_by("name", "language"),
        label=capfirst(_("text template")),
        required=False,
        widget=TemplateSelect(attrs={"data-fills": "text"}),
        help_text=_("Replaces the text below, which you may change then."),
    )
    text = forms.CharField(
        label=capfirst(_("text")),
        widget=CountedTextarea(attrs={"dir": "auto", "rows": 5}),
        help_text=_(
            # {name} is an example:
            # xgettext:no-python-brace-format
            "With a table, {name} stands for the value of the column “name”; write "
            "{{ and }} for braces."
        ),
    )
    sensitive = forms.BooleanField(
        label=capfirst(_("sensitive")),
        required=False,
        help_text=_(
            "Its author sees the text until it is confirmed; otherwise it is shown on "
            "request only, to those who may see texts. Once sent or given up, it is "
            "redacted before long."
        ),
    )
    footer = forms.BooleanField(label=_("Append the footer"), required=False)
    scenario = forms.ChoiceField(
        label=capfirst(_("scenario")),
        choices=Scenario.choices,
        initial=Scenario.SINGLE,
        widget=ScenarioSelect,
    )
    line = line_field(_("line"), when_empty=_("Empty: the account's own line."))
    line2 = line_field(
        _("second line"), when_empty=_("Empty: the account's own second line.")
    )
    template = template_field()
    account = forms.ChoiceField(
        label=capfirst(_("account")),
        required=False,
        choices=account_choices,
        initial=conf.DEFAULT_ALIAS,
    )
    send_at = MomentField(
        label=capfirst(_("send at")),
        required=False,
        help_text=_("Empty: as soon as it is confirmed."),
    )
    expires_in = forms.TypedChoiceField(
        label=_("Give up after"),
        required=False,
        choices=LIFETIMES,
        coerce=int,
        empty_value=None,
        help_text=_("What could not be sent by then is not sent any more."),
    )
    priority = forms.TypedChoiceField(
        label=capfirst(_("priority")),
        choices=Priority.choices,
        initial=Priority.NORMAL,
        coerce=int,
    )
    group = forms.CharField(
        label=_("Name of the batch"),
        required=False,
        max_length=_LONGEST_NAME,
        widget=widgets.AdminTextInputWidget(attrs={"dir": "auto"}),
        help_text=_("To find these messages again by; may stay empty."),
    )
    # What was guessed of recipients that came back to be corrected.
    remarks = forms.CharField(required=False, widget=forms.HiddenInput)
    # Of one page comes one batch, however often its button is pressed.
    token = forms.RegexField(
        "^[0-9a-f]{16}$", required=False, initial=_new_token, widget=forms.HiddenInput
    )
    # The group that is written anew, if any, and the digest of its drafts.
    replaces = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    replaced = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
