"""The Persian pages name what the English ones name, and call it as the admin does.

Their figures are in test_figures.py, what they quote is in localisation/test_guide.py.
"""

from __future__ import annotations

import re

import polib
import pytest
from django.core.management import get_commands
from django.utils.translation import override

from negin_sms.choices import State, Status
from negin_sms.gateway.codes import CODES, Verdict
from tests.documentation.test_pages import codes
from tests.documentation.test_runbook import page_of
from tests.localisation.test_guide import CATALOGUE
from tests.pages import PAGES, code, literals, read

ENGLISH = ["README", *(page for page in PAGES if not page.startswith("fa/"))]
PERSIAN = ["fa/index", "fa/runbook"]
A_CHARACTER = re.compile("[\u0600-\u06ff]")


def words_of(choice: Status | State) -> str:
    with override("fa"):
        return str(choice.label)


def test_values_stand_beside_the_words_of_the_admin():
    pairs = dict(re.findall(r"``(\w+)`` \(([^)`]+)\)[ :.]", read("fa/index")))
    told = {choice.value: words_of(choice) for choice in Status}
    told |= {str(each.label): words_of(each) for each in (*Status, *State)}
    assert {value for value in pairs if value.islower()} >= {*Status.values}
    assert pairs == {value: told.get(value) for value in pairs}


@pytest.mark.parametrize("page", PERSIAN)
def test_names_and_values_are_those_of_the_english_pages(page):
    english = re.sub(r"\s+", " ", "\n".join(map(read, ENGLISH)))
    named = re.findall(r"``(.+?)``", re.sub(r"\s+", " ", read(page)))
    latin = {A_CHARACTER.split(words)[0].rstrip(' "') for words in named}
    assert len(latin) > 40
    there = {x for x in latin if re.search(rf"(?<!\w){re.escape(x)}(?!\w)", english)}
    assert sorted(latin - there) == []


def commands(text: str) -> set[str]:
    ours = {name for name, app in get_commands().items() if app == "negin_sms"}
    return {*re.findall(r"\w+", text)} & ours


@pytest.mark.parametrize("finding", sorted(codes()))
def test_a_finding_is_ended_by_the_same_commands(finding):
    persian, english = page_of(finding, "fa/runbook"), page_of(finding)
    assert commands(persian) == commands(english)
    figures = {int(figure) for figure in re.findall(r"\d+", persian)}
    assert figures <= {int(figure) for figure in re.findall(r"\d+", english)}


def typed(page: str) -> list[str]:
    """Return the lines of a page's blocks, each up to a remark or Persian."""
    blocks = [*(block for _language, block in code(read(page))), *literals(read(page))]
    lines = "\n".join(blocks).splitlines()
    return [A_CHARACTER.split(line)[0].split("  #")[0].strip(" $#") for line in lines]


@pytest.mark.parametrize("page", PERSIAN)
def test_what_is_typed_is_typed_on_an_english_page(page):
    there = "\n".join(["", *(line for each in ENGLISH for line in typed(each))])
    assert [line for line in typed(page) if f"\n{line}" not in there] == []


def test_steps_after_another_database_server_are_told_in_full():
    persian = page_of("server_changed", "fa/runbook")
    lost = "results that a database server had lost are written again"
    assert lost in re.sub(r"\s+", " ", persian)


def said_of_an_exchange() -> list[str]:
    """Return in Persian what the gateway, or the way to it, is said to have done."""
    files = {f"gateway/{name}.py" for name in ("failures", "http_status", "wire")}
    return [
        entry.msgstr
        for entry in polib.pofile(str(CATALOGUE))
        if files & {file for file, _line in entry.occurrences}
        and entry.msgid.startswith(("The gateway", "The connection", "The deadline"))
    ]


def test_runbook_has_every_reason_that_pauses_an_account():
    page = " ".join(page_of("paused", "fa/runbook").split())
    codes_of_it = [c for c in CODES.values() if c.verdict is not Verdict.REFUSED]
    with override("fa"):
        words = [*said_of_an_exchange(), *(str(c.meaning) for c in codes_of_it)]
    told = {re.split(r"[؛.(%]", each)[0].strip() for each in words}
    assert len(told) > 20
    assert sorted(each for each in told if f"«{each}»" not in page) == []
