"""The filters by code and by line, and the first words of a text in the list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from negin_sms import services
from negin_sms.admin import search_terms
from negin_sms.choices import Status
from negin_sms.models import Message
from tests.admin.test_messages import LIST, log_in, make

pytestmark = pytest.mark.django_db


def found(client, **chosen: str) -> list[Message]:
    return list(client.get(LIST, chosen).context["cl"].queryset)


def test_code_is_that_of_the_answer(admin_client):
    make(status=Status.REJECTED, code=3)
    wanted = make(status=Status.REJECTED, code=27)
    assert found(admin_client, code="27") == [wanted]
    assert "27: The recipient has opted out" in admin_client.get(LIST).text


def test_line_is_the_first_or_the_second(admin_client):
    make(line="9830003309")
    first = make(line="9830003301")
    second = make(scenario="second_line", line2="9830003301")
    assert found(admin_client, line="9830003301") == [second, first]


def test_line_that_nobody_named_is_that_of_the_account(admin_client, use_account):
    use_account(LINE="9830003300", LINE2="9830003301")
    own = services.queue_sms("09395213300", "x")
    both = services.queue_sms("09395213300", "x", scenario="second_line")
    services.queue_sms("09395213300", "x", scenario="service_line", template=1)
    assert found(admin_client, line="9830003300") == [both, own]
    assert found(admin_client, line="9830003301") == [both]


def test_only_line_is_no_choice(admin_client, settings):
    settings.NEGIN_SMS = {"default": {**settings.NEGIN_SMS["default"], "LINE2": ""}}
    assert "?line=" not in admin_client.get(LIST).text


@pytest.mark.parametrize("chosen", [{"code": "x"}, {"line": "0"}, {"code": "9" * 30}])
def test_value_that_is_no_choice_filters_nothing(admin_client, chosen):
    message = make(status=Status.REJECTED, code=27)
    assert found(admin_client, **chosen) == [message]


def test_only_the_newest_are_read(admin_client, monkeypatch):
    make(pk=1, status=Status.REJECTED, code=27)
    new = make(pk=12, status=Status.REJECTED, code=27)
    monkeypatch.setattr(search_terms, "NEWEST", 10)
    assert found(admin_client, code="27") == [new]


def test_scenario_is_the_way_asked_for(admin_client):
    make(scenario="single")
    wanted = make(scenario="chelcheleh")
    assert found(admin_client, scenario="chelcheleh") == [wanted]


@pytest.mark.parametrize("days", [{"sent": "2026-11-01"}, {"sent_to": "2026-11-01"}])
def test_of_chosen_days_the_newest_are_read(days, admin_client, monkeypatch):
    """They are old ones; among the newest of all there would be none of them."""
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    rows = [
        make(
            pk=pk,
            scenario="chelcheleh",
            status=Status.ACCEPTED,
            finished_at=noon + timedelta(minutes=pk),
        )
        for pk in (1, 2, 3)
    ]
    make(pk=50, status=Status.ACCEPTED, finished_at=noon + timedelta(days=9))
    monkeypatch.setattr(search_terms, "NEWEST", 3)
    assert found(admin_client, scenario="chelcheleh", **days) == rows[::-1]
    monkeypatch.setattr(search_terms, "NEWEST", 2)
    assert found(admin_client, scenario="chelcheleh", **days) == rows[:0:-1]


def test_what_ended_in_one_moment_is_read_whole(admin_client, monkeypatch):
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    rows = [make(status=Status.CANCELLED, finished_at=noon) for _row in range(4)]
    monkeypatch.setattr(search_terms, "NEWEST", 2)
    assert found(admin_client, scenario="single", sent="2026-11-01") == rows[::-1]


def test_first_words_are_for_those_who_may_see_texts(admin_client):
    make(text="Your order is on its way, and it will arrive tomorrow.")
    make(text="code 4321", sensitive=True)
    html = admin_client.get(LIST).text
    assert "Your order is on its way" in html
    assert "tomorrow" not in html
    assert "4321" not in html
    assert "Your order" not in log_in("view").get(LIST).text
