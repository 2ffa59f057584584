"""A fortnight at an SMS desk: what the pages show when people work with them.

The recipients are the sandbox's, the names and texts believable. The same on every
run but for the day, so that pictures of it can be compared.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from negin_sms.choices import Flag, Priority, ReportSource, Scenario, Status
from negin_sms.gateway.sandbox import MAGIC
from negin_sms.gateway.scripts import SERVICE_LINE
from negin_sms.models import AccountState, DeliveryState, Message
from tests.factories import MessageFactory

NAMES = [
    *("سارا احمدی", "علی رضایی", "مریم حسینی", "رضا کریمی", "زهرا موسوی"),
    *("حسین جعفری", "فاطمه نوری", "محمد قاسمی", "نرگس صادقی", "امیر شریفی"),
]
ORDERS = "سفارش‌های آذر"
TEXT = "{name} عزیز، سفارش شما آمادهٔ ارسال است. زمان تحویل: فردا، ساعت ۱۰ تا ۱۲."
RECIPIENTS = "mobile,name\n" + "".join(
    f"0{number[2:]},{name}\n" for number, name in zip(MAGIC, NAMES[:6], strict=False)
)
NO_ANSWER = (
    "The gateway did not answer in time; whether it did what was asked is not known."
)
CUT = "The connection was lost; whether the gateway did what was asked is not known."
_REASONS = (1, 13, 27, 27, 27)


def set_up(by: Any = None) -> None:
    """Fill the database: messages of 14 days, three undecided, one account."""
    chance = random.Random(1)
    today = timezone.localtime().replace(hour=9, minute=0, second=0, microsecond=0)
    for ago in range(13, -1, -1):
        day = today - timedelta(days=ago)
        busy = 0 if day.weekday() == 4 else chance.randint(14, 30)
        for number in range(busy):
            _settled(chance, day + timedelta(minutes=11 * number), by)
    now = timezone.now()
    for minutes, detail in ((95, NO_ANSWER), (42, CUT), (17, NO_ANSWER)):
        _uncertain(now - timedelta(minutes=minutes), gettext(detail), by)
    _row(
        "989000000001",
        now - timedelta(minutes=14),
        by,
        status=Status.ACCEPTED,
        text="کد ورود شما: ۱۲۳۴",
        sensitive=True,
        gateway_id="6301437",
        finished_at=now - timedelta(minutes=14),
    )
    _followed(now - timedelta(minutes=12), by)
    for mobile, name in zip(MAGIC, NAMES[:4], strict=False):
        text = TEXT.replace("{name}", name)
        _row(mobile, now - timedelta(minutes=2), by, text=text, parts=2, group=ORDERS)
    AccountState.objects.create(
        account="default", dispatcher_seen_at=now, poller_seen_at=now
    )


def followed() -> Message:
    """Return the message with the longest history."""
    return Message.objects.get(flag=Flag.UNKNOWN_CODE)


def undecided() -> Message:
    """Return the newest of the uncertain ones."""
    return Message.objects.filter(status=Status.UNCERTAIN).latest("pk")


def queued() -> Message:
    """Return the newest that waits."""
    return Message.objects.filter(status=Status.QUEUED).latest("pk")


def sensitive() -> Message:
    """Return the one with a text that is shown on request."""
    return Message.objects.get(sensitive=True)


def _settled(chance: random.Random, at: datetime, by: Any) -> None:
    scenario = chance.choice([Scenario.SINGLE, Scenario.SINGLE, *Scenario])
    fields: dict[str, Any] = {
        "scenario": scenario,
        "line": "" if scenario == Scenario.SERVICE_LINE else "9830003300",
        "line2": "9830003301" if scenario == Scenario.SECOND_LINE else "",
        "template": 3 if scenario == Scenario.SERVICE_FALLBACK else None,
        "group": chance.choice(["", ORDERS, "یادآوری نوبت", "کد ورود"]),
        "text": f"{chance.choice(NAMES)} عزیز، نوبت شما ثبت شد.",
        "parts": chance.choice([1, 1, 1, 2]),
        "finished_at": at + timedelta(seconds=2),
    }
    number = chance.choice(list(MAGIC))
    fate = chance.random()
    if fate < 0.06:
        code = chance.choice(_REASONS)
        _row(number, at, by, status=Status.REJECTED, code=code, **fields)
        return
    state = 1 if fate < 0.85 else chance.choice([2, 16, 8])
    taken = at + timedelta(seconds=chance.choice([10, 30, 60, 300]))
    fell_back = scenario == Scenario.SERVICE_FALLBACK and chance.random() < 0.5
    _row(
        number,
        at,
        by,
        status=Status.ACCEPTED,
        code=-1,
        gateway_id=str(chance.randint(6_000_000, 7_000_000)),
        used_line=SERVICE_LINE if fell_back else fields["line"] or SERVICE_LINE,
        state=state,
        state_at=taken,
        settled_at=taken,
        **fields,
    )


def _uncertain(at: datetime, detail: str, by: Any) -> None:
    _row(
        "989000000010",
        at,
        by,
        status=Status.UNCERTAIN,
        text="یادآوری: نوبت شما فردا ساعت ۹ است.",
        claim="app-1:4711:5f0c2a",
        finished_at=at + timedelta(seconds=20),
        exchange_seconds=20.0,
        detail=detail,
        attempts=1,
    )


def _followed(at: datetime, by: Any) -> None:
    message = _row(
        "989000000001",
        at,
        by,
        status=Status.ACCEPTED,
        text=TEXT.replace("{name}", NAMES[0]),
        parts=2,
        group=ORDERS,
        scenario=Scenario.SERVICE_FALLBACK,
        template=3,
        priority=Priority.HIGH,
        code=-1,
        gateway_id="6301442",
        used_line=SERVICE_LINE,
        finished_at=at + timedelta(seconds=1),
        attempts=1,
        state=1,
        state_at=at + timedelta(seconds=61),
        settled_at=at + timedelta(seconds=61),
        flag=Flag.UNKNOWN_CODE,
    )
    for seconds, code, source in (
        (11, 0, ReportSource.POLL),
        (31, 5, ReportSource.POLL),
        (48, 8, ReportSource.REFRESH),
        (61, 1, ReportSource.POLL),
    ):
        DeliveryState.objects.create(
            message=message,
            code=code,
            reported_at=at + timedelta(seconds=seconds),
            source=source,
        )


def _row(number: str, at: datetime, by: Any, **fields: Any) -> Message:
    own = {"source": "admin", "created_by": by, "created_at": at}
    return MessageFactory(mobile=f"+{number}", **{**own, **fields})
