"""Texts that staff keep (SmsTemplate), chosen by name and language, and filled.

The language is the one asked for, else the active one, else LANGUAGE_CODE, else any
that there is: a message in another language is better than none. ``fa-ir`` finds
``fa`` too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.characters import listed
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import SmsTemplate
from negin_sms.texts import fill, names

_LISTED = 20
_KEYWORDS = ("template_name", "context", "language")


class Templates:
    """The templates that one call asks for, each read once."""

    def __init__(self, using: str) -> None:
        self._rows = SmsTemplate.objects.using(using)
        self._read: dict[str, dict[str, str]] = {}

    @sensitive_variables()
    def render(self, text: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keywords for ``compose``, with ``text`` filled from a template.

        Raise InvalidMessage where both or half of it is given ("template_name",
        "context"), or a placeholder has no value ("context").
        """
        options = {**fields, "text": text}
        asked = {name: options.pop(name, None) for name in _KEYWORDS}
        if asked["template_name"]:
            if text:
                reason = _("Give a text or the name of a template, not both.")
                raise InvalidMessage("template_name", reason)
            options["text"] = self._fill(**asked)
            return options
        for name in ("context", "language"):
            if asked[name]:
                reason = _("This is for a template; give template_name too.")
                raise InvalidMessage(name, reason)
        return options

    @sensitive_variables()
    def _fill(
        self,
        template_name: str,
        context: Mapping[str, object] | None,
        language: str | None,
    ) -> str:
        template = _choose(self._variants(template_name), language)
        # What is wrong with the template is not the caller's values' fault.
        field = "template_name"
        try:
            names(template)
            field = "context"
            return fill(template, context or {})
        except InvalidMessage as error:
            reason = _("Text template “%(name)s”: %(reason)s")
            words = {"name": template_name, "reason": error.reason}
            raise InvalidMessage(field, reason % words) from None

    def _variants(self, name: str) -> dict[str, str]:
        """Return the texts of a template by language."""
        if name not in self._read:
            rows = self._rows.filter(name=name).values_list("name", "language", "text")
            # Some databases find another letter case too.
            self._read[name] = {
                _plain(language): text for own, language, text in rows if own == name
            }
        if not self._read[name]:
            reason = _("There is no text template “%(name)s”; there are: %(known)s.")
            raise InvalidMessage("template_name", reason % self._known(name))
        return self._read[name]

    def _known(self, name: str) -> dict[str, str]:
        known = self._rows.order_by("name").values_list("name", flat=True).distinct()
        found = list(known[: _LISTED + 1])
        if len(found) > _LISTED:
            found[_LISTED] = "…"
        return {"name": name, "known": listed(found) or _("none")}


def _choose(variants: Mapping[str, str], language: str | None) -> str:
    for code in _wanted(language):
        if code in variants:
            return variants[code]
    return variants[min(variants)]


def _wanted(language: str | None) -> Iterator[str]:
    for code in (language, translation.get_language(), settings.LANGUAGE_CODE):
        if code:
            plain = _plain(code)
            yield plain
            yield plain.partition("-")[0]


def _plain(code: str) -> str:
    return code.lower().replace("_", "-")
