"""What a process writes of its sends: real processes, real files."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from negin_sms.services.outbox import journal
from negin_sms.services.outbox.journal import Answer
from negin_sms.services.outbox.journal import reader as journal_reader
from negin_sms.services.outbox.journal.reader import Fate
from tests.journal_worker import fate, file_of

CLAIM = re.compile(r"[^:]+:[0-9]+:[0-9a-f]{12}\.[0-9a-f]+")


def test_the_file_is_private_and_holds_only_what_it_must(worker, folder):
    claim = worker.claim(1)
    worker.do("begun", claim, 1)
    path = file_of(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    tag, _dot, number = claim.rpartition(".")
    head, line = path.read_text().splitlines()
    assert line == f'["b",".{number}",1]'
    assert tag in head


def test_a_clean_end_leaves_no_file(worker, folder):
    claim = worker.claim(1, 2)
    worker.do("settled", claim, [1, 2])
    assert worker.claim() != claim
    worker.do("close_all")
    assert list(folder.iterdir()) == []


def test_a_clean_end_leaves_what_is_to_be_repaired(worker, folder):
    """The database is away: the answer is kept for the next run."""
    claim = worker.claim(1, 2)
    worker.do("answered", {"claim": claim, "pk": 2, "status": "accepted"})
    worker.do("settled", claim, [1])
    worker.do("close_all")
    assert fate(folder, claim, 2) == Answer(claim, 2, "accepted")


def test_a_claim_whose_fate_is_unknown_is_kept(worker, folder):
    """The connection was cut under the claim: it may have been committed."""
    claim = worker.do("new_claim", str(folder), "default")
    worker.do("close_all")
    assert fate(folder, claim, 1) is Fate.NOT_BEGUN


def test_an_interpreter_that_ends_cleans_up(folder):
    program = (
        "import django; django.setup(); "
        "from negin_sms.services.outbox import journal; "
        f"claim = journal.new_claim({str(folder)!r}, 'default'); "
        "journal.taken(claim, []); "
        f"import os; print(len(os.listdir({str(folder)!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert list(folder.iterdir()) == []


def test_a_full_file_is_followed_by_another(folder, monkeypatch):
    """The first goes when all of it is settled."""
    monkeypatch.setattr(journal.writer, "_FULL", 1)
    monkeypatch.setattr(journal.writer, "_KEPT", 0.0)
    first = journal.new_claim(str(folder), "default")
    journal.taken(first, [1, 2])
    journal.new_claim(str(folder), "default")
    journal.settled(first, [1])
    journal.new_claim(str(folder), "default")
    assert len(list(folder.iterdir())) == 3
    journal.settled(first, [2])
    journal.new_claim(str(folder), "default")
    assert len(list(folder.iterdir())) == 3
    assert journal_reader.find(str(folder), first) is None


def test_a_file_that_has_just_become_full_is_kept(folder, monkeypatch):
    """However long ago it was begun: a failover may have lost what it holds."""
    first = journal.new_claim(str(folder), "default")
    journal.taken(first, ())
    path = file_of(folder)
    later = time.monotonic() + 2 * journal.writer._KEPT
    monkeypatch.setattr(time, "monotonic", lambda: later)
    monkeypatch.setattr(journal.writer, "_FULL", 1)
    journal.new_claim(str(folder), "default")
    journal.new_claim(str(folder), "default")
    assert path.exists()
    os.utime(path, (time.time() - journal.writer._KEPT - 1,) * 2)
    journal.new_claim(str(folder), "default")
    assert not path.exists()


def test_a_file_that_was_taken_away_is_replaced(folder):
    """By a cleaner of old files: what comes after that has a new one."""
    first = journal.new_claim(str(folder), "default")
    file_of(folder).unlink()
    journal.begun(first, 1)
    second = journal.new_claim(str(folder), "default")
    assert first.rpartition(".")[0] != second.rpartition(".")[0]


class Torn:
    """A file on a disk that is full, or whose interpreter shuts down."""

    def __init__(self, file: Any, error: Exception | None) -> None:
        self._file, self._error = file, error

    def write(self, line: bytes) -> int:
        if self._error:
            raise self._error
        return int(self._file.write(line[:5]))

    def __getattr__(self, name: str):
        return getattr(self._file, name)


@pytest.mark.parametrize(
    "error", [None, OSError("full"), ValueError("write to closed file")]
)
@pytest.mark.parametrize("may_unlink", [True, False])
def test_a_file_that_cannot_be_written_proves_nothing(
    error, may_unlink, folder, monkeypatch, caplog
):
    """A line is missing: who found the file would take the message for not begun."""
    claim = journal.new_claim(str(folder), "default")
    journal.taken(claim, [1, 2])
    file = journal.writer._files[claim.rpartition(".")[0]]
    monkeypatch.setattr(file, "_file", Torn(file._file, error))
    if not may_unlink:
        monkeypatch.setattr(Path, "unlink", refuse)
    journal.begun(claim, 1)
    journal.begun(claim, 2)
    journal.answered(Answer(claim, 1, "accepted"))
    left = [path.read_bytes() for path in folder.iterdir()]
    assert left == ([] if may_unlink else [b"" if error else b'["a",'])
    assert caplog.text.count("given up") == 1
    monkeypatch.undo()
    assert fate(folder, claim, 1) in (None, Fate.UNKNOWN)
    assert journal.new_claim(str(folder), "default").rpartition(".")[0] != file.tag


def test_what_can_neither_be_written_nor_taken_away_does_not_leave(folder, monkeypatch):
    claim = journal.new_claim(str(folder), "default")
    file = journal.writer._files[claim.rpartition(".")[0]]
    monkeypatch.setattr(file, "_file", Torn(file._file, OSError("full")))
    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(os, "truncate", refuse)
    with pytest.raises(OSError, match="refused"):
        journal.begun(claim, 1)


def test_a_file_that_cannot_be_locked_is_none(folder, monkeypatch, caplog):
    """Others would take its process for dead."""
    monkeypatch.setattr(journal.writer, "lock", lambda *_file, **_wait: False)
    claim = journal.new_claim(str(folder), "default")
    journal.begun(claim, 1)
    assert list(folder.iterdir()) == []
    assert "cannot be locked" in caplog.text


def test_a_child_sends_nothing_of_its_parent(folder, monkeypatch):
    """What a fork calls in the child; with real processes in ``test_reader``."""
    monkeypatch.setattr(journal.writer, "_ended", frozenset())
    claim = journal.new_claim(str(folder), "default")
    journal.writer._start_anew()
    with pytest.raises(OSError, match="forked"):
        journal.begun(claim, 1)
    own = journal.new_claim(str(folder), "default")
    assert own.rpartition(".")[0] != claim.rpartition(".")[0]
    journal.begun(own, 1)


def test_what_a_file_that_was_closed_does_not_say_is_not_sent(folder):
    """An interpreter that ends closes it, while threads of its own still run."""
    claim = journal.new_claim(str(folder), "default")
    journal.close_all()
    assert fate(folder, claim, 1) is Fate.NOT_BEGUN
    with pytest.raises(OSError, match="closed"):
        journal.begun(claim, 1)
    journal.begun(journal.new_claim(str(folder), "default"), 1)


def refuse(*_path, **_options):
    raise OSError("refused")


def test_threads_do_not_mix_their_lines(folder):
    claim = journal.new_claim(str(folder), "default")
    spans = [range(n * 500, (n + 1) * 500) for n in range(8)]

    def send(keys: range) -> None:
        for pk in keys:
            journal.begun(claim, pk)
            journal.answered(Answer(claim, pk, "accepted", str(pk)))

    threads = [threading.Thread(target=send, args=[keys]) for keys in spans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with journal_reader.find(str(folder), claim) as found:
        answers = {pk: a.gateway_id for (_c, pk), a in found.answers.items()}
    assert answers == {pk: str(pk) for pk in range(4000)}


# The folder
