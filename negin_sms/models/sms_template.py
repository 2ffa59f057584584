"""The texts that staff keep."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class SmsTemplate(models.Model):
    """A text that staff keep, by name and language; see ``texts`` for ``{name}``.

    ``Message.template`` is another thing: the number of a text that the vendor keeps.
    """

    name = models.SlugField(
        _("name"),
        max_length=64,
        db_index=False,  # the constraint has one
        help_text=_("What the program calls it by; the same in every language."),
    )
    # No choices: these are a setting's, and would end up in the migration.
    language = models.CharField(_("language"), max_length=16)
    text = models.TextField(
        _("text"),
        help_text=_(
            "{name} stands for a value that is given when the message is sent; write "
            "{{ and }} for braces."
        ),
    )

    class Meta:
        verbose_name = _("text template")
        verbose_name_plural = _("text templates")
        constraints = [
            models.UniqueConstraint(
                fields=["name", "language"], name="negin_sms_template_variant"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"
