"""What somebody saw before they said yes: a keyed digest of everything that leaves.

A page carries it, and it is compared in the transaction that queues: what was changed
meanwhile, by whoever, is shown again instead of being sent.
"""

from __future__ import annotations

from django.db import connections
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.exceptions import InvalidConfiguration, InvalidMessage
from negin_sms.querysets import MessageQuerySet

_LEAVES = (
    *("pk", "account", "mobile", "text", "scenario", "line", "line2", "template"),
    *("send_at", "priority", "sensitive"),
)
_LIFETIME = ("due_at", "expires_at")


@sensitive_variables()
def digest(rows: MessageQuerySet) -> str:
    """Return the digest of these messages: numbers, texts, lines, times.

    A message that names no line follows its account, so that one's lines count too.
    """
    found = salted_hmac("negin_sms.seen", b"", algorithm="sha256")
    accounts = set()
    for row in rows.order_by("pk").values_list(*_LEAVES, *_LIFETIME).iterator():
        *leaving, due_at, expires_at = row
        accounts.add(row[1])
        found.update(repr((*leaving, expires_at - due_at)).encode("utf-8", "replace"))
    for alias in sorted(accounts):
        found.update(repr((alias, *_lines(alias))).encode())
    return found.hexdigest()


def refuse_changed(rows: MessageQuerySet, seen: str) -> None:
    """Raise InvalidMessage("seen") unless these are what was seen, or none; lock them.

    Call it in the transaction that queues them.
    """
    if connections[rows.db].features.has_select_for_update:
        rows = rows.select_for_update()
    if digest(rows) not in (seen, digest(rows.none())):
        reason = _("Somebody changed these messages meanwhile; look at them again.")
        raise InvalidMessage("seen", reason)


def _lines(alias: str) -> tuple[str, str]:
    try:
        account = conf.get_account(alias)
    except InvalidConfiguration:
        return "", ""
    return account.line, account.line2
