"""What a search finds, for those with the right to see numbers and for others."""

from __future__ import annotations

import pytest

from negin_sms.admin import search_terms
from negin_sms.characters import latin_digits
from negin_sms.choices import Status
from negin_sms.models import Message
from tests.admin.test_messages import LIST, log_in, make

pytestmark = pytest.mark.django_db


@pytest.fixture
def wanted() -> Message:
    """One message to find, and one beside it that no term means."""
    make(pk=81_111, mobile="+989129999999", status=Status.ACCEPTED, gateway_id="99")
    return make(
        pk=81_234,
        text="نوبت شما: یکشنبه",
        group="nowruz-2",
        status=Status.ACCEPTED,
        gateway_id="50017",
    )


def found(client, term: str, **rest: str) -> list[Message]:
    return list(client.get(LIST, {"q": term, **rest}).context["cl"].queryset)


# What the mask shows, or nobody hides.
OPEN = ["81234", "۸۱۲۳۴", "50017", "5001", "3300", "۳۳۰۰", "0939•••3300", "0939***3300"]
OPEN += ["nowruz-2", "\u200fnowruz-2 "]
HIDDEN = ["09395213300", "+98 939 521", "5213300", "13300", "یکشنبه", "نوبت شما"]


@pytest.mark.parametrize("term", [*OPEN, *HIDDEN, "يكشنبه"])
def test_who_may_see_all_finds_by_all(admin_client, wanted, term):
    assert found(admin_client, term) == [wanted]


@pytest.mark.parametrize("term", ["یکشنبه نوبت", "نوبت یکشنبه", "شما  نوبت"])
def test_words_are_found_wherever_they_stand(admin_client, wanted, term):
    assert found(admin_client, term) == [wanted]
    assert found(admin_client, f"{term} شنبه‌بازار") == []


@pytest.mark.parametrize("term", OPEN)
def test_others_find_by_what_they_see(wanted, term):
    assert found(log_in("view"), term) == [wanted]


@pytest.mark.parametrize("term", HIDDEN)
def test_others_find_nothing_by_what_they_do_not_see(wanted, term):
    client = log_in("view")
    assert found(client, term) == []
    assert "by those who may see them" in client.get(LIST).text


def test_few_digits_are_a_message_s_own_number(admin_client, wanted):
    own = make(pk=500, status=Status.ACCEPTED, gateway_id="501")
    assert found(admin_client, "500") == found(log_in("view"), "500") == [own]
    assert found(admin_client, "501") == [own]
    assert found(admin_client, "093") == [wanted, own]


def test_digits_behind_zeros_are_no_message_s_number(admin_client, wanted):
    make(pk=42)
    assert found(admin_client, "0042") == []
    assert len(found(admin_client, "42")) == 1


@pytest.mark.parametrize("term", ["0009", "0093", "۰۰۹۳"])
def test_end_that_begins_with_zeros_is_no_beginning(admin_client, wanted, term):
    last = make(pk=81_235, mobile="+98935521" + latin_digits(term))
    assert found(admin_client, term) == [last]


@pytest.mark.parametrize("text", ["علی، ساعت ۹", "علي، ساعت 9"])
@pytest.mark.parametrize("term", ["علی", "علي", "ساعت 9", "ساعت ۹", "علی، ساعت 9"])
def test_words_are_found_in_the_spellings_of_every_keyboard(admin_client, term, text):
    row = make(text=text)
    assert found(admin_client, term) == [row]


@pytest.mark.parametrize(
    "text", ["نوبت\u200cهای شنبه", "نوبت های شنبه", "نوبتهای شنبه"]
)
def test_half_spaces_are_found_as_they_are_typed_and_as_others_type_them(
    admin_client, text
):
    row = make(text=f"رزرو {text} را ببینید")
    batch = make(text="-", group=f"{text} 12ab34cd")
    for term in ("نوبت\u200cهای شنبه", "\u200fنوبت\u200cهای شنبه\u200c "):
        assert found(admin_client, term) == [batch, row]
    assert found(admin_client, batch.group) == [batch]
    assert found(admin_client, text) == [batch, row]


def test_text_of_a_sensitive_message_is_never_searched(admin_client):
    make(text="code 4321", sensitive=True)
    assert found(admin_client, "code") == []


@pytest.mark.parametrize("name", ["نوروز", "summer sale", "1405"])
def test_batch_is_found_by_the_name_that_it_was_given(name):
    client = log_in("view", "add")
    page = {"recipients": "09395213300", "text": "hi", "scenario": "single"}
    client.post(f"{LIST}compose/", page | {"priority": 20, "group": name})
    (message,) = Message.objects.all()
    assert message.group.startswith(f"{name} ")
    make(group=f"{name}s 12ab34cd")
    for term in (name, message.group):
        assert found(client, term) == [message]


@pytest.mark.parametrize("term", ["", " ", "\u200c", "x", "4321", "%", "0939•••3301"])
def test_nothing_else_is_found(admin_client, wanted, term):
    assert wanted not in found(admin_client, term) or not term.strip(" \u200c")


def test_what_has_no_index_is_read_of_the_newest_only(admin_client, monkeypatch):
    old, *new = (make(text=f"hello {n}", pk=n) for n in (1, 11, 12, 13))
    monkeypatch.setattr(search_terms, "NEWEST", 10)
    assert found(admin_client, "hello") == new[::-1]
    assert old in found(admin_client, "1")
    monkeypatch.setattr(search_terms, "MOST", 2)
    assert found(admin_client, "hello") == new[:0:-1]


@pytest.mark.parametrize("rest", [{}, {"status__exact": "accepted"}])
def test_beginning_that_very_many_share_finds_the_newest(
    rest, admin_client, monkeypatch
):
    """With a filter, a large table was read and sorted whole for it."""
    ids = {2: "80009", 22: "80001", 23: "80002"}
    old, *new = (
        make(pk=pk, gateway_id=gateway_id, status=Status.ACCEPTED)
        for pk, gateway_id in ids.items()
    )
    monkeypatch.setattr(search_terms, "NEWEST", 3)
    assert found(admin_client, "0939", **rest) == [*new[::-1], old]
    monkeypatch.setattr(search_terms, "NEWEST", 2)
    for term in ("0939", "8000"):
        assert found(admin_client, term, **rest) == new[::-1]
    assert found(admin_client, old.gateway_id, **rest) == [old]


def test_filters_hold_for_what_is_found(admin_client, wanted):
    make(text="نوبت شما", status=Status.QUEUED)
    response = admin_client.get(LIST, {"q": "نوبت", "status": "accepted"})
    assert list(response.context["cl"].queryset) == [wanted]
