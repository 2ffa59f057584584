from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from negin_sms.choices import Status
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

    @pytest.mark.parametrize("claim", ["other:1:abc", ""])
    def test_leaves_a_claim_of_somebody_else(self, claim):
        row = MessageFactory(sending=True)
        with pytest.raises(CommandError, match="is not uncertain"):
            run(
                *("resolve_sms_message", row.pk, "accepted", "--why=x"),
                *("--gateway-id=7001", f"--claim={claim}"),
            )
        assert Message.objects.get().status == Status.SENDING

    def test_late_result_after_a_resend_changes_nothing(self):
        row = MessageFactory(uncertain=True)
        MessageFactory(resend_of=row)
        with pytest.raises(CommandError, match="nothing was changed"):
            run("resolve_sms_message", row.pk, "accepted", "--claim=host:1:abc")

    def test_says_what_is_missing(self):
        row = MessageFactory(uncertain=True)
        with pytest.raises(CommandError, match="how you know"):
            run("resolve_sms_message", row.pk, "rejected")
        with pytest.raises(CommandError, match="no message 0"):
            run("resolve_sms_message", 0, "rejected", "--why=x")
