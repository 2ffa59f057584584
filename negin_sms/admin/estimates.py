"""What messages cost about: parts times today's price of their line (PRICES)."""

from __future__ import annotations

from negin_sms import conf
from negin_sms.conf.prices import Prices, price_of
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
    prices, number = _prices().get(line.account, ()), lines_of(charged)[0]
    in_persian = price_of(prices, number, is_unicode=True)
    in_english = price_of(prices, number, is_unicode=False)
    if in_persian is None or in_english is None:
        return None
    return in_unicode * in_persian + others * in_english


def report_estimate(report: DeliveryStatistics) -> str | None:
    """Return the rials of what was sent, None where a line of it has no price.

    Each line has the price of its account. Alphabets are not counted: all is taken for
    Persian, of which a part costs more.
    """
    total, prices = 0.0, _prices()
    for (account, line), parts in report.parts_by_line.items():
        price = price_of(prices.get(account, ()), line, is_unicode=True)
        if price is None:
            return None
        total += parts * price
    known = [prices[alias] for alias in prices if report.account in (None, alias)]
    return f"{round(total):,}" if any(known) else None


def _prices() -> dict[str, Prices]:
    return {account.alias: account.prices for account in conf.get_accounts()}
