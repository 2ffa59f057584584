"""Figures in the sentences of the README and docs/ are those of the code.

Where a figure changes, its row fails and the sentence is found; those of the Persian
pages are read in Persian, in words and digits. Not here: what was measured, the
settings' defaults (test_reference.py), and what walking through a page shows
(test_followed.py, test_pages.py).
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from datetime import timedelta

import pytest

from negin_sms import conf, retries, written_dates
from negin_sms.admin import actions, date_fields, paging, search_terms, workbook_files
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.contrib import codes
from negin_sms.gateway.codes import OPTED_OUT
from negin_sms.gateway.keep_alive import KeepAlive
from negin_sms.management.commands import dispatch_sms_queue, poll_sms_states
from negin_sms.models import Message
from negin_sms.phones import mask_mobile
from negin_sms.segments import measure
from negin_sms.services import Severity, breaker
from negin_sms.services.operations import alerts, connectivity, maintenance
from negin_sms.services.operations.health import judgement, overview
from negin_sms.services.operations.retention import purge
from negin_sms.services.outbox import gateway_binding, server_watch
from negin_sms.services.outbox.gate import caps
from negin_sms.services.statistics import batch_progress, daily_counts, report
from tests.localisation.test_guide import guide
from tests.pages import ROOT, literals, read

SPELT = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
]
NUMBERS = {
    **{word: float(number) for number, word in enumerate(SPELT)},
    **{"an": 1.0, "fifty": 50.0, "hundred": 100.0},
    **{"یک": 1.0, "دو": 2.0, "سه": 3.0, "چهار": 4.0, "پنج": 5.0, "یک‌پنجم": 0.2},
}
UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
UNITS |= {"ثانیه": 1.0, "دقیقه": 60.0, "ساعت": 3600.0, "روز": 86400.0}
UNITS["هفته"] = UNITS["هفتهٔ"] = 7 * 86400.0
FIGURE = rf"((?:[\d,]+|[\w\u200c]+)(?: (?:{'|'.join(UNITS)})s?)?)"
DEFAULTS = conf.Account(alias="default")
FIRST_OUTAGE, LONGEST_OUTAGE = retries._OUTAGE_PAUSE
FIRST_REFUSAL, LONGEST_REFUSAL = retries._ACCOUNT_PAUSE
RESEND_LIMIT = actions.RESEND.limit
SEEN_AT_FIRST = mask_mobile("+989395213300").index("•")

# A page, words with a place for the figure, and what it is in the code: seconds where
# the words behind the place are a unit.
ROWS: list[tuple[str, str, float | timedelta]] = [
    ("README", "After {} without a last word", DEFAULTS.poll_schedule[-1]),
    ("tutorial", "the first time {} later", DEFAULTS.poll_schedule[0]),
    ("explanation", "growing ages: {},", DEFAULTS.poll_schedule[0]),
    ("explanation", "… {} (``POLL_SCHEDULE``)", DEFAULTS.poll_schedule[-1]),
    ("explanation", "after about {}, doubling", retries._FIRST_RETRY),
    ("explanation", "two seconds, doubling to about {}", retries._LONGEST_RETRY),
    ("explanation", "(``LEASE``, {})", DEFAULTS.lease),
    ("explanation", "{} requests in a row", breaker.FAILURES_IN_A_ROW),
    ("explanation", "pause it for {}, doubling", FIRST_OUTAGE),
    ("explanation", "for 30 seconds, doubling to {};", LONGEST_OUTAGE),
    ("explanation", "it is paused for {}, or for what it asks", retries._THROTTLE),
    ("explanation", "for what it asks up to {},", retries._LONGEST_THROTTLE),
    ("explanation", "(credit, password), {}, doubling", FIRST_REFUSAL),
    ("explanation", "15 minutes, doubling to {};", LONGEST_REFUSAL),
    ("explanation", "a delay of its own, {} doubling", retries.POLL_RETRY),
    ("explanation", "5 seconds doubling to {}", retries._LONGEST_POLL_RETRY),
    ("explanation", "for each request for {}", KeepAlive.SUSPENSION),
    ("runbook", "(``EXPIRES_IN``, {} unless set)", DEFAULTS.expires_in),
    ("runbook", "({}, growing to an hour)", FIRST_REFUSAL),
    ("runbook", "when the gateway is back: {},", FIRST_OUTAGE),
    ("runbook", "no heartbeat for {}", THRESHOLDS["no_dispatcher"] or 0),
    ("runbook", "took longer than {}", alerts._PATIENCE),
    ("security", "``REDACT_AFTER`` ({})", DEFAULTS.redact_after),
    ("howto/alerts", "look every {} for", maintenance._ALERT_EVERY),
    ("howto/alerts", "when it has lasted for {}", alerts._SETTLE),
    ("howto/alerts", "then again every {}", alerts._AGAIN),
    ("howto/alerts", "may take {};", alerts._PATIENCE),
    ("howto/bulk", "may still leave, {} unless given", DEFAULTS.expires_in),
    ("howto/codes", "after {} it is not sent any more", codes.EXPIRES_IN),
    ("howto/failover", "and every {}:", server_watch._AGAIN),
    ("howto/failover", "it is asked every {} only", server_watch._AGAIN),
    ("howto/moving", "the same; {} where it is left out", DEFAULTS.expires_in),
    ("howto/opt-outs", "for ``OPT_OUT_DAYS`` ({})", DEFAULTS.opt_out_days),
    ("howto/persian", "more than {} ago is refused", written_dates.LONG_PAST),
    ("howto/persian", "in the admin's forms of more than {}", date_fields._LONG_PAST),
    ("howto/retention", "from an age of {} on", purge._YOUNGEST),
    ("howto/retention", "with an age of {} or more", purge._YOUNGEST),
    ("howto/retention", "of caps {} after their period", caps._KEPT),
    ("howto/retention", "the {} largest of a day", daily_counts.GROUPS_A_DAY),
    ("howto/scale", "says, a {} to a request", DEFAULTS.states_batch_size),
    ("howto/shared-database", "starts, and once a {}.", gateway_binding._MINUTE),
    ("howto/testing-recipes", "more than {} ago is refused", written_dates.LONG_PAST),
    ("reference/admin", "sent again before, {} at a time", RESEND_LIMIT),
    ("reference/admin", "more than {} messages the newest", batch_progress.MOST_COUNTED),
    ("reference/admin", "a period, of {} at the most", report.LONGEST_REPORT * 86400),
    ("reference/admin", "pages up to {} messages", paging.COUNT_LIMIT),
    ("reference/admin", "workbook, of up to {} messages", workbook_files.MOST_ROWS),
    ("reference/admin", "among the newest {} messages", search_terms.NEWEST),
    ("reference/words", "{} Latin characters", 160),
    ("reference/words", "or {} Persian ones", 70),
    ("fa/index", "ارسال را با کد {} رد می‌کند", OPTED_OUT),
    ("fa/runbook", "اگر تغییر نداده باشید {})", DEFAULTS.expires_in),
    ("fa/runbook", "پس از پایان توقف ({}، و هر بار", FIRST_REFUSAL),
    ("fa/runbook", "هر بار بیشتر تا {}) یک پیامک", LONGEST_REFUSAL),
    ("fa/runbook", "خودبه‌خود تمام می‌شود ({}، و هر بار", FIRST_OUTAGE),
    ("fa/runbook", "هر بار بیشتر تا {}).", LONGEST_OUTAGE),
    ("fa/runbook", "{} است که هیچ ارسال‌کننده‌ای", THRESHOLDS["no_dispatcher"] or 0),
    ("fa/runbook", "{} بار پشت سر هم نشد", THRESHOLDS["states_refused"] or 0),
    ("fa/runbook", "{} پیامک‌های یک ساعت گذشته یا بیشتر رد", THRESHOLDS["rejected"] or 0),
    ("fa/runbook", "(دست‌کم {} پیامک)", judgement._FEW),
    ("fa/runbook", "{} پیامک‌های یک ساعت گذشته یا بیشتر پیش", THRESHOLDS["expired"] or 0),
    ("fa/runbook", "یک‌پنجم پیامک‌های {} گذشته", overview.LATELY),
    ("fa/runbook", "«ارسال دوباره» را بزنید. این مورد تا {} خودبه‌خود", overview.LATELY),
    ("fa/runbook", "پنل بپرسید. این مورد تا {} خودبه‌خود", overview._LAST_DAY),
    ("fa/runbook", "در {} گذشته گیرندگان", overview._LAST_DAY),
    ("fa/runbook", "پیش‌نویس‌هایی {} است که", THRESHOLDS["drafts_forgotten"] or 0),
    ("fa/runbook", "گواهی درگاه تا {} دیگر", connectivity._RENEW_BEFORE),
    ("fa/runbook", "است وقتی {} ادامه داشته باشد", alerts._SETTLE),
    ("fa/runbook", "سپس هر {} یک بار تا برطرف", alerts._AGAIN),
    ("guide/fa", "{} رقم آخر شماره کافی است", search_terms._SEEN_DIGITS),
    ("guide/en", "The last {} digits of a number are enough", search_terms._SEEN_DIGITS),
    ("guide/fa", "فقط {} رقم اول", SEEN_AT_FIRST),
]  # fmt: skip


def value(figure: str) -> float:
    """Return what a figure says, in seconds if it has a unit: "ten minutes"."""
    number, _space, unit = figure.partition(" ")
    if number in UNITS:  # "every hour"
        return UNITS[number]
    size = NUMBERS.get(number) or float(number.replace(",", ""))
    return size * UNITS[unit.removesuffix("s")] if unit else size


@pytest.mark.parametrize(("page", "words", "ours"), ROWS)
def test_figure_is_the_code_s(page, words, ours):
    pattern = re.escape(words).replace(r"\{\}", FIGURE)
    kind, _slash, name = page.partition("/")
    text = guide(name) if kind == "guide" else read(page)
    found = re.findall(pattern, re.sub(r"\s+", " ", text))
    assert found, "the sentence has gone: change its row"
    seconds = ours.total_seconds() if isinstance(ours, timedelta) else ours
    assert {value(each) for each in found} == {float(seconds)}


def test_parts_are_as_long_as_the_words_say():
    assert [measure("a" * 160).parts, measure("a" * 161).parts] == [1, 2]
    assert [measure("س" * 70).parts, measure("س" * 71).parts] == [1, 2]


def test_guide_to_scale_reckons_right():
    """The means, the busiest hours and the bytes; not what was measured."""
    text = read("howto/scale")
    rows = re.findall(r"^(\d+) million +([\d.]+) +([\d.]+) +\S", text, re.M)
    assert len(rows) == 3
    for millions, mean, busiest in rows:
        a_second = float(millions) * 1e6 / (30 * 86400)
        assert float(mean) == pytest.approx(
            a_second, abs=0.06 if a_second < 10 else 0.5
        )
        assert float(busiest) == pytest.approx(4 * a_second, rel=0.05)
    words = re.sub(r"\s+", " ", text)
    (rows_, indexes, each) = re.findall(
        r"took (\S+) GB, and their indexes (\S+) GB .*?: (\d+) bytes a message", words
    )[0]
    assert float(rows_) + float(indexes) == pytest.approx(float(each) / 100)
    year = re.findall(
        r"at one million a month are (\d+) GB, at ten million (\d+)", words
    )
    assert year == [(f"{int(each) * 0.012:.0f}", f"{int(each) * 0.12:.0f}")]
    assert f"``ALTER TABLE {Message._meta.db_table} SET" in words


def test_command_of_the_guide_to_scale_runs():
    (command,) = literals(read("howto/scale"))
    python, *rest = shlex.split(command)
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *rest], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert "3,000,000" in done.stdout, done.stderr


def test_exit_statuses_are_those_of_the_commands():
    said = {each.exit_status: each.name for each in Severity}
    rows = re.findall(r"^(\d) +``([A-Z]+)``: ", read("reference/commands"), re.M)
    assert {int(status): name for status, name in rows} == said
    pages = [
        ("README", r"(\d) (?:is )?([A-Z]{2,})[,.]", 4),
        ("howto/service", r"(\d) for ([A-Z]{2,})", 3),
        ("tutorial", r"with (\d) for what is (critical)", 1),
    ]
    for page, pattern, count in pages:
        found = re.findall(pattern, re.sub(r"\s+", " ", read(page)))
        assert len(found) == count
        assert {
            int(status): name.upper() for status, name in found
        }.items() <= said.items()
    for page in ("README", "reference/commands"):
        words = re.findall(
            r"^3     (?:``dispatch\w+``: )?an account is paused", read(page), re.M
        )
        assert len(words) == 1
    assert (dispatch_sms_queue.NOTHING_LEFT, poll_sms_states.NOT_ASKED) == (3, 3)
    assert "SuccessExitStatus=3" in read("howto/service")
