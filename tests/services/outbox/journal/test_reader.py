"""What a process leaves behind that was killed: real processes, real files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from typing import Any

import pytest

from negin_sms.services.outbox import journal
from negin_sms.services.outbox.journal import Answer
from negin_sms.services.outbox.journal import files as journal_files
from negin_sms.services.outbox.journal import reader as journal_reader
from negin_sms.services.outbox.journal.reader import Fate
from tests.journal_worker import fate, file_of

CLAIM = re.compile(r"[^:]+:[0-9]+:[0-9a-f]{12}\.[0-9a-f]+")


def test_what_was_not_begun_is_known(worker, folder):
    claim = worker.claim(1, 2)
    worker.kill()
    assert CLAIM.fullmatch(claim)
    assert fate(folder, claim, 1) is Fate.NOT_BEGUN


def test_a_claim_is_known_before_it_is_made(worker, folder):
    """Killed between the claim's commit and the next line of the program."""
    claim = worker.do("new_claim", str(folder), "default")
    worker.kill()
    assert fate(folder, claim, 1) is Fate.NOT_BEGUN


def test_what_was_begun_may_have_been_sent(worker, folder):
    claim = worker.claim(1, 2)
    worker.do("begun", claim, 1)
    worker.kill()
    assert fate(folder, claim, 1) is Fate.BEGUN
    assert fate(folder, claim, 2) is Fate.NOT_BEGUN


def test_an_answer_is_read_back_whole(worker, folder):
    claim = worker.claim(1)
    answer = Answer(
        *(claim, 1, "accepted", "70112233", "9830003300"),
        *(100, "other_mobile", 1795000000, "ab12"),
    )
    worker.do("begun", claim, 1)
    worker.do("answered", answer._asdict())
    worker.kill()
    assert fate(folder, claim, 1) == answer


def test_another_claim_of_the_process_is_another(worker, folder):
    """A row that came back and was claimed again is not the row that was begun."""
    first, second = worker.claim(1), worker.claim(1)
    worker.do("begun", first, 1)
    worker.kill()
    assert fate(folder, first, 1) is Fate.BEGUN
    assert fate(folder, second, 1) is Fate.NOT_BEGUN


# Whose silence proves something


def test_a_living_process_is_left_alone(worker, folder):
    """Without the lock its messages would be taken for not begun."""
    claim = worker.claim(1)
    assert fate(folder, claim, 1) is None
    with journal_reader.find(str(folder), claim) as found:
        assert found.fate(claim, 1) is Fate.UNKNOWN


def test_a_sweep_does_not_read_what_the_living_wrote(folder, monkeypatch):
    """Each dispatcher passes all of their files every five seconds."""
    claim = journal.new_claim(str(folder), "default")
    journal.begun(claim, 1)
    read: list[bytes] = []

    def note(line: bytes) -> list[Any] | None:
        read.append(line)
        return journal_files.from_line(line)

    monkeypatch.setattr(journal_reader, "from_line", note)
    assert list(journal_reader.read_all(str(folder), "default")) == []
    assert read == []
    with journal_reader.find(str(folder), claim) as found:
        assert not found.answers
    assert len(read) == 1


def test_our_own_file_is_a_living_one(folder):
    claim = journal.new_claim(str(folder), "default")
    assert fate(folder, claim, 1) is None


def test_an_answer_of_a_living_process_counts(worker, folder):
    claim = worker.claim(1)
    worker.do("answered", {"claim": claim, "pk": 1, "status": "accepted"})
    with journal_reader.find(str(folder), claim) as found:
        assert found.fate(claim, 1) == Answer(claim, 1, "accepted")


def test_a_stopped_process_lives(worker, folder):
    claim = worker.claim(1)
    os.kill(worker.pid, signal.SIGSTOP)
    assert fate(folder, claim, 1) is None


def test_after_a_reboot_only_answers_count(worker, folder):
    """The end of the file may never have reached the disk."""
    claim = worker.claim(1, 2, 3)
    worker.do("begun", claim, 1)
    worker.do("answered", {"claim": claim, "pk": 1, "status": "accepted"})
    worker.do("begun", claim, 2)
    worker.kill()
    path = file_of(folder)
    boot = journal_files.boot_id().encode()
    path.write_bytes(path.read_bytes().replace(boot, b"x" * len(boot)))
    assert fate(folder, claim, 1) == Answer(claim, 1, "accepted")
    assert fate(folder, claim, 2) is Fate.BEGUN
    assert fate(folder, claim, 3) is Fate.UNKNOWN


@pytest.mark.parametrize(
    "tear",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[:-12],
        lambda whole: whole[:-8] + b"\0" * 8,
        lambda whole: whole + b"\0" * 100,
        lambda whole: whole.replace(b'["b"', b'["b', 1),
    ],
    ids=["its end", "a line", "zeros", "zeros behind", "in the middle"],
)
def test_the_silence_of_a_torn_file_proves_nothing(tear, worker, folder):
    claim = worker.claim(1, 2, 3)
    worker.do("begun", claim, 3)
    worker.do("answered", {"claim": claim, "pk": 1, "status": "accepted"})
    worker.do("begun", claim, 2)
    worker.kill()
    path = file_of(folder)
    path.write_bytes(tear(path.read_bytes()))
    assert fate(folder, claim, 4) is Fate.UNKNOWN
    assert fate(folder, claim, 1) == Answer(claim, 1, "accepted")


def test_a_torn_answer_is_none(worker, folder):
    """Half of a gateway id is another message's id."""
    claim = worker.claim(1)
    worker.do("begun", claim, 1)
    answer = {"claim": claim, "pk": 1, "status": "accepted", "gateway_id": "70112233"}
    worker.do("answered", answer)
    worker.kill()
    path = file_of(folder)
    path.write_bytes(path.read_bytes().partition(b"2233")[0])
    assert fate(folder, claim, 1) is Fate.BEGUN


def test_a_missing_file_proves_nothing(worker, folder):
    claim = worker.claim(1)
    worker.kill()
    file_of(folder).unlink()
    assert fate(folder, claim, 1) is None
    assert journal_reader.find(str(folder), claim) is None


def test_an_emptied_file_proves_nothing(worker, folder):
    claim = worker.claim(1)
    worker.kill()
    os.truncate(file_of(folder), 0)
    assert fate(folder, claim, 1) is None


def test_a_copy_proves_nothing(worker, folder, tmp_path):
    """Its lock is free while the process goes on in the original."""
    claim = worker.claim(1)
    elsewhere = tmp_path / "copy"
    shutil.copytree(folder, elsewhere, copy_function=shutil.copy2)
    elsewhere.chmod(0o700)
    assert fate(elsewhere, claim, 1) is Fate.UNKNOWN


def test_a_file_under_anothers_name_proves_nothing(worker, folder):
    claim = worker.claim(1)
    worker.kill()
    file_of(folder).rename(folder / f"{'0' * 12}.journal")
    assert fate(folder, claim, 1) is Fate.UNKNOWN


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs root")
def test_a_file_of_somebody_else_is_not_read(worker, folder):
    claim = worker.claim(1)
    worker.kill()
    os.chown(file_of(folder), 65534, -1)
    assert fate(folder, claim, 1) is None


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(worker, folder):
    claim = worker.claim(1)
    path = file_of(folder)
    worker.kill()
    path.unlink()
    os.mkfifo(path)
    assert fate(folder, claim, 1) is None
    with journal_reader.find(str(folder), claim) as found:
        assert found.fate(claim, 1) is Fate.UNKNOWN


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs Linux")
def test_a_folder_in_place_of_a_file_leaves_nothing_open(folder):
    (folder / f"{'0' * 12}.journal").mkdir(parents=True)
    folder.chmod(0o700)
    before = len(os.listdir("/proc/self/fd"))
    assert list(journal_reader.read_all(str(folder), "default")) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_others_may_write_is_not_read(worker, folder):
    claim = worker.claim(1)
    worker.kill()
    file_of(folder).chmod(0o666)
    assert fate(folder, claim, 1) is None


def test_a_journal_of_another_database_is_left_to_its_own(worker, folder):
    claim = worker.claim(1)
    worker.kill()
    path = file_of(folder)
    path.write_bytes(path.read_bytes().replace(b"sql", b"SQL", 1))
    assert fate(folder, claim, 1) is None
    assert path.exists()


# Forks


def test_a_child_keeps_its_own(worker, folder):
    """The parent is gone when the child still lives: the lock is not inherited."""
    claim = worker.claim(1)
    child, said = worker.do("fork", claim, 1)
    worker.kill()
    try:
        os.kill(child, 0)
        assert fate(folder, claim, 1) is Fate.NOT_BEGUN
        assert "forked" in said
    finally:
        os.kill(child, signal.SIGKILL)


# The file itself


def test_a_dead_journal_is_removed_once_it_is_read_and_old(worker, folder):
    worker.claim(1)
    worker.kill()
    path = file_of(folder)
    for found in journal_reader.read_all(str(folder), "default"):
        found.remove()
    assert path.exists()  # the server may be committing its last claim just now
    os.utime(path, (time.time() - 61,) * 2)
    for found in journal_reader.read_all(str(folder), "default"):
        found.remove()
    assert not path.exists()


def test_a_living_journal_is_never_removed(worker, folder):
    claim = worker.claim(1)
    os.utime(file_of(folder), (0, 0))
    assert list(journal_reader.read_all(str(folder), "default")) == []
    with journal_reader.find(str(folder), claim) as found:
        found.remove()
    assert file_of(folder).exists()


def test_a_file_without_a_head_is_removed_when_it_is_old(folder):
    folder.mkdir(mode=0o700)
    path = folder / "0123456789ab.journal"
    path.touch(0o600)
    assert list(journal_reader.read_all(str(folder), "default")) == []
    assert path.exists()
    os.utime(path, (0, 0))
    assert list(journal_reader.read_all(str(folder), "default")) == []
    assert not path.exists()


@pytest.mark.parametrize("name", ["system.journal", "2026.journal"])
def test_a_file_of_another_program_is_left_alone(folder, name):
    """STATE_DIR may be a folder that has other files: systemd's, or a ledger."""
    folder.mkdir(mode=0o700)
    path = folder / name
    path.write_text("2026-11-27 * Opening balances\n")
    path.chmod(0o600)
    os.utime(path, (0, 0))
    assert list(journal_reader.read_all(str(folder), "default")) == []
    assert path.exists()


def test_a_full_disk_is_no_proof(worker, folder):
    """A line that is missing would be taken for "not begun"."""
    claim = worker.claim(1)
    worker.do("fill_disk", str(folder))
    assert worker.do("begun", claim, 1) is None
    worker.kill()
    assert fate(folder, claim, 1) in (None, Fate.UNKNOWN)
