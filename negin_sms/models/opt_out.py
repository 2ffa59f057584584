"""Who wants no messages, from which line, and until when."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from negin_sms.characters import left_to_right
from negin_sms.phones import mask_mobile

from .user_keys import user_key


class OptOut(models.Model):
    """A recipient who wants no messages from a line, or from any of an account's.

    One row for a number and what it opted out of; it holds from ``since`` until
    ``until``, for good where that is empty. What is over stays until it is purged.
    """

    mobile = models.CharField(
        _("mobile"),
        max_length=16,
        help_text=_("An Iranian mobile number, in any spelling."),
    )
    line = models.CharField(_("line"), max_length=20, blank=True)
    account = models.CharField(_("account"), max_length=64, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(
        _("until"),
        null=True,
        blank=True,
        help_text=_("Empty: until somebody ends it."),
    )
    created_by = user_key(_("entered by"))

    class Meta:
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        # They are ended and purged: one that is gone would be sent to again.
        default_permissions = ("view", "add", "change")
        constraints = [
            models.UniqueConstraint(
                fields=["mobile", "line", "account"], name="negin_sms_opt_out"
            ),
            models.CheckConstraint(
                condition=(~Q(line="") & Q(account="")) | (Q(line="") & ~Q(account="")),
                name="negin_sms_opt_out_of_one",
            ),
        ]
        indexes = [
            models.Index(fields=["since", "id"], name="negin_sms_opt_out_since"),
            models.Index(fields=["until", "id"], name="negin_sms_opt_out_until"),
        ]

    def __str__(self) -> str:
        # Ends up in the history: no whole number.
        return left_to_right(f"{self.masked_mobile} → {self.line or self.account}")

    @property
    def masked_mobile(self) -> str:
        """Return the number as people may see it without a right to it."""
        return mask_mobile(self.mobile)
