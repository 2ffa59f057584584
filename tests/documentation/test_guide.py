"""The documentation shows the guide for staff whole, in order, with its pictures."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import negin_sms
from tests.pages import DOCS, read

pytestmark = pytest.mark.long

GUIDES = Path(negin_sms.__file__).parent / "templates/admin/negin_sms/guide"
PAGES = {"fa": "fa/staff", "en": "howto/staff"}


@pytest.mark.parametrize("language", PAGES)
def test_page_has_every_section_in_the_order_of_the_guide(language):
    text = (GUIDES / f"{language}.html").read_text(encoding="utf-8")
    shown = re.findall(
        rf"^\.\. guide-section:: {language} (.+)$", read(PAGES[language]), re.M
    )
    assert shown == re.findall(r'<section id="(.+?)">', text)


@pytest.mark.parametrize("language", PAGES)
def test_pictures_are_of_the_language(language):
    pictures = re.findall(r"screenshots/(\w+)-(\w+)-(\w+)\.png", read(PAGES[language]))
    assert len(pictures) == 12
    assert {(spoken, mode) for _name, spoken, mode in pictures} == {
        (language, "light"),
        (language, "dark"),
    }


@pytest.mark.parametrize("language", PAGES)
def test_directive_finds_title_and_text_of_each_section(language):
    pytest.importorskip("sphinx", reason="an extra")
    section = runpy.run_path(str(DOCS / "_ext/from_guide.py"))["section"]
    whole = (GUIDES / f"{language}.html").read_text(encoding="utf-8")
    made = []
    for name in re.findall(r'<section id="(.+?)">', whole):
        title, html = section(language, name)
        assert "<section" not in html
        made.append(f'<section id="{name}">\n<h2>{title}</h2>\n{html}\n</section>\n')
        assert not re.search("[<>]", title)
    assert "\n".join(made) == whole


@pytest.mark.parametrize(
    ("language", "meaning"),
    [
        ("fa", "سقف یعنی بیشترین"),
        ("fa", "ساعت‌های سکوت ساعت‌هایی است"),
        ("en", "a cap: the most messages"),
    ],
)
def test_words_of_the_settings_are_explained(language, meaning):
    assert meaning in (GUIDES / f"{language}.html").read_text(encoding="utf-8")
