from __future__ import annotations

import itertools
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from negin_sms.exceptions import (
    AccountPaused,
    Effect,
    GatewayError,
    InvalidMessage,
    NotSent,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from negin_sms.gateway.wire import (
    SendReply,
    SendRequest,
    check_fields,
    decode_send,
    decode_states,
    encode_send,
    encode_states,
)

REPLIES = Path(__file__).parents[1] / "replies"
SENT = (REPLIES / "send_accepted.json").read_bytes()
STATES = (REPLIES / "states_answered.json").read_bytes()

MOBILE, LINE, LINE2 = "+989395213300", "9830003300", "9830003301"

# Status codes by what they mean for the message; the contract's table.
PAUSING = {12, 14, 16, 17, 18, 19, 22}
PATIENT = {23, 409}
FINAL = {1, 2, 3, 4, 6, 13, 20, 25, 27, *range(100, 111)}
UNSURE = {0, 15, 24}


def short(value: Any) -> str:
    """Name a parameter by its beginning and its length."""
    text = ascii(value)
    return text if len(text) < 20 else f"{text[:16]}~{len(text)}"


def send_answer(status: Any = -1, **data: Any) -> bytes:
    """Return an answer to a send as JSON; a status of None is left out."""
    answer = {"data": data, "status": status, "msg": "words"}
    return json.dumps(answer).encode()


def states_answer(ids: Any, states: Any) -> bytes:
    data = {"msgIds": ids, "states": states}
    return json.dumps({"data": data, "status": -1, "msg": "success"}).encode()


def raw_send(status: str, message_id: str = "3403") -> bytes:
    """Return an answer to a send from pieces of JSON."""
    data = f'{{"message_id": {message_id}}}'
    return f'{{"data": {data}, "status": {status}, "msg": "words"}}'.encode()


def refuse_send(body: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        decode_send(body)
    return caught.value


def refuse_states(body: bytes) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        decode_states(body)
    return caught.value


# Forms


def encode(scenario: str, **fields: Any) -> dict[str, str]:
    return encode_send(
        SendRequest(mobile=MOBILE, text="سلام", scenario=scenario, **fields)
    )


TO = {"mobile": "989395213300", "message": "سلام"}


@pytest.mark.parametrize(
    ("scenario", "fields", "form"),
    [
        ("single", {"line": LINE}, {"line": LINE}),
        ("service_line", {}, {"type": "2"}),
        ("service_line", {"template": 7}, {"type": "2", "template": "7"}),
        (
            "second_line",
            {"line": LINE, "line2": LINE2},
            {"line": LINE, "line2": LINE2},
        ),
        ("chelcheleh", {"line": LINE}, {"line": LINE, "type": "1"}),
        ("service_fallback", {"line": LINE}, {"line": LINE, "type": "2"}),
        (
            "service_fallback",
            {"line": LINE, "template": 12},
            {"line": LINE, "type": "2", "template": "12"},
        ),
    ],
)
def test_form_holds_the_fields_of_its_scenario_and_no_other(scenario, fields, form):
    assert encode(scenario, **fields) == TO | form


@pytest.mark.parametrize("scenario", ["service_line", "service_fallback"])
def test_template_zero_is_sent_and_none_is_left_out(scenario):
    line = LINE if scenario == "service_fallback" else ""
    assert encode(scenario, line=line, template=0)["template"] == "0"
    assert "template" not in encode(scenario, line=line, template=None)


# The contract's table: what each scenario makes of line, line2 and template.
YES, NO, MAYBE = "yes", "–", "optional"
SCENARIOS = {
    "single": (YES, NO, NO),
    "service_line": (NO, NO, MAYBE),
    "second_line": (YES, YES, NO),
    "chelcheleh": (YES, NO, NO),
    "service_fallback": (YES, NO, MAYBE),
}
PRESENT = list(itertools.product([True, False], repeat=3))


@pytest.mark.parametrize("present", PRESENT)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_is_refused_when_half_or_over_filled(scenario, present):
    fields: dict[str, Any] = {"line": LINE, "line2": LINE2, "template": 0}
    given = {
        n: fields[n] for n, is_there in zip(fields, present, strict=True) if is_there
    }
    unfit = [
        name
        for name, rule in zip(fields, SCENARIOS[scenario], strict=True)
        if (rule, name in given) in ((YES, False), (NO, True))
    ]
    if not unfit:
        assert TO.items() <= encode(scenario, **given).items()
        return
    with pytest.raises(InvalidMessage) as caught:
        encode(scenario, **given)
    assert caught.value.field == unfit[0]


def test_missing_field_is_told_with_its_scenario():
    with pytest.raises(InvalidMessage) as caught:
        check_fields("second_line", line=LINE)
    assert str(caught.value) == (
        "line2: The scenario “Line, then a second line” needs a second line; give one, "
        "or write LINE2 into the account's settings."
    )


def test_field_too_many_is_told_with_its_scenario():
    with pytest.raises(InvalidMessage) as caught:
        check_fields("service_line", line=LINE)
    assert str(caught.value) == (
        "line: The scenario “Negin's service line” has no line; leave it out."
    )


def test_second_line_must_be_another():
    with pytest.raises(InvalidMessage) as caught:
        check_fields("second_line", line=LINE, line2=LINE)
    assert str(caught.value) == "line2: The second line must be another line."


@pytest.mark.parametrize("template", [-1, 2**31])
def test_template_outside_its_range_is_refused(template):
    with pytest.raises(InvalidMessage) as caught:
        check_fields("service_line", template=template)
    assert str(caught.value) == "template: The template is a number from 0."


@pytest.mark.parametrize("scenario", ["", "SINGLE", "bulk", None, 1])
def test_unknown_scenario_is_refused_with_the_known_ones(scenario):
    with pytest.raises(InvalidMessage) as caught:
        check_fields(scenario, line=LINE)
    assert str(caught.value) == (
        "scenario: Unknown scenario; choose one of: single, service_line, "
        "second_line, chelcheleh, service_fallback."
    )


@pytest.mark.parametrize(
    "mobile",
    [
        "",
        "09395213300",
        "9395213300",
        "+982188776655",
        "+14155552671",
        "+989395213300,+989121112233",
        "+989395213300\n",
        "+98939521330",
        "+9893952133000",
        "+۹۸۹۳۹۵۲۱۳۳۰۰",
        "++989395213300",
    ],
)
def test_nothing_but_one_mobile_goes_on_the_wire(mobile):
    with pytest.raises(InvalidMessage) as caught:
        encode_send(SendRequest(mobile=mobile, text="x", line=LINE))
    assert caught.value.field == "mobile"


@pytest.mark.parametrize(
    "text", ["", " a ", "a\nb", "a&b=c", "سلام\u200cها", "😀", "+"]
)
def test_text_is_sent_as_it_is(text):
    request = SendRequest(mobile=MOBILE, text=text, line=LINE)
    assert encode_send(request)["message"] == text


def test_request_shows_neither_number_nor_text():
    shown = repr(SendRequest(mobile=MOBILE, text="canary", line=LINE))
    assert "canary" not in shown
    assert "9395213300" not in shown


def test_reply_does_not_show_the_number():
    assert "9395213300" not in repr(decode_send(SENT))


def test_ids_are_joined_by_ascii_commas_without_quotes():
    form = encode_states(["6062", "6063", "6064"])
    assert form == {"message_ids": "6062,6063,6064"}


# Answers to a send


def test_sample_of_the_guide_is_accepted():
    assert decode_send(SENT) == SendReply(
        gateway_id="3403",
        used_line="9830003300",
        mobile="989395213300",
        code=-1,
        msg="success",
    )


@pytest.mark.parametrize("spell", [str.upper, str.title, str.swapcase])
def test_keys_are_read_in_any_case(spell):
    text = re.sub(r'"(\w+)":', lambda m: f'"{spell(m[1])}":', SENT.decode())
    assert decode_send(text.encode()) == decode_send(SENT)


@pytest.mark.parametrize("status", ["-1", '"-1"', '"-01"'])
def test_success_is_read_as_number_and_as_text(status):
    assert decode_send(raw_send(status)).code == -1


@pytest.mark.parametrize(
    ("message_id", "gateway_id"),
    [
        ("3403", "3403"),
        ('"3403"', "3403"),
        ('"0003403"', "3403"),
        ('"+3403"', "3403"),
        ("1001", "1001"),
        ('"1001"', "1001"),
        (str(2**63), "9223372036854775808"),
        (f'"{2**63}"', "9223372036854775808"),
        ("9" * 32, "9" * 32),
        ('"' + "0" * 70 + '3403"', "3403"),
    ],
)
def test_id_is_kept_as_canonical_text(message_id, gateway_id):
    assert decode_send(raw_send("-1", message_id)).gateway_id == gateway_id


@pytest.mark.parametrize(
    "message_id",
    [
        *("null", "0", '"0"', '"000"', "-3403", '"-3403"', "3403.0", "3.403e3"),
        *("true", "false", '""', '" "', '"null"', '"abc"', '"3403abc"', '"34 03"'),
        *('"0x3403"', '"3_403"', '"3403,3404"', '"۳۴۰۳"', '"３４０３"', '"²³²³"'),
        *("[3403]", '{"id": 3403}', "NaN", "1e400", "-1e400", "Infinity"),
        *("9" * 33, '"' + "9" * 33 + '"', "9" * 4000, '"' + "9" * 5000 + '"'),
    ],
    ids=short,
)
def test_success_without_a_usable_id_is_uncertain(message_id):
    error = refuse_send(raw_send("-1", message_id))
    assert type(error) is OutcomeUnknown
    assert error.effect is Effect.FAILURE
    assert str(error) == "Accepted without a usable message id. (words)"


@pytest.mark.parametrize("data", ["null", "[]", '""', "3403", "[3403]", "{}", "true"])
def test_success_without_data_is_uncertain(data):
    error = refuse_send(f'{{"data": {data}, "status": -1, "msg": "success"}}'.encode())
    assert type(error) is OutcomeUnknown


@pytest.mark.parametrize("message_id", ["1", "5", "14", "409", "999", "1000", '"0014"'])
def test_id_that_may_be_an_error_code_is_uncertain(message_id):
    error = refuse_send(raw_send("-1", message_id))
    assert type(error) is OutcomeUnknown
    assert "looks like an error code" in str(error)


def test_suspect_id_is_told_with_the_meaning_of_the_code():
    assert str(refuse_send(send_answer(message_id=14))) == (
        "The message id 14 looks like an error code: "
        "The account has not enough credit. (words)"
    )


def test_other_negative_status_with_an_id_is_accepted():
    reply = decode_send(send_answer(status=-7, message_id=3403))
    assert (reply.gateway_id, reply.code, reply.msg) == ("3403", -7, "words")


@pytest.mark.parametrize("message_id", [None, 0, 14, 1000])
def test_other_negative_status_without_an_id_is_uncertain(message_id):
    error = refuse_send(send_answer(status=-7, message_id=message_id))
    assert (type(error), error.code) == (OutcomeUnknown, -7)


@pytest.mark.parametrize(
    "status",
    [
        *("true", "false", "null", "1.0", "-1.0", "-1e0", "NaN", "1e400", "-1e400"),
        *('"−1"', '"-۱"', '"-1.0"', '"--1"', '"- 1"', '"1-"', '""', '" "', '"-"'),
        *('"true"', '"success"', "[-1]", "{}", "-99999999999", '"-99999999999"'),
        str(-(2**31) - 1),
        str(2**31),
    ],
)
def test_status_that_is_no_integer_is_uncertain(status):
    error = refuse_send(raw_send(status))
    assert (type(error), error.code) == (OutcomeUnknown, None)
    assert str(error) == "The gateway's answer has no readable status. (words)"


def test_missing_status_is_uncertain():
    assert type(refuse_send(b'{"data": {"message_id": 3403}}')) is OutcomeUnknown


@pytest.mark.parametrize("code", sorted(PAUSING))
@pytest.mark.parametrize("spelling", ["{}", '"{}"'])
def test_refusal_of_the_account_pauses_it(code, spelling):
    error = refuse_send(raw_send(spelling.format(code)))
    assert type(error) is AccountPaused
    assert (error.code, error.effect, error.detail) == (code, Effect.PAUSES, "words")


@pytest.mark.parametrize("code", sorted(PATIENT))
def test_code_that_asks_for_patience_throttles(code):
    error = refuse_send(send_answer(code, message_id=3403))
    assert type(error) is Throttled
    assert (error.code, error.effect) == (code, Effect.THROTTLES)


@pytest.mark.parametrize("code", sorted(FINAL))
def test_refusal_of_the_message_is_final_and_says_the_gateway_works(code):
    error = refuse_send(send_answer(code, message_id=3403))
    assert type(error) is Rejected
    assert (error.code, error.effect) == (code, Effect.SUCCESS)


@pytest.mark.parametrize("code", sorted(UNSURE))
def test_code_that_proves_nothing_is_uncertain(code):
    error = refuse_send(send_answer(code, message_id=3403))
    assert type(error) is OutcomeUnknown
    assert (error.code, error.effect) == (code, Effect.FAILURE)


@pytest.mark.parametrize("code", [5, 7, 21, 26, 99, 111, 500, 3403])
def test_unknown_code_is_uncertain_and_told_with_its_number(code):
    error = refuse_send(send_answer(code, message_id=3403))
    assert (type(error), error.code) == (OutcomeUnknown, code)
    assert str(error) == f"The gateway answered with the unknown code {code}. (words)"


def test_gateways_own_words_stand_beside_ours():
    body = '{"status": 14, "msg": "اعتبار کافی نیست"}'.encode()
    assert str(refuse_send(body)) == (
        "The account has not enough credit. (اعتبار کافی نیست)"
    )


@pytest.mark.parametrize(
    ("line", "used_line"),
    [
        ("9830003300", "9830003300"),
        ('"9830003301"', "9830003301"),
        ("null", ""),
        ("true", ""),
        ("9830003300.0", ""),
        ('["9830003300"]', ""),
        ("9" * 400, ""),
        ('"' + "9" * 400 + '"', "9" * 32),
        ('"<b>\\u0000\\n1"', "<b> 1"),
    ],
    ids=short,
)
def test_line_is_read_as_number_and_as_text(line, used_line):
    body = SENT.replace(b"9830003300", line.encode())
    assert decode_send(body).used_line == used_line


def test_answer_without_line_and_mobile_is_accepted():
    reply = decode_send(send_answer(message_id=3403))
    assert (reply.used_line, reply.mobile) == ("", "")


def test_byte_order_mark_is_read_over():
    assert decode_send(b"\xef\xbb\xbf" + SENT) == decode_send(SENT)


PERSIAN = SENT.decode().replace("success", "موفق")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"-1",
        b"[]",
        b'"success"',
        b"3403",
        b"<html><body>502</body></html>",
        SENT[:-2],
        SENT + b"x",
        SENT + SENT,
        b"[" + SENT + b"]",
        PERSIAN.encode("utf-16"),
        PERSIAN.encode("utf-16-le"),
        PERSIAN.encode("cp1256"),
        b"\x00" + SENT,
        b"\xff" * 100,
        b"[" * 200_000,
        b'{"status": ' * 100_000,
        raw_send("-1", "9" * 5000),
        raw_send("9" * 5000),
        b'{"status": -1, "data": {"message_id": 3403}, }',
        b"{'status': -1, 'data': {'message_id': 3403}}",
    ],
    ids=short,
)
def test_unreadable_body_is_uncertain(body):
    error = refuse_send(body)
    assert (type(error), error.code) == (OutcomeUnknown, None)
    assert error.effect is Effect.FAILURE
    assert str(error.reason) == "The gateway's answer cannot be read."


def test_unreadable_body_is_shown_cleaned_and_cut():
    error = refuse_send(b"<html>\r\n<b>Bad\x00 gateway</b>" + b"x" * 10_000)
    assert error.detail.startswith("<html> <b>Bad gateway</b>xxx")
    assert len(error.detail) == 500


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": 14, "status": -1, "data": {"message_id": 3403}}',
        b'{"status": -1, "Status": -1, "data": {"message_id": 3403}}',
        b'{"status": -1, "data": {"message_id": 3403, "message_id": 3404}}',
        b'{"status": -1, "data": {"message_id": 3403}, "DATA": {}}',
        b'{"status": 1, "status": 1, "status": 1}',
    ],
)
def test_what_is_said_twice_says_nothing(body):
    assert type(refuse_send(body)) is OutcomeUnknown


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (r"a\ud800b", "a b"),
        (r"a\u0000b", "a b"),
        (r"a\r\nb", "a b"),
        (r"a\u202eb", "a b"),
        (r"می\u200cشود", "می\u200cشود"),
        (r"\ud83d\ude00", "😀"),
    ],
)
def test_gateways_words_are_cleaned(words, kept):
    body = f'{{"status": 14, "msg": "{words}"}}'.encode()
    assert refuse_send(body).detail == kept


@pytest.mark.parametrize("msg", ["null", "5", "[]", '{"a": 1}', "NaN", "1e400"])
def test_words_of_another_kind_are_left_out(msg):
    assert refuse_send(f'{{"status": 14, "msg": {msg}}}'.encode()).detail == ""


# Answers to a states request


def test_sentence_of_the_guide_is_read():
    assert decode_states(STATES) == {"6062": 1, "6063": 8, "6064": 2}


def test_pairs_follow_the_answers_own_order():
    assert decode_states(states_answer("7002,7001", "1,2")) == {"7002": 1, "7001": 2}


@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title])
def test_keys_of_states_are_read_in_any_case(spell):
    text = re.sub(r'"(\w+)":', lambda m: f'"{spell(m[1])}":', STATES.decode())
    assert decode_states(text.encode()) == decode_states(STATES)


@pytest.mark.parametrize(
    ("ids", "states"),
    [
        ("6062,6063", "1,8"),
        ("6062،6063", "1،8"),
        ("6062٫6063", "1٫8"),
        (" 6062 , 6063 ", "1 ,8"),
        ("۶۰۶۲٫۶۰۶۳", "۱٫۸"),
        ("٦٠٦٢,٦٠٦٣", "١,٨"),
        ([6062, 6063], [1, 8]),
        (["6062", "6063"], ["1", "8"]),
        (["6062", 6063], "1,8"),
        ("06062,0006063", "01,+8"),
    ],
)
def test_lists_are_read_in_every_spelling(ids, states):
    assert decode_states(states_answer(ids, states)) == {"6062": 1, "6063": 8}


@pytest.mark.parametrize(
    ("ids", "states"), [(6062, 1), ("6062", 1), ([6062], "1")], ids=short
)
def test_bare_number_is_a_list_of_one(ids, states):
    assert decode_states(states_answer(ids, states)) == {"6062": 1}


@pytest.mark.parametrize("nothing", ["", "  ", "null", "NULL", None, []])
def test_answer_may_say_nothing_of_any_id(nothing):
    assert decode_states(states_answer(nothing, nothing)) == {}


@pytest.mark.parametrize("data", ["null", "{}"])
def test_success_without_lists_says_nothing(data):
    assert decode_states(f'{{"data": {data}, "status": "-1"}}'.encode()) == {}


@pytest.mark.parametrize(
    ("ids", "states"),
    [
        ("6062,6063", "1"),
        ("6062", "1,8"),
        ("6062,6063,6064", "1,8"),
        ("6062,6063,", "1,8"),
        ("6062,6063", ""),
        ("", "1"),
        (None, "1"),
        ("6062", None),
        ([6062, 6063], "1"),
        (6062, [1, 8]),
        (6062.0, 1.0),
        (True, True),
        ({"6062": 1}, {"6062": 1}),
    ],
    ids=short,
)
def test_lists_that_do_not_match_are_refused_whole(ids, states):
    error = refuse_states(states_answer(ids, states))
    assert (type(error), error.effect) == (Rejected, Effect.SUCCESS)
    assert str(error.reason) == "The answer's ids and states do not match."


def test_name_printed_twice_in_the_guide_gives_no_wrong_pairs():
    body = b'{"data": {"msgIds": "6062,6063", "msgIds": "1,8"}, "status": -1}'
    assert decode_states(body) == {}


def test_id_said_twice_with_one_state_has_it():
    assert decode_states(states_answer("6062,6062,6063", "1,1,8")) == {
        "6062": 1,
        "6063": 8,
    }


@pytest.mark.parametrize(
    ("ids", "states"),
    [
        ("6062,6063,6062", "1,8,2"),
        ("6062,6063,6062,6062", "1,8,2,1"),
        ("6062,6063,06062", "1,8,2"),
        ("6062,6063,۶۰۶۲", "1,8,2"),
    ],
)
def test_id_said_twice_with_two_states_has_none(ids, states):
    assert decode_states(states_answer(ids, states)) == {"6063": 8}


@pytest.mark.parametrize("code", [-1, 0, 1, 2, 4, 8, 9, 16, 24, 255, -7, 2**31 - 1])
def test_state_is_kept_as_it_came(code):
    assert decode_states(states_answer("6062", str(code))) == {"6062": code}


@pytest.mark.parametrize("spelling", [18, "18", "۱۸", "018"], ids=short)
def test_misprint_of_the_guide_is_read_as_the_operators_refusal(spelling):
    assert decode_states(states_answer([6062], [spelling])) == {"6062": 16}


def test_misprint_and_its_meaning_do_not_disagree():
    assert decode_states(states_answer("6062,6062", "16,18")) == {"6062": 16}


@pytest.mark.parametrize(
    "state",
    [
        "",
        "abc",
        "1.0",
        "−1",
        "1 8",
        "null",
        None,
        True,
        1.0,
        [1],
        {},
        2**31,
        "9" * 5000,
    ],
    ids=short,
)
def test_unreadable_state_is_no_information(state):
    assert decode_states(states_answer([6062, 6063], [state, 8])) == {"6063": 8}


@pytest.mark.parametrize(
    "gateway_id",
    ["", "0", "-5", "abc", "6062.0", None, True, 6062.0, [6062], "9" * 33, "6" * 70],
    ids=short,
)
def test_unreadable_id_is_left_out(gateway_id):
    assert decode_states(states_answer([gateway_id, 6063], [1, 8])) == {"6063": 8}


def test_long_id_is_never_cut_to_another_ones():
    body = states_answer("0" * 60 + "12345678", "1")
    assert decode_states(body) == {"12345678": 1}


@pytest.mark.parametrize("code", sorted(PAUSING))
def test_states_are_refused_to_a_refused_account(code):
    error = refuse_states(send_answer(code))
    assert (type(error), error.effect) == (AccountPaused, Effect.PAUSES)


@pytest.mark.parametrize("code", sorted(PATIENT))
def test_states_are_throttled(code):
    assert type(refuse_states(send_answer(code))) is Throttled


@pytest.mark.parametrize("code", [24, 777, *sorted(FINAL)])
def test_code_about_the_ids_refuses_the_request(code):
    error = refuse_states(send_answer(code))
    assert type(error) is Rejected
    assert (error.code, error.effect) == (code, Effect.SUCCESS)


@pytest.mark.parametrize("status", [0, 15, None, True, "x"])
def test_error_inside_the_gateway_says_nothing_of_the_ids(status):
    error = refuse_states(send_answer(status))
    assert (type(error), error.effect) == (OutcomeUnknown, Effect.FAILURE)


def test_only_minus_one_is_success_of_a_states_request():
    with pytest.raises(GatewayError):
        decode_states(STATES.replace(b"-1,", b"-2,"))


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"[" * 200_000, STATES[:-2]], ids=short
)
def test_unreadable_states_are_unknown(body):
    assert type(refuse_states(body)) is OutcomeUnknown


def test_states_behind_a_byte_order_mark_are_read():
    assert decode_states(b"\xef\xbb\xbf" + STATES) == decode_states(STATES)


# Fuzz

RUNS = 30_000
ODD_VALUES = [
    *("-1", '"-1"', "-1.0", "1.0", "true", "false", "null", "0", "1", "-2", '"-7"'),
    *("2", "14", "15", "18", "23", "24", "27", "100", "409", "777", '"14"', '"−1"'),
    *("NaN", "Infinity", "1e400", "-1e400", "1000", "1001", '"1001"', '"0"', '""'),
    *('"6062,6063"', '"1,8"', '"۶۰۶۲،۶۰۶۳"', '"1٫18"', '"null"', "[6062]", "[1]"),
    *("[6062, 6063, 6062]", "[1, 8, 2]", "6062", "3403", '"3403"', '"003403"'),
    *("{}", "[]", "[null]", '{"a": {}}', str(2**31), str(2**63), str(-(2**63))),
    *('"\\ud800"', '"\\u0000"', '"\\u202e"', '"سلام"', '"x"', '" -1 "', "9" * 40),
]
RARE_BODIES = [
    b"[" * 200_000,
    raw_send("-1", "9" * 5000),
    PERSIAN.encode("utf-16"),
    PERSIAN.encode("cp1256"),
]
ODD_BYTES = [
    *(value.encode() for value in ODD_VALUES),
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"\\", b"{", b"}", b",", b":", b"-"),
    *(b'"status": -1, ', b'"Status": 14, ', b'"data": null, ', b"\xd8\x00"),
]


def fuzz(sample: bytes, keys: list[str], runs: int = RUNS):
    """Yield answers: the sample with bytes changed, and its shape with odd values."""
    rng = random.Random(20261122)
    yield from RARE_BODIES
    for turn in range(runs):
        if turn % 2:
            values = [rng.choice(ODD_VALUES) for _ in range(len(keys) + 2)]
            data = ", ".join(
                f'"{k}": {v}' for k, v in zip(keys, values[2:], strict=True)
            )
            status = values[0] if rng.random() < 0.5 else "-1"
            text = f'{{"data": {{{data}}}, "status": {status}, "msg": {values[1]}}}'
            yield text.encode()
            continue
        body = bytearray(sample)
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(len(body) + 1)
            end = start + rng.choice((0, 0, 1, 1, 2, 9))
            body[start:end] = rng.choice((b"", rng.randbytes(1), rng.choice(ODD_BYTES)))
        yield bytes(body)


def said(body: bytes, *path: str) -> Any:
    """Read one value of an answer in another way than the decoder; None if unclear."""
    value: Any = json.loads(body.decode("utf-8-sig"), object_pairs_hook=tuple)
    for name in path:
        pairs = value if isinstance(value, tuple) else ()
        named = [v for k, v in pairs if k.lower() == name]
        value = named[0] if len(named) == 1 else None
    return value


def as_integer(value: Any) -> int | None:
    """Read an integer as the contract defines it."""
    if type(value) is int:
        return value
    digits = isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value)
    return int(value) if digits else None


def check_refusal(error: GatewayError, status: int | None) -> None:
    """Hold an error against the code that was said: nothing is resent by mistake."""
    if isinstance(error, NotSent):
        assert status in PAUSING | PATIENT
    if isinstance(error, Rejected):
        assert status in FINAL


@pytest.mark.long
def test_fuzz_no_send_is_accepted_or_refused_without_the_gateways_word():
    accepted = 0
    for body in fuzz(SENT, ["message_id", "line", "mobile"]):
        try:
            reply = decode_send(body)
        except OutcomeUnknown:
            continue
        except GatewayError as error:
            check_refusal(error, as_integer(said(body, "status")))
            continue
        accepted += 1
        status, gateway_id = said(body, "status"), said(body, "data", "message_id")
        assert as_integer(status) == reply.code < 0
        assert as_integer(gateway_id) == int(reply.gateway_id) > 1000
        assert reply.gateway_id == str(int(reply.gateway_id))
    assert 1000 < accepted < RUNS


def listed(value: Any) -> list[Any]:
    """Read a list of the states answer in another way than the decoder."""
    if isinstance(value, str):
        text = value.translate({ord("،"): ",", ord("٫"): ","}).strip()
        parts = text.split(",") if text and text.lower() != "null" else []
        return [as_integer(fold_digits(part)) for part in parts]
    if type(value) is int:
        return [value]
    if isinstance(value, list):
        return [as_integer(fold_digits(v)) for v in value]
    return []


def fold_digits(value: Any) -> Any:
    digits = {ord(c): str(i) for i, c in enumerate("۰۱۲۳۴۵۶۷۸۹")}
    return value.strip().translate(digits) if isinstance(value, str) else value


@pytest.mark.long
def test_fuzz_no_state_is_given_to_a_message_that_the_gateway_did_not_name():
    answered = 0
    for body in fuzz(STATES, ["msgIds", "states"]):
        try:
            states = decode_states(body)
        except GatewayError as error:
            if isinstance(error, NotSent):
                check_refusal(error, as_integer(said(body, "status")))
            continue
        answered += bool(states)
        assert as_integer(said(body, "status")) == -1
        ids = listed(said(body, "data", "msgids"))
        codes = listed(said(body, "data", "states"))
        pairs = {
            (str(i), 16 if c == 18 else c) for i, c in zip(ids, codes, strict=True)
        }
        assert states.items() <= pairs
    assert 1000 < answered < RUNS
