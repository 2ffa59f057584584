"""The list of a large table: what it reads, counts and finds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from negin_sms.admin import paging
from negin_sms.admin.actions import ACTIONS
from negin_sms.choices import Flag
from tests.factories import MessageFactory

pytestmark = [pytest.mark.long, pytest.mark.django_db]

LIST = "/admin/negin_sms/message/"


def shown(client, **query: object) -> list[int]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return [row.pk for row in response.context["cl"].result_list]


def make(number: int, **fields: object) -> list[int]:
    return [m.pk for m in MessageFactory.create_batch(number, **fields)][::-1]


def test_few_rows_are_searched_once_and_read_by_key(admin_client):
    keys = make(70, flag=Flag.OTHER_MOBILE)
    with CaptureQueriesContext(connection) as queries:
        assert shown(admin_client, flag__exact="other_mobile") == keys[:50]
    ours = [q["sql"] for q in queries if "asked_0" not in q["sql"]]  # health's
    searches = [sql for sql in ours if "other_mobile" in sql]
    assert len(searches) == 3  # whose, in which order, and what they say
    assert not any("COUNT(" in sql for sql in searches)
    assert all(" IN (" in sql for sql in searches[1:])


def test_pages_follow_each_other(admin_client):
    keys = make(120)
    pages = [shown(admin_client, p=number) for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert list(chain(*pages)) == keys


def test_show_all_shows_all_of_few(admin_client):
    keys = make(70)
    assert shown(admin_client, all="") == keys


class TestMany:
    @pytest.fixture(autouse=True)
    def _low_limits(self, monkeypatch):
        monkeypatch.setattr(paging, "FEW", 60)
        monkeypatch.setattr(paging, "COUNT_LIMIT", 110)

    def test_pages_follow_each_other(self, admin_client):
        keys = make(105)
        pages = [shown(admin_client, p=number) for number in (1, 2, 3)]
        assert list(chain(*pages)) == keys

    def test_count_ends_at_the_limit_and_says_so(self, admin_client):
        make(115)
        with CaptureQueriesContext(connection) as queries:
            response = admin_client.get(LIST)
        assert response.context["cl"].result_count == 110
        assert "There are more than 110." in response.content.decode()
        counting = [q["sql"] for q in queries if "COUNT(" in q["sql"]]
        (count,) = (sql for sql in counting if "asked_0" not in sql)  # health's
        assert "LIMIT 111" in count

    def test_limit_itself_is_an_exact_count(self, admin_client):
        make(110)
        response = admin_client.get(LIST)
        assert response.context["cl"].result_count == 110
        assert "There are more than" not in response.content.decode()


def test_show_all_is_refused_for_many(admin_client):
    make(paging.FEW + 5)
    assert len(shown(admin_client, all="")) == 50


def test_every_query_of_the_list_is_bounded(admin_client):
    make(60)
    with CaptureQueriesContext(connection) as queries:
        shown(admin_client)
    ours = [q["sql"] for q in queries if 'FROM "negin_sms_message"' in q["sql"]]
    ours += [q["sql"] for q in queries if "FROM `negin_sms_message`" in q["sql"]]
    assert ours
    assert all("LIMIT" in sql or " IN (" in sql for sql in ours)


def test_number_of_queries_does_not_grow(admin_client, django_assert_num_queries):
    counts = []
    for number in (3, 60):
        make(number)
        with CaptureQueriesContext(connection) as queries:
            shown(admin_client)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 11


def test_count_reaches_as_far_as_every_action():
    """Or "Select all" would name a smaller number than the action takes."""
    assert max(each.limit for each in ACTIONS) <= paging.COUNT_LIMIT


class TestSentFilter:
    @pytest.mark.parametrize(
        ("period", "found"),
        [
            ("2025-05-06", ["b", "a"]),
            ("2025-05-06..2025-05-06", ["b", "a"]),
            ("2025-05-05..2025-05-06", ["b", "a", "before"]),
            ("2025-05-07..2025-05-07", ["after"]),
        ],
    )
    def test_days_are_those_of_the_project(self, admin_client, period, found):
        self.make_around_midnight()
        response = admin_client.get(LIST, {"sent": period})
        assert [row.group for row in response.context["cl"].result_list] == found

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ({"sent_from": "2025-05-06", "sent_to": "2025-05-06"}, ["b", "a"]),
            ({"sent_from": "1404/02/16", "sent_to": "۱۴۰۴/۰۲/۱۶"}, ["b", "a"]),
            ({"sent_from": "2025-05-07", "sent_to": ""}, ["after"]),
            ({"sent_to": "2025-05-05"}, ["before"]),
            ({"sent_from": "", "sent_to": ""}, ["after", "a", "b", "before"]),
        ],
    )
    def test_typed_days_are_read_in_either_calendar(self, admin_client, typed, found):
        self.make_around_midnight()
        response = admin_client.get(LIST, typed)
        assert [row.group for row in response.context["cl"].result_list] == found

    @pytest.mark.parametrize(
        ("typed", "error"),
        [
            ({"sent_from": "yesterday"}, "2026-12-01"),
            ({"sent_from": "2025-05-06", "sent_to": "2025-05-05"}, "before the first"),
            ({"sent_to": "9999-12-31"}, "errorlist"),
        ],
    )
    def test_days_that_are_none_say_so_and_find_nothing(
        self, admin_client, typed, error
    ):
        make(1, accepted=True)
        response = admin_client.get(LIST, typed)
        assert error in response.text
        assert not response.context["cl"].result_list
        assert f'value="{next(iter(typed.values()))}"' in response.text

    def test_form_keeps_the_other_filters_and_links_drop_the_days(self, admin_client):
        make(1, accepted=True)
        asked = {"sent_from": "2025-05-06", "status__exact": "accepted", "p": "1"}
        html = admin_client.get(LIST, asked).text
        form = html[html.index('class="negin-sms-days"') :].partition("</form>")[0]
        hidden = re.findall(r'type="hidden" name="(\w+)" value="(\w*)"', form)
        assert hidden == [("status__exact", "accepted")]
        links = re.findall(r'href="\?([^"]*)"', html)
        (week,) = (each for each in links if "sent=7" in each)
        assert sorted(week.split("&amp;")) == ["sent=7", "status__exact=accepted"]
        assert 'method="get"' in html

    def test_calendar_comes_with_it_in_persian_only(self, admin_client):
        make(1)
        persian = admin_client.get(LIST, headers={"accept-language": "fa"}).text
        assert "data-negin-sms-jalali" in persian
        assert "calendar.js" in persian
        english = admin_client.get(LIST).text
        assert 'type="date"' in english
        assert "calendar.js" not in english

    def make_around_midnight(self) -> None:
        start = datetime(2025, 5, 5, 20, 30, tzinfo=UTC)  # midnight in Tehran
        for group, at in (
            ("before", start - timedelta(seconds=1)),
            ("b", start + timedelta(hours=23)),
            ("a", start),
            ("after", start + timedelta(days=1)),
        ):
            MessageFactory(accepted=True, finished_at=at, group=group)

    def test_last_days_include_today(self, admin_client):
        now = timezone.now()
        (new,) = make(1, accepted=True, finished_at=now)
        (old,) = make(1, accepted=True, finished_at=now - timedelta(days=6))
        make(1, accepted=True, finished_at=now - timedelta(days=8))
        make(1)
        assert shown(admin_client, sent="7") == [new, old]
        assert shown(admin_client, sent="1") == [new]

    def test_days_that_hold_stand_in_the_fields(self, admin_client):
        today = timezone.localdate()
        html = admin_client.get(LIST, {"sent": "7"}).text
        for day in (today - timedelta(days=6), today):
            assert f'value="{day:%Y-%m-%d}"' in html

    def test_order_of_days_is_marked_on_no_column(self, admin_client):
        """They stand by when they ended, which is no column of the list."""
        make(1, accepted=True, finished_at=timezone.now())
        for wish, is_marked in [
            ({}, True),
            ({"sent": "1"}, False),
            ({"o": "-1"}, True),
        ]:
            html = admin_client.get(LIST, wish | {"q": ""}).text
            assert ("sorted descending" in html) is is_marked

    def test_chosen_range_is_shown_and_can_be_undone(self, admin_client):
        html = admin_client.get(
            LIST, {"sent": "2025-05-05..2025-05-06"}
        ).content.decode()
        assert "05/05/2025 … 05/06/2025" in html

    @pytest.mark.parametrize(
        "period", ["x", "2025-13-01", "..", "0001-01-01", "9999-12-31", "9" * 12, "-3"]
    )
    def test_nonsense_leads_back_to_the_list(self, admin_client, period):
        response = admin_client.get(LIST, {"sent": period})
        assert response.status_code == 302
        assert response["Location"].endswith("?e=1")


class TestGroupFilter:
    def test_link_chooses_a_group(self, admin_client):
        keys = make(2, group="sale")
        make(1, group="sales")
        assert shown(admin_client, group="sale") == keys

    def test_it_offers_no_list_of_groups(self, admin_client):
        make(1, group="sale")
        html = admin_client.get(LIST).content.decode()
        assert "group=sale" not in html

    def test_hostile_group_stays_text(self, admin_client):
        make(1, group="<script>alert(1)</script>")
        html = admin_client.get(LIST, {"group": "<script>alert(1)</script>"}).content
        assert b"<script>alert" not in html
        assert b"&lt;script&gt;alert" in html
