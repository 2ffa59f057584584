"""Each alarm is provoked, seen everywhere with one wording, ended by its page.

What stands in the pages of the gateway's way is provoked in the doctor's tests.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.models import AccountState, Message, OptOut
from negin_sms.services.operations import alerts
from tests.factories import MessageFactory
from tests.pages import read

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:.*MAILERS"),
]

LONG = timedelta(minutes=20)


def page_of(code: str) -> str:
    """Return the runbook's page of a code."""
    anchor = f".. _runbook-{code.replace('_', '-')}:"
    return read("runbook").partition(anchor)[2].partition("\n.. _")[0]


def typed(code: str, name: str, *more: str) -> None:
    """Type the page's first call of a command, with the trial's own values."""
    assert name in page_of(code)
    flowing = re.sub(r"\s+", " ", page_of(code)).replace("ALIAS", "default")
    found = re.search(rf"\b{name}\b([^`:;]*)``", flowing)
    words = more or (shlex.split(found[1]) if found else [])
    call_command(name, *words, stdout=io.StringIO())


def pause() -> None:
    services.pause_account("default", reason="credit")


def age(**seen: None) -> None:
    AccountState.objects.update(**seen)


def make(many: int = 1, **fields: object) -> Callable[[], object]:
    return lambda: MessageFactory.create_batch(many, **fields)


def bind() -> None:
    AccountState.objects.update(gateway="other.example.com 0123456789abcdef")


def hold() -> None:
    MessageFactory()
    services.hold_queue(reason="restored")


def opt_out_many() -> None:
    MessageFactory(accepted=True, poll_at=None)
    for n in range(50):
        services.opt_out(f"0939000{n:04}")


def resolve() -> None:
    keys = map(str, Message.objects.values_list("pk", flat=True))
    typed("uncertain", "resolve_sms_message", *keys, "rejected", "--why=not there")


PAST = timezone.now() - LONG
TRIALS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "paused": (pause, lambda: typed("paused", "resume_sms_account")),
    "other_gateway": (bind, lambda: typed("other_gateway", "adopt_sms_account")),
    "no_dispatcher": (
        lambda: age(dispatcher_seen_at=None),
        lambda: typed("no_dispatcher", "dispatch_sms_queue"),
    ),
    "no_poller": (
        lambda: age(poller_seen_at=None),
        lambda: typed("no_poller", "poll_sms_states"),
    ),
    "dispatcher_late": (
        make(due_at=PAST),
        lambda: typed("dispatcher_late", "dispatch_sms_queue", "--no-progress"),
    ),
    "reports_late": (
        make(accepted=True, poll_at=PAST),
        lambda: typed("reports_late", "poll_sms_states", "--no-progress"),
    ),
    "uncertain": (make(2, uncertain=True), resolve),
    "held": (hold, lambda: typed("held", "hold_sms_queue", "--release")),
    "account_gone": (
        make(account="old"),
        lambda: services.cancel(Message.objects.all()),
    ),
    "opt_outs": (
        opt_out_many,
        lambda: [
            services.opt_in(row.mobile, account="default")
            for row in OptOut.objects.all()
        ],
    ),
    "drafts_forgotten": (
        make(status=Status.DRAFT, due_at=PAST - timedelta(days=8)),
        lambda: services.purge_drafts(older_than=timedelta()),
    ),
}


def told_by(command: str) -> dict[str, str]:
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command(command, "--json", stdout=out)
    found = json.loads(out.getvalue())["findings"]
    return {each["code"]: each["text"] for each in found}


@pytest.mark.long
@pytest.mark.parametrize("code", TRIALS)
def test_alarm_is_seen_everywhere_and_its_page_ends_it(code, admin_client, settings):
    settings.ADMINS = []
    now = timezone.now()
    AccountState.objects.create(
        account="default", dispatcher_seen_at=now, poller_seen_at=now
    )
    provoke, follow = TRIALS[code]
    provoke()
    (finding,) = services.health()
    assert finding.code == code
    assert {
        told_by(each)[code] for each in ("sms_queue_status", "check_sms_gateway")
    } == {finding.text}
    for address in ("/admin/negin_sms/message/", "/admin/negin_sms/"):
        assert f'data-code="{code}"' in admin_client.get(address).text
    told = alerts.alert(using="default")
    assert all(finding.text in words for words in told)
    follow()
    assert code not in [each.code for each in services.health()]
