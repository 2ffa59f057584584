"""What is shown of a row, as text and badges.

Gateway answers, texts and groups are hostile: format_html only. Numbers and ids
are set left to right, texts by their own direction, so that neither turns what
stands beside them around.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from negin_sms import conf
from negin_sms.choices import State, state_label
from negin_sms.dates import moment_words
from negin_sms.digits import spoken
from negin_sms.exceptions import InvalidConfiguration
from negin_sms.gateway.codes import code_meaning
from negin_sms.models import DeliveryState, Message
from negin_sms.services.operations.resending import left_early

from .datetime_columns import MessageMoments, ReportMoments
from .pages import PagesMixin
from .waiting import is_timeless_draft, lifetime_words, reasons_to_wait

_FIRST_WORDS = 40  # characters, in lists
HIDDEN_TEXT = "•••"
_OFFERED = "_negin_sms_offered"


def user_name(key: Any) -> str:
    """Return a user's name by their key: the row may lie in another database."""
    user = get_user_model()._default_manager.filter(pk=key).first()
    return str(user) if user else str(_("User %(key)s, now deleted") % {"key": key})


def badge(kind: str, word: str, label: object) -> SafeString:
    """Return a label that the style sheet colours by ``kind`` and ``word``."""
    return format_html(
        '<span class="negin-sms-badge negin-sms-{}-{}">{}</span>', kind, word, label
    )


def ltr(value: object) -> SafeString:
    """Return a number or an id that keeps its direction in right-to-left pages."""
    return format_html('<span class="negin-sms-number" dir="ltr">{}</span>', value)


def lines_of(message: Message) -> tuple[str, str]:
    """Return the lines of a message: the account's own, as now, where none is named."""
    try:
        account = conf.get_account(message.account)
    except InvalidConfiguration:
        account = conf.Account(alias=message.account)
    return (
        message.line or account.line * message.default_line,
        message.line2 or account.line2 * message.default_line2,
    )


def status_badge(message: Message) -> SafeString:
    """Return where a message stands with us."""
    return badge("status", message.status, message.get_status_display())


def state_badge(message: Message) -> SafeString | None:
    """Return what the gateway last said of a message, None before that."""
    if message.has_no_report:
        return badge("state", "no_report", message.state_words)
    if message.state is None:
        return None
    return badge("state", _state_word(message.state), message.state_words)


def message_text(message: Message) -> SafeString:
    """Return the text of a message, for those who may see it."""
    if message.redacted_at is not None:
        return hidden_text(message)
    return format_html('<div class="negin-sms-text" dir="auto">{}</div>', message.text)


def hidden_text(message: Message) -> SafeString:
    """Return what stands in the place of a text that is not to be seen."""
    if message.redacted_at is None:
        return format_html("{}", HIDDEN_TEXT)
    words = {"moment": moment_words(message.redacted_at)}
    return format_html("{}", _("Redacted on %(moment)s") % words)


def gateway_answer(message: Message) -> SafeString:
    """Return the gateway's code with its meaning, and the stored detail."""
    lines, detail = [], message.detail
    if message.code is not None:
        words = str(code_meaning(message.code) or _("accepted"))
        lines.append((format_html("{} {}", ltr(spoken(message.code)), words),))
        detail = detail.removeprefix(words).strip()  # said already
    if detail:
        lines.append((format_html('<bdi dir="auto">{}</bdi>', spoken(detail)),))
    return format_html_join("", "<div>{}</div>", lines)


def duration(seconds: float | None) -> str:
    """Return how long something took, "" where nobody knows."""
    if seconds is None:
        return ""
    return str(_("%(seconds)s s") % {"seconds": f"{seconds:.1f}"})


def offer(message: Message, buttons: list[dict[str, Any]]) -> None:
    """Keep, for one request, the actions that its user is offered on a message."""
    setattr(message, _OFFERED, buttons)


class MessageDisplays(MessageMoments, PagesMixin):
    """The columns and read-only fields of messages."""

    @admin.display(description=_("id"), ordering="id")
    def number(self, message: Message) -> int:
        """Return our own number of the message, under a heading of our own."""
        return message.pk

    @admin.display(description=_("mobile"))
    def masked_mobile(self, message: Message) -> SafeString:
        """Return the number as everybody may see it."""
        return ltr(message.masked_mobile)

    @admin.display(description=_("text"))
    def text_preview(self, message: Message) -> str:
        """Return the first words, for lists of those who may see texts."""
        if message.sensitive or message.redacted_at is not None:
            return self._nothing
        words = Truncator(message.text).chars(_FIRST_WORDS)
        return format_html('<bdi dir="auto">{}</bdi>', words)

    @admin.display(description=_("mobile"))
    def full_mobile(self, message: Message) -> SafeString:
        """Return the whole number."""
        return ltr(message.mobile)

    @admin.display(description=_("created by"))
    def author(self, message: Message) -> str:
        """Return who wrote the message, where that is known."""
        key = message.created_by_id
        return self._nothing if key is None else user_name(key)

    @admin.display(description=_("text"))
    def shown_text(self, message: Message) -> SafeString:
        """Return the text."""
        return message_text(message)

    @admin.display(description=_("text"))
    def hidden_text(self, message: Message) -> SafeString:
        """Return that the text is hidden."""
        return hidden_text(message)

    @admin.display(description=_("sensitive"), boolean=True)
    def is_sensitive(self, message: Message) -> bool:
        """Return whether the text is one to be redacted."""
        return message.sensitive

    @admin.display(description=_("actions"))
    def action_links(self, message: Message) -> str:
        """Return links to the pages of what can be done with this message."""
        buttons = getattr(message, _OFFERED, [])
        links = ((button["page_url"], button["label"]) for button in buttons)
        html = format_html_join(" · ", '<a href="{}">{}…</a>', links)
        return html or self._nothing

    @admin.display(description=_("status"), ordering="status")
    def status_badge(self, message: Message) -> SafeString:
        """Return the status as a badge."""
        return status_badge(message)

    @admin.display(description=_("due at"), ordering="due_at")
    def shown_due_at(self, message: Message) -> str:
        """Return when the message may leave."""
        if message.is_held:
            return str(_("when somebody releases it"))
        if is_timeless_draft(message):
            return str(_("when somebody confirms it"))
        if left_early(message):
            return self._nothing
        return str(super().shown_due_at(message))

    @admin.display(description=_("expires at"), ordering="expires_at")
    def shown_expires_at(self, message: Message) -> str:
        """Return when the message is given up; of some drafts, how long after that."""
        if is_timeless_draft(message):
            after = lifetime_words(message.expires_at - message.begins_at)
            return str(_("%(time)s after that")) % {"time": after}
        if left_early(message):
            return self._nothing
        return str(super().shown_expires_at(message))

    @admin.display(description=_("delivery state"), ordering="state")
    def state_badge(self, message: Message) -> str:
        """Return the delivery state as a badge."""
        return state_badge(message) or self._nothing

    @admin.display(description=_("gateway id"))
    def gateway_number(self, message: Message) -> str:
        """Return the gateway's id."""
        return ltr(message.gateway_id) if message.gateway_id else self._nothing

    @admin.display(description=_("lines"))
    def wished_lines(self, message: Message) -> str:
        """Return the lines and the template that the scenario uses."""
        lines = [(ltr(line),) for line in lines_of(message) if line]
        if message.template is not None:
            text = _("template %(number)s") % {"number": message.template}
            lines.append((format_html("{}", text),))
        return format_html_join(" · ", "{}", lines) if lines else self._nothing

    @admin.display(description=_("line used"))
    def sent_line(self, message: Message) -> str:
        """Return the line that the gateway sent from."""
        return ltr(message.used_line) if message.used_line else self._nothing

    @admin.display(description=_("answer"))
    def answer(self, message: Message) -> str:
        """Return the gateway's code with its meaning, and the stored detail."""
        return gateway_answer(message) or self._nothing

    @admin.display(description=_("exchange took"))
    def exchange_time(self, message: Message) -> str:
        """Return how long the gateway was waited for."""
        taken = duration(message.exchange_seconds)
        return format_html("<bdi>{}</bdi>", spoken(taken)) if taken else self._nothing

    @admin.display(description=_("why it waits"))
    def why_it_waits(self, message: Message) -> SafeString:
        """Return what keeps a queued or held message from leaving."""
        return reasons_to_wait(message)

    @admin.display(description=pgettext_lazy("of messages", "group"))
    def group_link(self, message: Message) -> str:
        """Return the group, as a link to how far it has come."""
        if not message.group:
            return self._nothing
        url = self.batch_url(message.group)
        return format_html('<a href="{}"><bdi>{}</bdi></a>', url, message.group)

    @admin.display(description=_("flag"))
    def flag_words(self, message: Message) -> str:
        """Return what an operator should look at."""
        if not message.flag:
            return self._nothing
        return badge("flag", message.flag, message.get_flag_display())

    @admin.display(description=_("resend of"))
    def original_link(self, message: Message) -> str:
        """Return a link to the message that this one repeats."""
        return self._link(message.resend_of)

    @admin.display(description=_("sent again as"))
    def resend_link(self, message: Message) -> str:
        """Return a link to the message that repeats this one."""
        return self._link(Message.objects.filter(resend_of=message).first())

    @property
    def _nothing(self) -> str:
        # Read-only fields show None as it is.
        return str(self.get_empty_value_display())

    def _link(self, row: Model | None) -> str:
        if row is None:
            return self._nothing
        url = self.page_url("change", row.pk)
        return format_html('<a href="{}">{}</a>', url, row)


class ReportDisplays(ReportMoments):
    """The columns of the delivery history."""

    @admin.display(description=_("delivery state"))
    def code_badge(self, report: DeliveryState) -> SafeString:
        """Return the reported state, and its code."""
        state = badge("state", _state_word(report.code), state_label(report.code))
        if report.code not in State.values:  # its label has the code
            return state
        return format_html("{} {}", state, ltr(spoken(report.code)))


def _state_word(code: int) -> str:
    return State(code).name.lower() if code in State.values else "other"
