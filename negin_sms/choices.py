"""The closed vocabularies: one word per idea, the same in code, admin and logs."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Scenario(models.TextChoices):
    """The vendor's five ways to send. Source: both guides, scenarios 1 to 5."""

    SINGLE = "single", _("Single message")
    SERVICE_LINE = "service_line", _("Negin's service line")
    SECOND_LINE = "second_line", _("Line, then a second line")
    CHELCHELEH = "chelcheleh", _("Line, then Chelcheleh")
    SERVICE_FALLBACK = "service_fallback", _("Line, then the service line")


class Status(models.TextChoices):
    """Where a message stands with us."""

    DRAFT = "draft", _("Draft")
    QUEUED = "queued", _("Queued")
    HELD = "held", _("Held")
    SENDING = "sending", pgettext_lazy("status", "Sending")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")
    UNCERTAIN = "uncertain", _("Uncertain")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")


class State(models.IntegerChoices):
    """What the gateway last said of a message's delivery.

    Kannel's delivery-report mask. Codes outside this list occur, are kept as
    they came and shown with their number. Source: the guides' last page; 16 is
    read as 18 in the scan, 0 has lost its number there.
    """

    NOT_SENT = -1, _("Not sent to the operator")
    UNKNOWN = 0, pgettext_lazy("delivery state", "Unknown")
    DELIVERED = 1, _("Delivered")
    UNDELIVERED = 2, _("Not delivered")
    AT_OPERATOR = 8, _("At the operator")
    REFUSED = 16, _("Refused by the operator")


FINAL_STATES = frozenset({1, 2, 16})  # with which polling ends
_RANKS = {8: 1, 2: 2, 16: 2, 1: 3}


def state_rank(code: int | None) -> int:
    """Return how much a state code tells; only a step up changes a message.

    None < (-1, 0, codes nobody knows) < 8 < (2, 16) < 1.
    """
    return -1 if code is None else _RANKS.get(code, 0)


def state_label(code: int | None) -> str:
    """Return the words for a state code, whatever the code."""
    if code is None:
        return ""
    if code in State.values:
        return str(State(code).label)
    return str(_("Unknown code %(code)s") % {"code": code})


class Priority(models.IntegerChoices):
    """The queue's order, ascending."""

    URGENT = 0, _("Urgent")
    HIGH = 10, _("High")
    NORMAL = 20, _("Normal")
    LOW = 30, _("Low")


class Flag(models.TextChoices):
    """What an operator should look at, beside the status."""

    SHARED_ID = "shared_id", _("Another message has the same gateway id")
    OTHER_MOBILE = "other_mobile", _("The gateway named another number")
    REGRESSION = "regression", _("The gateway took a final state back")
    UNKNOWN_CODE = "unknown_code", _("The gateway used a code nobody knows")
    LATE_ANSWER = (
        "late_answer",
        _("The gateway accepted it, against what a person decided"),
    )
    SENT_TWICE = "sent_twice", _("The gateway accepted it twice")


class ReportSource(models.TextChoices):
    """How a delivery report reached us."""

    POLL = "poll", _("Poll")
    REFRESH = "refresh", _("Refresh")
