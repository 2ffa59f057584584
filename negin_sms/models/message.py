"""One SMS: what was asked for, how its sending went, what was reported of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from negin_sms.choices import (
    FINAL_STATES,
    Flag,
    Priority,
    Scenario,
    Status,
    state_label,
)
from negin_sms.deletion import unlink
from negin_sms.phones import mask_mobile
from negin_sms.querysets import MessageQuerySet

from .user_keys import user_key


def _scenario_rule() -> Q:
    """Return the contract's table of scenarios as a condition.

    Written out once more although ``gateway.wire`` holds it: a migration must not
    change when the code does, and models know no gateway. A test compares them.
    """
    # A line that nobody named is filled in when the message is claimed.
    line = ~Q(line="") | Q(default_line=True)
    line2 = ~Q(line2="") | Q(default_line2=True)
    no_line2, no_template = Q(line2=""), Q(template__isnull=True)
    return (
        Q(scenario=Scenario.SINGLE) & line & no_line2 & no_template
        | Q(scenario=Scenario.SERVICE_LINE) & Q(line="") & no_line2
        | Q(scenario=Scenario.SECOND_LINE) & line & line2 & no_template
        | Q(scenario=Scenario.CHELCHELEH) & line & no_line2 & no_template
        | Q(scenario=Scenario.SERVICE_FALLBACK) & line & no_line2
    )


# Written out, as the rule above: what still may go out.
_WAITING = ("draft", "queued", "held")
_UNSENT = (*_WAITING, "sending")


class Message(models.Model):
    """One SMS to one recipient: what was asked for, how it went, what was reported."""

    # What was asked for.
    account = models.CharField(_("account"), max_length=64, default="default")
    mobile = models.CharField(
        _("mobile"),
        max_length=16,
        help_text=_("An Iranian mobile number, in any spelling."),
    )
    text = models.TextField(_("text"))
    scenario = models.CharField(
        _("scenario"),
        max_length=20,
        choices=Scenario.choices,
        default=Scenario.SINGLE,
    )
    line = models.CharField(_("line"), max_length=20, blank=True)
    line2 = models.CharField(_("second line"), max_length=20, blank=True)
    # Nobody named it: the account's own, as it is when the message is claimed.
    default_line = models.BooleanField(default=False, editable=False)
    default_line2 = models.BooleanField(default=False, editable=False)
    template = models.PositiveIntegerField(
        _("template"),
        null=True,
        blank=True,
        help_text=_("Number of the text registered for the service line."),
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.NORMAL
    )
    send_at = models.DateTimeField(_("send at"), null=True, blank=True)
    # Its lifetime lasts from here to expires_at. Tries and the gate move due_at alone.
    begins_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    idempotency_key = models.CharField(
        _("idempotency key"), max_length=128, null=True, blank=True
    )
    sensitive = models.BooleanField(_("sensitive"), default=False)
    parts = models.PositiveSmallIntegerField(_("parts"), default=1)
    source = models.CharField(_("source"), max_length=64, blank=True)
    group = models.CharField(
        pgettext_lazy("of messages", "group"), max_length=64, blank=True
    )
    created_by = user_key(_("created by"))
    created_at = models.DateTimeField(_("created at"))
    resend_of = models.OneToOneField(
        "self",
        verbose_name=_("resend of"),
        null=True,
        blank=True,
        on_delete=unlink,
        related_name="resent_as",
    )

    # The sending.
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.DRAFT
    )
    due_at = models.DateTimeField(_("due at"))
    claim = models.CharField(_("claim"), max_length=128, blank=True)
    claimed_until = models.DateTimeField(_("claimed until"), null=True, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    # The moment in whose periods it has its place among those that caps allow.
    counted_for = models.DateTimeField(null=True, blank=True, editable=False)
    ignores_caps = models.BooleanField(_("may exceed the caps"), default=False)
    gateway_id = models.CharField(_("gateway id"), max_length=32, blank=True)
    used_line = models.CharField(_("line used"), max_length=32, blank=True)
    code = models.IntegerField(_("gateway code"), null=True, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    flag = models.CharField(_("flag"), max_length=12, choices=Flag.choices, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    exchange_seconds = models.FloatField(
        _("exchange took"),
        null=True,
        blank=True,
        help_text=_("Seconds; known of requests that ended without an acceptance."),
    )

    # The delivery.
    state = models.IntegerField(_("delivery state"), null=True, blank=True)
    state_at = models.DateTimeField(_("state since"), null=True, blank=True)
    poll_at = models.DateTimeField(_("next poll"), null=True, blank=True, db_index=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    redacted_at = models.DateTimeField(_("text blanked at"), null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    # No column. False where the claim has seen that no opt-out has the number.
    may_have_opt_out = True

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        permissions = [
            ("send_message", _("Can send messages")),
            ("refresh_message", _("Can refresh the delivery state of messages")),
            ("cancel_message", _("Can cancel waiting messages")),
            ("release_message", _("Can release held messages")),
            ("edit_message", _("Can edit waiting messages")),
            ("reschedule_message", _("Can let waiting messages leave at another time")),
            ("ignore_caps_message", _("Can send messages in spite of the caps")),
            ("resend_message", _("Can send messages again")),
            ("resolve_message", _("Can decide what uncertain messages were")),
            ("export_message", _("Can export messages")),
            ("view_sensitive_message", _("Can see full numbers and texts")),
        ]
        constraints = [
            # Empty keys are NULL, of which any number may stand side by side.
            models.UniqueConstraint(
                fields=["account", "idempotency_key"], name="negin_sms_idempotency"
            ),
            models.CheckConstraint(
                condition=_scenario_rule(), name="negin_sms_scenario_fields"
            ),
            # Whatever somebody does to a row by hand, no empty text goes out.
            models.CheckConstraint(
                condition=Q(redacted_at__isnull=True) | ~Q(status__in=_UNSENT),
                name="negin_sms_redacted_is_over",
            ),
            # What was sent is never queued again, whoever writes the status.
            models.CheckConstraint(
                condition=Q(gateway_id="", finished_at__isnull=True)
                | ~Q(status__in=_WAITING),
                name="negin_sms_waiting_was_not_sent",
            ),
        ]
        indexes = [
            models.Index(
                fields=["status", "account", "priority", "due_at", "id"],
                name="negin_sms_queue",
            ),
            models.Index(fields=["status", "expires_at"], name="negin_sms_expiry"),
            models.Index(
                fields=["sensitive", "redacted_at", "id"], name="negin_sms_redaction"
            ),
            # Not by db_index: PostgreSQL would add a second one to each, for LIKE.
            models.Index(fields=["mobile"], name="negin_sms_mobile"),
            models.Index(fields=["gateway_id"], name="negin_sms_gateway_id"),
            # The report and its counting read days; the list reads a range of them.
            models.Index(fields=["finished_at", "id"], name="negin_sms_finished"),
            # What an operator should look at is rare, and looked for often.
            models.Index(fields=["flag", "id"], name="negin_sms_flag"),
            # What did not arrive is rare among what did.
            models.Index(fields=["state", "id"], name="negin_sms_state"),
            # A batch is shown, and confirmed, as a whole.
            models.Index(fields=["group", "id"], name="negin_sms_group"),
        ]

    def __str__(self) -> str:
        # Ends up in the history and on delete pages: no number, no text.
        words = _("SMS %(pk)s → %(number)s (%(status)s)")
        status = self.get_status_display()
        return str(
            words % {"pk": self.pk, "number": self.masked_mobile, "status": status}
        )

    def __repr__(self) -> str:
        # Ends up in logs, which are searched: the same in every language.
        return f"<Message: SMS {self.pk} → {self.masked_mobile} ({self.status})>"

    def save(self, **options: Any) -> None:
        """Save a new row whole; of one that is there, what the services do not own.

        That is ``group`` and ``source``, and all that a draft says while it
        is one. Where a message stands is moved by ``negin_sms.services`` alone: an
        instance that was read a while ago would move it back. Raise ValueError for
        other ``update_fields``, DatabaseError for a draft that was queued meanwhile.
        """
        self.idempotency_key = self.idempotency_key or None
        if not self._state.adding:
            options["update_fields"] = self._saved_fields(options.get("update_fields"))
        super().save(**options)

    def _saved_fields(self, asked: Iterable[str] | None) -> frozenset[str]:
        own = _FREE_FIELDS | (_WISHED if self.status == Status.DRAFT else frozenset())
        refused = sorted(set(own if asked is None else asked) - own)
        if refused:
            raise ValueError(
                f"Message.save() does not write {', '.join(refused)}: use the functions "
                "of negin_sms.services (cancel, edit, resend, resolve …)."
            )
        return own if asked is None else frozenset(asked)

    def _do_update(self, base_qs: Any, *args: Any, **kwargs: Any) -> Any:
        """Change a draft only while it is one."""
        if self.status == Status.DRAFT:
            base_qs = base_qs.filter(status=Status.DRAFT)
        return super()._do_update(base_qs, *args, **kwargs)

    @property
    def masked_mobile(self) -> str:
        """Return the number as people may see it without a right to it."""
        return mask_mobile(self.mobile)

    @property
    def lifetime(self) -> timedelta | None:
        """Return how long the message may wait from when it was asked to leave.

        None, which is the account's, where a row that others wrote has none.
        """
        lifetime: timedelta = self.expires_at - self.begins_at
        return lifetime if lifetime > timedelta(0) else None

    @property
    def is_held(self) -> bool:
        """Return whether the message waits for a person to release it."""
        return self.status == Status.HELD

    @property
    def is_final(self) -> bool:
        """Return whether the delivery state is the last word."""
        return self.state in FINAL_STATES

    @property
    def has_no_report(self) -> bool:
        """Return whether polling ended without a last word."""
        return self.settled_at is not None and not self.is_final

    @property
    def state_words(self) -> str:
        """Return the delivery state in words, "" before the first report."""
        if self.has_no_report:
            return str(pgettext_lazy("delivery state", "No report"))
        return state_label(self.state)


_FREE_FIELDS = frozenset({"group", "source"})
_WISHED = frozenset(
    {
        *("account", "mobile", "text", "scenario", "template", "send_at"),
        *(
            "line",
            "line2",
            "default_line",
            "default_line2",
            "priority",
            "begins_at",
            "expires_at",
            "due_at",
        ),
        *("idempotency_key", "sensitive", "parts", "ignores_caps"),
    }
)
