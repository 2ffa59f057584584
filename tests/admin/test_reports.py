"""The report page, its drawing and its CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from negin_sms.admin.charts import draw_bar, draw_columns
from negin_sms.admin.report_tables import median_words, rate_words
from negin_sms.choices import Status
from negin_sms.services.statistics.counts import NO_TIMES, Counts
from negin_sms.services.statistics.daily_counts import day_of, rollup_closed_days
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/negin_sms/message/"
REPORT = LIST + "report/"
NOW = timezone.now()
TODAY = day_of(NOW)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg><script>alert(1)</script>",
    "\u202egpj.exe",
    "{{ 7|add:7 }}",
]


def log_in(*names: str) -> Client:
    user = get_user_model().objects.create_user("staff", is_staff=True)
    codenames = [f"{name}_message" for name in names]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def page(client, **query) -> str:
    response = client.get(REPORT, query)
    assert response.status_code == 200
    return str(response.content.decode())


def table(html: str, name: str) -> list[list[str]]:
    """Return the rows of a table as people read them."""
    (section,) = re.findall(rf'id="negin-sms-{name}">(.*?)</section>', html, re.S)
    return [
        [
            " ".join(re.sub("<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", section, re.S)
    ]


def fill() -> None:
    times = {"created_at": NOW}
    accepted = {"accepted": True, **times}
    MessageFactory(**accepted, state=1, state_at=NOW + timedelta(seconds=12), parts=2)
    MessageFactory(**accepted, state=2, group="sale", used_line="9890001")
    MessageFactory(**times, status=Status.REJECTED, code=27, finished_at=NOW)


def test_numbers_stand_in_their_tables(admin_client):
    fill()
    html = page(admin_client)
    (_label, _bar, *head), *days = table(html, "days")
    today = dict(zip(head, days[-1][2:], strict=True))
    assert len(days) == 14
    assert today["Sent"] == "2"
    assert (today["Delivered"], today["Not delivered"]) == ("1", "1")
    assert (today["Rejected"], today["Fallback"]) == ("1", "1")
    assert (today["Parts"], today["Delivery rate"]) == ("3", "50.0%")
    assert today["Median time"] == "12 s"
    assert [row[0] for row in table(html, "groups")[1:]] == ["Without a group", "sale"]
    assert table(html, "lines")[1][0] == "9830003300"
    assert table(html, "scenarios")[1][0] == "Single message"
    assert 'id="negin-sms-templates"' not in html
    (reason,) = table(html, "reasons")[1:]
    assert reason[1:] == ["27", "1"]


def test_empty_period_says_so(admin_client):
    html = page(admin_client)
    assert "No message was sent on these days" in html
    assert "negin-sms-table" not in html


def test_rows_lead_to_their_messages(admin_client):
    fill()
    html = page(admin_client, first=TODAY, last=TODAY)
    links = re.findall(r'<th scope="row"><a href="([^"]+)"', html)
    assert len(links) == 3  # the day, the scenario, the group
    for link in links:
        response = admin_client.get(link.replace("&amp;", "&"))
        assert response.status_code == 200
        assert response.context["cl"].result_count


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"first": "x"}, "This is not a date"),
        ({"first": "9999-12-31"}, "of neither calendar"),
        ({"first": "", "last": ""}, "This field is required."),
        ({"first": "2025-05-06", "last": "2025-05-05"}, "before the first"),
        ({"first": "2020-01-01", "last": "2025-05-05"}, "92 days at the most"),
        ({"first": "1999-01-01", "last": "1999-01-02"}, "greater than or equal"),
        ({"first": "1490/01/01", "last": "1490/01/02"}, "less than or equal"),
        ({"account": "nobody"}, "valid choice"),
    ],
)
def test_wish_that_cannot_be_met_is_explained(admin_client, settings, query, error):
    default = settings.NEGIN_SMS["default"]
    settings.NEGIN_SMS = {"default": default, "bulk": default}
    html = page(admin_client, **query)
    assert error in html
    assert "negin-sms-chart" not in html


def test_account_is_a_filter_where_there_are_several(admin_client, settings):
    assert "<select" not in page(admin_client)
    default = settings.NEGIN_SMS["default"]
    settings.NEGIN_SMS = {"default": default, "bulk": default}
    fill()
    MessageFactory(accepted=True, account="bulk")
    rows = table(page(admin_client, account="bulk"), "days")
    assert rows[-1][2] == "1"
    assert table(page(admin_client), "days")[-1][2] == "3"


def test_only_those_who_see_messages_see_it():
    assert log_in().get(REPORT).status_code == 403
    assert Client().get(REPORT).status_code == 302


def test_post_changes_nothing_and_asks_for_a_view(admin_client):
    assert admin_client.post(REPORT).status_code == 405


def test_file_needs_the_right_to_export():
    fill()
    client = log_in("view")
    assert "Download as CSV" not in page(client)
    assert client.get(REPORT, {"format": "csv"}).status_code == 403


def test_file_has_the_numbers_of_the_page():
    fill()
    client = log_in("view", "export")
    link, _book = re.findall(r'class="negin-sms-csv" href="([^"]+)"', page(client))
    response: Any = client.get(REPORT + link.replace("&amp;", "&"))
    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    days = [row for row in rows if row["By"] == "day"]
    assert len(days) == 14
    assert days[-1]["Value"] == TODAY.isoformat()
    assert (days[-1]["Sent"], days[-1]["Delivery rate (%)"]) == ("2", "50.0")
    assert days[-1]["Median seconds to delivery"] == "12"
    assert [(r["Value"], r["Rejected"]) for r in rows if r["By"] == "reason"] == [
        ("27", "1")
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_labels_are_inert_on_the_page(admin_client, text):
    for fields in ({"group": text}, {"line": text[:20]}):
        MessageFactory(accepted=True, used_line=text[:32], **fields)
    html = page(admin_client)
    assert "<script>alert" not in html
    assert "<img" not in html.replace('<img src="/static', "")
    assert "{{ 7" in html or "7|add" not in text
    (section,) = re.findall(r'id="negin-sms-groups">(.*?)</section>', html, re.S)
    assert all(
        "<bdi" in row for row in re.findall(r'<th scope="row">.*?</th>', section)
    )


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *((text, f"'{text}") for text in ("=1+1", " @x", "+1", "-1")),
        ("\t=1", "'\t'=1"),  # what follows a separator is marked, too
    ],
)
def test_hostile_labels_are_inert_in_the_file(text, cell):
    MessageFactory(accepted=True, group=text)
    response: Any = log_in("view", "export").get(REPORT, {"format": "csv"})
    body = b"".join(response.streaming_content).decode()
    assert f'"group","{cell}",' in body


@pytest.mark.parametrize("language", ["en", "fa", "de"])
def test_drawing_is_well_formed_and_has_attributes_only(
    admin_client, settings, language
):
    """Numbers keep their point where the language writes a comma; strict CSP holds."""
    settings.USE_THOUSAND_SEPARATOR = True
    fill()
    settings.LANGUAGE_CODE = language
    with translation.override(language):
        html = page(admin_client)
    content = html[html.index('id="content-main"') :]
    found = re.findall(r"<svg.*?</svg>", content, re.S)
    drawings = [drawing for drawing in found if "negin-sms-bar" in drawing]
    assert len(drawings) > 5
    for drawing in drawings:
        for element in ElementTree.fromstring(drawing).iter():
            for name in {"x", "y", "width", "height"} & set(element.keys()):
                float(element.get(name, ""))
    assert " style=" not in content
    assert "<script" not in content
    assert not re.search(r"\son\w+=", content)


def test_costs_the_same_queries_however_much_there_is(admin_client):
    counts = []
    for _time in range(2):
        fill()
        with CaptureQueriesContext(connection) as queries:
            page(admin_client)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_folded_days_cost_no_query_each(admin_client):
    MessageFactory(accepted=True, finished_at=NOW - timedelta(days=20))
    rollup_closed_days(using="default")
    first = TODAY - timedelta(days=80)
    with CaptureQueriesContext(connection) as queries:
        page(admin_client, first=TODAY - timedelta(days=20), last=TODAY)
    assert len(queries) <= 10
    assert page(admin_client, first=first, last=TODAY)


class TestDrawing:
    counts = Counts(delivered=6, undelivered=2, rejected=2)

    def test_bar_is_as_long_as_its_share(self):
        pieces = draw_bar(self.counts, 20, mirrored=False)
        assert [(p.kind, p.x, p.width) for p in pieces] == [
            ("delivered", "0.00", "30.00"),
            ("undelivered", "30.00", "10.00"),
            ("rejected", "40.00", "10.00"),
        ]

    def test_mirrored_bar_begins_on_the_other_side(self):
        pieces = draw_bar(self.counts, 10, mirrored=True)
        assert [p.x for p in pieces] == ["40.00", "20.00", "0.00"]

    def test_columns_stand_on_the_floor(self):
        (column,) = draw_columns([("today", self.counts)], mirrored=False).columns
        assert [(p.y, p.height) for p in column.bar] == [
            ("40.00", "60.00"),
            ("20.00", "20.00"),
            ("0.00", "20.00"),
        ]

    def test_time_runs_as_the_language_is_read(self):
        days = [("first", self.counts), ("second", self.counts)]
        left, right = draw_columns(days, mirrored=True).columns
        assert float(left.bar[0].x) > float(right.bar[0].x)

    def test_nothing_is_drawn_of_nothing(self):
        assert draw_bar(Counts(), 0, mirrored=False) == ()


def _median(bucket: int) -> Counts:
    return Counts(delivered=1, times=tuple(n == bucket for n in range(len(NO_TIMES))))


def test_words_of_rates_and_medians():
    assert rate_words(Counts(delivered=1, undelivered=2)) == "33.3%"
    assert rate_words(Counts(delivered=2, undelivered=1)) == "66.7%"
    assert rate_words(Counts()) == median_words(Counts()) == ""
    assert median_words(_median(3)) == "18 s"
    assert median_words(_median(10)) == "4 min"
    assert median_words(_median(16)) == "3.0 h"
