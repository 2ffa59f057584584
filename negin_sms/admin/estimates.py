"""What messages cost about: parts times today's price of their line (PRICES)."""

from __future__ import annotations

from negin_sms import conf
from negin_sms.conf.prices import price_of
from negin_sms.models import Message
from negin_sms.services import DeliveryStatistics
from negin_sms.services.submission.batches import Batch, Line

from .displays import lines_of


def batch_estimate(batch: Batch) -> str | None:
    """Return the rials of a batch, None where PRICES do not say."""
    costs = [_rials(line, *parts) for line, parts in batch.parts_by_line.items()]
    known = [each for each in costs if each is not None]
    return f"{round(sum(known)):,}" if known == costs else None


def _rials(line: Line, in_unicode: int, others: int) -> float | None:
    charged = Message(
        account=line.account, line=line.line, default_line=line.is_default
    )
    number = lines_of(charged)[0]
    known = [each.prices for each in conf.get_accounts() if each.alias == line.account]
    in_persian = price_of(known, number, is_unicode=True)
    in_english = price_of(known, number, is_unicode=False)
    if in_persian is None or in_english is None:
        return None
    return in_unicode * in_persian + others * in_english


def report_estimate(report: DeliveryStatistics) -> str | None:
    """Return the rials of what was sent, None where a line has no price.

    Alphabets are not counted: all is taken for Persian, of which a part costs more.
    """
    accounts = conf.get_accounts()
    known = [a.prices for a in accounts if report.account in (None, a.alias)]
    total = 0.0
    for row in report.lines:
        price = price_of(known, row.value or "", is_unicode=True)
        if price is None and row.counts.parts:
            return None
        total += row.counts.parts * (price or 0.0)
    return f"{round(total):,}" if any(known) else None
