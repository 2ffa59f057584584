"""Compose, preview, confirm: through the pages, as different people."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from negin_sms import services
from negin_sms.admin import recipient_fields
from negin_sms.choices import Priority, Scenario, Status
from negin_sms.gateway.memory import outbox
from negin_sms.models import AccountState, Message
from negin_sms.services.submission import batches
from negin_sms.services.submission.batches import look_at
from negin_sms.services.submission.recipients.uploads import LARGEST_INPUT
from negin_sms.templatetags import negin_sms_admin
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/negin_sms/message/"
COMPOSE, PREVIEW = LIST + "compose/", LIST + "preview/"
CONFIRM, DISCARD = PREVIEW + "confirm/", PREVIEW + "discard/"
BATCHES = LIST + "batches/"
SAMPLES = (
    Path(__file__).parent.parent / "services" / "submission" / "recipients" / "samples"
)
MOBILE = "09395213300"
WISH = {
    "recipients": MOBILE,
    "kept": "",
    "text": "Hello",
    "scenario": "single",
    "priority": "20",
    "expires_in": "",
}
TABLE = "نام;موبایل\nسارا;09395213300\nعلی;09395213301\n"
ROLES = {
    "stranger": (),
    "viewer": ("view",),
    "writer": ("view", "add"),
    "sender": ("view", "send"),
    "operator": ("view", "add", "send", "delete"),
}


def log_in(*names: str) -> Client:
    user = get_user_model().objects.create_user("staff", password="x", is_staff=True)
    codenames = [f"{name}_message" for name in names]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def words_of(response) -> str:
    """Return a page as it is read."""
    html = response.content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def compose(client: Client, **wish):
    return client.post(COMPOSE, WISH | wish)


def draft(client: Client, **wish) -> str:
    """Compose, and return the group that the preview shows."""
    response = compose(client, **wish)
    assert response.status_code == 302, words_of(response)
    (group,) = set(Message.objects.values_list("group", flat=True))
    assert response.url == f"{PREVIEW}?{urlencode({'group': group})}"
    return group


def field(name: str, response) -> str:
    return str(response.context["form"][name].value())


def preview(client: Client, group: str):
    return client.get(PREVIEW, {"group": group})


def confirm(client: Client, group: str, seen: str | None = None):
    if seen is None:
        batch = look_at(group)
        seen = batch.seen if batch else ""
    return client.post(CONFIRM, {"group": group, "seen": seen}, follow=True)


def csv(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("numbers.csv", data, "text/csv")


class TestCompose:
    def test_writes_drafts_and_sends_nothing(self, admin_client, admin_user):
        draft(admin_client)
        row = Message.objects.get()
        assert (row.status, row.mobile) == (Status.DRAFT, "+989395213300")
        assert (row.created_by_id, row.source) == (admin_user.pk, "admin")
        assert not outbox

    def test_wish_is_taken_over(self, admin_client):
        wish = {
            "scenario": "service_fallback",
            "template": "3",
            "line": "983000",
            "send_at": "2040-01-02T10:00",
            "expires_in": "3600",
            "priority": "10",
            "sensitive": "on",
            "text": "one\r\ntwo",
            "group": "spring sale",
        }
        assert draft(admin_client, **wish).startswith("spring sale ")
        row = Message.objects.get()
        assert (row.scenario, row.template) == (Scenario.SERVICE_FALLBACK, 3)
        assert (row.line, row.priority) == ("983000", Priority.HIGH)
        assert timezone.localtime(row.due_at).isoformat()[:16] == "2040-01-02T10:00"
        assert (row.expires_at - row.due_at).total_seconds() == 3600
        assert (row.sensitive, row.text) == (True, "one\ntwo")

    def test_file_of_a_spreadsheet(self, admin_client):
        upload = csv(TABLE.replace("ی", "ي").encode("cp1256"))
        draft(admin_client, recipients="", file=upload, text="{نام} عزیز")
        texts = Message.objects.order_by("pk").values_list("text", flat=True)
        assert list(texts) == ["سارا عزیز", "علي عزیز"]

    def test_pasted_and_uploaded_recipients_are_merged(self, admin_client):
        upload = csv("۰۹۳۹۵۲۱۳۳۰۰\n09395213301".encode())
        response = client_page(admin_client, recipients=MOBILE, file=upload)
        assert Message.objects.count() == 2
        assert "1 number stood there more than once" in words_of(response)

    @pytest.mark.parametrize(
        ("name", "wish"),
        [
            ("recipients", {"recipients": " "}),
            ("recipients", {"recipients": 'mobile,a\n1,"'}),
            ("text", {"text": ""}),
            ("text", {"text": "Dear {name}"}),
            ("line2", {"line2": "983000"}),
            ("template", {"template": "3"}),
            ("template", {"template": "-1"}),
            ("scenario", {"scenario": "pigeon"}),
            ("account", {"account": "other"}),
            ("send_at", {"send_at": "soon"}),
            ("group", {"group": "a\nb"}),
            ("file", {"file": csv(b"PK\x03\x04\0")}),
            ("file", {"file": csv(b"1" * (LARGEST_INPUT + 1))}),
            ("file", {"file": csv(b"a,b\nc,d")}),
        ],
    )
    def test_faults_stand_at_their_fields(self, admin_client, name, wish):
        response = compose(admin_client, **wish)
        assert response.context["form"].errors[name]
        assert not Message.objects.exists()

    def test_file_is_to_be_chosen_again_after_another_fault(self, admin_client):
        response = compose(admin_client, text="", file=csv(b"09395213300"))
        assert "Choose the file again:" in words_of(response)

    def test_fault_of_what_has_no_field_is_shown(self, admin_client, use_account):
        use_account(LINE="")
        assert "needs a line" in words_of(compose(admin_client))

    def test_account_is_asked_for_where_there_are_several(self, admin_client, settings):
        one = settings.NEGIN_SMS["default"]
        assert 'name="account"' not in admin_client.get(COMPOSE).content.decode()
        settings.NEGIN_SMS = {"default": one, "bulk": one}
        assert 'name="account"' in admin_client.get(COMPOSE).content.decode()
        draft(admin_client, account="bulk")
        assert Message.objects.get().account == "bulk"

    @pytest.mark.long
    def test_five_thousand_recipients(self, admin_client):
        numbers = "\n".join(f"0939{at:07}" for at in range(5000))
        group = draft(admin_client, recipients=numbers)
        page = preview(admin_client, group)
        assert page.context["batch"].total_parts == 5000
        assert "and 4995 more" in words_of(page)
        confirm(admin_client, group)
        assert Message.objects.filter(status=Status.QUEUED).count() == 5000


def client_page(client: Client, **wish):
    return client.post(COMPOSE, WISH | wish, follow=True)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("page", [COMPOSE, "/admin/negin_sms/optout/add/"])
def test_workbook_is_offered_where_it_can_be_read(
    admin_client, monkeypatch, page, there
):
    monkeypatch.setattr(recipient_fields, "can_write_workbooks", lambda: there)
    html = admin_client.get(page).text
    assert ("A workbook (.xlsx) or CSV" in html) is there
    assert ('accept=".xlsx' in html) is there
    assert ("A CSV file, one line" in html) is not there


class TestRefused:
    def test_lines_come_back_with_their_reason_and_nothing_is_written(
        self, admin_client
    ):
        response = compose(admin_client, recipients=f"{MOBILE}\n0939\nfoo")
        assert not Message.objects.exists()
        words = words_of(response)
        assert "2 entries were refused" in words
        assert "2 0939 The number is too short." in words
        assert field("recipients", response) == "0939\nfoo\n"
        assert field("kept", response) == f"{MOBILE}\n"

    def test_corrected_lines_join_the_others(self, admin_client):
        kept = f"{MOBILE}\n"
        draft(admin_client, recipients="09395213301", kept=kept)
        assert Message.objects.count() == 2

    def test_may_be_left_out(self, admin_client):
        wish = {"recipients": "0939", "kept": MOBILE, "_leave_out": "1"}
        page = client_page(admin_client, **wish)
        assert Message.objects.get().mobile == "+989395213300"
        assert "1 entry was left out." in words_of(page)

    def test_leaving_all_out_writes_nothing(self, admin_client):
        response = compose(admin_client, recipients="0939", _leave_out="1")
        assert response.status_code == 200
        assert "No recipient is fine." in words_of(response)
        assert "_leave_out" not in response.text
        assert not Message.objects.exists()

    def test_missing_value_comes_back_as_a_table(self, admin_client):
        pasted = "mobile\tname\n09395213300\tSara\n09395213301\t\n"
        response = compose(admin_client, recipients=pasted, text="Dear {name}")
        assert not Message.objects.exists()
        # Commas would let Persian words and numbers change places before the eye.
        assert field("recipients", response) == "send to\tname\n09395213301\t\n"
        assert field("kept", response) == "send to\tname\n09395213300\tSara\n"
        draft(
            admin_client,
            recipients="send to\tname\n09395213301\tAli\n",
            kept=field("kept", response),
            text="Dear {name}",
        )
        assert Message.objects.count() == 2

    def again(self, client, response, **more):
        """Press a button of the page that came back, nothing corrected."""
        boxes = {name: field(name, response) for name in ("recipients", "kept")}
        return client_page(client, text="Dear {name}", **boxes, **more)

    @pytest.mark.parametrize("button", [{}, {"_leave_out": "1"}])
    def test_what_is_left_of_a_table_is_of_the_same_people(self, admin_client, button):
        """Only the parents' numbers are right in what was refused."""
        pasted = (
            "name\tmobile\tparents\n"
            "Sara\t09395213300\t09000000001\nAli\t0939521\t09000000002\n"
        )
        response = compose(admin_client, recipients=pasted, text="Dear {name}")
        page = self.again(admin_client, response, **button)
        kept = [row.mobile for row in Message.objects.all()]
        assert kept == (["+989395213300"] if button else [])
        assert ("1 entry was refused" in words_of(page)) is not bool(button)

    def test_number_that_stood_there_twice_is_told_beside_them(self, admin_client):
        """One refused and one fine were shown of three that somebody pasted."""
        pasted = "09395213300\n0939521\n09395213300"
        response = compose(admin_client, recipients=pasted)
        words = "1 number stood there more than once"
        assert words in words_of(response)
        names = ("recipients", "kept", "remarks")
        boxes = {name: field(name, response) for name in names}
        page = client_page(admin_client, **boxes, _leave_out="1")
        assert words_of(page).count(words) == 1

    def test_may_be_left_out_beside_an_empty_column_that_is_named_better(
        self, admin_client
    ):
        pasted = "name\tphone\tmobile\nSara\t09395213300\t\nAli\t02122345678\t\n"
        response = compose(admin_client, recipients=pasted, text="Dear {name}")
        assert "1 entry was refused" in words_of(response)
        self.again(admin_client, response, _leave_out="1")
        assert [row.mobile for row in Message.objects.all()] == ["+989395213300"]

    def test_forged_kept_recipients_are_judged_again(self, admin_client):
        response = compose(admin_client, kept="0912FLOWERS")
        assert "1 entry was refused" in words_of(response)

    def test_hostile_lines_are_inert(self, admin_client):
        response = compose(admin_client, recipients='<script>x"\n\u202e<img onerror=1>')
        html = response.content.decode()
        assert "<script>x" not in html
        assert "<img onerror" not in html

    def test_long_list_is_cut_on_the_page_and_whole_in_the_box(self, admin_client):
        response = compose(admin_client, recipients="0939\n" * 300)
        assert "and 100 more" in words_of(response)
        assert field("recipients", response).count("0939") == 300


class TestPreview:
    def test_says_what_it_comes_to(self, admin_client):
        group = draft(
            admin_client,
            recipients=f"mobile,name\n{MOBILE},Sara\n09395213301,{'س' * 80}",
            text="{name}",
        )
        page = preview(admin_client, group)
        words = words_of(page)
        assert "Recipients 2" in words
        assert "Parts each 1 to 2" in words
        assert "Parts in all 3" in words
        assert "Sara" in words
        assert "As soon as it is confirmed" in words
        assert "1 day" in words

    def test_says_when_it_leaves(self, admin_client):
        group = draft(admin_client, send_at="2040-01-02 10:00")
        assert "Jan. 2, 2040, 10 a.m." in words_of(preview(admin_client, group))

    @pytest.mark.parametrize("changed", [0, 1])
    def test_of_those_that_leave_apart_it_shows_the_first(self, admin_client, changed):
        group = draft(admin_client, recipients=TABLE)
        keys = [row.pk for row in Message.objects.order_by("pk")]
        later = datetime(2040, 1, 2, 6, 30, tzinfo=UTC)
        Message.objects.filter(pk=keys[changed]).update(send_at=later)
        words = words_of(preview(admin_client, group))
        assert ("Leaves Jan. 2, 2040, 10 a.m." in words) is (changed == 0)
        assert ("Leaves As soon as it is confirmed" in words) is (changed == 1)
        assert "Shown is the first" in words

    def test_lines_and_template_read_from_the_right_in_persian(self, admin_client):
        way = {"scenario": "second_line", "line": "98111", "line2": "98222"}
        group = draft(admin_client, **way)
        html = preview(admin_client, group).content.decode()
        assert re.search(r'dir="ltr">98111</span> · <span [^>]*dir="ltr">98222<', html)

    def test_warns_of_what_keeps_it_from_leaving(self, admin_client):
        group = draft(admin_client)
        assert "No dispatcher runs" in words_of(preview(admin_client, group))
        services.pause_account("default", reason="no credit")
        AccountState.objects.update(dispatcher_seen_at=timezone.now())
        words = words_of(preview(admin_client, group))
        assert "no credit" in words
        assert "No dispatcher runs" not in words

    def test_group_without_drafts_leads_to_what_became_of_it(self, admin_client):
        assert preview(admin_client, "g & h").url == f"{LIST}batches/"
        MessageFactory(group="g & h")
        assert preview(admin_client, "g & h").url == f"{LIST}batch/?batch=g+%26+h"

    def test_number_is_masked_without_the_right_to_see_it(self):
        client = log_in("view", "add")
        group = draft(client)
        Message.objects.update(created_by=None)
        html = preview(client, group).content.decode()
        assert "0939•••3300" in html
        assert "5213300" not in html

    def test_number_is_whole_with_it(self):
        client = log_in("view", "add", "view_sensitive")
        assert "+989395213300" in preview(client, draft(client)).content.decode()

    def test_sensitive_text_is_for_its_author(self, admin_client):
        author = log_in("view", "add")
        group = draft(author, sensitive="on", text="secret words")
        assert "secret words" in words_of(preview(author, group))
        assert "secret words" not in words_of(preview(admin_client, group))

    def test_text_is_for_its_author_and_the_trusted(self, admin_client):
        author = log_in("view", "add")
        group = draft(author, text="some words")
        assert "some words" in words_of(preview(admin_client, group))
        Message.objects.update(created_by=None)
        assert "some words" not in words_of(preview(author, group))

    def test_hostile_text_is_inert(self, admin_client):
        group = draft(admin_client, text="<script>x</script>", group="<b>g")
        html = preview(admin_client, group).content.decode()
        assert "<script>x" not in html
        assert "<b>g" not in html

    def test_cost_does_not_grow(self, admin_client, django_assert_max_num_queries):
        numbers = "\n".join(f"0939{at:07}" for at in range(300))
        group = draft(admin_client, recipients=numbers)
        with django_assert_max_num_queries(16):
            preview(admin_client, group)


class TestConfirm:
    def test_queues_and_leads_to_the_messages(self, admin_client):
        group = draft(admin_client)
        response = confirm(admin_client, group)
        assert Message.objects.get().status == Status.QUEUED
        assert response.redirect_chain == [(f"{LIST}batch/?batch={group}", 302)]
        assert "1 message was queued" in words_of(response)
        assert not outbox

    def test_second_click_does_nothing(self, admin_client):
        group = draft(admin_client)
        confirm(admin_client, group)
        Message.objects.update(attempts=7)
        assert "No draft is left here" in words_of(confirm(admin_client, group))
        assert (Message.objects.get().attempts, LogEntry.objects.count()) == (7, 2)

    def test_what_a_colleague_edited_is_said_to_stand_elsewhere(self, admin_client):
        group = draft(admin_client)
        compose(admin_client, replaces=group, replaced=look_at(group).seen, text="New")
        (row,) = Message.objects.all()
        page = confirm(admin_client, group)
        assert page.redirect_chain == [(f"{LIST}batches/", 302)]
        assert f"preview/?group={row.group}" in page.text
        words = words_of(page)
        assert "edited meanwhile" in words
        assert "“Unconfirmed batches”" in words
        assert Message.objects.get().status == Status.DRAFT

    def test_list_shows_the_group_only(self, admin_client):
        group = draft(admin_client)
        Message.objects.update(group="other")
        draft_of_mine = compose(admin_client)
        assert draft_of_mine.status_code == 302
        rows = admin_client.get(LIST, {"group": group}).context["cl"].result_count
        assert rows == 0

    @pytest.mark.parametrize("seen", ["", "1-1", "0" * 64])
    def test_drafts_that_changed_are_shown_again(self, admin_client, seen):
        group = draft(admin_client)
        response = confirm(admin_client, group, seen)
        assert "Somebody changed these messages" in words_of(response)
        assert Message.objects.get().status == Status.DRAFT

    def test_account_that_is_gone_is_said(self, admin_client, settings):
        one = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": one, "bulk": one}
        group = draft(admin_client, account="bulk")
        settings.NEGIN_SMS = {"default": one}
        assert "bulk" in words_of(confirm(admin_client, group))
        assert Message.objects.get().status == Status.DRAFT

    def test_empty_group_queues_nobody_s_drafts(self, admin_client):
        draft(admin_client)
        Message.objects.update(group="")
        for url in (CONFIRM, DISCARD):
            admin_client.post(url, {"group": "", "seen": ""})
        assert Message.objects.get().status == Status.DRAFT

    @pytest.mark.django_db(transaction=True)
    def test_works_under_atomic_requests(self, admin_client, settings):
        connection.settings_dict["ATOMIC_REQUESTS"] = True
        try:
            group = draft(admin_client)
            confirm(admin_client, group)
        finally:
            connection.settings_dict["ATOMIC_REQUESTS"] = False
        assert Message.objects.get().status == Status.QUEUED


def test_discard_deletes_the_drafts(admin_client):
    group = draft(admin_client)
    response = admin_client.post(DISCARD, {"group": group}, follow=True)
    assert "1 draft was deleted." in words_of(response)
    assert not Message.objects.exists()


def test_discarding_asks_first(admin_client):
    group = draft(admin_client)
    page = admin_client.get(DISCARD, {"group": group})
    assert "1 draft of this batch would be gone for good" in words_of(page)
    assert Message.objects.exists()
    confirm(admin_client, group)
    page = admin_client.get(DISCARD, {"group": group}, follow=True)
    assert "No draft is left here" in words_of(page)


class TestOnce:
    """Pressed twice, or Back and again, one page is one batch."""

    def test_page_carries_a_token_of_its_own(self, admin_client):
        first, second = (token_of(admin_client.get(COMPOSE)) for _ in range(2))
        assert re.fullmatch("[0-9a-f]{16}", first)
        assert first != second

    def test_same_page_twice_is_one_batch(self, admin_client):
        token = token_of(admin_client.get(COMPOSE))
        groups = [compose(admin_client, token=token).url for _ in range(2)]
        assert groups[0] != groups[1]
        assert Message.objects.count() == 1
        assert "No draft is left" in words_of(admin_client.get(groups[0], follow=True))

    def test_token_goes_on_with_the_corrected_page(self, admin_client):
        response = compose(admin_client, recipients="0939", token="0123456789abcdef")
        assert token_of(response) == "0123456789abcdef"

    def test_confirmed_page_writes_nothing_more(self, admin_client):
        confirm(admin_client, draft(admin_client, token="0123456789abcdef"))
        response = compose(admin_client, token="0123456789abcdef")
        assert "was confirmed, edited or discarded meanwhile" in words_of(response)
        assert Message.objects.get().status == Status.QUEUED

    def test_confirmed_later_ones_are_told_with_their_time(self, admin_client):
        group = draft(admin_client, recipients=TABLE, send_at="2040-01-02 10:00")
        given = {"group": group, "seen": look_at(group).seen}
        words = words_of(admin_client.post(CONFIRM, given, follow=True))
        assert "2 messages are scheduled; none leaves before" in words
        assert "Jan. 2, 2040" in words

    def test_page_of_which_one_has_left_writes_nothing_more(self, admin_client):
        two = {"recipients": f"{MOBILE}\n09395213301", "token": "0123456789abcdef"}
        draft(admin_client, **two)
        services.queue_messages(Message.objects.filter(mobile__endswith="3301"))
        response = compose(admin_client, **two, text="Better")
        assert "was confirmed, edited or discarded meanwhile" in words_of(response)
        assert Message.objects.filter(text="Hello").count() == 2

    def test_token_is_its_user_s(self, admin_client):
        draft(admin_client, token="0123456789abcdef")
        compose(log_in("view", "add"), token="0123456789abcdef")
        assert Message.objects.count() == 2

    def test_draft_that_moved_to_a_batch_of_others_takes_none_along(self, admin_client):
        theirs = draft(admin_client, sensitive="on")
        writer = log_in("view", "add", "change")
        compose(writer, token="0123456789abcdef")
        own = Message.objects.exclude(group=theirs)
        services.edit(own.get(), by=None, group=theirs)
        assert Message.objects.filter(group=theirs).count() == 2
        compose(writer, token="0123456789abcdef", text="Better")
        assert Message.objects.get(group=theirs).sensitive
        assert own.get().text == "Better"


class TestEdit:
    def test_page_has_everything_again(self, admin_client):
        later = {"send_at": "2040-01-02T10:00"}
        group = draft(
            admin_client,
            recipients=f"{MOBILE}\n09395213301",
            text="Hello {{you}}",
            group="spring",
            priority=str(Priority.LOW),
            expires_in="600",
            sensitive="on",
            **later,
        )
        page = admin_client.get(COMPOSE, {"edit": group})
        assert field("recipients", page) == "+989395213300\n+989395213301\n"
        assert field("text", page) == "Hello {{you}}"
        values = {
            name: page.context["form"][name].value() for name in ("group", "priority")
        }
        assert values == {"group": "spring", "priority": Priority.LOW}
        html = page.content.decode()
        assert 'value="2040-01-02T10:00' in html
        assert '<option value="600" selected>' in html
        assert preview_links(admin_client, group)

    def test_what_is_written_then_replaces_the_batch(self, admin_client):
        group = draft(admin_client, expires_in="600")
        page = admin_client.get(COMPOSE, {"edit": group})
        response = rewrite(admin_client, page)
        row = Message.objects.get()
        assert (row.text, row.group != group) == ("Better", True)
        assert row.expires_at - row.due_at == timedelta(seconds=600)
        assert response.url.endswith(row.group)

    def test_page_is_not_taken_where_one_has_left_since(self, admin_client):
        group = draft(admin_client, recipients=f"{MOBILE}\n09395213301")
        first = admin_client.get(COMPOSE, {"edit": group})
        services.queue_messages(Message.objects.filter(mobile__endswith="3301"))
        assert "Somebody changed" in words_of(rewrite(admin_client, first))
        assert Message.objects.filter(text="Hello").count() == 2
        again = admin_client.get(COMPOSE, {"edit": group})
        assert rewrite(admin_client, again).status_code == 302
        better = Message.objects.get(text="Better")
        assert (better.mobile, better.group != group) == ("+989395213300", True)

    def test_lifetime_that_the_page_does_not_offer_stays(self, admin_client):
        group = draft(admin_client)
        Message.objects.update(expires_at=F("begins_at") + timedelta(seconds=777))
        html = admin_client.get(COMPOSE, {"edit": group}).content.decode()
        assert '<option value="777" selected>777 seconds</option>' in html
        Message.objects.update(expires_at=F("begins_at") + timedelta(hours=30))
        html = admin_client.get(COMPOSE, {"edit": group}).text.replace("\xa0", " ")
        assert '<option value="108000" selected>1 day, 6 hours</option>' in html
        draft(admin_client, replaces=group, expires_in="777")

    def test_what_changed_meanwhile_is_not_replaced_and_the_way_on_is_said(
        self, admin_client
    ):
        group = draft(admin_client)
        seen = look_at(group).seen
        Message.objects.update(text="A colleague's")
        page = compose(admin_client, replaces=group, replaced=seen, text="Mine")
        assert "changed these messages meanwhile" in words_of(page)
        assert f'href="{PREVIEW}?{urlencode({"group": group})}"' in page.text
        assert Message.objects.get().text == "A colleague's"

    def test_batch_that_is_gone_leads_to_what_became_of_it(self, admin_client):
        group = draft(admin_client)
        confirm(admin_client, group)
        response = admin_client.get(COMPOSE, {"edit": group})
        assert response.url == f"{LIST}batch/?batch={group}"
        assert "meanwhile" in words_of(compose(admin_client, replaces=group))

    @pytest.mark.parametrize("sensitive", [False, True])
    def test_drafts_of_others_take_the_right_to_read_them(
        self, admin_client, sensitive
    ):
        group = draft(admin_client, **({"sensitive": "on"} if sensitive else {}))
        trusted = log_in("view", "add", "view_sensitive")
        status = trusted.get(COMPOSE, {"edit": group}).status_code
        assert (status == 200) == (not sensitive)
        get_user_model().objects.filter(username="staff").delete()
        writer = log_in("view", "add")
        assert writer.get(COMPOSE, {"edit": group}).status_code == 403
        assert compose(writer, replaces=group).status_code == 403
        assert not preview_links(writer, group)
        assert Message.objects.get().group == group


def rewrite(client: Client, page):
    """Post an edit's page with another text."""
    form = page.context["form"]
    wish = {name: form[name].value() or "" for name in form.fields if name != "file"}
    del wish["send_at"], wish["sensitive"]
    return client.post(COMPOSE, wish | {"text": "Better"})


def preview_links(client: Client, group: str) -> bool:
    return urlencode({"edit": group}) in preview(client, group).content.decode()


def token_of(response) -> str:
    return str(response.context["form"]["token"].value())


class TestWhatWasGuessed:
    def test_stands_on_the_preview(self, admin_client):
        data = (SAMPLES / "people-cp1256.csv").read_bytes()
        page = client_page(admin_client, recipients="", file=csv(data))
        words = words_of(page)
        assert "it was read as Persian Windows (cp1256)" in words
        assert "column “شماره موبايل”" in words  # as the file has it

    def test_stands_there_after_a_correction_too(self, admin_client):
        data = "نام;تماس با\nعلي;09395213300\nسارا;0939\n".encode("cp1256")
        page = compose(admin_client, recipients="", file=csv(data), text="{نام}")
        assert "cp1256" in words_of(page)
        wish = {name: field(name, page) for name in ("kept", "remarks")}
        wish["recipients"] = field("recipients", page).replace("0939", "09395213301")
        words = words_of(client_page(admin_client, text="{نام}", **wish))
        assert "cp1256" in words
        assert "column “تماس با”" in words
        assert "column “mobile”" not in words

    def test_lost_letters_are_warned_of_whoever_looks(self, admin_client):
        table = f"mobile,name\n{MOBILE},Sara\n09395213301,????"
        group = draft(admin_client, recipients=table, text="Dear {name}")
        words = words_of(preview(log_in("view", "send"), group))
        assert "1 text holds what stands for something lost" in words

    def test_workbook_is_read(self, admin_client):
        data = (SAMPLES / "people.xlsx").read_bytes()
        draft(admin_client, recipients="", file=csv(data), text="{نام}: {کد}")
        texts = Message.objects.order_by("pk").values_list("text", flat=True)
        assert list(texts) == ["سارا: 0042", "كاظم: 0007", "زهرا رضا: 1234"]


def test_limits_are_told_before(admin_client):
    words = words_of(admin_client.get(COMPOSE))
    assert "At most 10000 recipients" in words.replace(
        "10000 at", "10000 recipients at"
    )
    assert "1000 kB" in words
    assert 'maxlength="1000000"' not in admin_client.get(COMPOSE).content.decode()


class TestUnconfirmed:
    INDEX = "/admin/negin_sms/"

    def test_index_counts_them_and_leads_to_them(self, admin_client):
        assert "of drafts waits" not in words_of(admin_client.get(self.INDEX))
        draft(admin_client)
        page = admin_client.get(self.INDEX)
        assert "1 batch of drafts waits" in words_of(page)
        assert BATCHES in page.content.decode()

    def test_more_than_are_listed_are_said_to_be_more(self, admin_client, monkeypatch):
        for module in (batches, negin_sms_admin):
            monkeypatch.setattr(module, "LISTED", 2)
        for number in range(3):
            MessageFactory(status=Status.DRAFT, group=f"group {number}")
        index = words_of(admin_client.get(self.INDEX))
        assert "At least 2 batches of drafts" in index
        page = words_of(admin_client.get(BATCHES))
        assert "These are the newest 2." in page

    def test_page_leads_to_the_previews(self, admin_client):
        group = draft(admin_client, recipients=f"{MOBILE}\n09395213301", group="<b>g")
        page = admin_client.get(BATCHES)
        assert f"?{urlencode({'group': group})}" in page.content.decode()
        assert "<b>g" not in page.content.decode()
        confirm(admin_client, group)
        assert "No batch waits" in words_of(admin_client.get(BATCHES))


def test_each_batch_is_in_the_history(admin_client, admin_user):
    group = draft(admin_client)
    confirm(admin_client, group)
    flags = LogEntry.objects.order_by("pk").values_list("action_flag", "object_repr")
    assert list(flags) == [(ADDITION, group), (CHANGE, group)]
    Message.objects.update(status=Status.DRAFT)
    admin_client.post(DISCARD, {"group": group})
    last = LogEntry.objects.order_by("pk").last()
    assert (last.action_flag, last.user_id) == (DELETION, admin_user.pk)
    assert "1 draft was deleted" in last.get_change_message()


class TestPermissions:
    @pytest.mark.parametrize("role", ROLES)
    def test_only_the_role_s_rights_happen(self, role, admin_client):
        group = draft(admin_client)
        client = log_in(*ROLES[role])
        may = set(ROLES[role])
        allowed = {
            COMPOSE: {"view", "add"} <= may,
            PREVIEW: "view" in may,
            CONFIRM: {"view", "send"} <= may,
            DISCARD: {"view", "delete"} <= may,
        }
        for url, granted in allowed.items():
            status = client.get(url, {"group": group}).status_code
            assert (status == 403) == (not granted), url
        assert client.get(BATCHES).status_code == (200 if "view" in may else 403)
        seen = look_at(group).seen
        confirmed = client.post(CONFIRM, {"group": group, "seen": seen})
        assert (confirmed.status_code == 302) == allowed[CONFIRM]
        queued = Message.objects.filter(status=Status.QUEUED).exists()
        assert queued == allowed[CONFIRM]
        Message.objects.update(status=Status.DRAFT)
        client.post(DISCARD, {"group": group})
        assert Message.objects.exists() == (not allowed[DISCARD])
        before = Message.objects.count()
        compose(client)
        assert (Message.objects.count() > before) == allowed[COMPOSE]

    def test_nobody_in_particular_is_asked_to_log_in(self):
        for url in (COMPOSE, PREVIEW, CONFIRM, DISCARD):
            assert "/login/" in Client().post(url)["Location"]

    @pytest.mark.parametrize(("url", "status"), [(CONFIRM, 405), (DISCARD, 200)])
    def test_links_do_nothing(self, admin_client, url, status):
        group = draft(admin_client)
        assert admin_client.get(url, {"group": group}).status_code == status
        assert Message.objects.get().status == Status.DRAFT

    @pytest.mark.parametrize("url", [COMPOSE, CONFIRM, DISCARD])
    def test_other_sites_forms_do_nothing(self, admin_user, url):
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin_user)
        assert client.post(url, WISH).status_code == 403

    def test_buttons_are_for_those_who_may_press_them(self, admin_client):
        group = draft(admin_client)
        html = preview(log_in("view"), group).content.decode()
        assert CONFIRM not in html
        assert DISCARD not in html
        html = preview(admin_client, group).content.decode()
        assert CONFIRM in html
        assert DISCARD in html

    def test_list_links_to_the_page_for_those_who_may(self, admin_client):
        assert COMPOSE in admin_client.get(LIST).content.decode()
        assert COMPOSE not in log_in("view").get(LIST).content.decode()


def test_pages_hold_no_inline_style_or_script(admin_client):
    group = draft(admin_client)
    pages = [
        admin_client.get(COMPOSE),
        compose(admin_client, recipients="0939"),
        preview(admin_client, group),
    ]
    for response in pages:
        content = response.content.decode().partition('id="content"')[2]
        assert not re.search(r"<style|<script|\sstyle=|\son\w+=", content)


class TestFooter:
    @pytest.fixture(autouse=True)
    def _footer(self, settings):
        own = {**settings.NEGIN_SMS["default"], "FOOTER": "لغو۱۱"}
        settings.NEGIN_SMS = {"default": own}

    def test_box_appends_it_and_is_ticked_when_it_is_edited(self, admin_client):
        group = draft(admin_client, text="سلام", footer="on")
        assert Message.objects.get().text == "سلام\nلغو۱۱"
        page = admin_client.get(f"{COMPOSE}?{urlencode({'edit': group})}")
        assert field("text", page) == "سلام"
        assert page.context["form"]["footer"].value() is True
        draft(admin_client, text="سلام بر شما", footer="on", replaces=group)
        assert Message.objects.get().text == "سلام بر شما\nلغو۱۱"

    def test_text_that_has_it_gets_no_second(self, admin_client):
        draft(admin_client, text="سلام\nلغو۱۱", footer="on")
        assert Message.objects.get().text == "سلام\nلغو۱۱"

    def test_of_an_account_that_is_gone_stays_in_the_text(self, admin_client):
        group = draft(admin_client, text="سلام", footer="on")
        Message.objects.update(account="gone")
        page = admin_client.get(f"{COMPOSE}?{urlencode({'edit': group})}")
        assert field("text", page) == "سلام\nلغو۱۱"

    def test_without_the_box_there_is_none(self, admin_client):
        draft(admin_client, text="سلام")
        assert Message.objects.get().text == "سلام"

    def test_of_a_sensitive_text_is_refused_at_its_box(self, admin_client):
        page = compose(admin_client, footer="on", sensitive="on")
        assert "no footer" in str(page.context["form"].errors["footer"])
        assert not Message.objects.exists()

    def test_box_is_there_only_with_a_footer(self, admin_client, settings):
        assert 'name="footer"' in admin_client.get(COMPOSE).text
        own = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": own, "bulk": own | {"FOOTER": ""}}
        assert f"default: {own['FOOTER']}" in admin_client.get(COMPOSE).text
        settings.NEGIN_SMS = {"default": own | {"FOOTER": ""}}
        assert 'name="footer"' not in admin_client.get(COMPOSE).text


class TestCaps:
    """What is over a cap is said before it is confirmed, and may be let go."""

    @pytest.fixture
    def capped(self, use_account):
        memory = "negin_sms.gateway.memory.MemoryGateway"
        use_account(BACKEND=memory, MOBILE_CAPS={"day": 1}, ACCOUNT_CAPS={"day": 2})
        services.send_sms(MOBILE, "the first today")
        Message.objects.all().delete()  # what it counted stays

    def test_preview_says_how_many_are_over_which(self, admin_client, capped):
        three = f"{MOBILE}\n09395213301\n09395213302"
        group = draft(admin_client, recipients=three)
        words = words_of(preview(admin_client, group))
        assert "1 message is over the cap of its number" in words
        services.opt_out(MOBILE)
        assert "over the cap" not in words_of(preview(admin_client, group))
        assert "1 message is over the account's cap" in words
        assert "Send in spite of the caps" in words

    def test_nothing_is_said_nor_offered_where_there_is_room(
        self, admin_client, capped
    ):
        group = draft(admin_client, recipients="09395213301")
        words = words_of(preview(admin_client, group))
        assert "over the" not in words
        assert "in spite of" not in words

    def test_another_day_has_room(self, admin_client, capped):
        later = (timezone.localtime() + timedelta(days=3)).strftime("%Y-%m-%d %H:%M")
        group = draft(admin_client, recipients=TABLE, send_at=later)
        assert "over the" not in words_of(preview(admin_client, group))

    def test_box_lets_them_leave_and_it_is_written_down(self, admin_client, capped):
        group = draft(admin_client, recipients=TABLE)
        given = {"group": group, "seen": look_at(group).seen, "ignore_caps": "1"}
        admin_client.post(CONFIRM, given)
        assert services.dispatch_queue().accepted == 2
        words = LogEntry.objects.latest("pk").change_message
        assert "in spite of the caps" in words

    def test_without_the_box_the_caps_hold(self, admin_client, capped):
        confirm(admin_client, draft(admin_client, recipients=TABLE))
        assert services.dispatch_queue().accepted == 1

    def test_box_is_for_those_with_the_right_and_a_forged_one_refused(self, capped):
        client = log_in("view", "add", "send")
        group = draft(client, recipients=TABLE)
        words = words_of(preview(client, group))
        assert "over the cap" in words
        assert "in spite of" not in words
        given = {"group": group, "seen": look_at(group).seen, "ignore_caps": "1"}
        assert client.post(CONFIRM, given).status_code == 403
        assert Message.objects.filter(group=group, status=Status.DRAFT).count() == 2
