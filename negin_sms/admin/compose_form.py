"""One message to many: how the answers of the compose page are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message, SmsTemplate
from negin_sms.services.submission.drafting import Drafted, draft_batch
from negin_sms.services.submission.recipients.reader import write_sheet
from negin_sms.services.submission.recipients.tables import Sheet
from negin_sms.services.submission.reopening import Reopened

from .compose_fields import LIFETIMES, ComposeFields
from .waiting import lifetime_words
from .widgets import CountedTextarea

_LONGEST_LIFETIME = 9  # digits


def remarks_on(drafted: Drafted) -> list[str]:
    """Return what was noticed in the rows, and what repeated one of them."""
    words = ngettext(
        "%(count)s number stood there more than once; it gets one message.",
        "%(count)s entries repeated a number; each number gets one message.",
        drafted.merged,
    )
    merged = [words % {"count": drafted.merged}] if drafted.merged else []
    return [*drafted.remarks, *merged]


class ComposeForm(ComposeFields):
    """Recipients, a text, and how and when to send it.

    ``kept`` holds the recipients that an earlier look found fit, while those that
    were refused are corrected in ``recipients``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.aliases = [account.alias for account in conf.get_accounts()]
        lifetime = str(self["expires_in"].value() or "")
        if lifetime.isdecimal():
            self._offer_lifetime(int(lifetime[:_LONGEST_LIFETIME]))
        self._count_as(conf.get_accounts())
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
        footer = ["footer"] if "footer" in self.fields else []
        ways = ["scenario", "line", "line2", "template", *account]
        return [
            (pgettext_lazy("to whom", "To"), {"fields": ["recipients", "file", *kept]}),
            (
                capfirst(_("message")),
                {"fields": [*chooser, "text", *footer, "sensitive"]},
            ),
            (_("Sending"), {"fields": ways}),
            (
                _("Time and order"),
                {"fields": ["send_at", "expires_in", "priority", "group"]},
            ),
        ]

    def clean_kept(self) -> Sheet:
        """Return the recipients of an earlier look; they are judged again."""
        return self.read(self.cleaned_data["kept"])

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
        cleaned = self.cleaned_data
        try:
            return draft_batch(
                cleaned["text"],
                self._sheets(),
                leave_out=leave_out,
                once=f"compose:{by.pk}:{cleaned['token']}" if cleaned["token"] else "",
                replaces=cleaned["replaces"],
                seen=cleaned["replaced"],
                account=cleaned["account"] or self.aliases[0],
                scenario=cleaned["scenario"],
                line=cleaned["line"] or None,
                line2=cleaned["line2"] or None,
                template=cleaned["template"],
                send_at=cleaned["send_at"],
                expires_in=cleaned["expires_in"],
                priority=cleaned["priority"],
                sensitive=cleaned["sensitive"],
                footer=cleaned.get("footer"),
                group=cleaned["group"],
                source="admin",
                created_by=by,
            )
        except InvalidMessage as error:
            field = error.field if error.field in self.fields else None
            # The code tells which it is where the page has no such field.
            problem = forms.ValidationError(str(error.reason), code=error.field)
            self.add_error(field, problem)
            return None

    @sensitive_variables()
    def to_correct(self, drafted: Drafted) -> ComposeForm:
        """Return the form with only the refused rows left to edit."""
        posted: Any = self.data  # a QueryDict, which is read-only
        data = posted.copy()
        refused = [refusal.row for refusal in drafted.refused]
        data["recipients"] = write_sheet(refused, drafted.columns)
        data["kept"] = write_sheet(drafted.kept, drafted.columns)
        data["remarks"] = "\n".join(remarks_on(drafted))
        return ComposeForm(data)

    @classmethod
    @sensitive_variables()
    def of(
        cls, drafts: Sequence[Message], seen: str, reopened: Reopened
    ) -> ComposeForm:
        """Return the form that wrote these drafts, as far as they still say."""
        first = drafts[0]
        lifetime = int((first.expires_at - first.begins_at).total_seconds())
        name, _space, _token = first.group.rpartition(" ")
        same = ("scenario", "line", "line2", "template", "account", "send_at")
        return cls(
            initial={
                **{field: getattr(first, field) for field in same},
                # One text that nobody may see hides them all.
                **{"sensitive": any(draft.sensitive for draft in drafts)},
                **{"priority": first.priority},
                **{"text": reopened.text, "footer": reopened.has_footer},
                **{"recipients": reopened.recipients},
                **{"group": name, "expires_in": lifetime},
                **{"replaces": first.group, "replaced": seen},
            }
        )

    def _count_as(self, accounts: Sequence[conf.Account]) -> None:
        """Tell the counter of prices and footers; without footers there is no box."""
        widget = self.fields["text"].widget
        if isinstance(widget, CountedTextarea):
            widget.count_as(accounts)
        footers = {each.alias: each.footer for each in accounts if each.footer}
        different = {each.footer for each in accounts}
        if len(different) > 1:  # some accounts may have none
            each_of = (f"{alias}: {footer}" for alias, footer in footers.items())
            self.fields["footer"].help_text = " · ".join(each_of)
        elif footers:
            self.fields["footer"].help_text = different.pop()
        else:
            del self.fields["footer"]

    def _offer_lifetime(self, seconds: int) -> None:
        """Add a lifetime to the choices, which a program or the settings gave."""
        field = self.fields["expires_in"]
        if isinstance(field, forms.TypedChoiceField) and seconds not in dict(LIFETIMES):
            words = lifetime_words(timedelta(seconds=seconds))
            field.choices = [*LIFETIMES, (seconds, words)]

    def mention_file(self) -> None:
        """Remind of the file, which browsers do not choose again by themselves."""
        if self.files and "file" not in self.errors:
            self.add_error(
                "file",
                _(
                    "Choose the file again: browsers do not keep it when a page comes back."
                ),
            )

    def _sheets(self) -> list[Sheet]:
        """Return the recipients, each part with what was guessed of it."""
        cleaned = self.cleaned_data
        pasted, kept = cleaned["recipients"], cleaned["kept"]
        if kept.rows:  # both are written by us, of what was read before
            remarks = tuple(cleaned["remarks"].splitlines())
            pasted = Sheet(pasted.rows, pasted.columns)
            kept = Sheet(kept.rows, kept.columns, remarks)
        return [kept, pasted, cleaned["file"]]
