"""The Persian catalogue: whole, compiled, and with the placeholders of the English."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polib
import pytest
from django.core.management import call_command
from django.utils.translation import get_language_info, gettext, override

import negin_sms
from negin_sms.admin.django_strings import DJANGO_STRINGS
from negin_sms.choices import State, Status

PACKAGE = Path(negin_sms.__file__).parent
CATALOGUE = Path("locale/fa/LC_MESSAGES/django.po")
# %(name)s, {name}, and the doubled braces that people are told to type.
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\{|\}\}|\{[^{}]*\}|</?\w+[^>]*>")


@pytest.fixture(scope="module")
def catalogue():
    return polib.pofile(str(PACKAGE / CATALOGUE))


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def test_no_string_is_missing_or_a_guess(catalogue):
    assert [e.msgid for e in catalogue if not e.translated() or e.fuzzy] == []


def test_placeholders_agree(catalogue):
    for entry in catalogue:
        expected = placeholders(entry.msgid_plural or entry.msgid)
        if "no-python-brace-format" in entry.flags:  # an example, not a place to fill
            expected = ["{نام}" if each == "{name}" else each for each in expected]
        for text in translations(entry):
            assert placeholders(text) == sorted(expected), entry.msgid


def test_words_that_django_lacks_are_persian():
    plain = [word for word in DJANGO_STRINGS if type(word) is str]
    counted = [word for word in DJANGO_STRINGS if type(word) is not str]
    assert (len(plain), len(counted)) == (9, 2)
    with override("fa"):
        words = [gettext(word) for word in plain] + [str(word % 1) for word in counted]
    for word in words:
        assert re.search("[\u0600-\u06ff]", word), word


def test_compiled_file_says_the_same(catalogue):
    compiled = polib.mofile(str(PACKAGE / CATALOGUE.with_suffix(".mo")))
    assert words(compiled) == words(catalogue)


def test_plural_rule_is_the_one_of_django(catalogue):
    # With another, Django would not merge the catalogue with its own.
    assert catalogue.metadata["Plural-Forms"] == "nplurals=2; plural=(n > 1);"


def test_letters_are_persian_and_half_spaces_hold_something(catalogue):
    for entry in catalogue:
        for text in translations(entry):
            assert not set(text) & set("كيىة٤٥٦“”"), text
            assert not re.search(r"\u200c(?![^\W\d_])|(?<![^\W\d_])\u200c", text), text
            assert not re.search(r"\bن?می |\w ها(ی|یی)?\b", text), text


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="gettext is not installed")
@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_every_string_is_in_the_catalogue(catalogue, domain, tmp_path, monkeypatch):
    shutil.copytree(PACKAGE, tmp_path / "package", ignore=shutil.ignore_patterns("fa"))
    monkeypatch.chdir(tmp_path / "package")
    call_command("makemessages", locale=["fa"], domain=domain, verbosity=0)
    found = CATALOGUE.with_stem(domain)
    fresh = polib.pofile(str(found)) if found.exists() else []
    expected = {key(entry) for entry in catalogue} if domain == "django" else set()
    assert {key(entry) for entry in fresh} == expected


def test_words_are_persian_in_a_persian_process():
    with override("fa"):
        assert get_language_info("fa")["bidi"]
        assert str(Status.QUEUED.label) == "در صف"
        assert str(Status.UNCERTAIN.label) != str(State.UNKNOWN.label)
        assert gettext("%(count)s draft was deleted.") != "%(count)s draft was deleted."


def test_styles_know_no_left_and_no_right():
    for sheet in (PACKAGE / "static/negin_sms").glob("*.css"):
        rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
        assert re.findall(r".*\b(?:left|right)\b.*", rules) == [], sheet.name


def translations(entry):
    return entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]


def key(entry):
    return entry.msgctxt, entry.msgid, entry.msgid_plural


def words(catalogue):
    return {key(entry): list(translations(entry)) for entry in catalogue}
