"""Ids that the gateway gave to several messages: nobody knows whose report it is."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from django.db.models import Q
from django.db.models.functions import Coalesce

from negin_sms.choices import Flag
from negin_sms.gateway import suspend_keep_alive
from negin_sms.models import Message
from negin_sms.querysets import DbNow, MessageQuerySet, from_now
from negin_sms.services.statistics.daily_counts import invalidate_days

logger = logging.getLogger("negin_sms")

_ID_MEMORY = 2 * 24 * 3600.0  # the gateway itself forgets ids after about a day


def flag_shared_ids(alias: str, gateway_ids: Iterable[str], *, using: str) -> list[int]:
    """Flag the messages of an account that have one of these ids in common.

    None of them is asked about any more: nobody could say whose report it is. Ids
    may come round again in a gateway's life, so of the settled messages only those
    of the last days count. Return those that this settled.
    """
    theirs = Message.objects.using(using).filter(account=alias)
    suspects = _doubled(theirs.filter(gateway_id__in=set(gateway_ids)))
    if not suspects:  # the usual case, and a plain look is all that it costs
        return []
    recent = Q(finished_at__gte=from_now(-_ID_MEMORY)) | Q(poll_at__isnull=False)
    found = _doubled(theirs.filter(recent, gateway_id__in=suspects))
    if not found:
        return []
    rows = theirs.filter(recent, gateway_id__in=found)
    open_ones = rows.filter(settled_at__isnull=True)
    settled = list(open_ones.values_list("pk", flat=True))
    invalidate_days(rows.values_list("finished_at", flat=True), using=using)
    rows.update(
        flag=Flag.SHARED_ID,
        poll_at=None,
        settled_at=Coalesce("settled_at", DbNow()),
    )
    logger.error("SMS account %r: one gateway id for several messages", alias)
    suspend_keep_alive(alias)
    return settled


def _doubled(rows: MessageQuerySet) -> list[str]:
    counts = Counter(rows.values_list("gateway_id", flat=True))
    return [gateway_id for gateway_id, messages in counts.items() if messages > 1]
