"""Dates: Jalali in Persian, after the zone; Gregorian everywhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.utils import timezone
from django.utils.translation import override

from negin_sms import dates
from negin_sms.models import AccountState, Message
from tests.factories import MessageFactory

# 23:30 in Tehran, the last evening of the year 1403; and the first half hour of 1404.
EVE = datetime(2025, 3, 20, 20, 0, tzinfo=UTC)
NEW_YEAR = datetime(2025, 3, 20, 20, 30, tzinfo=UTC)
LIST = "/admin/negin_sms/message/"


@pytest.fixture
def persian():
    with override("fa"):
        yield


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(2025, 3, 20), "1403/12/30"),  # a leap year
        (date(2025, 3, 21), "1404/01/01"),
        (date(2024, 3, 20), "1403/01/01"),
        (date(2026, 11, 22), "1405/09/01"),
        (date(1979, 2, 11), "1357/11/22"),
    ],
)
def test_known_days(persian, day, words):
    assert dates.day_words(day) == words


def test_zone_comes_before_the_calendar(persian):
    assert dates.moment_words(EVE) == "30 اسفند 1403، ساعت 23:30"
    assert dates.moment_words(NEW_YEAR) == "1 فروردین 1404، ساعت 0:00"
    with timezone.override("UTC"):
        assert dates.moment_words(NEW_YEAR) == "30 اسفند 1403، ساعت 20:30"


def test_formats_are_the_project_s(persian):
    day = date(2025, 3, 21)
    assert dates.day_words(day, "d/m/y F M N E b Y l") == (
        "01/01/04 فروردین فروردین فروردین فروردین فروردین 1404 جمعه"
    )


@pytest.mark.parametrize("language", ["en", "ar", "de"])
def test_other_languages_stay_gregorian(language):
    with override(language):
        assert "2025" in dates.day_words(date(2025, 3, 21))


def test_can_be_switched_off(persian, settings):
    settings.NEGIN_SMS_JALALI = False
    assert dates.day_words(date(2025, 3, 21)) == "2025/3/21"


def test_other_calendar_stands_in_brackets(settings):
    assert dates.both_words(EVE) == "March 20, 2025, 11:30 p.m. (1403/12/30)"
    with override("fa"):
        assert (
            dates.both_words(EVE)
            == "30 اسفند 1403، ساعت 23:30 (\u20662025-03-20\u2069)"
        )
    settings.NEGIN_SMS_JALALI = False
    assert dates.both_words(EVE) == "March 20, 2025, 11:30 p.m."


def test_days_before_the_calendar_are_gregorian(persian):
    assert dates.day_words(date(500, 1, 2)) == "0500/1/2"


@pytest.mark.django_db
class TestPages:
    @pytest.fixture(autouse=True)
    def _language(self, settings):
        settings.LANGUAGE_CODE = "fa"

    @pytest.fixture
    def message(self):
        return MessageFactory(
            uncertain=True, created_at=NEW_YEAR, send_at=EVE, group="g"
        )

    @pytest.mark.parametrize(
        "page",
        [
            LIST,
            LIST + "review/",
            LIST + "{pk}/change/",
            LIST + "{pk}/resolve/",
            LIST + "report/?first=2025-03-20&last=2025-03-21",
            LIST + "?sent=2025-03-20..2025-03-21",
        ],
    )
    def test_show_jalali_dates_only(self, admin_client, message, page):
        html = admin_client.get(page.format(pk=message.pk)).content.decode()
        assert "1 فروردین 1404، ساعت 0:00" in html or "1404/01/01" in html
        assert "مارس" not in html
        assert "2025/3" not in html

    def test_accounts_and_the_overview(self, admin_client):
        state = AccountState.objects.create(
            account="default",
            paused_at=EVE,
            paused_until=datetime(2030, 3, 20, 20, 30, tzinfo=UTC),
            dispatcher_seen_at=EVE,
        )
        own = f"/admin/negin_sms/accountstate/{state.pk}/change/"
        for page in ("/admin/negin_sms/", "/admin/negin_sms/accountstate/", own):
            html = admin_client.get(page).content.decode()
            assert "1 فروردین 1409، ساعت 0:00" in html
            assert "30 اسفند 1403، ساعت 23:30" in html

    def test_what_is_stored_and_exported_is_not(self, admin_client, message):
        response = admin_client.post(LIST + "export/")
        file = b"".join(response.streaming_content).decode()
        assert "2025-03-21 00:00:00" in file
        assert Message.objects.get().created_at == NEW_YEAR
