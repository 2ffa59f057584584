"""Phone numbers for django-allauth: the three messages, and a field that takes 09….

Combine the mixin with an adapter of your own, which says where numbers are kept.
"""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account import app_settings
from allauth.account.fields import PhoneField
from allauth.core import context
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage
from negin_sms.phones import normalize_mobile
from negin_sms.services.submission.compose import MessageOptions

from .codes import CodeNotSent, code_text, send_code

# What allauth says once it has asked the adapter to send, or has kept silent lest
# a resend tell that there is no such account.
_SENT = (
    "account/messages/login_code_sent.txt",
    "account/messages/phone_verification_sent.txt",
)
_FAILURE = "negin_sms_code_not_sent"


class MobileField(PhoneField):
    """An Iranian mobile number in any spelling; its clean value is E.164 text."""

    def to_python(self, value: Any) -> str:
        """Return the number as ``+989395213300``, or say what is wrong with it."""
        text: str = super().to_python(value)
        if text in self.empty_values:
            return text
        try:
            return normalize_mobile(text)
        except InvalidMessage as error:
            raise ValidationError(str(error.reason), code="invalid_phone") from None


class SMSAdapterMixin:
    """Send allauth's three messages; put it before the adapter it is mixed into.

    Nothing here raises when a message does not go out: a page that failed for known
    numbers only would tell who has an account. For the same reason the page says so
    only where ACCOUNT_PREVENT_ENUMERATION is off; otherwise all pages read alike,
    and say what to do when nothing arrives.
    """

    sms_fields: ClassVar[MessageOptions] = {}
    """More fields of ``send_sms``: an account, a scenario, ``expires_in`` …"""

    @private
    def send_verification_code_sms(
        self, user: AbstractBaseUser | None, phone: str, code: str, **kwargs: Any
    ) -> None:
        """Send a code, to log in or to show that the number is one's own."""
        self._send(phone, self.get_code_text(code))

    def send_unknown_account_sms(self, phone: str, **kwargs: Any) -> None:
        """Tell who asked for a code that there is no account to log in to."""
        self._send(phone, self.get_unknown_account_text())

    def send_account_already_exists_sms(self, phone: str, **kwargs: Any) -> None:
        """Tell who signs up that the number has an account already."""
        self._send(phone, self.get_account_already_exists_text())

    def get_code_text(self, code: str) -> str:
        """Return the text that brings a code."""
        return code_text(code)

    def get_unknown_account_text(self) -> str:
        """Return the text for a number without an account."""
        return _("This number has no account. Sign up first.")

    def get_account_already_exists_text(self) -> str:
        """Return the text for a number that has an account already."""
        return _("This number has an account already. Log in with it.")

    def get_waiting_hint(self) -> str:
        """Return what pages say after every send, whether it went well or not."""
        return _("If nothing arrives within a few minutes, ask for a new code.")

    def phone_form_field(self, **kwargs: Any) -> MobileField:
        """Return a form field that takes 09…, +98… and Persian digits."""
        return MobileField(**kwargs)

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Say more than "sent" once allauth says so of a code that went by SMS."""
        add: Any = super().add_message  # type: ignore[misc]  # the adapter's own
        phone_context = (args[0] if args else kwargs.get("message_context")) or {}
        if message_template not in _SENT or not phone_context.get("phone"):
            add(request, level, message_template, *args, **kwargs)
            return
        failure = getattr(context.request, _FAILURE, None)
        if failure and not app_settings.PREVENT_ENUMERATION:
            add(request, messages.ERROR, message=str(failure))
            return
        add(request, level, message_template, *args, **kwargs)
        add(request, messages.INFO, message=self.get_waiting_hint())

    @private
    def _send(self, phone: str, text: str) -> None:
        options: MessageOptions = {"source": "allauth", **self.sms_fields}
        try:
            send_code(phone, text, **options)
        except CodeNotSent as error:
            if context.request is not None:
                setattr(context.request, _FAILURE, error)
