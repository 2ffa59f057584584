"""The guide for staff says the words that stand on the buttons, and all statuses."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest
from django.utils.translation import override

import negin_sms
from negin_sms.choices import State, Status
from negin_sms.models import Message

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
        words.add(entry.msgstr if language == "fa" else entry.msgid)
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
        pair = rf'<dt>{re.escape(quoted)}</dt><dd><code dir="ltr">{codename}</code>'
        assert re.search(pair, guide(language)), codename
