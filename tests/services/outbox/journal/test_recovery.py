"""Rows of processes that are gone, mended by what they noted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from negin_sms import conf
from negin_sms.choices import Status
from negin_sms.gateway.wire import SendReply
from negin_sms.models import AccountState, Message
from negin_sms.services.outbox.claims import expire_claims
from negin_sms.services.outbox.jobs import SendResult, make_job
from negin_sms.services.outbox.journal import files as journal_files
from negin_sms.services.outbox.journal import recovery
from negin_sms.services.outbox.journal.answers import to_answer
from tests.factories import MessageFactory
from tests.journal_worker import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    settings.NEGIN_SMS = {
        "default": {**settings.NEGIN_SMS["default"], "STATE_DIR": str(tmp_path)}
    }
    tmp_path.chmod(0o700)
    recovery._written.clear()
    return tmp_path


@pytest.fixture
def worker(folder: Path) -> Iterator[Worker]:
    with Worker(folder) as running:
        yield running


def sending(worker: Worker, **fields: Any) -> Message:
    """Make a row that the worker has claimed."""
    claim = worker.do("new_claim", str(worker.folder), "default")
    message = MessageFactory(sending=True, claim=claim, **fields)
    worker.do("taken", claim, [message.pk])
    return message


def answer(worker: Worker, message: Message, gateway_id: str = "70112233") -> None:
    """Let the worker note that the gateway accepted a message."""
    job = make_job(message, conf.get_account(), claimed_at=0, lease=0)
    reply = SendReply(gateway_id, "9830003300", message.mobile[1:], -1, "success")
    kept = to_answer(SendResult(job, reply))
    worker.do("begun", message.claim, message.pk)
    worker.do("answered", kept._asdict())


def status(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def test_what_was_not_begun_is_queued_again(worker):
    message = sending(worker)
    worker.kill()
    assert expire_claims() == 0
    assert (status(message), message.attempts, message.claim) == ("queued", 0, "")


def test_what_was_begun_is_uncertain_at_once(worker):
    taken = timezone.now() - timedelta(minutes=1)
    until = taken + timedelta(seconds=conf.get_account().lease)
    message = sending(worker, claimed_until=until)
    worker.do("begun", message.claim, message.pk)
    worker.kill()
    assert expire_claims() == 1
    assert status(message) == "uncertain"
    assert "begun" in message.detail
    assert f"{taken:%Y-%m-%d %H:%M:%S} UTC" in message.detail


def test_what_was_answered_is_written(worker):
    message = sending(worker)
    answer(worker, message)
    worker.kill()
    assert expire_claims() == 0
    assert (status(message), message.gateway_id) == ("accepted", "70112233")
    assert message.poll_at is not None
    assert (message.used_line, message.code, message.flag) == ("9830003300", -1, "")


def test_an_answer_ends_the_doubt_of_a_lease_that_ran_out(worker):
    message = sending(worker)
    answer(worker, message)
    Message.objects.update(status=Status.UNCERTAIN, finished_at=timezone.now())
    worker.kill()
    expire_claims()
    assert status(message) == "accepted"


def test_a_living_process_keeps_its_claims(worker):
    message = sending(worker)
    assert expire_claims() == 0
    assert status(message) == "sending"


def test_a_living_process_that_cannot_write_its_answer(worker):
    """Its database is away, ours is not: by its lease at the latest it is written."""
    message = sending(worker)
    answer(worker, message)
    Message.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert expire_claims() == 0
    assert status(message) == "accepted"


def test_without_the_file_the_lease_decides(worker, folder):
    message = sending(worker)
    worker.kill()
    for path in folder.iterdir():
        path.unlink()
    assert expire_claims() == 0
    assert status(message) == "sending"
    Message.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert expire_claims() == 1
    assert status(message) == "uncertain"


def test_after_a_reboot_the_lease_decides_and_answers_count(worker, folder):
    silent, told = sending(worker), sending(worker)
    answer(worker, told)
    worker.kill()
    (path,) = folder.iterdir()
    boot = journal_files.boot_id().encode()
    path.write_bytes(path.read_bytes().replace(boot, b"x" * len(boot)))
    expire_claims()
    assert (status(silent), status(told)) == ("sending", "accepted")


def test_a_row_that_lost_its_claim_was_sent(worker):
    """The server failed over and lost commits: the row stands in the queue again."""
    message = sending(worker)
    answer(worker, message)
    Message.objects.update(status=Status.QUEUED, claim="", claimed_until=None)
    worker.kill()
    expire_claims()
    assert (status(message), message.gateway_id) == ("accepted", "70112233")
    assert AccountState.objects.get().is_paused


@pytest.mark.parametrize(
    "change",
    [
        {"text": "another"},
        {"mobile": "+989390000000"},
        {"created_at": timezone.now() + timedelta(hours=1)},
    ],
    ids=["text", "number", "made later"],
)
def test_another_row_with_the_same_key_is_another(worker, change):
    """The tables were made anew; the file is of the old ones."""
    message = sending(worker)
    answer(worker, message)
    Message.objects.update(status=Status.QUEUED, claim="", claimed_until=None, **change)
    worker.kill()
    expire_claims()
    assert status(message) == "queued"


def test_what_was_sent_again_stays_as_it_is(worker):
    message = sending(worker)
    answer(worker, message)
    Message.objects.update(status=Status.UNCERTAIN, finished_at=timezone.now())
    MessageFactory(resend_of=message)
    worker.kill()
    expire_claims()
    assert status(message) == "uncertain"


def test_what_a_person_decided_stays(worker):
    message = sending(worker)
    answer(worker, message)
    Message.objects.update(status=Status.REJECTED, finished_at=timezone.now())
    worker.kill()
    expire_claims()
    assert status(message) == "rejected"


def test_the_file_goes_once_it_has_told_all(worker, folder):
    sending(worker)
    worker.kill()
    (path,) = folder.iterdir()
    expire_claims()
    assert path.exists()
    os.utime(path, (time.time() - 61,) * 2)
    expire_claims()
    assert not path.exists()


class TestAccountThatOnlyOthersHave:
    """Its row is left to the program whose settings have it."""

    def accepted_row(self, worker, folder, **fields: Any) -> Message:
        message = sending(worker, account="other")
        answer(worker, message)
        Message.objects.update(**fields)
        (path,) = folder.iterdir()
        os.utime(path, (time.time() - 61,) * 2)
        return message

    def test_a_lease_that_ran_out_ends_no_run(self, worker, folder):
        past = timezone.now() - timedelta(seconds=1)
        message = self.accepted_row(worker, folder, claimed_until=past)
        assert expire_claims() == 1
        assert status(message) == "uncertain"

    @pytest.mark.parametrize(
        "stands",
        [
            {},
            {"status": Status.UNCERTAIN, "finished_at": timezone.now()},
            {"status": Status.QUEUED, "claim": "", "claimed_until": None},
        ],
        ids=["sending", "uncertain", "queued again"],
    )
    def test_its_answer_waits_for_it(self, worker, folder, settings, stands):
        message = self.accepted_row(worker, folder, **stands)
        worker.kill()
        for _run in range(2):
            expire_claims()
        assert status(message) == stands.get("status", "sending")
        assert list(folder.iterdir())
        ours = settings.NEGIN_SMS["default"]
        settings.NEGIN_SMS = {"default": ours, "other": ours}
        expire_claims()
        assert (status(message), message.gateway_id) == ("accepted", "70112233")


def test_the_lines_of_the_log_say_what_was_mended(worker, caplog):
    begun, waiting, told = sending(worker), sending(worker), sending(worker)
    worker.do("begun", begun.claim, begun.pk)
    answer(worker, told)
    worker.kill()
    expire_claims()
    assert [record.getMessage() for record in caplog.records] == [
        "1 SMS became uncertain: their process ended while it sent",
        "1 SMS are queued again: their process ended before it sent them",
        "1 of 1 results of a process that ended are written from its journal",
    ]
    assert status(waiting) == "queued"


def test_an_answer_keeps_neither_number_nor_text(folder):
    message = MessageFactory.build(pk=1, claim="host:1:abc", text="code 123456")
    job = make_job(message, conf.get_account(), claimed_at=0, lease=0)
    echo = SendReply("70112233", "9830003300", "989395213300", 5, "code 123456")
    kept = str(to_answer(SendResult(job, echo)))
    assert "9395213300" not in kept
    assert "123456" not in kept
