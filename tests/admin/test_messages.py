"""The admin through its pages: nothing is patched, the memory gateway takes it all."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from negin_sms import services
from negin_sms.admin.actions import AT_ONCE
from negin_sms.admin.displays import lines_of
from negin_sms.choices import Flag, Priority, State, Status
from negin_sms.dates import moment_words
from negin_sms.exceptions import OutcomeUnknown, Rejected
from negin_sms.gateway.memory import MemoryGateway, outbox
from negin_sms.models import AccountState, CapCount, DeliveryState, Message
from negin_sms.services.submission.seen import digest

pytestmark = pytest.mark.django_db

NUMBER = "+989395213300"
LIST = "/admin/negin_sms/message/"
OPT_OUTS = "/admin/negin_sms/optout/add/"
ADD = LIST + "add/"
WISH = {
    "account": "default",
    "mobile": "0939 521 3300",
    "text": "Hello",
    "scenario": "single",
    "line": "",
    "line2": "",
    "template": "",
    "priority": "20",
    "send_at": "",
    "group": "",
}


class MoodyGateway(MemoryGateway):
    """Refuse, or leave open, what the text asks for."""

    def send(self, request, *, start_by=0.0):
        if request.text == "refuse":
            raise Rejected("The recipient has opted out.", code=27)
        if request.text == "break":
            raise OutcomeUnknown("The connection broke.")
        return super().send(request)


def make(**fields) -> Message:
    now = timezone.now()
    defaults = {
        "mobile": NUMBER,
        "text": "Hello",
        "line": "9830003300",
        "status": Status.DRAFT,
        "created_at": now,
        "due_at": now,
        "begins_at": now,
        "expires_at": now + timedelta(days=1),
    }
    return Message.objects.create(**defaults | fields)


def _columns(message: Message) -> dict[str, Any]:
    return {f.attname: getattr(message, f.attname) for f in message._meta.fields}


def find(pattern: str, html: str) -> str:
    match = re.search(pattern, html)
    assert match, pattern
    return unescape(match[1])


def make_accepted(**fields) -> Message:
    """Return a message that the memory gateway knows."""
    message = make(**fields)
    services.send_messages([message])
    message.refresh_from_db()
    assert message.status == Status.ACCEPTED
    return message


def test_actions_say_how_many_messages_they_take(admin_client):
    make()
    html = page(admin_client, LIST)
    assert ">Refresh delivery state (up to 1000)<" in html
    assert ">Send selected messages again (up to 500)<" in html
    assert ">Cancel selected messages<" in html


def make_user(*names: str):
    user = get_user_model().objects.create_user("staff", password="x", is_staff=True)
    codenames = [f"{name}_message" for name in names]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def log_in(*names: str) -> Client:
    client = Client()
    client.force_login(make_user(*names))
    return client


@pytest.fixture
def moody(settings):
    backend = {"BACKEND": "tests.admin.test_messages.MoodyGateway"}
    settings.NEGIN_SMS = {"default": settings.NEGIN_SMS["default"] | backend}


def page(client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return str(response.content.decode())


def told(response) -> str:
    """Return what the user is told, as they read it."""
    found = re.findall(
        r'<ul class="messagelist">.*?</ul>', response.content.decode(), re.S
    )
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", part) for part in found))


def change_url(message: Message) -> str:
    return f"{LIST}{message.pk}/change/"


def act(client, name: str, rows, **extra):
    """Choose an action of the list, and return the question it asks."""
    data = {"action": name, "_selected_action": [row.pk for row in rows]} | extra
    return client.post(LIST, data)


def confirm(client, response, **extra):
    """Press the button of the question."""
    html = response.content.decode()
    form = html[html.index('<div id="content"') :]
    action = find(r'<form method="post" action="([^"]*)"', form)
    names = ("ids", "seen") if 'name="seen"' in form else ("ids",)
    wish = {name: find(rf'name="{name}" value="([^"]*)"', form) for name in names}
    return client.post(action, wish | extra, follow=True)


def seen(*rows: Message) -> dict[str, str]:
    """Return what the question about these messages posts."""
    keys = [row.pk for row in rows]
    return {"seen": digest(Message.objects.filter(pk__in=keys))}


DAY = timedelta(days=1)


@pytest.mark.parametrize("page_of", [ADD, f"{LIST}compose/", OPT_OUTS])
def test_account_that_is_offered_first_is_the_default_one(
    admin_client, settings, page_of
):
    default = settings.NEGIN_SMS["default"]
    settings.NEGIN_SMS = {"another": default, "default": default}
    html = page(admin_client, page_of)
    assert '<option value="default" selected>' in html


class TestAddPage:
    def test_draft_is_saved_and_nothing_sent(self, admin_client, admin_user):
        response = admin_client.post(ADD, WISH | {"mobile": "۰۹۳۹۵۲۱۳۳۰۰"})
        assert response.status_code == 302
        message = Message.objects.get()
        assert message.status == Status.DRAFT
        assert (message.mobile, lines_of(message)[0]) == (NUMBER, "9830003300")
        assert (message.created_by_id, message.source) == (admin_user.pk, "admin")
        assert message.expires_at - message.due_at == timedelta(days=1)
        assert message.parts == 1
        assert outbox == []

    def test_line_ends_are_those_that_were_typed(self, admin_client):
        admin_client.post(ADD, WISH | {"text": "one\r\ntwo"})
        assert Message.objects.get().text == "one\ntwo"

    @pytest.mark.parametrize(
        ("wish", "field", "reason"),
        [
            ({"mobile": "02188776655"}, "mobile", "not a mobile number"),
            ({"mobile": "09395213300, 09121234567"}, "mobile", "more than one"),
            ({"scenario": "service_line", "line": "9830"}, "line", "has no line"),
            ({"line2": "9830"}, "line2", "has no second line"),
            ({"template": "3"}, "template", "has no template"),
            (
                {"scenario": "second_line", "line": "98", "line2": "98"},
                "line2",
                "another line",
            ),
            ({"scenario": "chelcheleh", "line": "one"}, "line", "up to 20 digits"),
            ({"text": "x" * 2000}, "text", "parts"),
            ({"group": "a\u202eb"}, "group", "plain characters"),
            ({"account": "nobody"}, "account", "valid choice"),
        ],
    )
    def test_refusal_stands_at_its_field(self, admin_client, wish, field, reason):
        response = admin_client.post(ADD, WISH | wish)
        errors = response.context["adminform"].form.errors
        assert list(errors) == [field]
        assert reason in errors[field][0]
        assert not Message.objects.exists()

    @pytest.mark.parametrize(
        ("scenario", "line", "line2"),
        [
            ("single", "9830003300", ""),
            ("service_line", "", ""),
            ("second_line", "9830003300", "9830003301"),
            ("chelcheleh", "9830003300", ""),
            ("service_fallback", "9830003300", ""),
        ],
    )
    def test_account_lends_its_lines(self, admin_client, scenario, line, line2):
        admin_client.post(ADD, WISH | {"scenario": scenario})
        message = Message.objects.get()
        assert (message.line, message.line2) == ("", "")
        assert lines_of(message) == (line, line2)

    def test_missing_line_is_said_once(self, admin_client, settings):
        account = settings.NEGIN_SMS["default"] | {"LINE": ""}
        settings.NEGIN_SMS = {"default": account}
        response = admin_client.post(ADD, WISH)
        errors = response.context["adminform"].form.errors
        assert list(errors) == ["line"]

    def test_accounts_are_those_of_the_settings(self, admin_client, settings):
        default = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": default, "bulk": default | {"LINE": "1"}}
        assert '<option value="bulk">' in page(admin_client, ADD)
        admin_client.post(ADD, WISH | {"account": "bulk"})
        assert lines_of(Message.objects.get())[0] == "1"


class TestDraftPage:
    def test_edit_is_worked_out_anew(self, admin_client):
        draft = make(source="shop")
        text = {"text": "سلام" * 30, "scenario": "service_line"}
        response = admin_client.post(change_url(draft), WISH | text)
        assert response.status_code == 302
        draft.refresh_from_db()
        assert (draft.parts, draft.line, draft.status) == (2, "", Status.DRAFT)
        assert (draft.source, draft.created_by) == ("shop", None)

    def test_lifetime_given_elsewhere_is_kept(self, admin_client):
        draft = make(expires_at=timezone.now() + timedelta(hours=2))
        lifetime = draft.expires_at - draft.due_at
        admin_client.post(change_url(draft), WISH)
        draft.refresh_from_db()
        assert draft.expires_at - draft.due_at == lifetime

    def test_account_that_is_gone_is_an_error_not_another_one(self, admin_client):
        draft = make(account="old")
        assert '<option value="old" selected>' in page(admin_client, change_url(draft))
        response = admin_client.post(change_url(draft), WISH | {"account": "old"})
        errors = response.context["adminform"].form.errors
        assert "no SMS account 'old'" in errors["account"][0]

    def test_draft_that_went_out_meanwhile_is_not_overwritten(self, admin_client):
        from django.contrib.admin import site

        draft = make_accepted()
        form = site.get_model_admin(Message).form(WISH, instance=draft)
        assert "not a draft any more" in form.non_field_errors()[0]

    def test_what_a_colleague_changed_is_not_put_back(self, admin_client):
        draft = make(text="Come at 9.")
        html = page(admin_client, change_url(draft))
        seen = {"seen": find(r'name="seen" value="([^"]+)"', html)}
        Message.objects.update(text="Come at 10.")
        wish = WISH | seen | {"text": "Come at 9.", "priority": "20"}
        for _press in range(2):
            response = admin_client.post(change_url(draft), wish)
            assert "Open the page again; your changes were not saved" in response.text
        assert Message.objects.get().text == "Come at 10."
        html = page(admin_client, change_url(draft))
        seen = {"seen": find(r'name="seen" value="([^"]+)"', html)}
        assert admin_client.post(change_url(draft), wish | seen).status_code == 302

    def test_draft_that_left_while_its_page_was_open_is_said_to_have(
        self, admin_client
    ):
        draft = make(status=Status.QUEUED)
        wish = WISH | {"text": "late", "_save": "Save"}
        response = admin_client.post(change_url(draft), wish, follow=True)
        assert "not a draft any more; nothing was changed" in told(response)
        assert Message.objects.get().text == "Hello"
        stranger = log_in("add")
        assert stranger.post(change_url(draft), wish).status_code == 403

    def test_only_drafts_can_be_deleted(self, admin_client):
        draft, queued = make(), make(status=Status.QUEUED)
        for message in (draft, queued):
            admin_client.post(f"{LIST}{message.pk}/delete/", {"post": "yes"})
        assert list(Message.objects.all()) == [queued]

    def test_nothing_is_deleted_in_bulk(self, admin_client):
        draft = make()
        assert "delete_selected" not in page(admin_client, LIST)
        act(admin_client, "delete_selected", [draft], post="yes")
        assert Message.objects.count() == 1

    def test_draft_that_went_out_meanwhile_is_not_deleted(self, admin_client, rf):
        from django.contrib.admin import site
        from django.core.exceptions import PermissionDenied

        draft = make()
        services.send_messages([draft])
        with pytest.raises(PermissionDenied):
            site.get_model_admin(Message).delete_model(rf.post("/"), draft)
        assert Message.objects.exists()


class TestSentPage:
    @pytest.mark.parametrize("status", [s for s in Status if s != Status.DRAFT])
    def test_is_read_only(self, admin_client, status):
        message = make(status=status)
        html = page(admin_client, change_url(message))
        assert 'name="text"' not in html
        assert 'name="_save"' not in html
        response = admin_client.post(change_url(message), WISH | {"text": "other"})
        assert response.status_code == 403
        message.refresh_from_db()
        assert message.text == "Hello"

    def test_shows_code_with_meaning_detail_flag_and_line(self, admin_client):
        message = make(
            status=Status.UNCERTAIN,
            code=15,
            detail="try later",
            flag=Flag.OTHER_MOBILE,
            used_line="9830003301",
        )
        html = page(admin_client, change_url(message))
        for words in (
            "The gateway had an internal error.",
            "try later",
            "The gateway named another number",
            "9830003301",
        ):
            assert words in html

    def test_shows_what_the_scenario_uses(self, admin_client):
        message = make(status="queued", scenario="service_fallback", template=3)
        assert "9830003300</span> · template 3" in page(
            admin_client, change_url(message)
        )

    def test_shows_the_history_to_read(self, admin_client):
        message = make_accepted()
        services.refresh_states([message])
        DeliveryState.objects.create(
            message=message, code=77, reported_at=timezone.now(), source="poll"
        )
        html = page(admin_client, change_url(message))
        assert "negin-sms-state-delivered" in html
        assert "Unknown code 77" in html
        assert 'type="checkbox"' not in html

    def test_resends_are_linked_both_ways(self, admin_client):
        old = make(status=Status.UNCERTAIN)
        services.resend([old], by=None)
        new = Message.objects.get(resend_of=old)
        assert f'href="{change_url(new)}"' in page(admin_client, change_url(old))
        assert f'href="{change_url(old)}"' in page(admin_client, change_url(new))

    def test_what_was_sent_again_is_not_asked_about_any_more(self, admin_client):
        old = make(status=Status.REJECTED)
        services.resend([old], by=None)
        address = change_url(old).replace("/change/", "/resend/")
        for method in (admin_client.get, admin_client.post):
            response = method(address, follow=True)
            assert response.redirect_chain[-1][0].startswith(change_url(old))
            assert "It was sent again already." in response.text
        assert Message.objects.filter(resend_of=old).count() == 1

    def test_what_is_skipped_is_not_warned_of(self, admin_client):
        done, other = make(status=Status.UNCERTAIN), make(status=Status.UNCERTAIN)
        services.resend([done], by=None)
        words = "1 message may have been sent already"
        assert words in act(admin_client, "resend_selected", [done, other]).text
        assert words not in act(admin_client, "resend_selected", [done]).text
        redacted = "loses its text"
        chosen = [make(), make_accepted(sensitive=True)]
        assert redacted not in act(admin_client, "cancel_selected", chosen).text
        chosen[0].sensitive = True
        chosen[0].save(update_fields=["sensitive"])
        assert redacted in act(admin_client, "cancel_selected", chosen).text


class TestList:
    def test_masks_numbers_and_shows_badges(self, admin_client):
        make(status=Status.ACCEPTED, state=8, gateway_id="5001")
        html = page(admin_client, LIST)
        assert '<span class="negin-sms-number" dir="ltr">0939•••3300</span>' in html
        assert "negin-sms-status-accepted" in html
        assert "negin-sms-state-at_operator" in html
        assert "5213300" not in html

    @pytest.mark.parametrize(
        "term",
        [
            "09395213300",
            "+989395213300",
            "989395213300",
            "00989395213300",
            "9395213300",
            "0939 521 3300",
            "0939-521-3300",
            "۰۹۳۹۵۲۱۳۳۰۰",
            "٠٩٣٩٥٢١٣٣٠٠",
            "0939",
            "+98 939",
            "۹۳۹۵",
            "50017",
            "5001",
        ],
    )
    def test_finds_a_number_in_any_spelling_and_a_gateway_id(self, admin_client, term):
        wanted = make(status=Status.ACCEPTED, gateway_id="50017")
        make(mobile="+989129999999", status=Status.ACCEPTED, gateway_id="99")
        response = admin_client.get(LIST, {"q": term})
        assert list(response.context["cl"].queryset) == [wanted]

    @pytest.mark.parametrize("term", ["'; --", "521330", "%", "0939521330١2"])
    def test_finds_nothing_by_the_middle(self, admin_client, term):
        make(status=Status.ACCEPTED, gateway_id="50017")
        response = admin_client.get(LIST, {"q": term})
        assert not response.context["cl"].queryset.exists()

    @pytest.mark.parametrize("term", ["9999", "0999", "9999999999"])
    def test_nines_have_an_end_too(self, admin_client, term):
        wanted = make(mobile="+989999999999")
        make(status=Status.ACCEPTED, mobile="+989899999990", gateway_id="98")
        response = admin_client.get(LIST, {"q": term})
        assert list(response.context["cl"].queryset) == [wanted]

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            ("1", {"delivered"}),
            ("8", {"at operator"}),
            ("other", {"odd"}),
            ("no_report", {"closed at operator", "closed"}),
            ("none", {"fresh", "decided"}),
        ],
    )
    def test_state_filter_reads_like_the_badges(self, admin_client, choice, expected):
        now = timezone.now()
        rows: dict[str, dict[str, Any]] = {
            "delivered": {"state": 1, "settled_at": now},
            "at operator": {"state": 8, "poll_at": now},
            "odd": {"state": 77, "poll_at": now},
            "closed at operator": {"state": 8, "settled_at": now},
            "closed": {"settled_at": now},
            "fresh": {"gateway_id": "5001", "poll_at": now},
            "decided": {},
        }
        for group, fields in rows.items():
            make(status=Status.ACCEPTED, group=group, **fields)
        make(group="draft")
        response = admin_client.get(LIST, {"state": choice})
        assert {row.group for row in response.context["cl"].queryset} == expected

    def test_account_filter_is_there_for_several_accounts(self, admin_client, settings):
        assert "account=" not in page(admin_client, LIST)
        default = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": default, "bulk": default}
        make()
        wanted = make(account="bulk")
        assert "account=bulk" in page(admin_client, LIST)
        response = admin_client.get(LIST, {"account": "bulk"})
        assert list(response.context["cl"].queryset) == [wanted]

    def test_costs_the_same_for_few_rows_and_many(self, admin_client):
        counts = []
        for rows in (5, 45):
            for _ in range(rows):
                make(status=Status.ACCEPTED, state=1)
            with CaptureQueriesContext(connection) as queries:
                page(admin_client, LIST)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 11

    @pytest.mark.parametrize("query", ["", "?q=0939", "?status__exact=draft"])
    def test_counts_once_at_the_most(self, admin_client, query):
        make()
        with CaptureQueriesContext(connection) as queries:
            page(admin_client, LIST + query)
        assert sum(q["sql"].startswith("SELECT COUNT(") for q in queries) <= 1

    def test_warns_where_nobody_dispatches(self, admin_client):
        warning = "No dispatcher runs"
        assert warning in page(admin_client, LIST)
        state = AccountState.objects.create(
            account="default", dispatcher_seen_at=timezone.now() - timedelta(minutes=6)
        )
        assert warning in page(admin_client, LIST)
        state.dispatcher_seen_at = timezone.now()
        state.save()
        assert warning not in page(admin_client, LIST)


class TestSaveAndSend:
    def test_asks_before_it_sends(self, admin_client):
        response = admin_client.post(ADD, WISH | {"_send": "1"})
        message = Message.objects.get()
        assert response.url == f"{LIST}{message.pk}/send/"
        html = page(admin_client, response.url)
        assert "it was not sent yet" in html
        for words in (NUMBER, "Hello", "Single message", "9830003300"):
            assert words in html
        assert outbox == []
        response = admin_client.post(response.url, seen(message), follow=True)
        message.refresh_from_db()
        assert message.status == Status.ACCEPTED
        assert message.gateway_id in told(response)
        assert [sent.text for sent in outbox] == ["Hello"]

    def test_works_from_a_draft_with_its_last_words(self, admin_client):
        draft = make()
        wish = WISH | {"text": "Better", "_send": "1"}
        response = admin_client.post(change_url(draft), wish)
        admin_client.post(response.url, seen(draft))
        assert [sent.text for sent in outbox] == ["Better"]

    def test_invalid_draft_stays_on_the_page(self, admin_client):
        response = admin_client.post(ADD, WISH | {"mobile": "1", "_send": "1"})
        assert response.status_code == 200
        assert not Message.objects.exists()

    def test_list_filters_are_kept_all_the_way(self, admin_client):
        kept = "?_changelist_filters=status__exact%3Ddraft"
        response = admin_client.post(ADD + kept, WISH | {"_send": "1"})
        assert response.url.endswith(kept)
        wish = seen(Message.objects.get())
        assert admin_client.post(response.url, wish).url.endswith(kept)

    def test_button_is_for_those_who_may_send(self):
        client = log_in("view", "add", "change")
        assert 'name="_send"' not in page(client, ADD)
        response = client.post(ADD, WISH | {"_send": "1"})
        assert response.headers["Location"] == LIST
        assert Message.objects.get().status == Status.DRAFT

    def test_button_is_shown_to_those_who_may_send(self):
        client = log_in("view", "add", "change", "send", "view_sensitive")
        assert 'name="_send"' in page(client, ADD)
        assert 'name="_send"' in page(client, change_url(make()))
        assert 'name="_send"' not in page(client, change_url(make(status="queued")))

    @pytest.mark.usefixtures("moody")
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("refuse", ["Rejected", "opted out"]),
            ("break", ["Uncertain, may have been sent", "connection broke"]),
        ],
    )
    def test_failure_is_told_in_plain_words(self, admin_client, text, words):
        draft = make(text=text)
        response = admin_client.post(
            f"{LIST}{draft.pk}/send/", seen(draft), follow=True
        )
        for each in words:
            assert each in told(response)
        entry = LogEntry.objects.get()
        assert words[1] in entry.change_message

    def test_answer_says_once_what_the_code_means(self, admin_client):
        meaning = "The recipient has opted out or is on a blacklist."
        detail = f"{meaning} (error 27)"
        row = make(status=Status.REJECTED, code=27, detail=detail)
        html = page(admin_client, change_url(row))
        assert html.count(meaning) == 1
        assert "(error 27)" in html

    def test_pause_is_told_with_its_reason(self, admin_client):
        services.pause_account("default", reason="no credit until Monday")
        draft = make()
        question = admin_client.get(f"{LIST}{draft.pk}/send/")
        assert "no credit until Monday" in question.text
        response = admin_client.post(
            f"{LIST}{draft.pk}/send/", seen(draft), follow=True
        )
        assert "Queued, not sent now" in told(response)  # it was no draft any more
        assert "no credit until Monday" in told(response)
        response = admin_client.post(
            f"{LIST}{draft.pk}/send/", seen(draft), follow=True
        )
        assert "Not sent now, still queued" in told(response)
        assert outbox == []

    def test_second_press_sends_nothing(self, admin_client):
        draft = make()
        admin_client.post(f"{LIST}{draft.pk}/send/", seen(draft))
        response = admin_client.post(
            f"{LIST}{draft.pk}/send/", seen(draft), follow=True
        )
        assert "not waiting to be sent" in told(response)
        assert len(outbox) == 1

    @pytest.mark.parametrize(
        "change", [{"text": "Bello"}, {"mobile": "+989000000001"}, {"line": "983000"}]
    )
    def test_what_was_not_seen_is_shown_and_not_sent(self, admin_client, change):
        draft = make()
        wish = seen(draft)
        Message.objects.update(**change)
        response = admin_client.post(f"{LIST}{draft.pk}/send/", wish)
        assert "look at them again" in response.content.decode()
        assert str(*change.values()).lstrip("+") in response.content.decode()
        assert (outbox, Message.objects.get().status) == ([], Status.DRAFT)
        confirm(admin_client, response)
        assert len(outbox) == 1

    def test_page_that_does_not_say_what_it_showed_sends_nothing(self, admin_client):
        admin_client.post(f"{LIST}{make().pk}/send/")
        assert (outbox, Message.objects.get().status) == ([], Status.DRAFT)

    def test_message_that_is_gone_is_not_found(self, admin_client):
        assert admin_client.post(f"{LIST}999/send/").status_code == 404
        assert admin_client.get(f"{LIST}{'9' * 40}/send/").status_code == 404


class TestOptedOut:
    """The question says whom a message does not reach, as a batch's preview does."""

    WORDS = "1 recipient has opted out"

    def test_single_draft(self, admin_client):
        draft = make()
        url = f"{LIST}{draft.pk}/send/"
        assert self.WORDS not in admin_client.get(url).text
        services.opt_out(NUMBER, account="default")
        assert self.WORDS in admin_client.get(url).text

    def test_scheduled_one_sent_now_instead_is_asked_about_as_of_now(
        self, admin_client
    ):
        """An opt-out that is over at its time stops it now."""
        later = timezone.now() + timedelta(days=3)
        row = make(status=Status.QUEUED, send_at=later, due_at=later)
        url = f"{LIST}{row.pk}/send/"
        assert "By “Send now instead”" not in admin_client.get(url).text
        services.opt_out(NUMBER, account="default", until=later - timedelta(days=1))
        instead = f"By “Send now instead”: {self.WORDS}"
        assert instead in admin_client.get(url).text
        services.opt_out(NUMBER, account="default")
        html = admin_client.get(url).text
        assert html.count(self.WORDS) == 2  # nor at its time
        assert instead in html
        confirm(admin_client, admin_client.get(url), now="1")
        row.refresh_from_db()
        assert (row.status, row.attempts) == (Status.CANCELLED, 0)

    def test_one_that_left_before_its_time_says_so(self, admin_client, use_account):
        """Its page named a day to come as that of its sending; so did its resend."""
        later = timezone.now() + timedelta(days=3)
        row = make(status=Status.QUEUED, send_at=later, due_at=later)
        before = {"send_at": later - timedelta(days=9), "finished_at": timezone.now()}
        other = make(status=Status.REJECTED, **before)
        own = f"{LIST}{row.pk}/"
        early = "(it was sent before that)"
        assert early not in admin_client.get(f"{own}change/").text
        sent = confirm(admin_client, admin_client.get(f"{own}send/"), now="1")
        assert "1 message was sent ahead of its time." in sent.text
        html = admin_client.get(f"{own}change/").text
        assert f"{moment_words(later)}</span> {early}" in html
        assert html.count(moment_words(later)) == 1
        assert early not in admin_client.get(f"{LIST}{other.pk}/change/").text
        Message.objects.update(state=State.UNDELIVERED)
        services.opt_out(NUMBER, account="default", until=later - timedelta(days=1))
        html = admin_client.get(f"{own}resend/").text
        assert "has a time of its own" not in html
        assert moment_words(later) not in html
        assert self.WORDS in html  # by now, not by then
        again = confirm(admin_client, admin_client.get(f"{own}resend/")).text
        assert "has a time of its own" not in again

    def test_its_caps_are_those_of_now_too(self, admin_client, use_account):
        use_account(MOBILE_CAPS={"day": 1})
        services.send_sms(NUMBER, "first")
        later = timezone.now() + timedelta(days=3)
        row = make(status=Status.QUEUED, send_at=later, due_at=later)
        url, instead = f"{LIST}{row.pk}/send/", "By “Send now instead”: "
        over = "1 message is over the cap of its number"
        html = admin_client.get(url).text
        assert f"{instead}{over}" in html
        assert html.count(over) == 1
        # The same words at its time mean another period, so now is told of as well.
        (today,) = CapCount.objects.exclude(mobile="")
        CapCount.objects.bulk_create(
            CapCount(
                account=today.account,
                mobile=today.mobile,
                seconds=today.seconds,
                began_at=today.began_at + timedelta(days=days),
                messages=1,
            )
            for days in (3, 4)  # in case that midnight comes between
        )
        html = admin_client.get(url).text
        assert f"{instead}{over}" in html
        assert html.count(over) == 2

    @pytest.mark.parametrize("name", ["send", "release", "resend"])
    def test_pause_without_an_end_is_told_by_each_question(self, admin_client, name):
        """Of them "Release" was silent, and then said that it leaves soon."""
        status = {"release": Status.HELD, "resend": Status.CANCELLED}
        row = make(status=status.get(name, Status.QUEUED))
        paused = "The account is paused: maintenance."
        assert paused not in admin_client.get(f"{LIST}{row.pk}/{name}/").text
        services.pause_account("default", reason="maintenance")
        assert paused in admin_client.get(f"{LIST}{row.pk}/{name}/").text

    @pytest.mark.parametrize("name", ["send", "release"])
    def test_what_is_past_its_time_is_told_and_expires(self, admin_client, name):
        """It was asked about as if it could leave, and "still queued" afterwards."""
        past = timezone.now() - timedelta(minutes=1)
        fields = {"due_at": past - timedelta(hours=1), "expires_at": past}
        status = Status.HELD if name == "release" else Status.QUEUED
        row, other = make(status=status, **fields), make(status=status)
        services.opt_out(NUMBER, account="default")
        question = admin_client.get(f"{LIST}{row.pk}/{name}/")
        over = "The time of 1 message is over: it expires, and is not sent."
        assert over in question.text
        assert self.WORDS not in question.text
        both = act(admin_client, f"{name}_selected", [row, other]).text
        assert (over in both, self.WORDS in both) == (True, True)
        response = confirm(admin_client, question)
        assert "Not " in told(response)
        assert "still queued" not in told(response)
        assert "xpired" in told(response)
        assert "Its time is over" in page(
            admin_client, change_url(make(status=status, **fields))
        )

    @pytest.mark.parametrize("action", ["send_selected", "resend_selected"])
    def test_several_to_one_number_fill_its_cap_themselves(
        self, admin_client, use_account, action
    ):
        make_one = make if action == "send_selected" else make_accepted
        rows = [make_one(), make_one(), make_one(mobile="+989390000000")]
        Message.objects.filter(status="accepted").update(state=State.UNDELIVERED)
        use_account(MOBILE_CAPS={"day": 1})
        html = act(admin_client, action, rows).text
        assert "1 message is over the cap of its number" in html

    def test_place_that_is_kept_for_tomorrow_is_none_today(
        self, admin_client, use_account
    ):
        use_account(MOBILE_CAPS={"day": 1}, EXPIRES_IN=3 * 86400)
        services.send_sms(NUMBER, "first")
        row = services.queue_sms(NUMBER, "second")
        services.dispatch_queue()
        row.refresh_from_db()
        assert row.counted_for
        html = admin_client.get(f"{LIST}{row.pk}/send/").text
        assert "1 message is over the cap of its number" in html

    def test_quiet_hours_of_now_are_told_of_one(self, admin_client, use_account):
        now = timezone.localtime()
        hours = tuple(f"{(now.hour + step) % 24:02}:00" for step in (0, 2))
        use_account(QUIET_HOURS=hours)
        later = now + timedelta(hours=12)
        row = make(priority=Priority.LOW, send_at=later, due_at=later)
        html = admin_client.get(f"{LIST}{row.pk}/send/").text
        assert "By “Send now instead”: It waits until quiet hours are over" in html
        soon = now + timedelta(minutes=5)  # in the same quiet hours, and said of both
        Message.objects.update(send_at=soon, due_at=soon)
        html = admin_client.get(f"{LIST}{row.pk}/send/").text
        assert html.count("It waits until quiet hours are over") == 2
        assert "By “Send now instead”: It waits until quiet hours are over" in html
        Message.objects.update(send_at=later, due_at=later)
        short = later + timedelta(minutes=10)  # it lives as long from now on, too
        Message.objects.update(begins_at=later, expires_at=short)
        html = admin_client.get(f"{LIST}{row.pk}/send/").text
        assert "By “Send now instead”: It may never leave" in html
        question = admin_client.get(f"{LIST}{row.pk}/send/")
        confirm(admin_client, question, now="1")
        row.refresh_from_db()
        assert row.expires_at < later

    def test_among_several_those_that_wait_are_counted(self, admin_client):
        rows = [make(), make(mobile="+989390000000"), make_accepted()]
        services.opt_out(NUMBER, account="default")
        assert self.WORDS in act(admin_client, "send_selected", rows).text

    def test_several_are_counted_in_one_sentence_and_all_of_them_as_of_now(
        self, admin_client
    ):
        """Who is reached at a later time, and not now, is another person."""
        later = timezone.now() + timedelta(days=3)
        numbers = [f"+9893952133{number}" for number in (10, 11, 12)]
        rows = [
            make(mobile=mobile, send_at=send_at, due_at=send_at or timezone.now())
            for mobile, send_at in zip(numbers, (None, later, later), strict=True)
        ]
        for mobile, until in zip(numbers, (None, None, later - DAY), strict=True):
            services.opt_out(mobile, account="default", until=until)
        html = act(admin_client, "send_selected", rows).text
        assert html.count("recipients have opted out") == 2
        assert ">2 recipients have opted out" in html
        assert "By “Send now instead”: 3 recipients have opted out" in html
        html = act(admin_client, "send_selected", [rows[0], rows[2]]).text
        assert ">1 recipient has opted out" in html
        assert "By “Send now instead”: 2 recipients have opted out" in html
        html = act(admin_client, "send_selected", rows[:1]).text
        assert "By “Send now instead”" not in html
        Message.objects.update(mobile=numbers[0])
        html = act(admin_client, "send_selected", rows[:2]).text
        assert ">1 recipient has opted out" in html
        assert "By “Send now instead”: 1 recipient has opted out" in html

    def test_quiet_hours_are_told_of_what_they_put_off_before(
        self, admin_client, use_account
    ):
        now = timezone.localtime()
        hours = tuple(f"{(now.hour + step) % 24:02}:00" for step in (0, 2))
        use_account(QUIET_HOURS=hours)
        row = services.queue_sms(NUMBER, "x", priority=Priority.LOW)
        services.send_messages([row])
        for name, status in [("send", Status.QUEUED), ("release", Status.HELD)]:
            Message.objects.update(status=status)
            html = admin_client.get(f"{LIST}{row.pk}/{name}/").text
            assert "It waits until quiet hours are over" in html

    def test_what_is_to_be_released(self, admin_client):
        rows = [make(status=Status.HELD), make_accepted()]
        services.opt_out(NUMBER, account="default")
        assert self.WORDS in act(admin_client, "release_selected", rows).text

    def test_other_buttons_do_not_send(self, admin_client):
        services.opt_out(NUMBER, account="default")
        assert self.WORDS not in act(admin_client, "cancel_selected", [make()]).text


class TestScheduling:
    """What has a time leaves then; sending it now is a choice of its own."""

    LATER = timezone.now() + timedelta(days=2)

    def test_save_and_send_keeps_the_time(self, admin_client):
        wish = WISH | {"send_at": "2040-01-02T10:00", "_send": "1"}
        question = admin_client.post(ADD, wish, follow=True)
        assert "Schedule it?" in question.content.decode()
        assert "It has a time, and leaves then" in question.content.decode()
        words = told(confirm(admin_client, question))
        row = Message.objects.get()
        assert (outbox, row.status) == ([], Status.QUEUED)
        assert row.due_at == row.send_at
        assert "1 message is scheduled" in words

    def test_save_and_send_asks_who_may_not_change_drafts(self):
        html = log_in("add", "view", "send").post(
            ADD, WISH | {"_send": "1"}, follow=True
        )
        assert "Send?" in html.content.decode()

    def test_sending_it_now_instead_takes_its_own_button(self, admin_client):
        draft = make(send_at=self.LATER)
        question = admin_client.get(f"{LIST}{draft.pk}/send/")
        assert 'name="now"' in question.content.decode()
        confirm(admin_client, question, now="1")
        assert len(outbox) == 1

    def test_missing_dispatcher_matters_to_what_is_left_to_it(self, admin_client):
        services.queue_sms(NUMBER, "for one to send")
        later = {"send_at": self.LATER, "due_at": self.LATER}
        for fields, is_told in [({}, False), (later, True)]:
            html = admin_client.get(f"{LIST}{make(**fields).pk}/send/").text
            assert ("No dispatcher runs" in html) is is_told

    def test_what_could_not_leave_now_waits_for_no_other_time(self, admin_client):
        draft = make(send_at=self.LATER, expires_at=self.LATER + timedelta(days=1))
        services.pause_account("default", reason="no credit")
        question = admin_client.get(f"{LIST}{draft.pk}/send/")
        confirm(admin_client, question, now="1")
        draft.refresh_from_db()
        assert (draft.status, draft.send_at, outbox) == (Status.QUEUED, None, [])
        assert draft.due_at <= timezone.now()

    def test_what_is_scheduled_already_is_only_sent_now(self, admin_client):
        row = make(status=Status.QUEUED, send_at=self.LATER, due_at=self.LATER)
        question = admin_client.get(f"{LIST}{row.pk}/send/")
        html = question.content.decode()
        assert "leaves by itself" in html
        assert 'class="default"' not in html
        confirm(admin_client, question)
        assert outbox == []

    @pytest.mark.parametrize(
        ("status", "count", "title", "button"),
        [
            (Status.DRAFT, 2, "Schedule them?", "Schedule"),
            (Status.QUEUED, 2, "They are scheduled", ""),
            (Status.QUEUED, AT_ONCE + 1, "They are scheduled", ""),
        ],
    )
    def test_several_that_all_have_a_time_are_asked_about_as_one_is(
        self, admin_client, status, count, title, button
    ):
        times = {"send_at": self.LATER, "due_at": self.LATER}
        rows = [make(status=status, **times) for _ in range(count)]
        html = act(admin_client, "send_selected", rows).text
        assert f"<h1>{title}</h1>" in html
        assert re.findall(r'class="default" value="([^"]*)"', html) == (
            [button] if button else []
        )
        assert "too many to send" not in html
        assert ('name="now"' in html) is (count <= AT_ONCE)
        too_many = f"that can be done with up to {AT_ONCE} at a time"
        assert (too_many in html) is (status == Status.QUEUED and count > AT_ONCE)

    def test_of_several_only_those_without_a_time_leave(self, admin_client):
        rows = [make(), make(send_at=self.LATER)]
        question = act(admin_client, "send_selected", rows)
        assert "1 message has a time of its own" in question.content.decode()
        words = told(confirm(admin_client, question))
        assert f"accepted message {rows[0].pk}" in words
        assert "1 message is scheduled" in words
        statuses = Message.objects.order_by("pk").values_list("status", flat=True)
        assert list(statuses) == [Status.ACCEPTED, Status.QUEUED]


class TestActions:
    def test_send_asks_then_sends(self, admin_client):
        drafts = [make(), make(status=Status.QUEUED)]
        question = act(admin_client, "send_selected", drafts)
        assert "SMS" in question.content.decode()
        assert outbox == []
        response = confirm(admin_client, question)
        assert "The gateway accepted 2 messages." in told(response)
        assert len(outbox) == 2
        entries = LogEntry.objects.filter(action_flag=2)
        assert {entry.object_id for entry in entries} == {str(d.pk) for d in drafts}
        assert all("(Accepted)" in entry.object_repr for entry in entries)

    def test_skipped_ones_are_grouped_by_reason(self, admin_client):
        draft, sent = make(), make_accepted()
        doubtful = [make(status=Status.UNCERTAIN) for _ in range(7)]
        question = act(admin_client, "send_selected", [draft, sent, *doubtful])
        assert "8 messages will be skipped" in question.content.decode()
        words = told(confirm(admin_client, question))
        named = ", ".join(str(row.pk) for row in doubtful[:5])
        assert f"(7 messages: {named}, …): It is not waiting" in words
        assert f"Sent already (1 message: {sent.pk})" in words
        assert len(outbox) == 2

    @pytest.mark.usefixtures("moody")
    def test_each_ending_has_its_own_line(self, admin_client):
        rows = [make(), make(text="refuse"), make(text="refuse"), make(text="break")]
        words = told(confirm(admin_client, act(admin_client, "send_selected", rows)))
        assert f"accepted message {rows[0].pk}" in words
        assert f"Rejected (2 messages: {rows[1].pk}, {rows[2].pk}): The rec" in words
        assert f"may have been sent (1 message: {rows[3].pk}): The conn" in words

    @pytest.mark.parametrize(("rows", "sent"), [(AT_ONCE, AT_ONCE), (AT_ONCE + 1, 0)])
    def test_many_are_left_to_the_dispatcher(self, admin_client, rows, sent):
        drafts = [make() for _ in range(rows)]
        question = act(admin_client, "send_selected", drafts)
        assert ("too many to send" in question.content.decode()) is (not sent)
        response = confirm(admin_client, question)
        assert len(outbox) == sent
        expected = Status.ACCEPTED if sent else Status.QUEUED
        assert set(Message.objects.values_list("status", flat=True)) == {expected}
        assert ("messages were queued" in told(response)) is (not sent)

    def test_many_are_released_and_told_apart_from_what_waited(self, admin_client):
        rows = [make() for _ in range(AT_ONCE)]
        rows += [make(status=Status.HELD), make(status=Status.QUEUED)]
        gone = make(status=Status.HELD, expires_at=timezone.now())
        sent = make_accepted()
        words = told(
            confirm(
                admin_client, act(admin_client, "send_selected", [*rows, gone, sent])
            )
        )
        assert (
            f"{AT_ONCE + 1} messages were queued for the dispatcher to send." in words
        )
        assert "1 message was waiting already, for the dispatcher to send." in words
        assert f"Not queued (1 message: {gone.pk}): It has expired." in words
        assert f"Not queued (1 message: {sent.pk}): Its status does not" in words
        statuses = {
            row.status for row in Message.objects.filter(pk__in=[r.pk for r in rows])
        }
        assert statuses == {Status.QUEUED}

    def test_of_many_it_is_told_which_have_times_of_their_own(self, admin_client):
        later = timezone.now() + timedelta(days=2)
        rows = [make(send_at=later) for _ in range(AT_ONCE)]
        rows.append(make(status=Status.QUEUED, send_at=later, due_at=later))
        words = told(confirm(admin_client, act(admin_client, "send_selected", rows)))
        assert (
            f"{AT_ONCE} messages have times of their own, and leave then; the first on"
            in words
        )
        assert "1 message has a time of its own, and leaves then: on" in words
        assert outbox == []

    @pytest.mark.parametrize("action", ["cancel", "resolve"])
    @pytest.mark.parametrize("sensitive", [True, False])
    def test_that_a_sensitive_text_goes_is_said_before(
        self, admin_client, action, sensitive
    ):
        row = make(
            status=Status.UNCERTAIN if action == "resolve" else Status.QUEUED,
            sensitive=sensitive,
        )
        question = admin_client.get(f"{LIST}{row.pk}/{action}/")
        assert ("loses its text within moments" in question.text) is sensitive

    def test_whole_filter_can_be_selected(self, admin_client):
        drafts = [make() for _ in range(60)]
        make(status=Status.CANCELLED)
        extra = {"select_across": "1"}
        url = LIST + "?status__exact=draft"
        data = {"action": "send_selected", "_selected_action": drafts[0].pk} | extra
        response = confirm(admin_client, admin_client.post(url, data))
        assert "60 messages were queued" in told(response)
        assert response.redirect_chain[-1][0] == url

    def test_more_than_the_limit_is_refused(self, admin_client):
        row = make()
        copies = [Message(**(_columns(row) | {"id": None})) for _ in range(1000)]
        Message.objects.bulk_create(copies)
        response = act(admin_client, "refresh_selected", [row], select_across="1")
        assert "at most 1000 messages" in told(admin_client.get(response.url))

    def test_refresh_asks_then_reports(self, admin_client):
        sent, draft = make_accepted(), make()
        question = act(admin_client, "refresh_selected", [sent, draft])
        words = told(confirm(admin_client, question))
        assert "answered for 1 of 1 messages; 1 changed, 1 settled" in words
        assert f"Not asked about (1 message: {draft.pk}): Only accepted" in words
        sent.refresh_from_db()
        assert sent.state == 1
        assert LogEntry.objects.filter(object_id=sent.pk).exists()

    def test_refresh_that_fails_says_why(self, admin_client, settings):
        sent = make_accepted()
        dead = {"USERNAME": "u", "PASSWORD": "p", "BASE_URL": "http://127.0.0.1:9/api"}
        settings.NEGIN_SMS = {"default": dead}
        services.adopt_account("default")
        response = admin_client.post(f"{LIST}{sent.pk}/refresh/", follow=True)
        assert "answered for 0 of 1" in told(response)
        assert "cannot be reached" in told(response)

    def test_account_that_is_gone_is_told(self, admin_client):
        draft = make(account="old")
        response = admin_client.post(
            f"{LIST}{draft.pk}/send/", seen(draft), follow=True
        )
        assert "There is no SMS account" in told(response)


class TestPermissions:
    ROLES = {
        "send": (["view", "send"], {"send"}),
        "refresh": (["view", "refresh"], {"refresh"}),
        "view": (["view"], set()),
        "blind": (["send", "refresh"], set()),
        "editor": (["view", "add", "change", "delete"], set()),
    }

    @pytest.mark.parametrize("action", ["send", "refresh"])
    @pytest.mark.parametrize("role", ROLES)
    def test_matrix(self, role, action):
        names, allowed = self.ROLES[role]
        client = log_in(*names)
        row = make() if action == "send" else make_accepted()
        before = len(outbox)
        expected = 302 if action in allowed else 403
        urls = [f"{LIST}{row.pk}/{action}/", f"{LIST}{action}/"]
        for url in urls:
            wish = {"ids": row.pk, **seen(row)}
            assert client.post(url, wish).status_code == expected
        sent = action == "send" and expected == 302
        assert len(outbox) - before == sent
        row.refresh_from_db()
        assert (row.state == 1) is (action == "refresh" and expected == 302)

    @pytest.mark.parametrize("role", ["send", "refresh", "view", "editor"])
    def test_pages_offer_what_is_allowed(self, role):
        names, allowed = self.ROLES[role]
        client = log_in(*names)
        draft, sent = make(), make_accepted()
        pages = page(client, change_url(draft)), page(client, change_url(sent))
        listed = page(client, LIST)
        assert (f"{draft.pk}/send/" in pages[0]) is ("send" in allowed)
        assert (f"{sent.pk}/refresh/" in pages[1]) is ("refresh" in allowed)
        assert f"{draft.pk}/refresh/" not in pages[0]
        assert f"{sent.pk}/send/" not in pages[1]
        for name in ("send", "refresh"):
            assert (f'value="{name}_selected"' in listed) is (name in allowed)

    @pytest.mark.parametrize("role", ["send", "refresh", "view", "editor"])
    def test_forged_action_asks_nothing(self, role):
        names, allowed = self.ROLES[role]
        client = log_in(*names)
        draft = make()
        for name in ("send", "refresh"):
            response = act(client, f"{name}_selected", [draft])
            asked = response.status_code == 200 and b'name="ids"' in response.content
            assert asked is (name in allowed)
        draft.refresh_from_db()
        assert draft.status == Status.DRAFT

    def test_view_only_changes_nothing(self):
        client = log_in("view")
        draft = make()
        assert client.post(change_url(draft), WISH).status_code == 403
        assert client.post(ADD, WISH).status_code == 403
        data = {"post": "yes"}
        assert client.post(f"{LIST}{draft.pk}/delete/", data).status_code == 403
        assert Message.objects.get().text == "Hello"

    @pytest.mark.parametrize("method", ["get", "post"])
    @pytest.mark.parametrize("route", ["send/", "refresh/", "1/send/", "1/refresh/"])
    def test_strangers_are_sent_to_the_login(self, client, method, route):
        make(pk=1)
        response = getattr(client, method)(LIST + route, {"ids": "1"})
        assert response.status_code == 302
        assert "/login/" in response.url
        assert outbox == []

    @pytest.mark.parametrize("route", ["send/", "refresh/", "1/send/", "1/refresh/"])
    def test_get_never_does_it(self, admin_client, route):
        draft = make(pk=1)
        admin_client.get(LIST + route, {"ids": "1"})
        draft.refresh_from_db()
        assert draft.status == Status.DRAFT
        assert outbox == []

    @pytest.mark.parametrize("route", ["send/", "1/send/", "1/refresh/"])
    def test_post_from_another_site_is_refused(self, admin_user, route):
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)
        make(pk=1)
        assert client.post(LIST + route, {"ids": "1"}).status_code == 403
        assert outbox == []

    @pytest.mark.parametrize("ids", ["", ",", "x", "1;2", "-1", "9" * 30, "۱", "1e3"])
    def test_wild_ids_do_nothing(self, admin_client, ids):
        make(pk=1)
        response = admin_client.post(LIST + "send/", {"ids": ids})
        assert response.status_code == 302
        assert outbox == []


@pytest.mark.django_db(transaction=True)
class TestAtomicRequests:
    """Services refuse to send inside a transaction: our views must not be in one."""

    @pytest.fixture(autouse=True)
    def _atomic(self, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    def test_save_and_send(self, admin_client):
        response = admin_client.post(ADD, WISH | {"_send": "1"})
        wish = seen(Message.objects.get())
        response = admin_client.post(response.url, wish, follow=True)
        assert "The gateway accepted" in told(response)
        assert len(outbox) == 1

    def test_actions(self, admin_client):
        question = act(admin_client, "send_selected", [make()])
        assert "The gateway accepted" in told(confirm(admin_client, question))
        question = act(admin_client, "refresh_selected", Message.objects.all())
        assert "1 changed" in told(confirm(admin_client, question))


class TestAccountStates:
    LIST = "/admin/negin_sms/accountstate/"

    def test_can_be_read_and_nothing_else(self, admin_client):
        services.pause_account("default", reason="no credit")
        state = AccountState.objects.get()
        assert "no credit" in page(admin_client, self.LIST)
        html = page(admin_client, f"{self.LIST}{state.pk}/change/")
        assert 'name="_save"' not in html
        for route in ("add/", f"{state.pk}/change/", f"{state.pk}/delete/"):
            assert admin_client.post(self.LIST + route, {}).status_code == 403
        assert AccountState.objects.get().is_paused


def test_addresses_have_names():
    assert reverse("admin:negin_sms_message_send", args=[7]) == f"{LIST}7/send/"
    assert reverse("admin:negin_sms_message_refresh", args=[7]) == f"{LIST}7/refresh/"


class TestWhyItWaits:
    def test_reason_stands_on_the_page_of_what_waits(self, admin_client):
        row = make(status=Status.QUEUED, due_at=timezone.now() + timedelta(hours=1))
        html = page(admin_client, change_url(row))
        assert "Why it waits" in html
        assert "It is not due yet. (until " in html

    def test_what_only_waits_for_the_dispatcher_says_so(self, admin_client):
        html = page(admin_client, change_url(make(status=Status.QUEUED)))
        assert "it leaves with the next run" in html

    def test_held_ones_wait_for_a_person(self, admin_client):
        html = page(admin_client, change_url(make(status=Status.HELD)))
        assert "a person releases or cancels it" in html

    def test_what_will_be_cancelled_says_so(self, admin_client):
        row = make(status=Status.QUEUED)
        services.opt_out(NUMBER, account="default")
        html = page(admin_client, change_url(row))
        assert "account default. (it is cancelled when it is its turn)" in html

    def test_draft_is_due_when_it_is_confirmed(self):
        """Its columns hold times that confirming writes anew."""
        client, draft = log_in("view"), make()
        html = page(client, change_url(draft))
        assert "when somebody confirms it" in html
        assert "1 day after that" in unescape(html).replace("\xa0", " ")
        later = timezone.now() + timedelta(days=2)
        Message.objects.update(send_at=later, due_at=later)
        html = page(client, change_url(draft))
        assert "when somebody confirms it" not in html

    def test_others_have_no_such_line(self, admin_client):
        assert "Why it waits" not in page(admin_client, change_url(make_accepted()))

    def test_settings_that_cannot_be_read_break_no_page(
        self, admin_client, use_account
    ):
        row = make(status=Status.QUEUED)
        use_account(ONLY_TO=["nobody"])
        assert "ONLY_TO" in page(admin_client, change_url(row))

    def test_reason_is_text_and_no_markup(self, admin_client):
        row = make(
            status=Status.QUEUED,
            due_at=timezone.now() + timedelta(hours=1),
            detail="<b>bold</b>",
        )
        html = page(admin_client, change_url(row))
        assert "<b>bold" not in html
        assert "&lt;b&gt;bold" in html
