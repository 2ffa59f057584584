"""What a gateway echoes of our own request, however it spells it."""

from __future__ import annotations

import pytest

from negin_sms.gateway.redaction import redact


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no ali here", "no ••• here"),
        ("ALI", "•••"),
        # The text holds the username; blanking that first would show the rest.
        ("to ali: code 48213 ok", "to ••• ok"),
        ("to ali:<br />code 48213", "to •••"),
        ("s3cret&amp;word", "•••"),
        ("s3cret%26wo%72d", "•••"),
        ("s3cret%2526word", "•••"),
        ("s3cret\\u0026word", "•••"),
        ("it ends in s3cr", "it ends in •••"),
        ("it ends in s3cret&amp;wo", "it ends in •••"),
        ("it ends in s3cret%2", "it ends in •••"),
        ("۰۹۱۲۱۲۳۴۵۶۷", "۰•••"),
        ("C++ &amp; 100%", "C++ &amp; 100%"),
        ("", ""),
    ],
)
def test_of_what_was_echoed(said: str, kept: str):
    secrets = ("ali", "s3cret&word", "ali: code\r\n48213", "9121234567")
    assert redact(said, secrets) == kept


@pytest.mark.parametrize("secret", ["", "  ", "a", " a ", "ab"])
def test_leaves_text_readable_when_a_secret_is_too_short(secret: str):
    assert redact("a b ab", [secret]) == "a b ab"
