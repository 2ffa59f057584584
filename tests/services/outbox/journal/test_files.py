"""The journal's folder: whose it is, and who may write to it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from negin_sms.services.outbox import journal
from negin_sms.services.outbox.journal import Answer
from negin_sms.services.outbox.journal import files as journal_files
from negin_sms.services.outbox.journal import reader as journal_reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def _none_of_ours() -> Iterator[None]:
    journal.close_all()
    yield
    journal.close_all()
    journal.writer._hopeless_until.clear()


def test_no_folder_no_journal(folder):
    """A claim's name is as ever, and nothing is written."""
    claim = journal.new_claim("", "default")
    journal.taken(claim, [1])
    journal.begun(claim, 1)
    journal.answered(Answer(claim, 1, "accepted"))
    assert re.fullmatch(r"[^:]+:[0-9]+:[0-9a-f]{12}", claim)
    assert journal_reader.find("", claim) is None
    assert list(journal_reader.read_all("", "default")) == []


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path, caplog):
    (tmp_path / "file").touch()
    for _ in range(3):
        journal.new_claim(str(tmp_path / "file" / "state"), "default")
    (record,) = caplog.records
    assert "another one in STATE_DIR" in record.getMessage()


def test_the_default_folder_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = journal_files.find_folder(None, make=True)
    assert path == tmp_path / f"negin-sms-{os.geteuid()}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_who_only_looks_makes_no_folder(tmp_path):
    wanted = tmp_path / "state" / "sms"
    assert journal_files.find_folder(str(wanted)) == wanted
    assert list(journal_reader.read_all(str(wanted), "default")) == []
    assert not wanted.parent.exists()


def test_who_only_looks_is_told_of_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(journal_files.NoJournal, match="another one in STATE_DIR"):
        journal_files.find_folder(str(tmp_path / "file" / "state"))


def test_a_link_in_place_of_the_default_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"negin-sms-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(journal_files.NoJournal, match="link"):
        journal_files.find_folder(None)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs root")
def test_a_folder_of_somebody_else_is_refused(folder):
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, -1)
    with pytest.raises(journal_files.NoJournal, match="somebody else"):
        journal_files.find_folder(str(folder))


def test_a_folder_that_others_may_write_is_refused(folder):
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(journal_files.NoJournal, match="Others may write"):
        journal_files.find_folder(str(folder))


def test_systemds_link_to_the_state_folder_is_followed(folder, tmp_path):
    """DynamicUser= makes one."""
    folder.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(folder)
    assert journal_files.find_folder(str(tmp_path / "link")) == tmp_path / "link"


def test_a_system_without_locks_has_no_journal(folder, monkeypatch):
    monkeypatch.setattr(journal_files, "fcntl", None)
    claim = journal.new_claim(str(folder), "default")
    assert "." not in claim.rpartition(":")[2]
    assert list(journal_reader.read_all(str(folder), "default")) == []
