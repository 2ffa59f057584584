"""How an account stands: its pause, its breaker, its heartbeats."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .user_keys import user_key


class AccountState(models.Model):
    """How an account stands, shared by all processes: its pause, its heartbeats."""

    account = models.CharField(_("account"), max_length=64, unique=True)
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)
    paused_until = models.DateTimeField(
        _("paused until"),
        null=True,
        blank=True,
        help_text=_("Empty while paused: until somebody resumes it."),
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    paused_by = user_key(_("paused by"))
    failures = models.PositiveIntegerField(
        _("failures in a row"),
        default=0,
        help_text=_("Requests in a row without a valid answer of the gateway."),
    )
    pauses = models.PositiveIntegerField(
        _("pauses in a row"),
        default=0,
        help_text=_("Automatic pauses since the last valid answer; each is longer."),
    )
    probe = models.CharField(_("probe"), max_length=128, blank=True)
    probe_until = models.DateTimeField(_("probe until"), null=True, blank=True)
    poller = models.CharField(_("poller"), max_length=128, blank=True)
    poller_until = models.DateTimeField(_("poller until"), null=True, blank=True)
    dispatcher_seen_at = models.DateTimeField(
        _("dispatcher last seen"), null=True, blank=True
    )
    poller_seen_at = models.DateTimeField(_("poller last seen"), null=True, blank=True)
    poll_after = models.DateTimeField(_("not asked before"), null=True, blank=True)
    poll_failures = models.PositiveIntegerField(
        _("failures of asking in a row"), default=0
    )
    poll_error = models.CharField(_("why not asked"), max_length=500, blank=True)
    # Until when the refreshes by hand so far use up their pace.
    refresh_busy_until = models.DateTimeField(null=True, blank=True, editable=False)

    # Whose gateway it is, and which server answered: see gateway_binding and
    # server_watch in services.outbox.
    gateway = models.CharField(max_length=300, blank=True, editable=False)
    server = models.CharField(max_length=100, blank=True, editable=False)
    server_changed_at = models.DateTimeField(
        _("database server changed"), null=True, blank=True
    )

    class Meta:
        verbose_name = _("account state")
        verbose_name_plural = _("account states")
        permissions = [("pause_accountstate", _("Can pause and resume accounts"))]

    def __str__(self) -> str:
        return self.account

    @property
    def is_paused(self) -> bool:
        """Return whether the account claims nothing but a probe, if that."""
        return self.paused_at is not None
