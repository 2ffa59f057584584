"""What somebody saw before they said yes: a keyed digest of everything that leaves.

A page carries it, and it is compared in the transaction that queues: what was changed
meanwhile, by whoever, is shown again instead of being sent.
"""

from __future__ import annotations

from django.db import connections
from django.db.models import Case, F, Q, Value, When
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration, InvalidMessage
from negin_sms.querysets import MessageQuerySet

_LEAVES = (
    *("pk", "account", "mobile", "text", "scenario", "template"),
    *("send_at", "priority", "sensitive"),
)
_LIFETIME = ("begins_at", "expires_at")
# A claim fills in the lines that nobody named.
_LINES = tuple(
    Case(When(Q((f"default_{name}", True)), then=Value("")), default=F(name))
    for name in ("line", "line2")
)
_IS_HELD = Case(When(status=Status.HELD, then=1), default=0)
_COLUMNS: tuple[str | Case, ...] = (*_LEAVES, *_LINES, _IS_HELD, *_LIFETIME)


@sensitive_variables()
def digest(rows: MessageQuerySet) -> str:
    """Return the digest of these messages: numbers, texts, lines, times.

    A message that names no line follows its account, so that one's lines count too.
    What tries and the gate write does not count: no person changed anything then. That
    a message is held now does, since it may have been sent already.
    """
    return _read(rows)[0]


@sensitive_variables()
def _read(rows: MessageQuerySet) -> tuple[str, int]:
    found = salted_hmac("negin_sms.seen", b"", algorithm="sha256")
    accounts, count = set(), 0
    for row in rows.order_by("pk").values_list(*_COLUMNS).iterator():
        *leaving, begins_at, expires_at = row
        accounts.add(row[1])
        count += 1
        lifetime = expires_at - begins_at
        found.update(repr((*leaving, lifetime)).encode("utf-8", "replace"))
    for alias in sorted(accounts):
        found.update(repr((alias, *_lines(alias))).encode())
    return found.hexdigest(), count


def refuse_changed(rows: MessageQuerySet, seen: str) -> int:
    """Lock these messages, and return how many they are.

    Raise InvalidMessage("seen") unless they are what was seen, or none. Call it in the
    transaction that queues them.
    """
    if connections[rows.db].features.has_select_for_update:
        rows = rows.select_for_update()
    found, count = _read(rows)
    if found not in (seen, digest(rows.none())):
        raise changed()
    return count


def changed() -> InvalidMessage:
    """Return the error that says to look again."""
    reason = _("Somebody changed these messages meanwhile; look at them again.")
    return InvalidMessage("seen", reason)


def _lines(alias: str) -> tuple[str, str]:
    try:
        account = conf.get_account(alias)
    except InvalidConfiguration:
        return "", ""
    return account.line, account.line2
