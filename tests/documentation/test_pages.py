"""The pages in docs/ say what the code does, and their snippets run.

What is typed into a terminal, settings that a project needs and the tutorial are in
test_followed.py; tables in test_reference.py; one-time passwords in contrib/.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import runpy
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.urls import path as url
from django.utils import timezone

from negin_sms import conf, services, signals
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.exceptions import InvalidMessage, NotSent, OutcomeUnknown, Rejected
from negin_sms.gateway.memory import outbox
from negin_sms.models import Message, OptOut
from negin_sms.services import dispatch_queue, reschedule
from negin_sms.services.operations.health import findings
from negin_sms.services.outbox import gateway_binding
from negin_sms.written_dates import read_day
from tests.documentation.test_followed import Project
from tests.pages import DOCS, PAGES, ROOT, blocks, literals, read, section, typed


def run(page: str, **names: Any) -> dict[str, Any]:
    """Run all Python of a page in one namespace, as a reader would."""
    exec(compile("\n".join(blocks(read(page))), page, "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_sections_of_the_readme_are_there(page):
    readme = read("README")
    for title in re.findall(r"^\.\. readme-section:: (.+)$", read(page), re.M):
        assert f"\n{title}\n{'=' * len(title)}\n" in readme


def test_sections_of_the_readme_lead_to_pages_of_the_site():
    pytest.importorskip("sphinx", reason="an extra")
    section = runpy.run_path(str(DOCS / "_ext/from_readme.py"))["section"]
    text = section("Sending")
    assert "docs/" not in text
    assert re.search(r":doc:`[^`]+</howto/idempotency>`", text)


def test_readme_leads_to_every_guide_and_to_files_that_are_there():
    linked = set(re.findall(r"<([\w/.-]+\.(?:rst|md))>`__", read("README")))
    assert [each for each in linked if not (ROOT / each).is_file()] == []
    guides = {f"docs/{page}.rst" for page in PAGES if page.startswith("howto/")}
    assert guides - linked == {"docs/howto/index.rst"}


@pytest.mark.parametrize("page", PAGES)
def test_pictures_are_there(page):
    pictures = re.findall(r"^\s*\.\. image:: /(.+)$", read(page), re.M)
    assert [each for each in pictures if not (DOCS / each).is_file()] == []


@pytest.mark.parametrize("page", PAGES)
def test_pages_that_are_linked_are_there(page):
    text = read(page)
    targets = re.findall(r":doc:`(?:[^`<]+<)?([\w./-]+)>?`", text)
    for target in targets:
        assert (DOCS / page).parent.joinpath(f"{target}.rst").resolve().is_file()


def test_every_page_is_in_a_table_of_contents():
    listed = {
        str((DOCS / page).parent.joinpath(entry).relative_to(DOCS))
        for page in PAGES
        for tree in re.findall(
            r"\.\. toctree::\n(?:   :.*\n)*\n((?:   .+\n)+)", read(page)
        )
        for entry in tree.split()
    }
    assert listed == {*PAGES} - {"index"}


@pytest.mark.django_db(transaction=True)
def test_guide_to_scenarios_sends():
    assert run("howto/scenarios")["took_fallback"] is False
    assert Message.objects.get().line2 == "9830003301"


@pytest.mark.django_db(transaction=True)
def test_guide_to_bulk_queues_a_file_once(tmp_path, monkeypatch, capsys):
    (people,) = literals(read("howto/bulk"))
    (tmp_path / "people.csv").write_text(people, "utf-8-sig")
    monkeypatch.chdir(tmp_path)
    guide = run("howto/bulk")
    assert capsys.readouterr().out == "2 lines are in the queue\n"
    assert guide["rows"] == guide["queue_file"]("people.csv")
    assert {row.text for row in guide["rows"]} == {
        f"Dear {name}, we have moved." for name in ("Sara", "Ali")
    }
    guide["stop_group"]("moved-2026")
    assert capsys.readouterr().out == "2 cancelled; 0 had left or were over\n"


@pytest.mark.django_db(transaction=True)
def test_guide_to_bulk_knows_a_number_in_two_spellings(tmp_path):
    queue_file = bulk()["queue_file"]
    path = tmp_path / "people.csv"
    path.write_text("mobile,name\n09395213300,Sara\n+98 939 521 3300,Sara\n", "utf-8")
    assert len(set(queue_file(path))) == 1


@pytest.mark.django_db(transaction=True)
def test_guide_to_bulk_says_which_line_is_wrong(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("mobile,name\n09395213300,Sara\n12,Ali\n", "utf-8")
    with pytest.raises(SystemExit, match="Line 3: "):
        bulk()["queue_file"](path)
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_guide_to_own_people_opens_the_page_with_them(
    admin_client, settings, monkeypatch
):
    model, registry = get_user_model(), admin.site._registry
    monkeypatch.setitem(registry, model, registry[model])  # put back afterwards
    guide = run("howto/own-people")
    settings.ROOT_URLCONF = (url("admin/", admin.site.urls),)  # made of what is now
    people = model.objects
    sara = people.create_user("09395213300", first_name="Sara")
    page = admin_client.post(
        "/admin/auth/user/", {"action": "write_sms", "_selected_action": [sara.pk]}
    )
    recipients = page.context["form"]["recipients"].value()
    assert recipients == "send to\tname\n09395213300\tSara\n"
    # The admin of users is still Django's, which shows no hash as a field to fill in.
    change = admin_client.get(f"/admin/auth/user/{sara.pk}/change/")
    assert 'name="password"' not in change.text
    greeted = guide["GreetedAdmin"](model, admin.site)
    told = greeted.get_sms_recipients(None, people.filter(pk=sara.pk))
    assert list(told) == [("09395213300", {"name": "Sara"})]


def bulk() -> dict[str, Any]:
    """Return the functions of the guide, without what it does with its file."""
    names: dict[str, Any] = {}
    exec(compile(blocks(read("howto/bulk"))[0], "howto/bulk", "exec"), names)
    return names


@pytest.mark.django_db(transaction=True)
def test_guide_to_bulk_brings_back_what_was_cancelled(tmp_path, monkeypatch):
    (people,) = literals(read("howto/bulk"))
    (tmp_path / "people.csv").write_text(people, "utf-8-sig")
    monkeypatch.chdir(tmp_path)
    guide = run("howto/bulk")
    guide["stop_group"]("moved-2026")
    assert dispatch_queue().accepted == 0
    guide["queue_file"]("people.csv")
    assert dispatch_queue().accepted == 2


@pytest.mark.parametrize("line", ["09395213301", "09395213301,"])
def test_guide_to_bulk_greets_nobody_as_none(tmp_path, line):
    (tmp_path / "people.csv").write_text(f"mobile,name\n{line}\n")
    with pytest.raises(SystemExit, match="Line 2: there is no name"):
        list(bulk()["people_of"](tmp_path / "people.csv"))


@pytest.mark.django_db(transaction=True)
def test_guide_to_sending_says_why_a_message_waits(settings, capsys):
    always = {"QUIET_HOURS": ("00:00", "23:59:59")}
    settings.NEGIN_SMS = {"default": {**settings.NEGIN_SMS["default"], **always}}
    exec(compile(blocks(read("howto/sending"))[-1], "howto/sending", "exec"), {})
    assert capsys.readouterr().out.startswith("It waits for the end of the quiet")


@pytest.mark.django_db(transaction=True)
def test_guide_to_idempotency_queues_once():
    guide = run("howto/idempotency")
    order = SimpleNamespace(mobile="09395213300", number=7)
    visit = SimpleNamespace(
        mobile="09395213300", number=8, begins_at=timezone.now() + timedelta(days=9)
    )
    for tell, thing in (("tell_shipped", order), ("remind", visit)):
        assert guide[tell](thing) == guide[tell](thing)
    # As a form has it, and as the database gives it.
    visit.begins_at = visit.begins_at.astimezone(timezone.get_fixed_timezone(210))
    guide["remind"](visit)
    assert Message.objects.count() == 2


@pytest.fixture
def reminders() -> Iterator[dict[str, Any]]:
    guide = run("howto/reminders")
    yield guide
    signals.pre_send.disconnect(guide["follow_the_visit"])


@pytest.mark.django_db(transaction=True)
def test_guide_to_reminders_follows_the_visit(reminders):
    guide = reminders
    begins_at = timezone.now() + timedelta(days=9)
    visit = SimpleNamespace(pk=7, mobile="09395213300", begins_at=begins_at)
    first = guide["remind"](visit)
    morning = timezone.localtime(first.due_at)
    assert (morning.hour, morning.minute) == (9, 30)
    assert first.expires_at == begins_at - guide["TOO_LATE"]
    visit.begins_at += timedelta(days=2)
    second = guide["remind"](visit)
    first.refresh_from_db()
    assert first.status == "cancelled"
    guide["put_off"](visit, 3, None)
    second.refresh_from_db()
    assert second.due_at - first.due_at == timedelta(days=5)
    assert second.expires_at == visit.begins_at - guide["TOO_LATE"]
    visit.begins_at = timezone.now() + timedelta(hours=2, days=-1)
    guide["put_off"](visit, 1, None)  # so soon that it leaves at once
    second.refresh_from_db()
    assert second.due_at <= timezone.now()
    assert second.expires_at == visit.begins_at - guide["TOO_LATE"]
    assert guide["forget"](visit).done == 1
    visit.begins_at = timezone.now() + timedelta(minutes=50)
    assert guide["remind"](visit) is None
    visit.begins_at = begins_at
    wrong = SimpleNamespace(pk=8, mobile="12", begins_at=begins_at)
    before = Message.objects.count()
    for _time in range(2):
        guide["remind_all"]([wrong, visit])
    assert Message.objects.count() == before + 1
    asked = guide["of_tomorrow"](SimpleNamespace(filter=dict))
    hours = (asked["begins_at__lt"] - asked["begins_at__gte"]) / timedelta(hours=1)
    assert hours == 24
    assert timezone.localtime(asked["begins_at__gte"]).time() == time()
    visit.mobile = "09395213301"  # corrected since
    later = SimpleNamespace(pk=9, mobile="09395213302", begins_at=begins_at)
    guide["remind_all"]([visit, later])
    assert Message.objects.count() == before + 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("now_at", "status"),
    [(None, "cancelled"), (0, "accepted"), (1, "cancelled"), (-9, "cancelled")],
)
def test_guide_to_reminders_looks_at_the_visit_last(reminders, now_at, status):
    """The visit is gone, as it was, a day later, or over: days from what was said."""
    guide = reminders
    begins_at = timezone.now() + timedelta(days=9)
    visit = SimpleNamespace(pk=7, mobile="09395213300", begins_at=begins_at)
    message = guide["remind"](visit)
    reschedule(message, None, by=None)  # its end is no longer that of the visit
    if now_at is not None:
        visit.begins_at += timedelta(days=now_at)
    found = SimpleNamespace(first=lambda: None if now_at is None else visit)
    guide["Visit"] = SimpleNamespace(objects=SimpleNamespace(filter=lambda pk: found))
    dispatch_queue()
    message.refresh_from_db()
    assert message.status == status


def test_guide_to_reminders_writes_the_date_in_persian(settings, reminders):
    settings.TIME_ZONE = "Asia/Tehran"
    begins_at = datetime(2026, 12, 1, 7, tzinfo=UTC)
    words = reminders["words_of"](SimpleNamespace(begins_at=begins_at))
    assert f"«{words}»" in read("howto/reminders")


# What a key returns; the statuses that are new rows are in the table's last line.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("accepted", None),
        ("sending", None),
        ("queued", NotSent),
        ("held", NotSent),
        ("rejected", Rejected),
        ("uncertain", OutcomeUnknown),
    ],
)
def test_guide_to_idempotency_has_every_status(status, error):
    row = services.queue_sms("09395213300", "hello", idempotency_key="a")
    Message.objects.update(status=status)
    again = ("09395213300", "hello")
    assert services.queue_sms(*again, idempotency_key="a") == row
    with pytest.raises(error) if error else contextlib.nullcontext() as told:
        assert services.send_sms(*again, idempotency_key="a") == row
    assert error is None or told.value.message == row
    told_of = f"``{error.__name__}``" if error else "that row"
    (line,) = re.findall(rf"^.*``{status}``.*$", read("howto/idempotency"), re.M)
    assert told_of in line


@pytest.mark.django_db(transaction=True)
def test_guide_to_opt_outs_works(settings):
    entering, setting, sending = blocks(read("howto/opt-outs"))
    exec(compile(entering, "howto/opt-outs", "exec"), {})
    assert OptOut.objects.filter(until__isnull=False).count() == 2
    names: dict[str, Any] = {}
    exec(compile(setting, "howto/opt-outs", "exec"), names)
    own = settings.NEGIN_SMS["default"] | names["NEGIN_SMS"]["default"]
    settings.NEGIN_SMS = {"default": own}
    exec(compile(sending, "howto/opt-outs", "exec"), {})
    texts = set(Message.objects.values_list("text", flat=True))
    assert texts == {"جشنوارهٔ پاییز شروع شد.\nلغو۱۱"}


def test_guide_to_persian_says_which_days_may_stand_first():
    words = " ".join(read("howto/persian").split())
    assert "and, in digits, days before their month are refused" in words
    assert read_day("10 اسفند 1405") == read_day("1405/12/10")
    with pytest.raises(InvalidMessage):
        read_day("10/12/1405")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("page", "title"),
    [("howto/opt-outs", "Who is not written to"), ("reference/admin", "Opt-outs")],
)
def test_buttons_of_opt_outs_are_on_their_list(page, title, admin_client):
    services.opt_out("09395213300")
    shown = admin_client.get("/admin/negin_sms/optout/").content.decode()
    words = " ".join(section(title, page).split())
    buttons = {*re.findall(r'"([A-Z][^"]+)"', words)} - {"Write messages"}
    assert "Enter opt-outs" in buttons
    assert [each for each in buttons if each not in shown] == []


@pytest.mark.django_db(transaction=True)
def test_guide_to_retention_has_the_ages_that_are_taken():
    words = re.sub(r"\s+", " ", read("howto/retention"))
    (ages,) = re.findall(r"An age is (.+?)\.", words)
    for age in re.findall(r"``(\w+)``", ages):
        call_command("purge_sms_messages", "--older-than", age, "--redact")
    (youngest,) = re.findall(r"three days on \(``(\w+)``\)", words)
    call_command("purge_sms_messages", "--older-than", youngest)
    with pytest.raises(CommandError, match="three days"):
        call_command("purge_sms_messages", "--older-than", "2d")


@pytest.mark.django_db(transaction=True)
def test_guide_to_accounts_uses_the_second(settings):
    guide = run("howto/accounts")
    memory = {"BACKEND": "negin_sms.gateway.memory.MemoryGateway"}
    settings.NEGIN_SMS = {
        alias: {**account, **memory, "QUIET_HOURS": None}
        for alias, account in guide["NEGIN_SMS"].items()
    }
    message = guide["announce"]("09395213300")
    assert dispatch_queue(account="default").accepted == 0
    assert dispatch_queue(account="bulk").accepted == 1
    message.refresh_from_db()
    assert message.line == "9830003301"


@pytest.mark.django_db(transaction=True)
def test_guide_to_shared_databases_has_the_second_account(settings):
    configured, told = blocks(read("howto/shared-database"))
    names: dict[str, Any] = {}
    exec(compile(configured + told, "howto/shared-database", "exec"), names)
    memory = {"BACKEND": "negin_sms.gateway.memory.MemoryGateway"}
    settings.NEGIN_SMS = {
        alias: {**account, **memory} for alias, account in names["NEGIN_SMS"].items()
    }
    names["tell"](SimpleNamespace(mobile="09395213300"), "hello")
    dispatch_queue()
    assert Message.objects.get().line == "9830003301"


REAL = {"USERNAME": "user", "PASSWORD": "secret", "LINE": "9830003300"}


def fingerprint(settings: Any, **keys: object) -> str:
    settings.NEGIN_SMS = {"default": {**REAL, **keys}}
    return gateway_binding.gateway_of(conf.get_account())


# The keys of a row of the table "What differs", each with another value.
@pytest.mark.sms_live
@pytest.mark.parametrize(
    ("row", "changes"),
    [
        ("the host of ``BASE_URL``", [{"BASE_URL": "https://127.0.0.1/api"}]),
        ("``USERNAME``", [{"USERNAME": "another"}]),
        ("``BACKEND``", [{"BACKEND": "negin_sms.gateway.memory.MemoryGateway"}]),
        (
            "scheme, port or path",
            [
                {"BASE_URL": "http://sms.3300.ir:80/api"},
                {"BASE_URL": "https://sms.3300.ir"},
            ],
        ),
        ("``PASSWORD``, ``LINE``, all others", [{"PASSWORD": "b"}, {"LINE": "98"}]),
    ],
)
def test_guide_to_shared_databases_says_what_a_fingerprint_is_of(
    settings, row, changes
):
    (said,) = re.findall(
        rf"^{re.escape(row)} +(yes|no)$", read("howto/shared-database"), re.M
    )
    ours = fingerprint(settings)
    for keys in changes:
        assert (fingerprint(settings, **keys) != ours) == (said == "yes")


@pytest.mark.sms_live  # nothing is sent: it is about the settings alone
@pytest.mark.django_db(transaction=True)
def test_guide_to_shared_databases_shows_the_refusal_and_the_way_out(settings, capsys):
    refusal, adoption = blocks(read("howto/shared-database"), "console")
    ((_command, refused),) = typed(refusal)
    ((_command, adopted),) = typed(adoption)
    settings.NEGIN_SMS = {"default": REAL}
    call_command("adopt_sms_account", "default")
    settings.NEGIN_SMS = {"default": {**REAL, "BASE_URL": "http://127.0.0.1:9/api"}}
    with pytest.raises(CommandError) as caught:
        call_command("dispatch_sms_queue")
    told, _in_a_test, _way_out = str(caught.value).partition(" In a test: ")
    assert refused.strip() == f"CommandError: {told}"
    settings.NEGIN_SMS = {
        "default": {**REAL, "BASE_URL": "https://sms.example.com/api"}
    }
    call_command("adopt_sms_account", "default")
    settings.NEGIN_SMS = {"default": REAL}
    capsys.readouterr()
    call_command("adopt_sms_account", "default")
    assert capsys.readouterr().out.strip() == adopted.strip()


@pytest.mark.django_db(transaction=True)
def test_guide_to_moving_queues_and_sends(capsys, use_account):
    by_hand, later, now, *_others = blocks(read("howto/moving"))
    assert "requests.post" in by_hand  # what one moves away from; it would send
    names: dict[str, Any] = {}
    exec(compile(later + now, "howto/moving", "exec"), names)
    assert names["send"]("09395213300", "hello").source == "legacy"
    assert names["send_now"]("09395213301", "hello").status == "accepted"
    assert names["send_now"]("12", "hello") is None
    assert capsys.readouterr().out.startswith("nothing was saved, correct it: ")
    services.opt_out("09395213302", reason="asked by phone")
    assert names["send_now"]("09395213302", "hello") is None
    assert capsys.readouterr().out.startswith("cancelled, ")
    use_account(MOBILE_CAPS={"day": 1})
    for kept in ("", "still queued", "over its number's cap, and cancelled"):
        names["send_now"]("09000000001", "hello")
        assert capsys.readouterr().out.startswith(kept)


@pytest.mark.django_db(transaction=True)
def test_guide_to_moving_puts_a_backend_beneath_django_sms(settings, monkeypatch):
    sms = pytest.importorskip("sms", reason="needs django-sms")
    backend, setting = blocks(section("From django-sms", "howto/moving"))
    module = ModuleType("shop.sms_backend")
    exec(compile(backend, "howto/moving", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.sms_backend", module)
    named: dict[str, Any] = {}
    exec(setting, named)
    settings.SMS_BACKEND = named["SMS_BACKEND"]
    assert sms.send_sms("hello", None, ["09395213300", "09395213301"]) == 2
    assert sms.send_sms("hello", "9830003309", ["09395213300"]) == 1
    assert sms.send_sms("hello", None, ["123"], fail_silently=True) == 0
    with pytest.raises(InvalidMessage):
        sms.send_sms("hello", None, ["123"])
    dispatch_queue()
    lines = Message.objects.filter(source="django-sms").values_list("line", flat=True)
    assert sorted(lines) == ["9830003300", "9830003300", "9830003309"]


@pytest.mark.django_db(transaction=True)
def test_guide_to_moving_puts_a_backend_beneath_django_post_office():
    page = section("From django-post-office", "howto/moving")
    backend, setting = blocks(page)
    names: dict[str, Any] = {}
    exec(compile(backend + setting, "howto/moving", "exec"), names)
    path = names["POST_OFFICE"]["BACKENDS"]["sms"]
    assert f"# {path.rpartition('.')[0].replace('.', '/')}.py" in backend
    sender = names[path.rpartition(".")[2]]()
    # As django-post-office hands them over, with and without a name of their own.
    to = ["09395213300@sms.invalid", "09395213301@sms.invalid"]
    named = EmailMessage("", "hello", to=to, headers={"Message-ID": "<1@sms.invalid>"})
    for _time in range(2):
        assert sender.send_messages([named]) == 2
    assert Message.objects.count() == 2
    copy = EmailMessage("", "copy", to=to[:1], cc=to[1:])
    assert sender.send_messages([copy]) == 2
    for _time in range(2):
        sender.send_messages([EmailMessage("", "hello", to=to[:1])])
    assert Message.objects.filter(source="post-office", text="hello").count() == 4


@pytest.mark.long
def test_guide_to_moving_lets_django_post_office_queue(tmp_path):
    pytest.importorskip("post_office", reason="needs django-post-office")
    backend, setting = blocks(section("From django-post-office", "howto/moving"))
    project = Project(tmp_path, "http://127.0.0.1:9/api")
    (tmp_path / "shop" / "sms_mail.py").write_text(backend)
    project.add('INSTALLED_APPS += ["negin_sms", "post_office"]\n')
    project.add(blocks(section("Installation"))[1])
    memory = "negin_sms.gateway.memory.MemoryGateway"
    project.add(f'NEGIN_SMS = {{"default": {{"BACKEND": "{memory}", "LINE": "98"}}}}\n')
    project.add(f'globals().pop("MAILERS", None)\n{setting}')
    project.python("manage.py", "migrate")
    lines = (
        "from negin_sms.models import Message; from post_office import mail;"
        "from post_office.models import Email;"
        "to = ['09395213300@sms.invalid'];"
        "mail.send(to, message='hello', backend='sms'); mail.send_queued();"
        "Email.objects.update(status=2); mail.send_queued();"  # as if it was killed
        "print([(m.mobile, m.text) for m in Message.objects.all()])"
    )
    done = project.python("manage.py", "shell", "-c", lines)
    assert "[('+989395213300', 'hello')]" in done.stdout, done.stderr


@pytest.mark.django_db(transaction=True)
def test_guide_to_moving_takes_kavenegar_s_parameters():
    names: dict[str, Any] = {}
    exec(compile(blocks(read("howto/moving"))[-1], "howto/moving", "exec"), names)
    wish = {"receptor": "09395213300,09395213301", "message": "hi"}
    rows = names["sms_send"](wish)
    assert [row.mobile for row in rows] == ["+989395213300", "+989395213301"]
    later = int(timezone.now().timestamp()) + 3600
    more = {"localid": "77", "date": later}
    rows = [names["sms_send"](wish | more) for _time in range(2)]
    assert rows[0] == rows[1]
    assert {row.send_at.timestamp() for row in rows[0]} == {later}
    assert Message.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_persian_quick_start_sends(settings, monkeypatch):
    for name in ("USERNAME", "PASSWORD", "LINE"):
        monkeypatch.setenv(f"NEGIN_SMS_{name}", "9830003300")
    names: dict[str, Any] = {"INSTALLED_APPS": [], "DATABASES": {"default": {}}}
    written = run("fa/index", **names)["NEGIN_SMS"]
    assert Message.objects.filter(mobile="+989395213300").count() == 2
    assert [sms.text for sms in outbox] == ["کد شما: ۱۲۳۴"]
    settings.NEGIN_SMS = written
    assert conf.get_account().line == "9830003300"


def test_guide_to_alerts_tells_in_five_lines():
    told = []

    class Bot(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(
                json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Bot)
    threading.Thread(target=server.handle_request, daemon=True).start()
    names: dict[str, Any] = {}
    setting, hook = blocks(read("howto/alerts"))
    assert setting.strip() == 'NEGIN_SMS_ALERTS = "shop.alerts.tell"'
    place = f"http://127.0.0.1:{server.server_port}/"
    exec(hook.replace("https://api.telegram.org/", place), names)
    names["tell"](["CRITICAL: one", "OK: two"])
    server.server_close()
    assert told == [{"chat_id": 42, "text": "CRITICAL: one\nOK: two"}]


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:unclosed database")
def test_guide_to_monitoring_serves_its_addresses():
    health_check = pytest.importorskip("health_check.views", reason="an extra")
    client = pytest.importorskip("prometheus_client", reason="an extra")
    setting, check, metrics = blocks(read("howto/monitoring"))
    names: dict[str, Any] = {"urlpatterns": [], "INSTALLED_APPS": []}
    exec(setting, names)
    (app,) = names["INSTALLED_APPS"]
    assert (Path(import_module(app).__file__ or "").parent / "templates").is_dir()
    exec(check, names)
    (pattern,) = names["urlpatterns"]
    assert pattern.callback.view_class is health_check.HealthCheckView
    exec(metrics, names)
    collectors = list(client.REGISTRY._collector_to_names)
    client.REGISTRY.unregister(collectors[-1])
    told = names["metrics"](None).content.decode()
    assert "python_info" in told
    rows = re.findall(r"^``(negin_sms_\w+)``", read("howto/monitoring"), re.M)
    ours = [each.name for each in collectors[-1].collect()]
    assert sorted(rows) == sorted(ours)


def words_of(node: ast.expr) -> str:
    """Return the longest run of a message's words between its placeholders."""
    text = ast.literal_eval(node)
    return max(re.split(r"%\(?\w*\)?[sdr]|:", text), key=len).strip(" ().")


def calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) in names
    ]


def logged() -> list[str]:
    sources = sorted((ROOT / "negin_sms").rglob("*.py"))
    trees = [ast.parse(source.read_text(encoding="utf-8")) for source in sources]
    found = [c for tree in trees for c in calls(tree, "error", "critical", "warning")]
    return [
        words_of(call.args[0])
        for call in found
        if getattr(getattr(call.func, "value", None), "id", "") == "logger"
    ]


@pytest.mark.parametrize("words", logged())
def test_runbook_explains_every_line_of_the_log(words):
    assert words in re.sub(r"\s+", " ", read("runbook"))


def codes() -> set[str]:
    """Return the codes of all findings that are made anywhere."""
    found = set(THRESHOLDS)
    for path in Path(findings.__file__).parent.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", "")
            makes = name in ("note", "warning", "critical", "clock_finding")
            named = [each.value for each in call.keywords if each.arg == "code"]
            for value in [*named, *(call.args[:1] if makes else [])]:
                if isinstance(value, ast.Constant):
                    found.add(str(value.value))
    return found


@pytest.mark.parametrize("code", sorted(codes()))
def test_runbook_has_every_finding_by_its_code(code):
    finding = services.Finding(code=code, severity=services.Severity.OK, text="")
    assert f".. _{finding.runbook}:\n\n``{code}``\n" in read("runbook")


@pytest.mark.parametrize("code", sorted(codes()))
def test_persian_runbook_has_every_finding_by_its_code(code):
    anchor = f"runbook-fa-{code.replace('_', '-')}"
    assert f".. _{anchor}:\n\n``{code}``\n" in read("fa/runbook")


def test_thresholds_are_all_in_the_reference():
    rows = re.findall(r"^``(\w+)`` +([\d.]+) ", read("reference/settings"), re.M)
    told = {code: float(number) for code, number in rows if code in THRESHOLDS}
    assert told == THRESHOLDS
