"""Numbers and texts are for those with the right, and some texts for the asking."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import Message
from tests.admin.test_messages import (
    ADD,
    LIST,
    NUMBER,
    WISH,
    act,
    change_url,
    log_in,
    make,
    page,
    seen,
    told,
)

pytestmark = [pytest.mark.long, pytest.mark.django_db]

TEXT = "code 4321"
RIGHTS = (
    "view",
    "add",
    "change",
    "send",
    "refresh",
    "cancel",
    "release",
    "resend",
    "resolve",
)
QUESTIONS = ("send", "refresh", "cancel", "release", "resend", "resolve")


def pages_of(message: Message) -> list[str]:
    own = ["change/", "history/", *(f"{name}/" for name in QUESTIONS)]
    return [LIST, LIST + "review/", *(f"{LIST}{message.pk}/{url}" for url in own)]


class TestWithoutTheRight:
    @pytest.mark.parametrize("status", Status.values)
    @pytest.mark.parametrize("sensitive", [False, True])
    def test_no_page_shows_number_or_text(self, status, sensitive):
        client = log_in(*RIGHTS)
        message = make(text=TEXT, status=status, sensitive=sensitive)
        pages = [page(client, url) for url in pages_of(message)]
        pages += [act(client, f"{name}_selected", [message]).text for name in QUESTIONS]
        for html in pages:
            assert "5213300" not in html
            assert "4321" not in html

    def test_own_draft_is_open_until_it_goes_out(self):
        client = log_in("view", "add", "change", "send")
        client.post(ADD, WISH | {"text": TEXT, "sensitive": "on"})
        draft = Message.objects.get()
        for url in (change_url(draft), f"{LIST}{draft.pk}/send/"):
            html = page(client, url)
            assert NUMBER in html
            assert TEXT in html
        client.post(f"{LIST}{draft.pk}/send/", seen(draft))
        html = page(client, change_url(draft))
        assert NUMBER not in html
        assert TEXT not in html

    def test_draft_of_somebody_else_is_neither_shown_nor_edited(self):
        client = log_in("view", "change")
        draft = make(text=TEXT)
        assert 'name="text"' not in page(client, change_url(draft))
        assert client.post(change_url(draft), WISH).status_code == 403
        draft.refresh_from_db()
        assert draft.text == TEXT

    @pytest.mark.parametrize("term", ["09395213300", "0939", "۹۳۹۵"])
    def test_number_is_not_searched(self, term):
        client = log_in("view")
        make(status=Status.ACCEPTED)
        response = client.get(LIST, {"q": term})
        assert not response.context["cl"].queryset.exists()
        assert "Whole numbers and texts" in response.text

    @pytest.mark.parametrize("term", ["5001", "50017"])
    def test_gateway_id_is_searched(self, term):
        message = make(status=Status.ACCEPTED, gateway_id="50017")
        response = log_in("view").get(LIST, {"q": term})
        assert list(response.context["cl"].queryset) == [message]

    @pytest.mark.parametrize(
        "lookup",
        [
            *("mobile", "mobile__exact", "mobile__startswith", "mobile__regex"),
            *("text__contains", "text", "text__startswith"),
            *("resend_of__mobile", "resent_as__text__contains", "resend_of__text"),
        ],
    )
    def test_filter_in_the_address_tells_nothing(self, lookup):
        client = log_in("view")
        make(text=TEXT)
        for value in (NUMBER, TEXT, "nothing"):
            assert client.get(LIST, {lookup: value}).status_code == 400

    def test_autocompletion_tells_nothing(self):
        make()
        field = {"app_label": "negin_sms", "model_name": "message"}
        field |= {"field_name": "resend_of", "term": "0939"}
        response = log_in("view").get("/admin/autocomplete/", field)
        assert response.json()["results"] == []

    def test_is_nothing_without_the_right_to_see_the_messages(self):
        client = log_in("view_sensitive")
        message = make(status=Status.QUEUED, sensitive=True)
        for url in (change_url(message), f"{LIST}{message.pk}/reveal/"):
            assert client.get(url).status_code == 403


class TestWithTheRight:
    @pytest.fixture
    def client(self):
        return log_in("view", "change", "view_sensitive")

    def test_number_and_text_are_shown(self, client):
        message = make(text=TEXT, status=Status.QUEUED)
        html = page(client, change_url(message))
        assert NUMBER in html
        assert TEXT in html

    def test_draft_of_somebody_else_can_be_edited(self, client):
        draft = make(text=TEXT)
        assert 'name="text"' in page(client, change_url(draft))

    def test_sensitive_draft_stays_its_author_s(self, client):
        draft = make(text=TEXT, sensitive=True)
        assert TEXT not in page(client, change_url(draft))
        assert client.post(change_url(draft), WISH).status_code == 403

    def test_neither_text_nor_number_is_filtered_by(self, client):
        """Addresses are written into the logs of servers."""
        make(text=TEXT)
        assert client.get(LIST, {"text__contains": "4321"}).status_code == 400
        assert client.get(LIST, {"mobile__exact": NUMBER}).status_code == 400

    def test_posted_search_leaves_no_number_in_addresses(self, client):
        message = make(status=Status.QUEUED)
        make(mobile="+989000000001", status=Status.QUEUED)
        posted = client.post(LIST, {"q": "09395213300", "status__exact": "queued"})
        found = client.get(posted.url)
        assert "0939" not in posted.url
        assert "status__exact=queued" in posted.url
        assert list(found.context["cl"].queryset) == [message]
        assert 'value="09395213300"' in found.text
        assert "0939" not in found.context["cl"].get_query_string({"o": "1"})

    def test_address_of_a_search_is_of_use_to_its_session_only(self, client):
        make(status=Status.QUEUED)
        url = client.post(LIST, {"q": "09395213300"}).url
        client.session.flush()
        client.force_login(get_user_model().objects.get())
        found = client.get(url)
        assert not found.context["cl"].queryset.exists()
        assert "search again" in told(found)

    def test_search_says_that_it_takes_numbers(self, client):
        assert "a phone number in any spelling" in page(client, LIST)


class TestReveal:
    @pytest.fixture
    def client(self):
        return log_in("view", "view_sensitive")

    @pytest.fixture
    def message(self):
        return make(text=TEXT, sensitive=True, status=Status.QUEUED)

    def url(self, message: Message) -> str:
        return f"{LIST}{message.pk}/reveal/"

    def test_text_is_hidden_until_asked_for(self, client, message):
        html = page(client, change_url(message))
        assert TEXT not in html
        assert f'action="{self.url(message)}"' in html
        assert TEXT not in page(client, self.url(message))
        assert not LogEntry.objects.exists()

    @pytest.mark.parametrize("sensitive", [True, False])
    def test_preview_leads_who_confirms_to_the_text(self, client, sensitive):
        draft = make(text=TEXT, sensitive=sensitive, group="g")
        html = page(client, f"{LIST}preview/?group=g")
        assert (f'href="{self.url(draft)}"' in html) is sensitive
        assert (TEXT in html) is not sensitive

    def test_text_is_shown_once_and_written_down(self, client, message):
        response = client.post(self.url(message))
        assert TEXT in response.text
        assert "no-store" in response.headers["Cache-Control"]
        entry = LogEntry.objects.get()
        assert (entry.object_id, entry.user.username) == (str(message.pk), "staff")
        assert entry.change_message == "The text was revealed."
        assert TEXT not in page(client, change_url(message))
        history = page(client, f"{LIST}{message.pk}/history/")
        assert "The text was revealed." in history
        assert TEXT not in history

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_is_not_for_others(self, message, method):
        client = log_in(*RIGHTS)
        answer = getattr(client, method)(self.url(message))
        assert answer.status_code == 403
        assert TEXT not in answer.text
        assert not LogEntry.objects.exists()
        assert self.url(message) not in page(client, change_url(message))

    def test_is_not_offered_where_nothing_is_hidden(self, client):
        message = make(text=TEXT, status=Status.QUEUED)
        assert self.url(message) not in page(client, change_url(message))
        assert client.post(self.url(message)).status_code == 302
        assert not LogEntry.objects.exists()

    def test_blanked_text_is_said_to_be_gone(self, client, message):
        Message.objects.update(status=Status.EXPIRED)
        services.redact_sensitive_texts()
        html = page(client, change_url(message))
        assert "Redacted on" in html
        assert self.url(message) not in html
        response = client.post(self.url(message), follow=True)
        assert "no hidden text" in told(response)
        assert not LogEntry.objects.exists()

    def test_message_that_is_gone_is_not_found(self, client):
        assert client.post(f"{LIST}999/reveal/").status_code == 404


def test_blanked_message_offers_no_resend(admin_client):
    message = make(
        text="", status=Status.REJECTED, sensitive=True, redacted_at=timezone.now()
    )
    assert f"{message.pk}/resend/" not in page(admin_client, change_url(message))
