"""Each finding is provoked, seen everywhere with one wording, ended by its page."""

from __future__ import annotations

import io
import json
import re
import secrets
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django.utils.translation import override

from negin_sms import services
from negin_sms.choices import Flag, Status
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.gateway.sandbox import Sandbox
from negin_sms.models import AccountState, Alert, Message, OptOut
from negin_sms.services.operations import alerts
from negin_sms.services.operations.health import judgement
from negin_sms.services.outbox import results, server_watch
from tests.badgateway import BadGateway, write_ca
from tests.factories import MessageFactory
from tests.pages import read

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:.*MAILERS"),
]

LONG = timedelta(minutes=20)


@dataclass
class Site:
    """What a trial may change, and what it leaves to be ended."""

    settings: Any
    patch: pytest.MonkeyPatch
    folder: Path
    running: ExitStack = field(default_factory=ExitStack)

    def set(self, **keys: Any) -> None:
        """Give the account these settings beside its others."""
        account = {**self.settings.NEGIN_SMS["default"], **keys}
        self.settings.NEGIN_SMS = {"default": account}

    def unset(self, key: str) -> None:
        account = dict(self.settings.NEGIN_SMS["default"])
        del account[key]
        self.settings.NEGIN_SMS = {"default": account}

    def serve(self, *script: str, **how: Any) -> None:
        """Let another gateway answer."""
        server = self.running.enter_context(BadGateway(*script, **how))
        self.set(BASE_URL=server.url)


Step = Callable[[Site], object]


@pytest.fixture
def site(settings, monkeypatch, tmp_path) -> Iterator[Site]:
    settings.ADMINS = []
    now = timezone.now()
    AccountState.objects.create(
        account="default", dispatcher_seen_at=now, poller_seen_at=now
    )
    made = Site(settings, monkeypatch, tmp_path)
    with made.running:
        yield made


def page_of(code: str, page: str = "runbook") -> str:
    """Return the runbook's page of a code; "fa/runbook" has it in Persian."""
    prefix = "runbook-fa" if page.startswith("fa/") else "runbook"
    anchor = f".. _{prefix}-{code.replace('_', '-')}:"
    return read(page).partition(anchor)[2].partition("\n.. _")[0]


def flat(code: str) -> str:
    """Return the page of a code as one line."""
    return re.sub(r"\s+", " ", page_of(code))


def typed(code: str, name: str, *more: str) -> None:
    """Type the page's first call of a command, with the trial's own values."""
    assert name in page_of(code)
    flowing = re.sub(r"\s+", " ", page_of(code)).replace("ALIAS", "default")
    found = re.search(rf"\b{name}\b([^`:;]*)``", flowing)
    words = more or (shlex.split(found[1]) if found else [])
    call_command(name, *words, stdout=io.StringIO())


def types(code: str, name: str, *more: str) -> Step:
    return lambda _site: typed(code, name, *more)


def both(*steps: Step) -> Step:
    return lambda site: [step(site) for step in steps]


def sees(**seen: object) -> Step:
    return lambda _site: AccountState.objects.update(**seen)


def make(many: int = 1, **fields: object) -> Step:
    return lambda _site: MessageFactory.create_batch(many, **fields)


def ended(many: int, **fields: object) -> Step:
    """Make messages that ended just now."""
    return lambda _site: MessageFactory.create_batch(
        many, finished_at=timezone.now(), **fields
    )


def pause(_site: Site) -> None:
    services.pause_account("default", reason="credit")


def hold(_site: Site) -> None:
    MessageFactory()
    services.hold_queue(reason="restored")


def opt_out_many(_site: Site) -> None:
    MessageFactory(accepted=True, poll_at=None)
    for n in range(50):
        services.opt_out(f"0939000{n:04}")


def opt_in_again(_site: Site) -> None:
    for row in OptOut.objects.all():
        services.opt_in(row.mobile, account="default")


def resolve(_site: Site) -> None:
    keys = map(str, Message.objects.values_list("pk", flat=True))
    typed("uncertain", "resolve_sms_message", *keys, "rejected", "--why=not there")


def fail_over(_site: Site) -> None:
    MessageFactory.create_batch(2)
    state = AccountState.objects.get()
    AccountState.objects.update(server="the one before")
    state.refresh_from_db()
    assert server_watch._compare(state, "another", "default")


def compare_with_the_panel(_site: Site) -> None:
    services.cancel(Message.objects.filter(pk=Message.objects.earliest("pk").pk))
    typed("server_changed", "hold_sms_queue", "--release")
    typed("server_changed", "resume_sms_account", "default")


def send_again(_site: Site) -> None:
    services.resend(Message.objects.all(), by=None)
    services.dispatch_queue()
    pass_time(hours=1)


def pass_time(**how: float) -> None:
    before = timezone.now() - timedelta(**how, minutes=1)
    over = Message.objects.filter(finished_at__isnull=False)
    over.update(due_at=before, expires_at=before, finished_at=before)


def let_the_claim_end(_site: Site) -> None:
    Message.objects.update(claimed_until=PAST)
    services.expire_claims()


class Ahead:
    """A clock that is wrong by a minute."""

    @staticmethod
    def now() -> Any:
        return timezone.now() + timedelta(minutes=1)


PAST = timezone.now() - LONG
TRIALS: dict[str, tuple[Step, Step]] = {
    "paused": (pause, types("paused", "resume_sms_account")),
    "switched_off": (
        both(lambda site: site.set(DISPATCH=False), make(due_at=PAST)),
        lambda site: site.unset("DISPATCH"),
    ),
    "other_gateway": (
        sees(gateway="other.example.com 0123456789abcdef"),
        types("other_gateway", "adopt_sms_account"),
    ),
    "no_journal": (
        lambda site: site.set(STATE_DIR="/dev/null/nowhere"),
        lambda site: site.set(STATE_DIR=str(site.folder)),
    ),
    "no_dispatcher": (
        sees(dispatcher_seen_at=None),
        types("no_dispatcher", "dispatch_sms_queue"),
    ),
    "no_poller": (sees(poller_seen_at=None), types("no_poller", "poll_sms_states")),
    "dispatcher_late": (
        make(due_at=PAST),
        types("dispatcher_late", "dispatch_sms_queue", "--no-progress"),
    ),
    "reports_late": (
        make(accepted=True, poll_at=PAST),
        types("reports_late", "poll_sms_states", "--no-progress"),
    ),
    "states_refused": (
        both(make(accepted=True), sees(poll_failures=3, poll_error="no answer")),
        both(
            types("states_refused", "resume_sms_account"),
            types("states_refused", "poll_sms_states", "--no-progress"),
        ),
    ),
    "uncertain": (make(2, uncertain=True), resolve),
    "held": (hold, types("held", "hold_sms_queue", "--release")),
    "server_changed": (fail_over, compare_with_the_panel),
    "rejected": (ended(5, status=Status.REJECTED), send_again),
    "expired": (ended(5, status=Status.EXPIRED), send_again),
    "flagged": (
        ended(1, accepted=True, flag=Flag.SHARED_ID),
        lambda _site: pass_time(days=1),
    ),
    "account_gone": (
        make(account="old"),
        lambda _site: services.cancel(Message.objects.all()),
    ),
    "opt_outs": (opt_out_many, opt_in_again),
    "long_lease": (
        make(sending=True, claimed_until=timezone.now() + timedelta(hours=6)),
        let_the_claim_end,
    ),
    "drafts_forgotten": (
        make(status=Status.DRAFT, due_at=PAST - timedelta(days=8)),
        lambda _site: services.purge_drafts(older_than=timedelta()),
    ),
    "database_clock": (
        lambda site: site.patch.setattr(judgement, "timezone", Ahead),
        lambda site: site.patch.setattr(judgement, "timezone", timezone),
    ),
    "time_zone_data": (
        lambda site: site.patch.setattr(
            judgement, "tehran_is_current", lambda _: False
        ),
        lambda site: site.patch.setattr(judgement, "tehran_is_current", lambda _: True),
    ),
}
# What comes with a finding, for it is another side of the same.
BESIDE = {"server_changed": {"held"}}


def told_by(command: str) -> dict[str, str]:
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command(command, "--json", stdout=out)
    found = json.loads(out.getvalue())["findings"]
    return {each["code"]: each["text"] for each in found}


def told_by_alert() -> list[str]:
    """Return what is told of now; a warning has to last for some minutes."""
    told = alerts.alert(using="default")
    Alert.objects.update(began_at=timezone.now() - LONG)
    return [*told, *alerts.alert(using="default")]


def found(code: str) -> services.Finding:
    """Return the finding of a code; nothing else may be wrong."""
    findings = {each.code: each for each in services.health()}
    assert findings.keys() == {code} | BESIDE.get(code, set())
    return findings[code]


def test_each_finding_has_its_trial():
    assert TRIALS.keys() == THRESHOLDS.keys()


@pytest.mark.long
@pytest.mark.parametrize("code", TRIALS)
def test_finding_is_seen_everywhere_and_its_page_ends_it(code, admin_client, site):
    provoke, follow = TRIALS[code]
    provoke(site)
    finding = found(code)
    assert {
        told_by(each)[code] for each in ("sms_queue_status", "check_sms_gateway")
    } == {finding.text}
    for address in ("/admin/negin_sms/message/", "/admin/negin_sms/"):
        assert f'data-code="{code}"' in admin_client.get(address).text
    assert [words for words in told_by_alert() if finding.text in words]
    follow(site)
    assert code not in [each.code for each in services.health()]
    alerts.alert(using="default")
    assert not Alert.objects.filter(code=code).exists()


@pytest.mark.parametrize(
    ("language", "page", "words"),
    [
        ("en", "runbook", "was sent, but its row said that it was"),
        ("fa", "fa/runbook", "ارسال شده، اما در پایگاه داده ارسال‌نشده ثبت بود"),
    ],
)
def test_pause_of_a_restored_database_has_its_row(site, language, page, words):
    with override(language):
        results._stop_restored("default", 4711)
    state = AccountState.objects.get()
    assert words in state.reason
    assert words in page_of("paused", page)
    assert (state.is_paused, state.paused_until) == (True, None)  # not by itself


@pytest.mark.parametrize("decision", ["again", "accepted"])
def test_what_the_panel_cannot_tell_is_decided_as_the_page_says(site, decision):
    assert re.search(
        r"cannot tell.*without resolving.*without an id", flat("uncertain")
    )
    message = MessageFactory(status=Status.UNCERTAIN)
    assert "uncertain" in [each.code for each in services.health()]
    if decision == "accepted":
        typed("uncertain", "resolve_sms_message", str(message.pk), decision, "--why=?")
    services.resend([message], by=None)
    assert Message.objects.resends_of([message.pk]).count() == (decision == "again")
    assert "uncertain" not in [each.code for each in services.health()]


def right_password(site: Site) -> None:
    site.set(PASSWORD="secret")


def wrong_password(site: Site) -> None:
    sandbox = Sandbox(username="user", password="secret")
    site.running.enter_context(sandbox)
    site.set(BASE_URL=sandbox.url, PASSWORD="changed")


# What stands in the way to the gateway: only the doctor looks, and changes no row.
WAY: dict[str, tuple[Step, Step]] = {
    "development_gateway": (
        lambda site: site.set(BACKEND="negin_sms.gateway.memory.MemoryGateway"),
        lambda site: site.unset("BACKEND"),
    ),
    "only_to": (
        lambda site: site.set(ONLY_TO=["09395213300"]),
        lambda site: site.unset("ONLY_TO"),
    ),
    "name": (
        lambda site: site.set(BASE_URL="https://nowhere.invalid/api"),
        lambda site: site.serve(),
    ),
    "connection": (lambda site: site.serve("refused"), lambda site: site.serve()),
    "tls": (
        lambda site: site.serve(scheme="https"),
        lambda site: site.set(CA_FILE=write_ca(site.folder / "ca.pem")),
    ),
    "certificate": (
        both(
            lambda site: site.set(CA_FILE=write_ca(site.folder / "ca.pem")),
            lambda site: site.serve(scheme="https", certificate="ending"),
        ),
        lambda site: site.serve(scheme="https"),
    ),
    "gateway_clock": (
        lambda site: site.serve(clock=timedelta(minutes=3)),
        lambda site: site.serve(),
    ),
    "credentials": (wrong_password, right_password),
    "settings": (
        lambda site: site.set(CA_FILE="/nowhere.pem"),
        lambda site: site.unset("CA_FILE"),
    ),
}


def wrong() -> set[str]:
    return {each.code for each in services.examine() if each.severity != "ok"}


@pytest.mark.long
@pytest.mark.sms_live
@pytest.mark.parametrize("code", WAY)
def test_what_stands_in_the_way_is_seen_and_its_page_ends_it(code, site, live):
    provoke, follow = WAY[code]
    provoke(site)
    (finding,) = [f for f in services.examine() if f.code == code if f.severity != "ok"]
    told = told_by("check_sms_gateway")[code]
    assert re.sub(r"\d+", "", told) == re.sub(r"\d+", "", finding.text)
    assert page_of(code)
    follow(site)
    assert code not in wrong()


@pytest.fixture
def hidden_server() -> Iterator[None]:
    """Work as a role of PostgreSQL that may not ask which server it is."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL can be kept from saying who it is")
    role = f"negin_sms_{secrets.token_hex(4)}"
    ask = "EXECUTE ON FUNCTION pg_control_system()"
    before = (
        f"CREATE ROLE {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE {ask} FROM PUBLIC",
        f"SET ROLE {role}",
    )
    after = (
        "RESET ROLE",
        f"GRANT {ask} TO PUBLIC",
        f"DROP OWNED BY {role}",
        f"DROP ROLE {role}",
    )
    run(*before)
    yield
    run(*after)


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.sms_live
def test_server_that_hides_is_seen_and_its_page_ends_it(hidden_server, site, live):
    code = "server_unknown"
    told = told_by("check_sms_gateway")
    assert code in told
    # No failover is noticed, so what waits is held by hand, and let go.
    message = MessageFactory()
    typed(code, "hold_sms_queue")
    message.refresh_from_db()
    assert message.status == Status.HELD
    call_command("hold_sms_queue", "--release", stdout=io.StringIO())
    message.refresh_from_db()
    assert message.status == Status.QUEUED
    # Or the right is given back: typed by the administrator.
    (grant,) = re.findall(r"``(GRANT .*?)``", re.sub(r"\s+", " ", page_of(code)))
    run("RESET ROLE", f"{grant} PUBLIC")
    assert code not in wrong()
