"""One message to many: what the compose page asks for, and how its answers are read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Priority, Scenario
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import SmsTemplate
from negin_sms.services.submission.batches import Drafted, draft_batch
from negin_sms.services.submission.recipients import (
    LARGEST_INPUT,
    Sheet,
    decode_file,
    read_sheet,
    write_sheet,
)

from .date_fields import MomentField
from .widgets import CountedTextarea, ScenarioSelect, TemplateSelect

_LTR = {"dir": "ltr"}
_NUMBERS = _LTR | {"rows": 8, "spellcheck": "false", "autocomplete": "off"}
_HOUR = 3600
_LIFETIMES = [
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


class ComposeForm(forms.Form):
    """Recipients, a text, and how and when to send it.

    ``kept`` holds the recipients that an earlier look found fit, while those that
    were refused are corrected in ``recipients``.
    """

    recipients = forms.CharField(
        label=_("Recipients"),
        required=False,
        strip=False,
        max_length=LARGEST_INPUT,
        widget=widgets.AdminTextareaWidget(attrs=_NUMBERS),
        help_text=_(
            "Mobile numbers in any spelling: one a line, a column of a spreadsheet, "
            "or with commas between them. Or a table, whose first line names its "
            "columns."
        ),
    )
    file = forms.FileField(
        label=_("Or a CSV file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        help_text=_("As a spreadsheet saves it; its first line names the columns."),
    )
    kept = forms.CharField(
        label=_("Recipients that are fine"),
        required=False,
        strip=False,
        max_length=LARGEST_INPUT,
        widget=widgets.AdminTextareaWidget(attrs=_NUMBERS | {"readonly": True}),
    )
    text_template = forms.ModelChoiceField(
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
            "With a table, {name} stands for the value of the column “name”; write "
            "{{ and }} for braces."
        ),
    )
    sensitive = forms.BooleanField(
        label=capfirst(_("sensitive")),
        required=False,
        help_text=_("Once this is sent, its text is not shown here any more."),
    )
    scenario = forms.ChoiceField(
        label=capfirst(_("scenario")),
        choices=Scenario.choices,
        initial=Scenario.SINGLE,
        widget=ScenarioSelect,
    )
    line = forms.CharField(
        label=capfirst(_("line")),
        required=False,
        max_length=20,
        widget=widgets.AdminTextInputWidget(attrs=_LTR),
        help_text=_("Empty: the account's own line."),
    )
    line2 = forms.CharField(
        label=capfirst(_("second line")),
        required=False,
        max_length=20,
        widget=widgets.AdminTextInputWidget(attrs=_LTR),
        help_text=_("Empty: the account's own second line."),
    )
    template = forms.IntegerField(
        label=capfirst(_("template")),
        required=False,
        min_value=0,
        widget=widgets.AdminIntegerFieldWidget(attrs=_LTR),
        help_text=_("Number of the text registered for the service line."),
    )
    account = forms.ChoiceField(label=capfirst(_("account")), required=False)
    send_at = MomentField(
        label=capfirst(_("send at")),
        required=False,
        help_text=_("Empty: as soon as it is confirmed."),
    )
    expires_in = forms.TypedChoiceField(
        label=_("Give up after"),
        required=False,
        choices=_LIFETIMES,
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.aliases = [account.alias for account in conf.get_accounts()]
        account = self.fields["account"]
        if isinstance(account, forms.ChoiceField):
            account.choices = [(alias, alias) for alias in self.aliases]
            account.initial = conf.DEFAULT_ALIAS
        if SmsTemplate.objects.exists():
            self.fields["text"].required = False
        else:
            del self.fields["text_template"]

    @property
    def fieldsets(self) -> list[Any]:
        """Return the page's sections; the account only where there is a choice."""
        kept = ["kept"] if self["kept"].value() else []
        account = ["account"] if len(self.aliases) > 1 else []
        chooser = ["text_template"] if "text_template" in self.fields else []
        ways = ["scenario", "line", "line2", "template", *account]
        return [
            (pgettext_lazy("to whom", "To"), {"fields": ["recipients", "file", *kept]}),
            (capfirst(_("message")), {"fields": [*chooser, "text", "sensitive"]}),
            (_("Sending"), {"fields": ways}),
            (
                _("Time and order"),
                {"fields": ["send_at", "expires_in", "priority", "group"]},
            ),
        ]

    def clean_recipients(self) -> Sheet:
        """Return what was pasted, read."""
        return self._read(self.cleaned_data["recipients"])

    def clean_kept(self) -> Sheet:
        """Return the recipients of an earlier look; they are judged again."""
        return self._read(self.cleaned_data["kept"])

    def clean_file(self) -> Sheet:
        """Return the rows of the file."""
        upload = self.cleaned_data["file"]
        if upload is None:
            return Sheet()
        try:
            text = decode_file(upload.read(LARGEST_INPUT + 1))
        except InvalidMessage as error:
            raise forms.ValidationError(str(error.reason)) from None
        return self._read(text)

    def clean_text(self) -> str:
        """Return what was typed, with its own line ends, or the template's text."""
        text: str = self.cleaned_data["text"].replace("\r\n", "\n")
        template: SmsTemplate | None = self.cleaned_data.get("text_template")
        if not text and template:
            return template.text
        if not text:
            raise forms.ValidationError(self.fields["text"].error_messages["required"])
        return text

    @sensitive_variables()
    def draft(self, *, by: Any, leave_out: bool) -> Drafted | None:
        """Write the drafts; None, with the errors in their places, where that fails."""
        wish = self.cleaned_data
        try:
            return draft_batch(
                wish["text"],
                [wish["kept"], wish["recipients"], wish["file"]],
                leave_out=leave_out,
                account=wish["account"] or self.aliases[0],
                scenario=wish["scenario"],
                line=wish["line"] or None,
                line2=wish["line2"] or None,
                template=wish["template"],
                send_at=wish["send_at"],
                expires_in=wish["expires_in"],
                priority=wish["priority"],
                sensitive=wish["sensitive"],
                group=wish["group"],
                source="admin",
                created_by=by,
            )
        except InvalidMessage as error:
            field = error.field if error.field in self.fields else None
            self.add_error(field, str(error.reason))
            return None

    @sensitive_variables()
    def to_correct(self, drafted: Drafted) -> ComposeForm:
        """Return the form with only the refused rows left to edit."""
        posted: Any = self.data  # a QueryDict, which is read-only
        data = posted.copy()
        refused = [refusal.row for refusal in drafted.refused]
        data["recipients"] = write_sheet(refused, drafted.columns)
        data["kept"] = write_sheet(drafted.kept, drafted.columns)
        return ComposeForm(data)

    def mention_file(self) -> None:
        """Remind of the file, which browsers do not choose again by themselves."""
        if self.files and "file" not in self.errors:
            self.add_error("file", _("Choose the file again."))

    @sensitive_variables()
    def _read(self, text: str) -> Sheet:
        try:
            return read_sheet(text)
        except InvalidMessage as error:
            raise forms.ValidationError(str(error.reason)) from None
