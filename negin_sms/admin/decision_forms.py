"""What a person decides on the page between a button and what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.characters import latin_digits
from negin_sms.choices import Scenario, Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.services.operations.decisions import (
    refuse_id_of_another,
    refuse_unfit_decision,
)
from negin_sms.services.operations.resending import refuse_unfit_way

from .way_fields import LTR, line_field, template_field
from .widgets import ScenarioSelect

_AS_BEFORE = _("Empty: as before; for another scenario the account's own.")


class DecisionForm(forms.Form):
    """A form about the messages that were chosen; cleaned, it is what is decided."""

    def __init__(self, *args: Any, chosen: Sequence[Message], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chosen = chosen


class ResendForm(DecisionForm):
    """By which way messages are sent again; cleaned, the keywords of ``resend``."""

    scenario = forms.ChoiceField(
        label=capfirst(_("scenario")),
        required=False,
        choices=[("", _("As before")), *Scenario.choices],
        widget=ScenarioSelect,
        help_text=_(
            "Whom it does not reach is told on this page for “As before” only; by "
            "another way, once it is queued."
        ),
    )
    line = line_field(_("line"), when_empty=_AS_BEFORE)
    line2 = line_field(_("second line"), when_empty=_AS_BEFORE)
    template = template_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        before = {message.scenario for message in self.chosen}
        self.fields["scenario"].widget.before = before & set(Scenario.values)

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Refuse a way that one of the messages cannot go, at its field."""
        given = super().clean() or self.cleaned_data
        way = {
            name: None if value in ("", None) else value
            for name, value in given.items()
        }
        if not self.errors:
            try:
                refuse_unfit_way(self.chosen, way)
            except InvalidMessage as error:
                self.add_error(error.field, str(error.reason))
        return way


class ResolveForm(DecisionForm):
    """What a person found out about uncertain messages."""

    status = forms.ChoiceField(
        label=capfirst(_("it was")),
        choices=[
            (Status.ACCEPTED, _("Accepted: the gateway has it")),
            (Status.REJECTED, _("Rejected: the gateway does not have it")),
        ],
        widget=forms.RadioSelect,
    )
    why = forms.CharField(
        label=capfirst(_("reason")),
        max_length=300,
        widget=widgets.AdminTextInputWidget,
        help_text=_(
            "How you know. It is kept with the message and in the history, where others "
            "read it: write no number."
        ),
    )
    gateway_id = forms.CharField(
        label=capfirst(_("gateway id")),
        required=False,
        max_length=32,
        widget=widgets.AdminTextInputWidget(attrs=LTR),
        help_text=_("From the panel; the message's delivery is followed then."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(self.chosen) > 1:
            del self.fields["gateway_id"]  # each message has its own

    def clean_gateway_id(self) -> str:
        """Return the id in the digits that the gateway uses."""
        return latin_digits(self.cleaned_data["gateway_id"])

    def clean(self) -> dict[str, Any]:
        """Refuse what the service would refuse."""
        decision = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                gateway_id = decision.get("gateway_id", "")
                refuse_unfit_decision(decision["status"], decision["why"], gateway_id)
                if gateway_id:
                    refuse_id_of_another(self.chosen[0], gateway_id)
            except InvalidMessage as error:
                self.add_error(error.field, str(error.reason))
        return decision
