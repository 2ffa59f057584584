"""Persian digits: exchanged in words, left where somebody copies or posts them."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from negin_sms.digits import in_persian_digits


@pytest.fixture(autouse=True)
def _persian(settings):
    settings.NEGIN_SMS_PERSIAN_DIGITS = True
    with override("fa"):
        yield


@pytest.mark.parametrize(
    ("html", "spoken"),
    [
        ("<p>192 پیامک</p>", "<p>۱۹۲ پیامک</p>"),
        ("<td>80.3%</td>", "<td>۸۰٫۳٪</td>"),
        ("2,860 پارت، 1,234,567 پیامک", "۲٬۸۶۰ پارت، ۱٬۲۳۴٬۵۶۷ پیامک"),
        ("پیامک‌های 26, 27, 2801", "پیامک‌های ۲۶, ۲۷, ۲۸۰۱"),
        ("5 آذر 1405، ساعت 10:30", "۵ آذر ۱۴۰۵، ساعت ۱۰:۳۰"),
        ("اعتبار 3 (error 27) 4", "اعتبار ۳ (error 27) ۴"),
        ("نشد. (X، پس از 1.5 ثانیه)", "نشد. (X، پس از ۱٫۵ ثانیه)"),
        ("(2026) (3 بار)", "(۲۰۲۶) (۳ بار)"),
        ("<h2>1</h2><b>2</b>", "<h2>۱</h2><b>۲</b>"),
        ('<input type="submit" value="ارسال 3 پیامک">', '<input type="submit" value="ارسال ۳ پیامک">'),
        ("<option value='5'>5 روز</option>", "<option value='5'>۵ روز</option>"),
        ('<code>a 1</code> 2', '<code>a 1</code> ۲'),
        ('<html dir="rtl"><p>1</p></html>', '<html dir="rtl"><p>۱</p></html>'),
    ],
)  # fmt: skip
def test_words_are_spoken(html, spoken):
    assert in_persian_digits(html) == spoken


@pytest.mark.parametrize(
    "html",
    [
        '<span class="n" dir="ltr">0939•••3300</span>',
        '<div dir="auto">کد 1234 <b>5</b> <div>6</div> 7</div>',
        "<bdi>group 7</bdi>",
        "<textarea name='x'>5</textarea>",
        '<script>var a = 1 < 2 && 3 > 2;</script>',
        '<style>p { margin: 1px }</style>',
        '<input name="a" value="12"><input type="submit" name="b" value="12">',
        '<a href="/1/" data-x="2">باز</a>',
        "&#x27; &#39; &amp;1;"[:12],
        "sale-7 v2.1 2026-11-26 (2026-11-26) a1",
        "از 127.0.0.1، شناسهٔ 1795776882328017",
        "<!-- 1 -->",
        """<div x-bind:class="{'a': items.length > 0 && 2 > 1}" y='>3'>باز</div>""",
        "\u20662026-12-01 10:30\u2069 \u206617952187804323\u2069",
    ],
)  # fmt: skip
def test_what_is_copied_or_posted_stays(html):
    assert in_persian_digits(html) == html


def test_element_of_its_own_direction_ends_where_it_ends():
    html = '<p dir="ltr">1<span>2</span><p>3</p></p>4'
    assert in_persian_digits(html) == html.replace("4", "۴")


def test_other_languages_and_projects_keep_latin_digits(settings):
    with override("en"):
        assert in_persian_digits("<p>192</p>") == "<p>192</p>"
    settings.NEGIN_SMS_PERSIAN_DIGITS = False
    assert in_persian_digits("<p>192</p>") == "<p>192</p>"
