"""A device that is a phone: it is sent a code, and a person reads it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, router, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp.models import CooldownMixin, SideChannelDevice, ThrottlingMixin

from negin_sms.characters import latin_digits
from negin_sms.choices import Status
from negin_sms.contrib.codes import EXPIRES_IN, CodeNotSent, code_text, send_code
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.phones import normalize_mobile
from negin_sms.services.database import after_commit, write_alias

from . import conf

_CODE = ("token", "valid_until")


class SMSDevice(CooldownMixin, ThrottlingMixin, SideChannelDevice):
    """The mobile of a user, who may own several."""

    mobile = models.CharField(
        gettext_lazy("mobile"),
        max_length=16,
        help_text=gettext_lazy("An Iranian mobile number, in any spelling."),
    )

    class Meta:
        verbose_name = gettext_lazy("SMS device")
        verbose_name_plural = gettext_lazy("SMS devices")

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Write the number as it is stored, or say what is wrong with it."""
        # Not in clean(): long spellings have to become short before they are measured.
        if "mobile" not in (exclude or ()):
            try:
                self.mobile = normalize_mobile(self.mobile)
            except InvalidMessage as error:
                raise ValidationError({"mobile": str(error.reason)}) from None
        super().clean_fields(exclude)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the device; raise InvalidMessage for a new one without a number.

        A device that is given to another user, or another number, loses its code:
        who has it is neither's owner any more.
        """
        try:
            self.mobile = normalize_mobile(self.mobile)
        except InvalidMessage:
            # One that came in otherwise still has its wrong codes counted.
            if self._state.adding:
                raise
        if self._is_moved(**kwargs):
            self.token, self.valid_until = None, timezone.now()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], *_CODE}
        super().save(*args, **kwargs)

    @private
    def _is_moved(
        self,
        *,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
        **_others: Any,
    ) -> bool:
        """Return whether what is about to be saved changes the user or the number."""
        fields = {"user", "mobile"} if update_fields is None else {*update_fields}
        if self._state.adding or fields.isdisjoint({"user", "user_id", "mobile"}):
            return False
        using = using or router.db_for_write(type(self), instance=self)
        rows = type(self)._base_manager.using(using).filter(pk=self.pk)
        before = rows.values_list("user_id", "mobile").first()
        if before is None:
            return False
        return (before[0], _spelt(before[1])) != (self.user_id, self.mobile)

    def generate_challenge(self) -> str:
        """Send a new code, unless one was sent a moment ago; say what was done.

        Raise CodeNotSent, whose text is for the user, where it surely did not go
        out. Inside a transaction, such as that of django-otp's forms, it leaves
        after the commit; either way a code that failed starts no cooldown.
        """
        with self._locked():
            allowed, _why = self.generate_is_allowed()
            if not allowed:
                return _(
                    "a code was sent a moment ago; wait before you ask for another"
                )
            self.cooldown_set(commit=False)
            self.generate_token(valid_secs=conf.get("OTP_SMS_TOKEN_VALIDITY"))
        self._deliver()
        return _("on its way by SMS; if it does not arrive, ask for another")

    @private
    def verify_token(self, token: Any) -> bool:
        """Return whether this is the code, once; Persian digits do as well."""
        with self._locked():
            allowed, _why = self.verify_is_allowed()
            if not allowed:
                return False
            verified = bool(super().verify_token(latin_digits(str(token).strip())))
            if verified:
                self.throttle_reset()
                return True
            if self.valid_until <= timezone.now():
                self.token = None
            self.throttle_increment()
        return False

    @classmethod
    def clear_ended_codes(cls) -> int:
        """Remove the codes that can be used no more; return how many."""
        ended = cls._default_manager.filter(valid_until__lte=timezone.now())
        return int(ended.filter(token__isnull=False).update(token=None))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others out, and see what they did: attempts come at once, too."""
        rows = type(self)._default_manager
        using = router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            locked = rows.using(using).select_for_update()
            self.refresh_from_db(from_queryset=locked)
            yield

    def get_text(self) -> str:
        """Return the text that brings the code; proxy models may say it otherwise."""
        return code_text(str(self.token))

    def get_cooldown_duration(self) -> float:
        """Return the seconds between two codes."""
        return float(conf.get("OTP_SMS_COOLDOWN_DURATION"))

    def get_throttle_factor(self) -> float:
        """Return the seconds to wait after a wrong code, doubled at each."""
        return float(conf.get("OTP_SMS_THROTTLE_FACTOR"))

    def _deliver(self) -> None:
        # A message that left later than this would bring a code of no use.
        expires_in = min(EXPIRES_IN, conf.get("OTP_SMS_TOKEN_VALIDITY"))
        options = {
            "source": "otp",
            "expires_in": expires_in,
            **conf.get("OTP_SMS_FIELDS"),
        }
        try:
            message = send_code(self.mobile, self.get_text(), **options)
        except (CodeNotSent, InvalidMessage):
            self._end_cooldown()
            raise
        # Behind the send, which waits for the commit too.
        after_commit(write_alias(), functools.partial(self._forgive, message))

    def _forgive(self, message: Message) -> None:
        """End the cooldown if the message has turned out not to go."""
        if message.status in (Status.CANCELLED, Status.REJECTED, Status.EXPIRED):
            self._end_cooldown()

    def _end_cooldown(self) -> None:
        # Nothing else: wrong codes may have been counted while the gateway was asked.
        self.last_generated_timestamp = None
        rows = type(self)._default_manager.filter(pk=self.pk)
        rows.update(last_generated_timestamp=None)


def _spelt(mobile: str) -> str:
    """Return a number as it is stored; what is none as it is."""
    try:
        return normalize_mobile(mobile)
    except InvalidMessage:
        return mobile
