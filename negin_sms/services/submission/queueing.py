"""The outbox's way in: ``queue_sms`` and ``queue_many``."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from negin_sms.choices import Priority, Scenario
from negin_sms.conf import DEFAULT_ALIAS
from negin_sms.error_reports import private
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from negin_sms.querysets import database_now
from negin_sms.services.database import write_alias
from negin_sms.services.submission.arguments import User

from .compose import compose
from .idempotency import save_all_once, save_once
from .keywords import checks_keywords, refuse_unknown
from .text_templates import Templates
from .wakers import wake


@checks_keywords
@private
def queue_sms(
    mobile: object,
    text: str = "",
    *,
    template_name: str | None = None,
    context: Mapping[str, object] | None = None,
    language: str | None = None,
    scenario: str = Scenario.SINGLE,
    line: str | None = None,
    line2: str | None = None,
    template: int | str | None = None,
    account: str = DEFAULT_ALIAS,
    idempotency_key: str | None = None,
    expires_in: float | timedelta | None = None,
    expires_at: datetime | str | None = None,
    send_at: datetime | str | None = None,
    sensitive: bool = False,
    priority: int = Priority.NORMAL,
    footer: bool | None = None,
    source: str = "",
    group: str = "",
    created_by: User | None = None,
) -> Message:
    """Put one message in the outbox and return its row; nothing is sent here.

    It is part of the caller's transaction; what may pass, such as a cap, raises
    nothing. A ``template_name`` with its ``context`` and ``language`` is a text, too;
    ``template`` is a service-line text's number or its name in SERVICE_TEXTS. It is
    given up ``expires_in`` seconds after ``send_at``, or at ``expires_at``. The same
    ``idempotency_key`` returns the row that there is, unless that was cancelled or
    expired. Raise InvalidMessage or IdempotencyConflict.
    """
    options = dict(locals())
    using = write_alias()
    wanted = Templates(using).render(options.pop("text"), options)
    message = compose(wanted.pop("mobile"), now=database_now(using), **wanted)
    message, _is_new = save_once(message, using)
    wake(message.account, using)
    return message


@checks_keywords
@private
def queue_many(
    messages: Iterable[Mapping[str, Any]],
    *,
    text: str = "",
    template_name: str | None = None,
    language: str | None = None,
    scenario: str = Scenario.SINGLE,
    line: str | None = None,
    line2: str | None = None,
    template: int | str | None = None,
    account: str = DEFAULT_ALIAS,
    expires_in: float | timedelta | None = None,
    expires_at: datetime | str | None = None,
    send_at: datetime | str | None = None,
    sensitive: bool = False,
    priority: int = Priority.NORMAL,
    footer: bool | None = None,
    source: str = "",
    group: str = "",
    created_by: User | None = None,
) -> list[Message]:
    """Put many messages in the outbox, all or none; return their rows in order.

    Each mapping holds ``mobile``, ``text`` and any keyword of ``queue_sms``; those here
    are for all that do not say otherwise. Raise InvalidMessage or IdempotencyConflict,
    with the mapping's ``position``, before anything is saved. MySQL gives no keys back.
    """
    common = dict(locals())
    del common["messages"]
    using = write_alias()
    now, templates = database_now(using), Templates(using)
    composed = [
        _compose_at(position, common, own, now, templates)
        for position, own in enumerate(messages)
    ]
    rows, _new = save_all_once(composed, using)
    for alias in {row.account for row in rows}:
        wake(alias, using)
    return rows


@sensitive_variables()
def _compose_at(
    position: int,
    common: Mapping[str, Any],
    own: object,
    now: datetime,
    templates: Templates,
) -> Message:
    try:
        if not isinstance(own, Mapping):
            reason = _("Give a mapping of keywords, not a value of type %(type)s.")
            raise InvalidMessage("messages", reason % {"type": type(own).__name__})
        refuse_unknown(own, _KEYWORDS, "queue_many")
        wanted = {**common, **own}
        wanted = templates.render(wanted.pop("text", ""), wanted)
        return compose(wanted.pop("mobile", ""), now=now, **wanted)
    except InvalidMessage as error:
        error.position = position
        raise


_KEYWORDS = tuple(inspect.signature(queue_sms).parameters)
