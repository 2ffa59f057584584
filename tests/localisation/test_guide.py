"""The guides say the words that stand on the buttons, each idea by one word."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest
from django.utils.translation import override

import negin_sms
from negin_sms.choices import State, Status
from negin_sms.models import Message
from tests.pages import read

PACKAGE = Path(negin_sms.__file__).parent
CATALOGUE = PACKAGE / "locale/fa/LC_MESSAGES/django.po"
# How each language quotes what is read on the screen; other words are quoted by <q>.
QUOTED = {"fa": "«([^»]+)»", "en": "“([^”]+)”"}


def guide(language: str) -> str:
    path = PACKAGE / "templates/admin/negin_sms/guide" / f"{language}.html"
    return path.read_text(encoding="utf-8")


def on_screen(language: str) -> set[str]:
    """Return all words that our pages may show in a language."""
    words = set()
    for entry in polib.pofile(str(CATALOGUE)):
        persian = [entry.msgstr, *entry.msgstr_plural.values()]
        words.update(persian if language == "fa" else [entry.msgid])
    return words


@pytest.mark.parametrize("language", QUOTED)
def test_quoted_words_are_those_of_the_pages(language):
    said = set(re.findall(QUOTED[language], guide(language)))
    assert said - on_screen(language) == set()


@pytest.mark.parametrize("language", QUOTED)
def test_every_status_and_state_is_explained(language):
    with override(language):
        labels = [str(each.label) for each in (*Status, *State)]
    terms = re.findall(r"<dt>(.+)</dt>", guide(language))
    explained = {word for term in terms for word in re.findall(QUOTED[language], term)}
    assert set(labels) - explained == set()


@pytest.mark.parametrize("language", QUOTED)
def test_every_permission_has_its_code_beside_its_words(language):
    for codename, words in Message._meta.permissions:
        with override(language):
            quoted = {"fa": f"«{words}»", "en": f"“{words}”"}[language]
        # The user's page has the English words, whatever its language.
        name = f'<span dir="ltr">{words}</span> · ' if language != "en" else ""
        term = re.escape(f"<dt>{quoted}</dt><dd>{name}")
        pair = rf'{term}<code dir="ltr">{codename}</code>'
        assert re.search(pair, guide(language)), codename


@pytest.mark.parametrize("page", ["fa/index", "fa/runbook", "fa/staff"])
def test_persian_pages_quote_the_words_of_the_pages(page):
    said = set(re.findall(QUOTED["fa"], read(page))) - {"لغو۱۱"}
    words = on_screen("fa")
    # A sentence may begin with a number or a name, which no page can quote.
    ends = re.compile(r"[.؛:(]|%\(\w+\)s")
    sentences = {part.strip() for each in words for part in ends.split(each)}
    unknown = {re.sub(r"\s+", " ", each) for each in said} - words - sentences
    assert unknown == set()


# What has another word now: filter, search, batch, uncertain, journal, process, test, …
ANOTHER_WORD = re.compile(
    "پالایه|جست‌وجو|جای‌نما|دفتر ثبت|گردانند|نویسه|رمز عبور|مهلت‌گذشته|دور انداخت|رهایش"
    "|پیشینه|پیگیر(?![یِ])|کلید یکتایی|خط فرستنده|صفحه‌گسترده|پردازه|آزمون|پیام(?!ک|‌رسان)"
)


@pytest.mark.parametrize("page", ["fa/index", "fa/runbook", "README"])
def test_persian_pages_have_one_word_for_one_idea(page):
    assert ANOTHER_WORD.findall(read(page)) == []


def test_catalogue_and_guide_have_one_word_for_one_idea():
    words = [*on_screen("fa"), guide("fa")]
    assert [each for each in words if ANOTHER_WORD.search(each)] == []
