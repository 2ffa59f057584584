"""The pages in docs/ say what the code does, and their snippets run.

What is typed into a terminal, settings that a project needs and the tutorial are in
test_docs_followed.py; tables in test_docs.py; one-time passwords in contrib/.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import path as url
from django.utils import timezone

from negin_sms import services
from negin_sms.conf.thresholds import THRESHOLDS
from negin_sms.exceptions import NotSent, OutcomeUnknown, Rejected
from negin_sms.gateway.memory import outbox
from negin_sms.models import Message, OptOut
from negin_sms.services import dispatch_queue
from negin_sms.services.operations.health import findings
from tests.pages import DOCS, PAGES, ROOT, blocks, literals, read


def run(page: str, **names: Any) -> dict[str, Any]:
    """Run all Python of a page in one namespace, as a reader would."""
    exec(compile("\n".join(blocks(read(page))), page, "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_sections_of_the_readme_are_there(page):
    readme = read("README")
    for title in re.findall(r"^\.\. readme-section:: (.+)$", read(page), re.M):
        assert f"\n{title}\n{'=' * len(title)}\n" in readme


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
    run("howto/own-people")
    settings.ROOT_URLCONF = (url("admin/", admin.site.urls),)  # made of what is now
    people = model.objects
    sara = people.create_user("09395213300", first_name="Sara")
    page = admin_client.post(
        "/admin/auth/user/", {"action": "write_sms", "_selected_action": [sara.pk]}
    )
    recipients = page.context["form"]["recipients"].value()
    assert recipients == "mobile,name\n09395213300,Sara\n"


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
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_guide_to_reminders_follows_the_visit():
    guide = run("howto/reminders")
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
    assert second.expires_at - second.due_at == first.expires_at - first.due_at
    assert guide["forget"](visit).done == 1
    visit.begins_at = timezone.now() + timedelta(minutes=50)
    assert guide["remind"](visit) is None


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
def test_guide_to_moving_queues_and_sends(capsys):
    by_hand, later, now, *_others = blocks(read("howto/moving"))
    assert "requests.post" in by_hand  # what one moves away from; it would send
    names: dict[str, Any] = {}
    exec(compile(later + now, "howto/moving", "exec"), names)
    assert names["send"]("09395213300", "hello").source == "legacy"
    assert names["send_now"]("09395213301", "hello").status == "accepted"
    assert names["send_now"]("12", "hello") is None
    assert capsys.readouterr().out.startswith("nothing was saved, correct it: ")


@pytest.mark.django_db(transaction=True)
def test_guide_to_moving_puts_a_backend_beneath_django_sms(settings, monkeypatch):
    sms = pytest.importorskip("sms", reason="needs django-sms")
    _by_hand, _later, _now, backend, setting, _kavenegar = blocks(read("howto/moving"))
    module = ModuleType("shop.sms_backend")
    exec(compile(backend, "howto/moving", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.sms_backend", module)
    named: dict[str, Any] = {}
    exec(setting, named)
    settings.SMS_BACKEND = named["SMS_BACKEND"]
    assert sms.send_sms("hello", None, ["09395213300", "09395213301"]) == 2
    assert sms.send_sms("hello", "9830003309", ["09395213300"]) == 1
    dispatch_queue()
    lines = Message.objects.filter(source="django-sms").values_list("line", flat=True)
    assert sorted(lines) == ["9830003300", "9830003300", "9830003309"]


@pytest.mark.django_db(transaction=True)
def test_guide_to_moving_takes_kavenegar_s_parameters():
    names: dict[str, Any] = {}
    exec(compile(blocks(read("howto/moving"))[-1], "howto/moving", "exec"), names)
    rows = names["sms_send"]({"receptor": "09395213300,09395213301", "message": "hi"})
    assert [row.mobile for row in rows] == ["+989395213300", "+989395213301"]


@pytest.mark.django_db(transaction=True)
def test_persian_quick_start_sends():
    names: dict[str, Any] = {"INSTALLED_APPS": [], "DATABASES": {"default": {}}}
    run("fa/index", **names)
    assert Message.objects.filter(mobile="+989395213300").count() == 2
    assert [sms.text for sms in outbox] == ["کد شما: ۱۲۳۴"]


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
    check, metrics = blocks(read("howto/monitoring"))
    names: dict[str, Any] = {}
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
