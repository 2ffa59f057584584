from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command, load_command_class

from negin_sms import services
from negin_sms.models import AccountState

pytestmark = pytest.mark.django_db


def run(name: str, *args: object) -> str:
    out = io.StringIO()
    call_command(name, *map(str, args), stdout=out)
    return out.getvalue()


def test_pausing_and_resuming_by_command():
    out = run("pause_sms_account", "default", "--reason", "maintenance")
    assert out == "Account 'default' is paused until it is resumed.\n"
    assert AccountState.objects.get().is_paused
    assert run("resume_sms_account", "default") == "Account 'default' is resumed.\n"
    assert not AccountState.objects.get().is_paused
    out = run("resume_sms_account", "default")
    assert out == "Account 'default' was not paused.\n"


def test_resuming_says_that_sending_is_switched_off(use_account):
    use_account(DISPATCH=False)
    services.pause_account("default", reason="x")
    out = run("resume_sms_account", "default")
    assert out == "Account 'default' is resumed; DISPATCH is off in its settings.\n"


@pytest.mark.parametrize("name", ["sms_queue_status", "check_sms_gateway"])
@pytest.mark.parametrize(
    "option", ["--warn=foo=3", "--warn=rejected=5", "--nope", "--crit=paused"]
)
def test_option_that_cannot_be_read_is_unknown_to_monitoring(name, option, capsys):
    parser = load_command_class("negin_sms", name).create_parser("manage.py", name)
    parser.called_from_command_line = True
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([option])
    assert ended.value.code == 3
    assert option.partition("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sms_queue_status", "check_sms_gateway"])
def test_account_that_is_not_there_is_unknown_to_monitoring(name, capsys):
    """Nagios and a program read what is printed, not what goes to stderr."""
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            call_command(name, "--account=clinic", *more)
        assert ended.value.code == 3
        out = capsys.readouterr().out
        if not more:
            assert out.startswith("UNKNOWN: There is no SMS account 'clinic'")
    told = json.loads(out)
    assert told["severity"] == told["findings"][0]["severity"] == "unknown"
    assert "'clinic'" in told["findings"][0]["text"]


@pytest.mark.parametrize("name", ["sms_queue_status", "check_sms_gateway"])
def test_help_is_no_fault(name, capsys):
    parser = load_command_class("negin_sms", name).create_parser("manage.py", name)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--help"])
    assert ended.value.code == 0


def test_words_of_people_move_no_cursor_and_forge_no_line(django_user_model):
    """Who may pause may not speak to the terminal of who runs the server."""
    forged = "x\x1b]0;pwned\x07\x1b[2J\r\nOK: all is well\x9b31m\u202e"
    by = django_user_model.objects.create_user("sara" + forged)
    services.pause_account("default", reason=forged, by=by)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("sms_queue_status", stdout=out)
    assert out.getvalue().replace("\n", " ").replace("→", "").isprintable()
    assert not any(line.startswith("OK") for line in out.getvalue().splitlines())


def test_pause_until_a_time():
    out = run("pause_sms_account", "default", "--reason=x", "--until=2030-01-01T12:00")
    assert (
        out
        == "Account 'default' is paused until 2030-01-01 12:00 +0330 (1408/10/12).\n"
    )
    with pytest.raises(CommandError, match="A day alone does not say when"):
        run("pause_sms_account", "default", "--reason=x", "--until=2030-01-01")
    with pytest.raises(CommandError, match="no SMS account 'nobody'"):
        run("pause_sms_account", "nobody", "--reason=x")
