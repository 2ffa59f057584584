"""Pausing and resuming accounts in the admin."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from negin_sms import services
from negin_sms.models import AccountState

pytestmark = pytest.mark.django_db


@pytest.fixture
def state():
    return AccountState.objects.create(account="default")


def client_of(client, *codenames: str):
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


def page(state) -> str:
    return reverse("admin:negin_sms_accountstate_pause", args=[state.pk])


def seen(staff, state) -> dict[str, str]:
    """Return what the page that asks shows of a pause, for the button to post."""
    return {"seen": staff.get(page(state)).context["seen"]}


def test_pausing_and_resuming_leave_reason_person_and_history(client, state):
    staff = client_of(client, "view_accountstate", "pause_accountstate")
    assert "Pause…" in staff.get(page(state).replace("pause", "change")).text
    assert "Pause sending?" in staff.get(page(state)).text
    staff.post(page(state), {"wanted": "pause", "reason": "maintenance"})
    state.refresh_from_db()
    assert (state.is_paused, state.reason) == (True, "maintenance")
    assert state.paused_by.username == "staff"
    assert "Paused: maintenance" in staff.get(page(state)).text
    staff.post(page(state), {"wanted": "resume"} | seen(staff, state))
    state.refresh_from_db()
    assert not state.is_paused
    words = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(words) == [
        "The account is paused. maintenance",
        "The account sends again.",
    ]


@pytest.mark.parametrize(
    ("wanted", "words"), [("pause", "paused already"), ("resume", "is not paused")]
)
def test_pressing_twice_does_it_once_and_says_so(client, state, wanted, words):
    staff = client_of(client, "view_accountstate", "pause_accountstate")
    wish = {"wanted": wanted, "reason": "maintenance"}
    if wanted == "resume":
        staff.post(page(state), wish | {"wanted": "pause"})
        wish |= seen(staff, state)
    staff.post(page(state), wish)
    again = staff.post(page(state), wish, follow=True)
    assert words in again.text
    state.refresh_from_db()
    assert state.is_paused == (wanted == "pause")


def test_another_pause_than_the_page_showed_is_shown_before_it_ends(client, state):
    staff = client_of(client, "view_accountstate", "pause_accountstate")
    services.pause_account("default", reason="lunch")
    shown = seen(staff, state)
    services.resume_account("default")
    services.pause_account("default", reason="fraud")
    again = staff.post(page(state), {"wanted": "resume"} | shown)
    assert "paused it anew" in again.text
    assert "fraud" in again.text
    state.refresh_from_db()
    assert state.is_paused


@pytest.mark.parametrize("wanted", ["", "toggle"])
def test_page_that_does_not_say_what_it_wants_changes_nothing(client, state, wanted):
    staff = client_of(client, "view_accountstate", "pause_accountstate")
    staff.post(page(state), {"wanted": wanted, "reason": "maintenance"})
    state.refresh_from_db()
    assert not state.is_paused


def test_until_is_kept(client, state):
    staff = client_of(client, "view_accountstate", "pause_accountstate")
    wish = {"wanted": "pause", "reason": "maintenance", "until": "1408/10/12"}
    assert "A day alone does not say when" in staff.post(page(state), wish).text
    staff.post(page(state), wish | {"until": "1408/10/12 12:00"})
    state.refresh_from_db()
    assert state.paused_until.isoformat() == "2030-01-01T08:30:00+00:00"


@pytest.mark.parametrize("nothing", [" ", "\x07", "\u202e"])
def test_a_pause_needs_a_reason(client, state, nothing):
    staff = client_of(client, "view_accountstate", "pause_accountstate")
    answer = staff.post(page(state), {"wanted": "pause", "reason": nothing})
    assert "This field is required" in answer.text
    state.refresh_from_db()
    assert not state.is_paused


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    "codenames", [[], ["view_accountstate"], ["pause_accountstate"]]
)
def test_nobody_else_pauses(client, state, method, codenames):
    staff = client_of(client, *codenames)
    answer = getattr(staff, method)(page(state), {"wanted": "pause", "reason": "x"})
    assert answer.status_code == 403
    state.refresh_from_db()
    assert not state.is_paused


def test_reading_pauses_nothing(client, state):
    client_of(client, "view_accountstate", "pause_accountstate").get(page(state))
    state.refresh_from_db()
    assert not state.is_paused


def test_hostile_reason_is_shown_inert(client, state):
    staff = client_of(client, "view_accountstate", "pause_accountstate")
    staff.post(page(state), {"wanted": "pause", "reason": "<script>x</script>"})
    for url in (page(state), reverse("admin:negin_sms_accountstate_changelist")):
        assert "<script>x" not in staff.get(url).text
