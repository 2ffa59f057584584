"""What is asked of opt-outs: numbers and what they opted out of, or a change of one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import OptOut
from negin_sms.services import OptOutImport, import_opt_outs
from negin_sms.services.submission.recipients.reader import write_sheet

from .date_fields import EndField
from .recipient_fields import RecipientFields
from .way_fields import account_choices, line_field


class OptOutForm(forms.ModelForm):
    """What may be changed of an opt-out."""

    until = EndField(
        label=capfirst(_("until")),
        required=False,
        help_text=_("Empty: until somebody ends it."),
    )

    class Meta:
        model = OptOut
        fields = ["reason", "until"]


class EnterForm(RecipientFields):
    """Numbers, and what they opted out of."""

    line = line_field(_("line"), when_empty=_("Empty: all lines of the account."))
    account = forms.ChoiceField(
        label=capfirst(_("account")),
        required=False,
        choices=account_choices,
        initial=conf.DEFAULT_ALIAS,
        help_text=_(
            "Used without a line only: an opt-out of a line holds for every account "
            "that sends from it."
        ),
    )
    reason = forms.CharField(
        label=capfirst(_("reason")),
        required=False,
        max_length=200,
        widget=AdminTextInputWidget,
        help_text=_("It is kept with each message that is not sent."),
    )
    until = EndField(
        label=capfirst(_("until")),
        required=False,
        help_text=_("Empty: until somebody ends it."),
    )

    @property
    def remarks(self) -> list[str]:
        """Return what was guessed of the table."""
        sheets = (self.cleaned_data["recipients"], self.cleaned_data["file"])
        return [remark for sheet in sheets for remark in sheet.remarks]

    @sensitive_variables()
    def enter(self, *, by: Any) -> OptOutImport | None:
        """Enter them; None, with the error in its place, where that fails."""
        cleaned = self.cleaned_data
        rows = [*cleaned["recipients"].rows, *(cleaned["file"].rows)]
        line = cleaned["line"]
        try:
            return import_opt_outs(
                rows,
                line=line or None,
                account=None if line else cleaned["account"] or None,
                reason=cleaned["reason"],
                until=cleaned["until"],
                by=by,
            )
        except InvalidMessage as error:
            field = error.field if error.field in self.fields else None
            self.add_error(field, str(error.reason))
            return None

    @sensitive_variables()
    def to_correct(self, report: OptOutImport) -> EnterForm:
        """Return the form with only the refused rows left to edit."""
        posted: Any = self.data  # a QueryDict, which is read-only
        data = posted.copy()
        data["recipients"] = write_sheet([refusal.row for refusal in report.refused])
        return EnterForm(data)
