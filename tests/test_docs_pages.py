"""The pages in docs/ say what the code does, and their snippets run."""

from __future__ import annotations

import ast
import importlib
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from negin_sms.gateway.memory import outbox
from negin_sms.models import Message
from negin_sms.services import dispatch_queue, status

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    str(page.relative_to(DOCS)).removesuffix(".rst")
    for page in DOCS.rglob("*.rst")
    if "_build" not in page.parts
)

_BLOCK = re.compile(r"^( *)\.\. code-block:: python\n\n((?:\1    .*\n|\n)+)", re.M)


def read(page: str) -> str:
    return (DOCS / f"{page}.rst").read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    return [textwrap.dedent(block) for _indent, block in _BLOCK.findall(read(page))]


def run(page: str, **names: Any) -> dict[str, Any]:
    """Run all Python of a page in one namespace, as a reader would."""
    exec(compile("\n".join(blocks(page)), page, "exec"), names)
    return names


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_compile_and_import_what_there_is(page):
    for block in blocks(page):
        for node in ast.walk(ast.parse(block)):
            name = getattr(node, "module", None) or ""
            if isinstance(node, ast.ImportFrom) and name.startswith("negin_sms"):
                module = importlib.import_module(name)
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("page", PAGES)
def test_sections_of_the_readme_are_there(page):
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    for title in re.findall(r"^\.\. readme-section:: (.+)$", read(page), re.M):
        assert f"\n{title}\n{'=' * len(title)}\n" in readme


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
def test_guide_to_bulk_queues_a_file_once(tmp_path, capsys):
    guide = run("howto/bulk")
    path = tmp_path / "people.csv"
    path.write_text("mobile,name\n09395213300,Sara\n09395213301,Ali\n", "utf-8-sig")
    first = guide["queue_file"](path)
    assert first == guide["queue_file"](path)
    assert {row.text for row in first} == {
        f"Dear {name}, we have moved." for name in ("Sara", "Ali")
    }
    guide["stop_group"]("moved-2026")
    assert capsys.readouterr().out.startswith("2 cancelled; 0 ")


@pytest.mark.django_db(transaction=True)
def test_guide_to_bulk_says_which_line_is_wrong(tmp_path, capsys):
    path = tmp_path / "people.csv"
    path.write_text("mobile,name\n09395213300,Sara\n12,Ali\n", "utf-8")
    run("howto/bulk")["queue_file_or_say_why"](path)
    assert capsys.readouterr().out.startswith("Line 3: ")
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_guide_to_accounts_uses_the_second(settings):
    guide = run("howto/accounts")
    memory = {"BACKEND": "negin_sms.gateway.memory.MemoryGateway"}
    settings.NEGIN_SMS = {
        alias: {**account, **memory, "QUIET_HOURS": None}
        for alias, account in guide["NEGIN_SMS"].items()
    }
    assert guide["announce"]("09395213300").line == "9830003301"
    assert dispatch_queue(account="default").accepted == 0
    assert dispatch_queue(account="bulk").accepted == 1


@pytest.mark.django_db(transaction=True)
def test_guide_to_moving_queues_and_sends():
    blocks_of_guide = blocks("howto/moving")
    assert "requests.post" in blocks_of_guide[0]  # what one moves away from
    names: dict[str, Any] = {}
    for block in blocks_of_guide[1:]:
        exec(compile(block, "howto/moving", "exec"), names)
    assert names["send"]("09395213300", "hello").source == "legacy"
    assert names["send_now"]("09395213301", "hello").status == "accepted"


@pytest.mark.django_db(transaction=True)
def test_persian_quick_start_sends():
    names: dict[str, Any] = {"INSTALLED_APPS": [], "DATABASES": {"default": {}}}
    run("fa/index", **names)
    assert Message.objects.filter(mobile="+989395213300").count() == 2
    assert [sms.text for sms in outbox] == ["کد شما: ۱۲۳۴"]


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
        if getattr(call.func.value, "id", "") == "logger"  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize("words", logged())
def test_runbook_explains_every_line_of_the_log(words):
    assert words in re.sub(r"\s+", " ", read("runbook"))


def test_runbook_explains_every_alarm():
    source = Path(status.__file__).read_text(encoding="utf-8")
    (problems,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "_problems"
    )
    alarms = [words_of(call.args[-1]) for call in calls(problems, "_")]
    alarms += [words_of(call.args[1]) for call in calls(problems, "ngettext")]
    assert len(alarms) >= 4
    for words in alarms:
        assert words in re.sub(r"\s+", " ", read("runbook"))
