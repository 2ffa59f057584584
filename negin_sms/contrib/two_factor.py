"""The gateway for django-two-factor-auth: TWO_FACTOR_SMS_GATEWAY names its class."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from two_factor.middleware.threadlocals import get_current_request

from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.services.submission.compose import MessageOptions

from .codes import CodeNotSent, code_text, send_code


class SMSGateway:
    """Send tokens by SMS; subclass it for other words or another account."""

    sms_fields: ClassVar[MessageOptions] = {}
    """More fields of ``send_sms``: an account, a scenario, ``expires_in`` …"""

    @private
    def send_sms(self, device: Any, token: str) -> None:
        """Send a token to a device's number.

        Raise CodeNotSent only to the set-up of the first device, which catches it
        and explains. Elsewhere it would be a server error, in the way of the backup
        tokens; there a message tells, if two_factor's ThreadLocals middleware is on.
        """
        options: MessageOptions = {"source": "two-factor", **self.sms_fields}
        try:
            send_code(device.number.as_e164, self.get_text(token), **options)
        except CodeNotSent as error:
            if _is_first(device):
                raise
            _tell(str(error))

    def make_call(self, device: Any, token: str) -> None:
        """Raise InvalidConfiguration: this gateway cannot speak."""
        raise InvalidConfiguration(
            "The Negin panel makes no voice calls: take negin_sms out of "
            "TWO_FACTOR_CALL_GATEWAY."
        )

    def get_text(self, token: str) -> str:
        """Return the text that brings a token."""
        return code_text(token)


def _is_first(device: Any) -> bool:
    # SetupView's device; that of PhoneSetupView has no name while it is set up.
    return device.pk is None and device.name == "default"


def _tell(sentence: str) -> None:
    request = get_current_request()
    if request is not None:
        messages.error(request, sentence, fail_silently=True)
