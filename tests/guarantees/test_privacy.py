"""Canaries: what must stay out of logs, errors, tracebacks, pages and output."""

from __future__ import annotations

import io
import logging
import pickle
import sys
import traceback

import pytest
from django.core.management import CommandError, call_command
from django.views.debug import ExceptionReporter

from negin_sms import services
from negin_sms.exceptions import NeginSmsError
from negin_sms.models import AccountState, Message
from negin_sms.services.submission.drafting import draft_batch
from negin_sms.services.submission.recipients.reader import read_sheet

USER, PASSWORD = "canary-user", "canary-p&ss wörd"
MOBILE, TEXT = "09000000123", "کاناری canary-text 80471103"
CANARIES = (PASSWORD, "canary-p", "9000000123", "canary-text", "80471103")

pytestmark = pytest.mark.django_db(transaction=True)


def assert_clean(*texts: str, canaries: tuple[str, ...] = (*CANARIES, USER)) -> None:
    for text in texts:
        for canary in canaries:
            assert canary not in text


# Recipients of the sandbox, each with the way in which its send ends.
@pytest.fixture(
    params=[
        *("0005", "0006", "0007", "0008", "0010", "0011"),
        *("unreachable", "nowhere", "paused", "bad number", "bad text", "bad path"),
    ]
)
def failure(request, sandbox, use_account):
    """Set up one way to fail; give the arguments of the send that meets it."""
    keys: dict[str, object] = {"USERNAME": USER, "PASSWORD": PASSWORD}
    url, mobile, text = sandbox.url, MOBILE, TEXT
    if request.param == "unreachable":
        url = "http://127.0.0.1:9/api"
    elif request.param == "nowhere":
        url = "http://gateway.invalid/api"
    elif request.param == "bad path":
        url = sandbox.url + "/elsewhere"
    elif request.param == "bad number":
        mobile = MOBILE + "5"
    elif request.param == "bad text":
        text = TEXT * 99
    elif request.param.isdigit():
        mobile = f"0900000{request.param}"
    use_account(url, **keys)
    if request.param == "paused":
        services.pause_account("default", reason="maintenance")
    return mobile, text


def send_and_catch(mobile: str, text: str) -> Exception | None:
    try:
        services.send_sms(mobile, text)
    except NeginSmsError as error:
        return error
    return None


def test_errors_and_logs_are_clean(failure, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        error = send_and_catch(*failure)
        services.dispatch_queue()
    if error is not None:
        assert error.__context__ is None
        assert_clean(
            str(error),
            repr(error),
            repr(error.__dict__),
            repr(pickle.loads(pickle.dumps(error)).__dict__),
            "".join(traceback.format_exception(error)),
        )
    records = [record.getMessage() for record in caplog.records]
    # Database drivers log their parameters at DEBUG; that switch is the project's.
    ours = [
        message
        for record, message in zip(caplog.records, records, strict=True)
        if not record.name.startswith("django.db")
    ]
    assert_clean(*ours, *capfd.readouterr())


def test_stored_details_are_clean(failure):
    send_and_catch(*failure)
    rows = Message.objects.values_list("detail", flat=True)
    assert_clean(*rows, *AccountState.objects.values_list("reason", flat=True))


def test_command_output_is_clean(failure):
    out, err = io.StringIO(), io.StringIO()
    mobile, text = failure
    words = ""
    try:
        call_command("send_sms", mobile, text, stdout=out, stderr=err)
    except CommandError as error:
        words = str(error)
    assert_clean(out.getvalue(), err.getvalue(), words)


def test_error_page_hides_the_frames_of_the_services(failure):
    """Django's report of an unhandled error, as mailed to the site's managers."""
    mobile, text = failure
    try:
        services.send_sms(mobile, text)
    except NeginSmsError:
        kind, error, trace = sys.exc_info()
        assert trace is not None
        # The first frame is this test's own, and the caller's business.
        reporter = ExceptionReporter(None, kind, error, trace.tb_next)
        report = (reporter.get_traceback_text(), reporter.get_traceback_html())
        # Of the settings, which it prints, Django masks PASSWORD and not USERNAME.
        assert_clean(*report, canaries=CANARIES)


@pytest.mark.parametrize(
    "pasted", [f"{MOBILE}5", f'mobile,name\n{MOBILE},"canary-text', f"{MOBILE}\n" * 9]
)
def test_error_page_hides_the_frames_of_drafting(pasted):
    """A batch whose text is too long, or whose rows cannot be read."""
    with pytest.raises(NeginSmsError) as caught:
        draft_batch(TEXT * 99, [read_sheet(f"{pasted}\n{MOBILE}")])
    trace = caught.tb.tb_next
    reporter = ExceptionReporter(None, caught.type, caught.value, trace)
    report = (reporter.get_traceback_text(), reporter.get_traceback_html())
    assert_clean(*report, canaries=CANARIES)
