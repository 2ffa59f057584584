"""The contract as values: forms to post, answers to read. No I/O, no models.

Strict in what it writes, tolerant in what it reads, and never an exception other
than ours whatever bytes come. Marks in comments: D documented in the vendor's
guides, F seen in the field, K Kannel's numbering.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from negin_sms.choices import Scenario
from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    InvalidMessage,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from negin_sms.phones import normalize_mobile

from .cleaning import as_text, clean
from .codes import LARGEST_SUSPECT_ID, SUCCESS, Verdict, code_meaning, find_code
from .readers import (
    INT_BOUND,
    gateway_id_of,
    integer,
    items,
    load_object,
    short_text,
    western,
)

Form = dict[str, str]

_MOBILE = re.compile(r"\+?(989[0-9]{9})")
_ERRORS_INSIDE = frozenset({0, 15})  # nothing to do with the ids asked for
_STATE_FIXES = {18: 16}  # D prints 18, a misreading of ۱۶; K and F say 16


@dataclass(frozen=True, slots=True)
class Use:
    """Which fields a scenario sends: required, optional, and its ``type``."""

    requires: frozenset[str]
    allows: frozenset[str] = frozenset()
    type: str | None = None


_USES: dict[str, Use] = {
    Scenario.SINGLE: Use(frozenset({"line"})),
    # The template of scenario 2 is inferred from the guide's sentence on 5.
    Scenario.SERVICE_LINE: Use(frozenset(), frozenset({"template"}), "2"),
    Scenario.SECOND_LINE: Use(frozenset({"line", "line2"})),
    Scenario.CHELCHELEH: Use(frozenset({"line"}), type="1"),
    Scenario.SERVICE_FALLBACK: Use(frozenset({"line"}), frozenset({"template"}), "2"),
}
_WORDS = {"line": _("line"), "line2": _("second line"), "template": _("template")}
_OF_SETTINGS = ("line", "line2")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """One message on its way out. ``mobile`` is E.164, ``template`` may be 0."""

    mobile: str = field(repr=False)
    text: str = field(repr=False)
    scenario: str = Scenario.SINGLE
    line: str = ""
    line2: str = ""
    template: int | None = None


@dataclass(frozen=True, slots=True)
class SendReply:
    """An accepted message: the gateway's id, the line it used, who it is for."""

    gateway_id: str
    used_line: str
    mobile: str = field(repr=False)
    code: int
    msg: str


def uses(scenario: str) -> Use:
    """Return which fields a scenario sends. Source: D, scenarios 1 to 5."""
    try:
        return _USES[scenario]
    except (KeyError, TypeError):  # a list is no key
        known = ", ".join(Scenario.values)
        reason = _("Unknown scenario; choose one of: %(known)s.") % {"known": known}
        raise InvalidMessage("scenario", reason) from None


def check_fields(
    scenario: str, *, line: str = "", line2: str = "", template: int | None = None
) -> None:
    """Refuse a scenario that is half-filled or over-filled.

    Raise InvalidMessage naming the first field that is missing or too much.
    """
    use = uses(scenario)
    given = (bool(line), bool(line2), template is not None)
    for (name, word), present in zip(_WORDS.items(), given, strict=True):
        if name in use.requires and not present:
            reason = _("The scenario “%(scenario)s” needs a %(field)s; give one.")
            if name in _OF_SETTINGS:
                reason = _(
                    "The scenario “%(scenario)s” needs a %(field)s; give one, or write "
                    "%(key)s into the account's settings."
                )
        elif present and name not in use.requires and name not in use.allows:
            reason = _("The scenario “%(scenario)s” has no %(field)s; leave it out.")
        else:
            continue
        label = Scenario(scenario).label
        words = {"scenario": label, "field": word, "key": name.upper()}
        raise InvalidMessage(name, reason % words)
    if line and line == line2:
        raise InvalidMessage("line2", _("The second line must be another line."))
    if template is not None and not 0 <= template < INT_BOUND:
        raise InvalidMessage("template", _("The template is a number from 0."))


def encode_send(request: SendRequest) -> Form:
    """Return the form of a send, without the credentials; absent means absent.

    Raise InvalidMessage when the scenario's fields do not fit, or when the mobile
    is not one Iranian number: a comma here would send to many. Source: D.
    """
    check_fields(
        request.scenario,
        line=request.line,
        line2=request.line2,
        template=request.template,
    )
    mobile = _MOBILE.fullmatch(request.mobile)
    if mobile is None:
        raise InvalidMessage("mobile", _("This is not a mobile number."))
    # The form with 98 and no plus is inferred from the answer's echo (D).
    form = {"mobile": mobile[1], "message": request.text}
    if request.line:
        form["line"] = request.line
    if request.line2:
        form["line2"] = request.line2
    service = uses(request.scenario).type
    if service is not None:
        form["type"] = service
    if request.template is not None:
        form["template"] = str(request.template)
    return form


def encode_states(ids: Sequence[str]) -> Form:
    """Return the form of a states request: the ids joined by ASCII commas (D)."""
    return {"message_ids": ",".join(ids)}


def decode_send(body: bytes) -> SendReply:
    """Read the answer of a send.

    Raise Rejected, AccountPaused or Throttled for the gateway's refusals, and
    OutcomeUnknown for everything that is neither these nor surely accepted.
    Source: D for the shape, F for the codes.
    """
    answer = _decode_object(body)
    status, msg, data = _head(answer)
    if status is None or status > SUCCESS:
        raise refusal(status, msg)
    # F: older integrations take every negative status for accepted, so an id
    # settles it; without one nobody knows.
    gateway_id = gateway_id_of(data.get("message_id"))
    if not gateway_id:
        raise _unsure(_("Accepted without a usable message id."), status, msg)
    if int(gateway_id) <= LARGEST_SUSPECT_ID:
        meaning = code_meaning(int(gateway_id))
        reason = _("The message id %(id)s looks like an error code: %(meaning)s")
        raise _unsure(reason % {"id": gateway_id, "meaning": meaning}, status, msg)
    return SendReply(
        gateway_id=gateway_id,
        used_line=short_text(data.get("line")),
        mobile=short_text(data.get("mobile")),
        code=status,
        msg=msg,
    )


def decode_states(body: bytes) -> dict[str, int]:
    """Read the answer of the states call.

    Keys are gateway ids as text, values state codes as they came (18 read as 16).
    Absent: ids the gateway left out, gave no readable state, or gave two states
    that disagree. Raise AccountPaused or Throttled for such codes; Rejected for any
    other code and for lists of different length (fewer ids may do); OutcomeUnknown
    for an error inside the gateway and for an unreadable body.
    Source: built from the sentence in D; its sample is empty in the scan.
    """
    answer = _decode_object(body)
    status, msg, data = _head(answer)
    if status != SUCCESS:
        raise _states_refusal(status, msg)
    ids, states = items(data.get("msgids")), items(data.get("states"))
    if ids is None or states is None or len(ids) != len(states):
        # Zipping them would give a message another one's state.
        reason = _("The answer's ids and states do not match.")
        raise Rejected(reason, detail=msg, effect=Effect.SUCCESS)
    return _pair(ids, states)


def is_same_number(echoed: str, asked: str) -> bool:
    """Return whether an answer is about the number asked for, as far as it says."""
    asked = asked.removeprefix("+")
    if echoed in ("", asked):
        return True
    try:
        return normalize_mobile(echoed) == f"+{asked}"
    except InvalidMessage:
        return False


def refusal(status: int | None, msg: str = "") -> GatewayError:
    """Return the error that a status code other than success stands for."""
    if status is None:
        return _unsure(_("The gateway's answer has no readable status."), None, msg)
    known = find_code(status)
    meaning = code_meaning(status)
    if known is None or known.verdict is Verdict.UNSURE:
        return _unsure(meaning, status, msg)
    if known.verdict is Verdict.ACCOUNT:
        return AccountPaused(meaning, code=status, detail=msg, effect=Effect.PAUSES)
    if known.verdict is Verdict.PATIENCE:
        return Throttled(meaning, code=status, detail=msg, effect=Effect.THROTTLES)
    return Rejected(meaning, code=status, detail=msg, effect=Effect.SUCCESS)


def _states_refusal(status: int | None, msg: str) -> GatewayError:
    error = refusal(status, msg)
    inside = status in _ERRORS_INSIDE or status is None
    if isinstance(error, OutcomeUnknown) and not inside:
        # A read leaves nothing uncertain: the code (24, or one nobody knows) is
        # about the ids that were asked for.
        return Rejected(error.reason, code=status, detail=msg, effect=Effect.SUCCESS)
    return error


def _unsure(reason: object, status: int | None, msg: str) -> OutcomeUnknown:
    return OutcomeUnknown(reason, code=status, detail=msg, effect=Effect.FAILURE)


def _decode_object(body: bytes) -> dict[str, Any]:
    answer = load_object(body)
    if answer is None:
        raise OutcomeUnknown(
            _("The gateway's answer cannot be read."), detail=clean(as_text(body))
        )
    return answer


def _head(answer: dict[str, Any]) -> tuple[int | None, str, dict[str, Any]]:
    data, msg = answer.get("data"), answer.get("msg")
    return (
        integer(answer.get("status")),
        clean(msg) if isinstance(msg, str) else "",
        data if isinstance(data, dict) else {},
    )


def _pair(ids: Iterable[Any], states: Iterable[Any]) -> dict[str, int]:
    found: dict[str, int | None] = {}
    for raw_id, raw_state in zip(ids, states, strict=True):
        gateway_id, state = gateway_id_of(western(raw_id)), _state(western(raw_state))
        if not gateway_id or state is None:
            continue
        # Two states for one id that disagree are no information.
        agreed = found.setdefault(gateway_id, state) == state
        found[gateway_id] = state if agreed else None
    return {key: state for key, state in found.items() if state is not None}


def _state(value: Any) -> int | None:
    state = integer(value)
    return state if state is None else _STATE_FIXES.get(state, state)
