"""Numbers as people have them: pasted, or in a file. For every form that takes many."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.core.validators import MaxLengthValidator
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.exceptions import InvalidMessage
from negin_sms.services.submission.recipients.reader import read_sheet
from negin_sms.services.submission.recipients.tables import (
    MOST_COLUMNS,
    MOST_RECIPIENTS,
    Sheet,
)
from negin_sms.services.submission.recipients.uploads import LARGEST_INPUT, read_upload

from .workbook_files import can_write_workbooks

_TABLES = ".csv,.txt,text/csv,text/plain"
NUMBERS = {"dir": "ltr", "rows": 8, "spellcheck": "false", "autocomplete": "off"}
_LIMITS = {
    "recipients": MOST_RECIPIENTS,
    "columns": MOST_COLUMNS,
    "kilobytes": LARGEST_INPUT // 1000,
}
# Not max_length, which browsers obey by cutting off what is pasted.
NOT_ENDLESS = [MaxLengthValidator(LARGEST_INPUT)]


class RecipientFields(forms.Form):
    """Recipients; cleaned, both fields are sheets."""

    class Media:
        js = ["negin_sms/busy.js"]

    recipients = forms.CharField(
        label=_("Recipients"),
        required=False,
        strip=False,
        validators=NOT_ENDLESS,
        widget=widgets.AdminTextareaWidget(attrs=NUMBERS),
        help_text=format_lazy(
            _(
                "Mobile numbers in any spelling: one a line, a column of a "
                "spreadsheet, or with commas between them. Or a table, whose first "
                "line names its columns. At most {recipients} at a time."
            ),
            **_LIMITS,
        ),
    )
    file = forms.FileField(
        label=_("Or a file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": f".xlsx,{_TABLES}"}),
        help_text=format_lazy(
            _(
                "A workbook (.xlsx) or CSV, one line of which names the columns. At "
                "most {recipients} rows, {columns} columns and {kilobytes} kB. With numbers "
                "above, both are read."
            ),
            **_LIMITS,
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not can_write_workbooks():  # nor read them
            file = self.fields["file"]
            file.widget.attrs["accept"] = _TABLES
            file.help_text = format_lazy(
                _(
                    "A CSV file, one line of which names the columns. At most "
                    "{recipients} rows, {columns} columns and {kilobytes} kB."
                ),
                **_LIMITS,
            )

    def clean_recipients(self) -> Sheet:
        """Return what was pasted, read."""
        return self.read(self.cleaned_data["recipients"])

    def clean_file(self) -> Sheet:
        """Return the rows of the file."""
        upload = self.cleaned_data["file"]
        if upload is None:
            return Sheet()
        try:
            return read_upload(upload.read(LARGEST_INPUT + 1))
        except InvalidMessage as error:
            raise forms.ValidationError(str(error.reason)) from None

    @sensitive_variables()
    def read(self, text: str) -> Sheet:
        """Read a list or a table; ValidationError says what is wrong with it."""
        try:
            return read_sheet(text)
        except InvalidMessage as error:
            raise forms.ValidationError(str(error.reason)) from None
