"""Cancel, resend, resolve; the review of uncertain messages; the index."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, time, timedelta
from typing import Any

import django
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.dates import both_words
from negin_sms.gateway.memory import outbox
from negin_sms.models import AccountState, CapCount, Message
from tests.admin.test_messages import (
    LIST,
    act,
    change_url,
    confirm,
    find,
    log_in,
    make,
    make_accepted,
    page,
    told,
)

pytestmark = pytest.mark.django_db

REVIEW = LIST + "review/"
INDEX = "/admin/negin_sms/"
DECISION = {"status": "accepted", "why": "It is in the panel."}


def make_uncertain(**fields) -> Message:
    at = timezone.now() - timedelta(minutes=3)
    return make(**{"status": Status.UNCERTAIN, "finished_at": at} | fields)


def url(message: Message, action: str) -> str:
    return f"{LIST}{message.pk}/{action}/"


def history(message: Message) -> str:
    entries = LogEntry.objects.filter(object_id=message.pk)
    return " | ".join(entry.change_message for entry in entries)


class TestCancel:
    def test_asks_then_cancels_and_says_so(self, admin_client):
        message = make(status=Status.QUEUED)
        assert "cannot be queued any more" in page(admin_client, url(message, "cancel"))
        assert not LogEntry.objects.exists()
        response = admin_client.post(url(message, "cancel"), follow=True)
        message.refresh_from_db()
        assert message.status == Status.CANCELLED
        assert "1 message was cancelled" in told(response)
        assert "1 message was cancelled" in history(message)

    def test_list_skips_what_is_gone_with_the_reason(self, admin_client):
        waiting, sent = [make(), make(status=Status.QUEUED)], make_accepted()
        question = act(admin_client, "cancel_selected", [*waiting, sent])
        words = told(confirm(admin_client, question))
        assert "2 messages were cancelled" in words
        assert f"Not cancelled (1 message: {sent.pk}): Its status" in words
        assert "Not cancelled" in history(sent)


class TestPaused:
    @pytest.mark.parametrize("may", [False, True])
    def test_advice_names_the_button_to_those_who_have_it(self, may):
        services.pause_account("default", reason="no credit")
        client = log_in("view")
        names = ["view_accountstate", *(["pause_accountstate"] if may else [])]
        user = get_user_model()._default_manager.get(username="staff")
        user.user_permissions.add(*Permission.objects.filter(codename__in=names))
        for address in (INDEX, LIST):
            html = page(client, address)
            assert "no credit" in html
            assert ("Resume…" in html) is may


class TestWaiting:
    def test_what_expires_before_its_reason_is_over_says_so(self, admin_client):
        later = timezone.now() + timedelta(days=2)
        row = make(status=Status.QUEUED, due_at=later, expires_at=later)
        assert "it expires before that" in page(admin_client, change_url(row))
        Message.objects.update(expires_at=later + timedelta(days=1))
        html = page(admin_client, change_url(row))
        assert "until" in html
        assert "it expires before that" not in html


class TestResend:
    def test_warns_then_makes_a_linked_message(self, admin_client, admin_user):
        old = make_uncertain(text="again")
        html = page(admin_client, url(old, "resend"))
        assert "it may arrive twice" in html
        assert "again" in html
        response = admin_client.post(url(old, "resend"), follow=True)
        new = Message.objects.get(resend_of=old)
        assert (new.status, new.created_by_id) == (Status.QUEUED, admin_user.pk)
        assert "1 message was queued again" in told(response)
        assert "queued again" in history(old)
        assert "Made by sending another message again" in history(new)
        assert outbox == []

    def test_what_was_sent_again_already_is_said_to_be_skipped(self, admin_client):
        old, other = (make(status=Status.REJECTED) for _ in range(2))
        assert "sent again already" not in page(admin_client, url(old, "resend"))
        services.resend(old, by=None)
        told = "1 message will be skipped: It was sent again already."
        for chosen in ([old], [old, other]):
            assert told in act(admin_client, "resend_selected", chosen).text

    def test_who_has_opted_out_meanwhile_is_said(self, admin_client):
        """As before it is cancelled, and all that was told is that it will leave."""
        row, other = make(status=Status.REJECTED), make(status=Status.REJECTED)
        services.opt_out(row.mobile)
        words = "1 recipient has opted out"
        assert words in page(admin_client, url(row, "resend"))
        services.resend(other, by=None)  # skipped, whoever it is for
        assert words in act(admin_client, "resend_selected", [row, other]).text
        way = {"scenario": "service_line", "line": "", "template": 1}
        reached = make(status=Status.REJECTED, **way)
        html = page(admin_client, url(reached, "resend"))
        assert "has opted out" not in html
        assert (
            "Whom it does not reach is told on this page for “As before” only" in html
        )
        other_way = admin_client.post(
            url(reached, "resend"), {"scenario": "single"}, follow=True
        )
        assert words in told(other_way)
        as_before = admin_client.post(url(row, "resend"), follow=True)
        assert words not in told(as_before)

    @pytest.mark.parametrize("name", ["send", "resend"])
    def test_what_is_over_a_cap_is_said(self, admin_client, use_account, name):
        memory = "negin_sms.gateway.memory.MemoryGateway"
        use_account(BACKEND=memory, MOBILE_CAPS={"day": 1})
        status = Status.DRAFT if name == "send" else Status.REJECTED
        row, free = make(status=status), make(status=status, ignores_caps=True)
        words = "over the cap of its number"
        assert words not in page(admin_client, url(row, name))
        CapCount.objects.create(
            account="default",
            mobile=row.mobile,
            seconds=86400,
            began_at=datetime.combine(datetime.now(UTC), time(), UTC),
            messages=1,
        )
        assert words in page(admin_client, url(row, name))
        # What is sent again does not ignore them any more.
        is_again = name == "resend"
        assert (words in page(admin_client, url(free, name))) is is_again
        many = act(admin_client, f"{name}_selected", [free, row]).text
        assert ("2 messages are over" in many) is is_again
        assert (f"1 message is {words}" in many) is not is_again

    @pytest.mark.parametrize("name", ["send", "resend"])
    def test_each_of_several_is_judged_by_its_own_time(
        self, admin_client, use_account, name
    ):
        memory = "negin_sms.gateway.memory.MemoryGateway"
        use_account(BACKEND=memory, MOBILE_CAPS={"day": 1})
        status = Status.QUEUED if name == "send" else Status.CANCELLED
        now = timezone.now()
        days = [now + timedelta(days=days) for days in (4, 2, 2)]
        rows = [make(status=status, send_at=day, due_at=day) for day in days]
        html = act(admin_client, f"{name}_selected", rows).text
        assert ">1 message is over the cap of its number" in html
        CapCount.objects.create(
            account="default",
            mobile=rows[0].mobile,
            seconds=86400,
            began_at=datetime.combine(days[1].astimezone(UTC), time(), UTC),
            messages=1,
        )
        html = act(admin_client, f"{name}_selected", rows).text
        assert ">2 messages are over the caps of their numbers" in html
        services.opt_out(rows[0].mobile)
        html = act(admin_client, f"{name}_selected", rows).text
        assert "1 recipient has opted out" in html
        assert "over the cap" not in html

    def test_each_reason_to_skip_is_the_one_that_counts(self, admin_client):
        redacted = make(status=Status.CANCELLED, redacted_at=timezone.now())
        chosen = [redacted, make_accepted(state=1), make(status=Status.QUEUED)]
        html = act(admin_client, "resend_selected", chosen).text
        assert "Its text was redacted; write a new message." in html
        assert "It may arrive yet, or has arrived" in html
        assert "It waits in the queue and will be sent" in html
        assert "status does not allow it" not in html

    def test_time_that_is_to_come_is_told_before_and_after(self, admin_client):
        later = timezone.now() + timedelta(days=2)
        old = make(status=Status.CANCELLED, send_at=later)
        words = "1 message has a time of its own, and leaves then: on "
        words += f"{both_words(later)}."
        assert words in page(admin_client, url(old, "resend"))
        assert words in told(admin_client.post(url(old, "resend"), follow=True))
        assert Message.objects.get(resend_of=old).due_at == later

    @pytest.mark.parametrize(
        ("days", "told"), [(0, "It may never leave"), (2, "leaves then")]
    )
    def test_pause_that_outlasts_the_new_one_is_told(self, admin_client, days, told):
        """What expired in a pause was sent again in vain."""
        services.pause_account("default", reason="no credit")
        now = timezone.now()
        AccountState.objects.update(paused_until=now + timedelta(hours=2))
        later = now + timedelta(days=days)
        old = make(
            status=Status.EXPIRED,
            send_at=later if days else None,
            begins_at=now - timedelta(hours=2),
            expires_at=now - timedelta(hours=1),
        )
        html = page(admin_client, url(old, "resend"))
        assert "no credit" in html
        for words in ("It may never leave", "leaves then"):
            assert (words in html) is (words == told)

    def test_rejected_message_is_not_warned_of(self, admin_client):
        assert "twice" not in page(
            admin_client, url(make(status=Status.REJECTED), "resend")
        )

    @pytest.mark.parametrize("state", [2, 16])
    def test_report_of_no_delivery_is_warned_of_in_its_own_words(
        self, admin_client, state
    ):
        html = page(admin_client, url(make_accepted(state=state), "resend"))
        assert "1 message was sent, and reported as not delivered or refused" in html
        assert "may have been sent already" not in html

    @pytest.mark.parametrize(
        "fields",
        [
            *({"status": status} for status in ("rejected", "expired", "cancelled")),
            *({"status": "accepted", "state": state} for state in (2, 16)),
        ],
    )
    def test_what_did_not_arrive_goes_another_way(self, admin_client, fields):
        old = make(finished_at=timezone.now(), line="9830003300", **fields)
        wish = {"scenario": "service_line", "template": "۷"}
        admin_client.post(url(old, "resend"), wish)
        new = Message.objects.get(resend_of=old)
        assert (new.scenario, new.line, new.template) == ("service_line", "", 7)

    def test_way_stays_where_none_is_chosen(self, admin_client):
        old = make(status="rejected", scenario="service_fallback", template=4)
        admin_client.post(url(old, "resend"), {"scenario": "", "line": "9830003301"})
        new = Message.objects.get(resend_of=old)
        expected = ("service_fallback", "9830003301", 4)
        assert (new.scenario, new.line, new.template) == expected

    @pytest.mark.parametrize(
        ("wish", "field"),
        [
            ({"scenario": "service_line", "line": "9830003300"}, "line"),
            ({"scenario": "single", "template": "7"}, "template"),
            ({"template": "7"}, "template"),
            ({"line": "x"}, "line"),
            ({"scenario": "second_line", "line": "98", "line2": "98"}, "line2"),
            ({"scenario": "nonsense"}, "scenario"),
        ],
    )
    def test_fields_that_the_scenario_does_not_use_are_refused_at_their_place(
        self, admin_client, wish, field
    ):
        rows = [make(status="rejected") for _ in range(2)]
        for where, data in (
            (url(rows[0], "resend"), wish),
            (f"{LIST}resend/", wish | {"ids": f"{rows[0].pk},{rows[1].pk}"}),
        ):
            response = admin_client.post(where, data)
            assert set(response.context["form"].errors) == {field}
            assert "errorlist" in response.text
        assert Message.objects.count() == 2

    @pytest.mark.parametrize(
        ("scenarios", "used"),
        [
            (["single"], "line"),
            (["service_line"], "template"),
            (["second_line", "single"], "line line2"),
        ],
    )
    def test_as_before_uses_what_these_used_before(self, admin_client, scenarios, used):
        ways: dict[str, Any] = {
            "service_line": {"line": "", "template": 1},
            "second_line": {"line2": "98"},
        }
        rows = [
            make(status="rejected", scenario=each, **ways.get(each, {}))
            for each in scenarios
        ]
        html = act(admin_client, "resend_selected", rows).text
        assert re.findall(r'value=""[^>]*data-uses="([^"]*)"', html) == [used]

    def test_way_is_for_all_of_several_or_for_none(self, admin_client):
        rows = [
            make(status="rejected"),
            make(status="rejected", scenario="service_line", line="", template=1),
        ]
        data = {"ids": ",".join(str(row.pk) for row in rows), "template": "7"}
        response = admin_client.post(f"{LIST}resend/", data)
        assert set(response.context["form"].errors) == {"template"}
        admin_client.post(f"{LIST}resend/", data | {"scenario": "service_line"})
        new = Message.objects.filter(resend_of__isnull=False)
        assert {(row.scenario, row.template) for row in new} == {("service_line", 7)}

    def test_list_makes_one_each_and_skips_with_reasons(self, admin_client):
        doubtful = [make_uncertain() for _ in range(3)]
        services.resend(doubtful[:1], by=None)
        sent = make_accepted()
        question = act(admin_client, "resend_selected", [*doubtful, sent])
        assert "2 messages may have been sent" in question.content.decode()
        words = told(confirm(admin_client, question))
        assert "2 messages were queued again" in words
        assert f"Not sent again (1 message: {doubtful[0].pk}): It was sent" in words
        assert f"Not sent again (1 message: {sent.pk}): It may arrive yet" in words
        assert Message.objects.filter(resend_of__isnull=False).count() == 3

    def test_button_is_gone_once_it_was_pressed(self, admin_client):
        old = make_uncertain()
        assert url(old, "resend") in page(admin_client, change_url(old))
        admin_client.post(url(old, "resend"))
        assert url(old, "resend") not in page(admin_client, change_url(old))

    def test_message_of_a_lost_account_stops_nothing(self, admin_client):
        rows = [make_uncertain(account="old"), make_uncertain()]
        words = told(confirm(admin_client, act(admin_client, "resend_selected", rows)))
        assert "1 message was queued again" in words
        assert "There is no SMS account" in words


class TestResolve:
    def test_asks_for_what_became_of_it(self, admin_client, admin_user):
        message = make_uncertain()
        html = page(admin_client, url(message, "resolve"))
        for name in ("status", "why", "gateway_id"):
            assert f'name="{name}"' in html
        decision = DECISION | {"gateway_id": "۵۰۰۱۷"}
        response = admin_client.post(url(message, "resolve"), decision, follow=True)
        message.refresh_from_db()
        assert (message.status, message.gateway_id) == (Status.ACCEPTED, "50017")
        assert message.poll_at is not None
        assert "resolved as “Accepted”: It is in the panel." in told(response)
        assert "It is in the panel." in history(message)
        assert LogEntry.objects.get().user_id == admin_user.pk

    def test_id_of_another_message_is_asked_for_again(self, admin_client):
        other = make(status=Status.ACCEPTED, gateway_id="50017")
        message = make_uncertain()
        decision = DECISION | {"gateway_id": "50017"}
        response = admin_client.post(url(message, "resolve"), decision)
        assert f"Message {other.pk} has this gateway id" in response.text

    @pytest.mark.parametrize(
        ("decision", "words"),
        [
            ({}, "This field is required"),
            (DECISION | {"why": " "}, "This field is required"),
            (DECISION | {"status": "queued"}, "Select a valid choice"),
            (DECISION | {"gateway_id": "14"}, "A gateway id is a number above"),
            (DECISION | {"gateway_id": "<b>"}, "A gateway id is a number above"),
            (
                DECISION | {"status": "rejected", "gateway_id": "50017"},
                "Only an accepted message has a gateway id",
            ),
        ],
    )
    def test_wrong_decision_is_asked_again(self, admin_client, decision, words):
        message = make_uncertain()
        response = admin_client.post(url(message, "resolve"), decision)
        assert response.status_code == 200
        assert words in response.content.decode()
        message.refresh_from_db()
        assert message.status == Status.UNCERTAIN
        assert not LogEntry.objects.exists()

    def test_list_decides_for_all_without_an_id(self, admin_client):
        rows, sent = [make_uncertain(), make_uncertain()], make_accepted()
        question = act(admin_client, "resolve_selected", [*rows, sent])
        html = question.content.decode()
        assert 'name="gateway_id"' not in html
        ids = ",".join(str(row.pk) for row in [*rows, sent])
        again = admin_client.post(LIST + "resolve/", {"ids": ids})
        assert f'value="{ids}"' in again.content.decode()
        data = {
            "ids": ids,
            "status": "rejected",
            "why": "Not there.",
            "gateway_id": "1",
        }
        words = told(admin_client.post(LIST + "resolve/", data, follow=True))
        assert "2 messages were resolved as “Rejected”: Not there." in words
        assert f"Not resolved (1 message: {sent.pk})" in words
        assert Message.objects.filter(status=Status.REJECTED).count() == 2

    def test_second_decision_changes_nothing(self, admin_client):
        message = make_uncertain()
        admin_client.post(url(message, "resolve"), DECISION)
        other = DECISION | {"status": "rejected"}
        response = admin_client.post(url(message, "resolve"), other, follow=True)
        assert "nothing was changed" in told(response)
        message.refresh_from_db()
        assert message.status == Status.ACCEPTED


class TestButtons:
    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("draft", {"send", "cancel"}),
            ("queued", {"send", "cancel"}),
            ("sending", set()),
            ("accepted", {"refresh"}),
            ("rejected", {"resend"}),
            ("uncertain", {"resolve", "resend"}),
            ("held", {"send", "cancel"}),
            ("cancelled", {"resend"}),
            ("expired", {"resend"}),
        ],
    )
    def test_fit_the_status_and_stand_there_once(self, admin_client, status, expected):
        gateway_id = "7" if status == "accepted" else ""
        message = make(status=status, gateway_id=gateway_id)
        html = page(admin_client, change_url(message))
        for name in ("send", "refresh", "cancel", "resend", "resolve"):
            assert html.count(url(message, name)) == (name in expected)
            assert f'value="{name}_selected"' not in html

    @pytest.mark.skipif(django.VERSION < (6, 1), reason="since Django 6.1")
    @pytest.mark.parametrize("name", ["send", "cancel", "resend", "resolve", "refresh"])
    def test_are_actions_of_one_object_too(self, admin_client, name):
        message = make_uncertain()
        data = {
            "CHANGE_FORM-action": f"{name}_selected",
            "_selected_action": message.pk,
        }
        html = admin_client.post(change_url(message), data).content.decode()
        assert f'action="{url(message, name)}' in html
        assert outbox == []

    @pytest.mark.skipif(django.VERSION < (6, 1), reason="since Django 6.1")
    def test_action_that_a_project_adds_stays_in_django_s_choice(
        self, admin_client, monkeypatch
    ):
        from django.contrib import admin

        @admin.action(location=admin.ActionLocation.CHANGE_FORM)
        def frame(model_admin, request, queryset):
            pass

        ours = admin.site.get_model_admin(Message)
        monkeypatch.setattr(ours, "actions", [*(ours.actions or ()), frame])
        html = page(admin_client, change_url(make()))
        assert 'value="frame"' in html
        assert 'value="send_selected"' not in html


@pytest.fixture
def shared_database(tmp_path, transactional_db):
    """On SQLite a file: a database in memory is not for several threads."""
    if connection.vendor != "sqlite":
        yield
        return
    old, config = connections["default"], connections.settings["default"]
    name, config["NAME"] = config["NAME"], str(tmp_path / "db.sqlite3")
    connections["default"] = connections.create_connection("default")
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        connections["default"].close()
        connections["default"], config["NAME"] = old, name


def test_twenty_clicks_at_once_make_one_message(shared_database, django_user_model):
    """T17."""
    user = django_user_model.objects.create_superuser("boss")
    old = make_uncertain()
    start, answers = threading.Barrier(20), []

    def click(client: Client) -> None:
        start.wait()
        try:
            answers.append(client.post(url(old, "resend")).status_code)
        finally:
            connections.close_all()

    clients = [Client() for _ in range(20)]
    for client in clients:
        client.force_login(user)
    threads = [threading.Thread(target=click, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [302] * 20
    assert Message.objects.filter(resend_of=old).count() == 1
    assert history(old).count("was queued again") == 1
    assert history(old).count("It was sent again already") == 19


class TestReview:
    def test_shows_what_is_known_and_the_ways_out(self, admin_client):
        message = make_uncertain(
            code=15, detail="try later", exchange_seconds=2.34, text="hidden here"
        )
        make_accepted(text="other", mobile="+989121111111")
        html = page(admin_client, REVIEW)
        for words in ("internal error", "try later", "after 2.3 s", "0939•••3300"):
            assert words in html
        for name in ("resolve", "resend"):
            assert f'href="{url(message, name)}?' in html
        for words in ("5213300", "hidden here", "0912•••1111"):
            assert words not in html

    def test_what_was_sent_again_is_left_out_unless_asked_for(self, admin_client):
        old = make_uncertain()
        services.resend([old], by=None)
        new = Message.objects.get(resend_of=old)
        assert "No message is waiting" in page(admin_client, REVIEW)
        html = page(admin_client, REVIEW + "?resent=1")
        assert f'href="{change_url(new)}"' in html
        assert url(old, "resolve") in html
        assert url(old, "resend") not in html

    @pytest.mark.parametrize("action", ["resolve", "resend"])
    def test_work_through_it_leads_back_to_it(self, admin_client, action):
        message = make_uncertain()
        asked = find(
            f'href="({url(message, action)}[^"]*)"', page(admin_client, REVIEW)
        )
        question = page(admin_client, asked)
        assert f'href="{REVIEW}"' in question
        wrong = admin_client.post(asked, DECISION | {"why": ""}).text
        form = (wrong if action == "resolve" else question).split('id="content"')[1]
        response = admin_client.post(find('action="([^"]*)"', form), DECISION)
        assert response.url == REVIEW
        assert "No message is waiting" in page(admin_client, REVIEW)
        # PollTarget elsewhere it leads back to the message.
        message = make_uncertain()
        response = admin_client.post(url(message, action), DECISION)
        assert response.url == change_url(message)

    def test_offers_what_the_user_may_do(self):
        message = make_uncertain()
        html = page(log_in("view", "resolve"), REVIEW)
        assert url(message, "resolve") in html
        assert url(message, "resend") not in html

    def test_pages_go_by_primary_key(self, admin_client, monkeypatch):
        monkeypatch.setattr("negin_sms.admin.review._PAGE", 2)
        rows = [make_uncertain() for _ in range(5)]
        link, seen = "", []
        for _ in range(3):
            context = admin_client.get(REVIEW + link).context
            seen.append([line["pk"] for line in context["lines"]])
            link = f"?before={context['older']}"
        newest = [row.pk for row in reversed(rows)]
        assert seen == [newest[:2], newest[2:4], newest[4:]]
        assert context["older"] is None

    @pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "۵", ""])
    def test_wild_page_is_the_first(self, admin_client, before):
        message = make_uncertain()
        response = admin_client.get(REVIEW, {"before": before})
        assert [line["pk"] for line in response.context["lines"]] == [message.pk]

    def test_costs_the_same_for_one_and_for_sixty(
        self, admin_client, django_assert_num_queries
    ):
        for rows in (1, 59):
            for _ in range(rows):
                make_uncertain()
            # Session, user, the messages, their resends.
            with django_assert_num_queries(4):
                page(admin_client, REVIEW)


class TestIndex:
    def test_tells_what_waits_and_who_was_seen(self, admin_client):
        resent = make_uncertain()
        services.resend([resent], by=None)
        make_uncertain()
        services.pause_account("default", reason="no credit")
        AccountState.objects.update(dispatcher_seen_at=timezone.now())
        html = page(admin_client, INDEX)
        assert "1 message is uncertain" in html
        assert f'href="{REVIEW}"' in html
        assert "no credit" in html
        assert "until somebody resumes it" in html
        assert "poll_sms_states" in html
        assert "dispatch_sms_queue" not in html

    @pytest.mark.parametrize(("minutes", "is_over"), [(-1, True), (1, False)])
    def test_says_that_a_pause_is_over(self, admin_client, minutes, is_over):
        end = timezone.now() + timedelta(minutes=minutes)
        services.pause_account("default", reason="no credit")
        AccountState.objects.update(paused_until=end)
        html = page(admin_client, INDEX)
        assert ("over since " in html) is is_over

    def test_is_calm_where_all_is_well(self, admin_client):
        AccountState.objects.create(
            account="default",
            dispatcher_seen_at=timezone.now(),
            poller_seen_at=timezone.now() - timedelta(minutes=2),
        )
        html = page(admin_client, INDEX)
        assert "Nothing needs a person" in html
        assert "negin-sms-alarm" not in html
        assert "negin-sms-warning" not in html

    def test_sending_is_not_called_open_where_nothing_leaves(
        self, admin_client, use_account
    ):
        """The notice above said that it is switched off, and the table "Open"."""
        sending = r'data-label="Sending"><div>([\s\S]*?)</div>'
        use_account()
        assert ">Open<" in find(sending, page(admin_client, INDEX))
        use_account(DISPATCH=False)
        cell = find(sending, page(admin_client, INDEX))
        assert ("Switched off" in cell, "Open" in cell) == (True, False)
        use_account()
        elsewhere = "other.example.com 0123456789abcdef"
        AccountState.objects.create(account="default", gateway=elsewhere)
        cell = find(sending, page(admin_client, INDEX))
        assert ("Bound to another gateway" in cell, "Open" in cell) == (True, False)

    def test_is_not_calm_where_a_batch_waits_for_somebody(self, admin_client):
        make(status=Status.DRAFT, group="g")
        html = page(admin_client, INDEX)
        assert "1 batch of drafts waits" in html
        assert "Nothing needs a person" not in html

    def test_shows_each_what_they_may_see(self):
        make_uncertain()
        html = page(log_in("view"), INDEX)
        assert "1 message is uncertain" in html
        assert "resolve_sms_message" not in html  # not for who has no accounts
        assert "<table" not in html.split("module")[0]

    def test_tells_what_is_held_and_leads_to_it(self, admin_client):
        held, later = make(status=Status.QUEUED), make()
        services.hold_queue(reason="restored")
        Message.objects.filter(pk=later.pk).update(status=Status.QUEUED)
        html = page(admin_client, INDEX)
        assert "1 message is held" in html
        assert "hold_sms_queue --release" in html
        link = f"{LIST}?status__exact=held"
        assert f'href="{link}"' in html
        shown = admin_client.get(link).context["cl"].result_list
        assert [row.pk for row in shown] == [held.pk]
        html = page(admin_client, change_url(held))
        assert "negin-sms-status-held" in html
        assert "when somebody releases it" in html
        assert "9000" not in html
        services.release_queue()
        assert "is held" not in page(admin_client, INDEX)
        assert "negin-sms-status-held" not in page(admin_client, LIST)

    @pytest.mark.parametrize(("right", "is_told"), [("view", True), ("add", False)])
    def test_tells_of_held_messages_those_who_may_see_them(self, right, is_told):
        make(status=Status.QUEUED)
        services.hold_queue(reason="restored")
        assert ("is held" in log_in(right).get(INDEX).text) is is_told

    def test_sets_what_is_typed_as_code_and_words_apart(self, admin_client):
        services.pause_account("default", reason="<b>‮x")
        html = page(admin_client, INDEX)
        assert "&lt;b&gt;" in html
        typed = '<code dir="ltr">manage.py resume_sms_account default</code>'
        assert typed in html
