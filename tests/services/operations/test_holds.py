"""The restore drill: nothing leaves a restored backup before somebody says so."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command
from django.utils import timezone

from negin_sms import services
from negin_sms.choices import Status
from negin_sms.exceptions import InvalidConfiguration, InvalidMessage, NeginSmsError
from negin_sms.gateway.memory import outbox
from negin_sms.models import AccountState, Message
from negin_sms.services.submission.seen import digest
from tests.factories import MessageFactory
from tests.services.submission.test_wakers import WOKEN

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("hold_sms_queue", *args, stdout=out)
    return out.getvalue()


def hold() -> services.HoldReport:
    return services.hold_queue(reason="restored the backup of Monday")


@pytest.mark.django_db(transaction=True)
class TestDrill:
    def test_backup_is_restored_and_nothing_is_sent_twice(self):
        """Stop dispatchers, restore, hold, look, release."""
        services.queue_sms("09395213300", "sent after the backup")
        MessageFactory(sending=True, created_at=timezone.now() - HOUR)
        backup = serializers.serialize("json", Message.objects.all())
        services.dispatch_queue()
        assert len(outbox) == 1

        Message.objects.all().delete()
        for row in serializers.deserialize("json", backup):
            row.save()
        assert hold().held == 1
        services.dispatch_queue()

        assert len(outbox) == 1
        statuses = Message.objects.order_by("pk").values_list("status", flat=True)
        assert list(statuses) == [Status.HELD, Status.UNCERTAIN]

    def test_held_stay_whoever_resumes_an_account(self):
        MessageFactory()
        hold()
        services.resume_account("default")
        services.dispatch_queue()
        assert outbox == []

    def test_what_is_queued_later_leaves(self):
        MessageFactory(text="old")
        hold()
        MessageFactory(text="new")
        services.dispatch_queue()
        assert [sent.text for sent in outbox] == ["new"]

    def test_released_leave_unless_their_time_is_over(self):
        created = timezone.now() - HOUR
        MessageFactory(text="in time")
        late = MessageFactory(created_at=created, expires_at=created + HOUR / 2)
        hold()
        report = services.release_queue()
        assert (report.released, report.expired) == (1, 1)
        services.dispatch_queue()
        late.refresh_from_db()
        assert late.status == Status.EXPIRED
        assert [sent.text for sent in outbox] == ["in time"]

    def test_held_expire_in_their_time(self):
        created = timezone.now() - HOUR
        late = MessageFactory(created_at=created, expires_at=created + HOUR / 2)
        hold()
        assert services.dispatch_queue().expired == 1
        late.refresh_from_db()
        assert late.status == Status.EXPIRED

    def test_one_can_be_sent_by_hand(self):
        message, _other = MessageFactory.create_batch(2)
        hold()
        assert services.send_messages([message]).done == 1
        assert len(outbox) == 1


class TestHolding:
    def test_wishes_and_group_are_kept(self):
        send_at = timezone.now() + HOUR
        before = MessageFactory(group="sale", send_at=send_at, due_at=send_at)
        hold()
        row = Message.objects.get()
        assert row.detail == "Held: restored the backup of Monday"
        assert row.status == Status.HELD
        services.release_queue()
        row.refresh_from_db()
        assert (row.group, row.send_at, row.due_at) == ("sale", send_at, send_at)
        assert (row.detail, row.expires_at) == ("", before.expires_at)

    def test_only_what_waits_is_held(self):
        MessageFactory(status=Status.DRAFT)
        MessageFactory(accepted=True)
        MessageFactory(sending=True)
        assert hold() == services.HoldReport(held=0, sending=1)
        assert not Message.objects.held().exists()

    def test_second_hold_finds_nothing_new(self):
        MessageFactory()
        assert (hold().held, hold().held) == (1, 0)

    def test_cost_does_not_depend_on_the_number(self, django_assert_num_queries):
        MessageFactory.create_batch(9)
        with django_assert_num_queries(5):  # with the savepoint
            hold()

    @pytest.mark.parametrize("is_held", [True, False])
    def test_change_of_server_is_not_why_others_are_held_later(self, is_held):
        if is_held:
            MessageFactory(status=Status.HELD)
        AccountState.objects.create(
            account="default", server_changed_at=timezone.now() - HOUR
        )
        MessageFactory(status=Status.QUEUED)
        services.hold_queue(reason="ask Sara first")
        since = AccountState.objects.get().server_changed_at
        assert (since is not None) is is_held

    def test_one_account_at_a_time(self, settings):
        settings.NEGIN_SMS = {
            **settings.NEGIN_SMS,
            "bulk": settings.NEGIN_SMS["default"],
        }
        MessageFactory()
        bulk = MessageFactory(account="bulk")
        services.hold_queue(reason="x", account="bulk")
        assert Message.objects.held().get() == bulk
        assert services.release_queue(account="default").released == 0
        assert services.release_queue(account="bulk").released == 1

    def test_one_group_at_a_time(self):
        MessageFactory(group="sale")
        MessageFactory()
        hold()
        assert services.release_queue(group="sale").released == 1
        assert Message.objects.held().get().group == ""

    def test_change_of_server_is_decided_with_the_last_group(self):
        for group in ("sale", ""):
            MessageFactory(status=Status.HELD, group=group)
        AccountState.objects.create(
            account="default", server_changed_at=timezone.now() - HOUR
        )
        services.release_queue(group="sale")
        assert AccountState.objects.get().server_changed_at is not None
        services.release_queue()
        assert AccountState.objects.get().server_changed_at is None

    def test_what_has_expired_does_not_keep_a_change_of_server(self):
        for late in (HOUR, -HOUR):
            MessageFactory(status=Status.HELD, expires_at=timezone.now() + late)
        AccountState.objects.create(
            account="default", server_changed_at=timezone.now() - HOUR
        )
        assert services.release_queue().expired == 1
        assert AccountState.objects.get().server_changed_at is None

    def test_held_can_be_cancelled(self):
        message = MessageFactory()
        hold()
        assert services.cancel([message]).done == 1
        assert services.release_queue().released == 0

    def test_rows_of_an_account_that_is_gone_are_released_too(self):
        MessageFactory(account="gone")
        hold()
        assert services.release_queue().released == 1

    def test_unknown_account_and_empty_reason_are_refused(self):
        with pytest.raises(InvalidConfiguration, match="nobody"):
            services.hold_queue(reason="x", account="nobody")
        with pytest.raises(NeginSmsError, match="Say why"):
            services.hold_queue(reason=" ")

    def test_status_says_what_is_held(self):
        MessageFactory()
        hold()
        (account,) = services.overview().accounts
        assert account.held == 1


class TestCommand:
    def test_holds_and_releases(self):
        MessageFactory()
        MessageFactory(sending=True)
        out = run("--reason=restored")
        assert out.startswith("1 message(s) are held now; release or cancel them. 1 we")
        assert (
            run("--release") == "1 message(s) may leave again, each when it is due.\n"
        )

    def test_reason_that_says_nothing_is_refused(self):
        with pytest.raises(CommandError, match="Say why") as caught:
            run("--reason=")
        assert caught.value.returncode == 1

    def test_says_that_a_group_has_nothing_held(self):
        MessageFactory(group="sale")
        run("--reason=restored")
        out = run("--release", "--group=sail")
        assert out == "No message of group 'sail' is held; nothing was released.\n"
        assert run("--release", "--group=sale").startswith("1 message(s) may leave")

    def test_says_what_is_too_old(self):
        created = timezone.now() - HOUR
        MessageFactory(created_at=created, expires_at=created + HOUR / 2)
        run("--reason=restored")
        assert "1 are too old and will not be sent" in run("--release")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "Give --reason to hold"),
            (["--release", "--reason=x"], "Give --reason to hold"),
            (["--reason=x", "--group=sale"], "--group goes with --release"),
        ],
    )
    def test_options_that_do_not_fit_are_refused(self, arguments, words):
        with pytest.raises(CommandError, match=words) as caught:
            run(*arguments)
        assert caught.value.returncode == 2


class TestReleaseOfSingleOnes:
    def test_chosen_ones_leave_and_the_others_stay(self):
        rows = [MessageFactory(), MessageFactory(), MessageFactory(accepted=True)]
        hold()
        report = services.release([rows[0], rows[2]])
        assert (report.done, [pk for pk, _why in report.skipped]) == (1, [rows[2].pk])
        statuses = Message.objects.order_by("pk").values_list("status", flat=True)
        assert list(statuses) == [Status.QUEUED, Status.HELD, Status.ACCEPTED]
        rows[0].refresh_from_db()
        assert rows[0].detail == ""
        assert services.release([rows[0]]).done == 0

    def test_what_has_expired_is_left_to_expire(self):
        row = MessageFactory(expires_at=timezone.now() - HOUR, status=Status.HELD)
        report = services.release([row])
        assert (report.done, report.skipped) == (0, ((row.pk, "It has expired."),))
        row.refresh_from_db()
        assert row.status == Status.HELD

    def test_what_was_seen_is_compared(self):
        rows = [MessageFactory(status=Status.HELD) for _ in range(2)]
        seen = digest(Message.objects.held())
        services.edit(rows[1], by=None, text="another")
        with pytest.raises(InvalidMessage) as caught:
            services.release(rows, seen=seen)
        assert (caught.value.field, Message.objects.held().count()) == ("seen", 2)
        assert services.release(rows, seen=digest(Message.objects.held())).done == 2
        assert services.release(rows, seen=seen).done == 0  # pressed twice

    def test_change_of_server_is_decided_with_the_last_of_its_account(self):
        rows = [MessageFactory(status=Status.HELD) for _ in range(2)]
        AccountState.objects.create(
            account="default", server_changed_at=timezone.now() - HOUR
        )
        services.release(rows[:1])
        assert AccountState.objects.get().server_changed_at is not None
        services.release(rows[1:])
        assert AccountState.objects.get().server_changed_at is None

    def test_dispatcher_is_woken(self, use_account, django_capture_on_commit_callbacks):
        use_account(WAKER="tests.services.submission.test_wakers.note_waking")
        WOKEN.clear()
        row = MessageFactory(status=Status.HELD)
        with django_capture_on_commit_callbacks(execute=True):
            services.release([row])
        assert WOKEN == ["default"]
