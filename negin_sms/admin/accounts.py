"""How the accounts stand: read here, changed by the services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from negin_sms import conf
from negin_sms.models import AccountState, Message
from negin_sms.querysets import from_now

_LIFE_SIGN = 5 * 60.0


def is_dispatcher_missing() -> bool:
    """Return whether messages are due of accounts that nobody has dispatched lately.

    Costs a look at the small table of accounts, and one EXISTS on the queue's index
    for the accounts that look abandoned.
    """
    alive = AccountState.objects.filter(dispatcher_seen_at__gte=from_now(-_LIFE_SIGN))
    seen = set(alive.values_list("account", flat=True))
    unseen = [a.alias for a in conf.get_accounts() if a.alias not in seen]
    return bool(unseen) and Message.objects.due().filter(account__in=unseen).exists()


@admin.register(AccountState)
class AccountStateAdmin(admin.ModelAdmin):
    """A list to read: pauses and signs of life."""

    list_display = [
        "account",
        "paused_at",
        "paused_until",
        "reason",
        "dispatcher_seen_at",
        "poller_seen_at",
    ]
    ordering = ["account"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the services make these rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a pause is the services' business."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: without its row a paused account would go on."""
        return False
