"""Texts that staff keep: written here, read by ``template_name`` and when composing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils.text import Truncator, capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from negin_sms import conf, texts
from negin_sms.characters import listed
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import SmsTemplate
from negin_sms.segments import UNICODE, measure
from negin_sms.services.submission.text_length import refuse_parts

from .compose_fields import language_name
from .datetime_columns import HistoryMoments
from .displays import ltr
from .lookups import ListedLookups
from .pages import speak_persian
from .widgets import CountedTextarea

_SHOWN = 60
_MEASURED = 10_000  # characters; this page lets nothing through that is as long


class SmsTemplateForm(forms.ModelForm):
    """A text with placeholders that can be filled."""

    language = forms.ChoiceField(label=capfirst(_("language")))

    class Meta:
        model = SmsTemplate
        fields = ["name", "language", "text"]
        widgets = {
            "name": forms.TextInput(attrs={"dir": "ltr"}),
            "text": CountedTextarea(attrs={"dir": "auto", "rows": 5}),
        }
        help_texts = {
            "name": _(
                "What the program calls it by, the same in every language: Latin "
                "letters, digits, - and _, such as reminder."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = self.fields.get("language")
        if isinstance(language, forms.ChoiceField):
            language.choices = self._languages()
            language.initial = self._initial(language.choices)

    def _initial(self, choices: Iterable[Any]) -> str:
        """Return the page's language; "en" where the settings have no "en-us"."""
        codes, code = {code for code, _name in choices}, get_language() or ""
        return code if code in codes else code.partition("-")[0]

    def clean_text(self) -> str:
        """Return the text as it was typed; refuse what no account could send."""
        text: str = self.cleaned_data["text"].replace("\r\n", "\n")
        try:
            template = texts.parse(text)
            parts = measure("".join(template.literals)).parts
            refuse_parts(parts, max(conf.get_accounts(), key=attrgetter("max_parts")))
        except InvalidMessage as error:
            raise ValidationError(str(error.reason)) from None
        return text

    def _languages(self) -> list[tuple[str, str]]:
        choices = [(code, language_name(code)) for code, _name in settings.LANGUAGES]
        own = self.instance.language
        # Nobody changes a language by saving, if the settings have lost it.
        gone = own and own not in dict(choices)
        return [(own, own), *choices] if gone else choices


class LanguageFilter(admin.AllValuesFieldListFilter):
    """The languages there are texts in, by their names."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Yield Django's links with a name for each code."""
        for choice in super().choices(changelist):
            yield {**choice, "display": language_name(str(choice["display"]))}


class SmsTemplateAdminMixin(ListedLookups, HistoryMoments):
    """The texts, how long they are, and what has to be given for them.

    For any ``ModelAdmin``, as MessageAdminMixin is.
    """

    form = SmsTemplateForm
    list_display = ["name", "in_language", "beginning", "placeholders", "parts"]
    list_filter = [("language", LanguageFilter)]
    search_fields = ["name", "text"]
    ordering = ["name", "language"]
    fields = ["name", "language", "text", "placeholders", "parts"]
    readonly_fields = ["placeholders", "parts"]

    class Media:
        css = {"all": ["negin_sms/admin.css"]}
        js = ["negin_sms/ticked.js"]

    def get_urls(self) -> list[Any]:
        """Let every page speak in the digits of its language."""
        return speak_persian(super().get_urls())

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Leave out what only a saved text has."""
        fields = super().get_fields(request, obj)
        if obj is not None:
            return fields
        return [name for name in fields if name not in self.readonly_fields]

    @admin.display(description=_("language"), ordering="language")
    def in_language(self, template: SmsTemplate) -> str:
        """Return the language's name."""
        return language_name(template.language)

    @admin.display(description=_("text"))
    def beginning(self, template: SmsTemplate) -> str:
        """Return the first words."""
        return Truncator(template.text).chars(_SHOWN)

    @admin.display(description=_("placeholders"))
    def placeholders(self, template: SmsTemplate) -> str:
        """Return the names that need a value."""
        try:
            return listed(f"{{{name}}}" for name in texts.names(template.text))
        except InvalidMessage as error:  # saved by other means than this page
            return str(error.reason)

    @admin.display(description=_("parts"))
    def parts(self, template: SmsTemplate) -> str:
        """Return the parts of the text as it stands, its placeholders not filled."""
        if len(template.text) > _MEASURED:  # saved by other means than this page
            return ltr("…")
        length = measure(template.text)
        alphabet = _("Persian (Unicode)") if length.encoding == UNICODE else _("Latin")
        return f"{length.parts} ({alphabet})"


@admin.register(SmsTemplate)
class SmsTemplateAdmin(SmsTemplateAdminMixin, admin.ModelAdmin):
    """Text templates in Django's own admin."""
