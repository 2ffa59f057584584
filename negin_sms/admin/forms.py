"""What a person may write into a draft, or change, by the same rules as services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.phones import normalize_mobile
from negin_sms.querysets import database_now
from negin_sms.services.database import write_alias
from negin_sms.services.submission.compose import compose
from negin_sms.services.submission.seen import digest, refuse_changed

from .actions import SEEN
from .date_fields import MomentField
from .way_fields import LTR, NUMERIC

# What compose() works out beside the fields of the form.
_WORKED_OUT = (
    *("parts", "due_at", "begins_at", "expires_at"),
    *("default_line", "default_line2"),
)


GONE = _("This is not a draft any more; nothing was changed.")


def lock_draft(pk: int) -> bool:
    """Return whether a message is a draft, which it stays until the transaction ends.

    Somebody else may have sent it since the page was opened.
    """
    rows = Message.objects.using(write_alias()).select_for_update()
    return rows.filter(pk=pk, status=Status.DRAFT).first() is not None


class DraftForm(forms.ModelForm):
    """A message before it is sent. Validate it inside a transaction."""

    # People paste numbers that are longer than the stored form.
    mobile = forms.CharField(
        label=capfirst(_("mobile")),
        max_length=64,
        widget=widgets.AdminTextInputWidget(attrs=LTR),
        help_text=_("An Iranian mobile number, in any spelling."),
    )
    account = forms.ChoiceField(
        label=capfirst(_("account")), initial=conf.DEFAULT_ALIAS
    )
    send_at = MomentField(label=capfirst(_("send at")), required=False)

    class Meta:
        model = Message
        fields = [
            *("account", "mobile", "text", "scenario", "line", "line2", "template"),
            *("priority", "send_at", "sensitive", "group"),
        ]
        widgets = {
            "text": widgets.AdminTextareaWidget(attrs={"dir": "auto", "rows": 5}),
            "line": widgets.AdminTextInputWidget(attrs=LTR),
            "line2": widgets.AdminTextInputWidget(attrs=LTR),
            "template": widgets.AdminTextInputWidget(attrs=NUMERIC),
        }
        help_texts = {
            "line": _("Empty: the account's own line, where the scenario uses one."),
            "line2": _("Empty: the account's own, where the scenario uses one."),
            "sensitive": _(
                "Its author sees the text until it is confirmed; otherwise it is shown on "
                "request only, to those who may see texts. Once sent or given up, it is "
                "redacted before long."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account = self.fields.get("account")
        if isinstance(account, forms.ChoiceField):
            account.choices = [(alias, alias) for alias in self._aliases()]

    @property
    def seen(self) -> str:
        """Return the digest of what the page showed, for it to post."""
        if self.is_bound:
            return str(self.data.get(SEEN, ""))
        rows = Message.objects.using(write_alias())
        return digest(rows.filter(pk=self.instance.pk))

    def clean_mobile(self) -> str:
        """Return the number in its stored form."""
        try:
            return normalize_mobile(self.cleaned_data["mobile"])
        except InvalidMessage as error:
            raise ValidationError(str(error.reason)) from None

    def clean_text(self) -> str:
        """Return the text with the line ends that were typed, not those of HTTP."""
        text: str = self.cleaned_data["text"]
        return text.replace("\r\n", "\n")

    def clean(self) -> dict[str, Any] | None:
        """Work out the message as the services do."""
        if self.instance.pk and not lock_draft(self.instance.pk):
            raise ValidationError(GONE)
        if self.instance.pk and self.seen:
            self._refuse_changed()
        if not self.errors:
            self._take_over()
        return super().clean()

    def _refuse_changed(self) -> None:
        rows = Message.objects.using(write_alias())
        try:
            refuse_changed(rows.filter(pk=self.instance.pk), self.seen)
        except InvalidMessage as error:
            words = _("Open the page again; your changes were not saved.")
            again = format_html('{} <a href="?">{}</a>', error.reason, words)
            raise ValidationError(again) from None

    def _post_clean(self) -> None:
        # The constraints would complain a second time of what was refused here.
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]

    def _aliases(self) -> list[str]:
        aliases = [account.alias for account in conf.get_accounts()]
        own = self.instance.account
        # Nobody changes an account by saving: one that is gone is an error instead.
        gone = self.instance.pk and own not in aliases
        return [*aliases, own] if gone else aliases

    @sensitive_variables()
    def _take_over(self) -> None:
        try:
            row = self._compose()
        except InvalidMessage as error:
            field = error.field if error.field in self.fields else None
            self.add_error(field, str(error.reason))
            return
        for name in self.fields:
            self.cleaned_data[name] = getattr(row, name)
        for name in _WORKED_OUT:
            setattr(self.instance, name, getattr(row, name))
        if self.instance.pk is None:
            self.instance.created_at = row.created_at

    @sensitive_variables()
    def _compose(self) -> Message:
        cleaned = self.cleaned_data
        return compose(
            cleaned["mobile"],
            cleaned["text"],
            now=database_now(write_alias()),
            account=cleaned["account"],
            scenario=cleaned["scenario"],
            line=cleaned["line"] or None,
            line2=cleaned["line2"] or None,
            template=cleaned["template"],
            priority=cleaned["priority"],
            send_at=cleaned["send_at"],
            sensitive=cleaned["sensitive"],
            group=cleaned.get("group", self.instance.group),
            expires_in=self._lifetime(),
        )

    def _lifetime(self) -> timedelta | None:
        """Return how long a draft that was made elsewhere is to live."""
        row: Message = self.instance
        if row.pk is None or row.account != self.cleaned_data["account"]:
            return None
        return row.lifetime


class WishForm(forms.ModelForm):
    """What a message that waits is to be; ``services.edit`` judges and writes it."""

    def clean(self) -> dict[str, Any]:
        """Leave the rest to the service."""
        return self.cleaned_data

    def wish(self) -> dict[str, Any]:
        """Return the keywords for ``edit``; an empty line is the account's own."""
        own = {"line", "line2"}
        return {k: (v or None) if k in own else v for k, v in self.cleaned_data.items()}

    def _post_clean(self) -> None:
        pass  # the row stays as it was read, so that what is changed can be told


class EditForm(WishForm, DraftForm):
    """All but when it leaves, through which account, and with which batch.

    What was done to a batch is part of the history of each of its messages.
    """

    account = None  # type: ignore[assignment]
    send_at = None  # type: ignore[assignment]

    class Meta(DraftForm.Meta):
        fields = [
            *("mobile", "text", "scenario", "line", "line2", "template"),
            *("priority", "sensitive"),
        ]


class RescheduleForm(WishForm):
    """When it leaves."""

    send_at = MomentField(
        label=capfirst(_("send at")),
        required=False,
        help_text=_("Empty: as soon as it can. How long it may wait then stays."),
    )

    class Meta:
        model = Message
        fields = ["send_at"]
