from __future__ import annotations

import io
import json

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidMessage
from negin_sms.models import Message
from tests.factories import MessageFactory

pytestmark = pytest.mark.django_db


def run(name: str, *args: object) -> str:
    out = io.StringIO()
    call_command(name, *map(str, args), stdout=out)
    return out.getvalue()


class TestResolveCommand:
    def test_decides_with_a_reason(self):
        row = MessageFactory(uncertain=True)
        out = run("resolve_sms_message", row.pk, "rejected", "--why=not in panel")
        row.refresh_from_db()
        assert out == f"Message {row.pk}: Rejected.\n"
        assert row.detail == "not in panel"

    def test_writes_a_result_from_the_log(self):
        row = MessageFactory(sending=True)
        arguments = ["--gateway-id=7001", "--claim=host:1:abc"]
        run("resolve_sms_message", row.pk, "accepted", *arguments)
        row.refresh_from_db()
        assert (row.status, row.gateway_id) == (Status.ACCEPTED, "7001")
        assert row.poll_at is not None

    @pytest.mark.parametrize(
        ("claim", "told"),
        [("other:1:abc", "claim is not that of the last"), ("", "is not uncertain")],
    )
    def test_leaves_a_claim_of_somebody_else(self, claim, told):
        row = MessageFactory(sending=True)
        with pytest.raises(CommandError, match=told):
            run(
                *("resolve_sms_message", row.pk, "accepted", "--why=x"),
                *("--gateway-id=7001", f"--claim={claim}"),
            )
        assert Message.objects.get().status == Status.SENDING

    def test_late_result_after_a_resend_changes_nothing(self):
        row = MessageFactory(uncertain=True)
        MessageFactory(resend_of=row)
        with pytest.raises(CommandError, match="was sent again already"):
            run("resolve_sms_message", row.pk, "accepted", "--claim=host:1:abc")

    @pytest.mark.parametrize("own", ["--gateway-id=7001", "--claim=host:1:abc"])
    def test_what_is_of_one_message_is_not_taken_for_two(self, own):
        rows = MessageFactory.create_batch(2, uncertain=True)
        with pytest.raises(CommandError, match="resolve them one by one"):
            run(
                "resolve_sms_message", *(r.pk for r in rows), "accepted", "--why=x", own
            )
        assert Message.objects.filter(status=Status.UNCERTAIN).count() == 2

    def test_says_which_words_there_are(self):
        with pytest.raises(CommandError) as caught:
            run("resolve_sms_message", 1, "sent")
        assert "Status." not in str(caught.value)
        assert "accepted" in str(caught.value)

    def test_says_what_is_missing(self):
        row = MessageFactory(uncertain=True)
        with pytest.raises(CommandError, match="how you know"):
            run("resolve_sms_message", row.pk, "rejected")

    def test_number_that_is_none_keeps_the_others_as_they_were(self):
        row = MessageFactory(uncertain=True)
        with pytest.raises(CommandError, match="no message 0; nothing was changed"):
            run("resolve_sms_message", row.pk, 0, "rejected", "--why=x")
        assert Message.objects.get().status == Status.UNCERTAIN

    def test_database_that_is_away_is_a_sentence(self):
        def away(execute, sql, params, many, context):
            raise OperationalError("server closed the connection")

        with (
            connection.execute_wrapper(away),
            pytest.raises(CommandError, match="run the command again"),
        ):
            run("resolve_sms_message", 1, "rejected", "--why=x")


class TestMany:
    def test_all_are_resolved_with_who_and_why_in_their_history(self, admin_user):
        rows = MessageFactory.create_batch(2, uncertain=True)
        keys = [row.pk for row in rows]
        out = run(
            "resolve_sms_message", *keys, "rejected", "--why=not there", "--by=admin"
        )
        assert out == "".join(f"Message {key}: Rejected.\n" for key in keys)
        entries = LogEntry.objects.filter(user=admin_user).order_by("object_id")
        assert [entry.object_id for entry in entries] == [str(key) for key in keys]
        assert {entry.change_message for entry in entries} == {"Rejected: not there"}

    def test_what_is_decided_is_skipped_and_said(self):
        row, other = MessageFactory(uncertain=True), MessageFactory()
        with pytest.raises(CommandError, match="1 of 2"):
            run("resolve_sms_message", row.pk, other.pk, "rejected", "--why=x")
        assert Message.objects.filter(status=Status.REJECTED).get() == row

    def test_unknown_user_decides_nothing(self):
        row = MessageFactory(uncertain=True)
        with pytest.raises(CommandError, match="no user 'nobody'"):
            run("resolve_sms_message", row.pk, "rejected", "--why=x", "--by=nobody")
        row.refresh_from_db()
        assert row.status == Status.UNCERTAIN

    def test_one_id_is_not_for_many(self):
        rows = MessageFactory.create_batch(2, uncertain=True)
        with pytest.raises(InvalidMessage, match="one by one"):
            services.resolve(
                rows,  # type: ignore[call-overload]
                "accepted",
                by=None,
                why="x",
                gateway_id="5001",
            )


@pytest.mark.parametrize(
    ("gateway_id", "settled"), [("", True), ("7001", False), ("۷۰۰۱", False)]
)
def test_accepted_without_an_id_is_settled(gateway_id, settled):
    row = MessageFactory(uncertain=True)
    row = services.resolve(row, "accepted", by=None, why="x", gateway_id=gateway_id)
    assert (row.settled_at is not None, row.poll_at is None) == (settled, settled)
    assert row.has_no_report is settled
    assert row.gateway_id == ("" if settled else "7001")


def test_uncertain_are_listed_with_numbers_only_when_asked():
    rows = MessageFactory.create_batch(2, uncertain=True)
    assert run_status("--list=uncertain").count(f"{rows[0].pk} default 20") == 1
    assert "9395213300" not in run_status("--list=uncertain")
    listed = run_status("--list=uncertain", "--numbers", "--json")
    assert [each["id"] for each in json.loads(listed)["uncertain"]] == [
        row.pk for row in rows
    ]
    assert "+989395213300" in listed


def test_numbers_of_nothing_are_not_shown():
    with pytest.raises(CommandError, match="--list=uncertain") as raised:
        call_command("sms_queue_status", "--numbers")
    assert raised.value.returncode == 3


def run_status(*args: str) -> str:
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("sms_queue_status", *args, stdout=out)
    return out.getvalue()


class TestFromLog:
    def test_writes_all_results_of_a_log(self, tmp_path):
        rows = [MessageFactory(sending=True) for _ in range(3)]
        log = tmp_path / "sms.log"
        log.write_text(
            "".join(
                f"x SMS result not saved: message={row.pk} claim=host:1:abc "
                f"status=accepted gateway_id={7000 + row.pk}\n"
                for row in rows
            )
        )
        assert run("resolve_sms_message", "--from-log", log) == "3 results written.\n"
        assert set(Message.objects.values_list("status", flat=True)) == {"accepted"}
        again = run("resolve_sms_message", f"--from-log={log}")
        assert again.endswith("(Accepted).\n0 results written.\n")

    @pytest.mark.parametrize("more", [["4711", "rejected"], ["--why=x"], ["--by=ali"]])
    def test_takes_no_decision_beside_the_log(self, tmp_path, more):
        log = tmp_path / "sms.log"
        log.write_text("")
        with pytest.raises(CommandError, match="goes alone") as caught:
            run("resolve_sms_message", *more, f"--from-log={log}")
        assert caught.value.returncode == 2

    def test_says_that_a_file_is_not_there(self):
        with pytest.raises(CommandError, match="No such file"):
            run("resolve_sms_message", "--from-log=/nowhere/sms.log")
