"""What the journals of other processes prove.

A file that can be locked is the file of a process that is gone. Then, while the
machine was not started since and the file is whole, a message of which it says
nothing was not begun. An answer counts wherever it is read; silence of any other
file, or of none, proves nothing.
"""

from __future__ import annotations

import enum
import functools
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from .files import (
    PATTERN,
    SUFFIX,
    Head,
    NoJournal,
    boot_id,
    database_name,
    find_folder,
    from_line,
    lock,
)
from .writer import Answer

# The server may still commit a dead process's last claim: its file is kept so long.
_KEPT = 60.0  # s
_FORGOTTEN = 30 * 86400.0  # s


class Fate(enum.Enum):
    """What a journal knows of a message whose answer it does not have."""

    NOT_BEGUN = "not begun"
    BEGUN = "begun"
    UNKNOWN = "unknown"


class _Lines:
    """What stands below a file's head."""

    def __init__(self, lines: Iterable[bytes], tag: str) -> None:
        self.answers: dict[tuple[str, int], Answer] = {}
        self.begun: set[tuple[str, int]] = set()
        self.are_whole = True
        for line in lines:
            self._note(from_line(line), tag)

    def _note(self, values: list[Any] | None, tag: str) -> None:
        match values:
            case ["b", str(claim), int(pk)]:
                self.begun.add((tag + claim, pk))
            case ["a", str(claim), int(pk), *rest] if _are_an_answer(rest):
                self.answers[tag + claim, pk] = Answer(tag + claim, pk, *rest)
            case _:
                self.are_whole = False


class Journal:
    """One file, as it was found. A context manager: its lock is held meanwhile.

    Its lines are read when something is asked that they answer, and not before: every
    sweep passes the files of all living processes, which may hold 100,000.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head: Head | None = None
        self.is_dead = False
        self._file: BinaryIO = open(path, "rb", opener=_open)  # noqa: SIM115

    def __enter__(self) -> Journal:
        descriptor = self._file.fileno()
        self._found = os.fstat(descriptor)
        if _is_private(self._found):
            self.is_dead = lock(descriptor)
            self.head = Head.parse(self._file.readline())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @functools.cached_property
    def _lines(self) -> _Lines:
        head = self.head
        return _Lines(self._file, head.tag) if head else _Lines((), "")

    @property
    def answers(self) -> dict[tuple[str, int], Answer]:
        """Return the answers, by claim and message."""
        return self._lines.answers

    @property
    def tag(self) -> str:
        """Return how each claim of the file begins."""
        return f"{self.head.tag}." if self.head else ""

    def is_of(self, using: str) -> bool:
        """Return whether its claims were made in this database."""
        return self.head is not None and self.head.database == database_name(using)

    def has(self, claim: str) -> bool:
        """Return whether it is the file in which this claim's messages are noted."""
        return bool(self.tag) and claim.startswith(self.tag)

    def fate(self, claim: str, pk: int) -> Answer | Fate:
        """Return what became of a message, as far as it is known here."""
        if not self.has(claim):
            return Fate.UNKNOWN
        if answer := self.answers.get((claim, pk)):
            return answer
        if not self.is_dead:
            return Fate.UNKNOWN
        if (claim, pk) in self._lines.begun:
            return Fate.BEGUN
        return Fate.NOT_BEGUN if self._proves_silence() else Fate.UNKNOWN

    def remove(self) -> None:
        """Remove the file once it has told all, unless its process lives."""
        if self.is_dead and time.time() - self._found.st_mtime >= _KEPT:
            self.path.unlink(missing_ok=True)

    def is_forgotten(self) -> bool:
        """Return whether nobody has written it for a month."""
        return time.time() - self._found.st_mtime >= _FORGOTTEN

    def _proves_silence(self) -> bool:
        head = self.head
        return (
            head is not None
            and self._lines.are_whole
            and head.boot == boot_id() != ""
            # A copy is not locked by the process that goes on writing the original.
            and head.inode == self._found.st_ino
            and self.path.name == head.tag.rpartition(":")[2] + SUFFIX
        )


def read_all(
    state_dir: str | None, using: str, *, living: bool = False
) -> Iterator[Journal]:
    """Give the journals of dead processes on a database, each locked meanwhile.

    With ``living`` those of others too, and our own. Files that nobody wants any more
    are removed on the way.
    """
    try:
        found = sorted(find_folder(state_dir).glob(PATTERN))
    except (NoJournal, OSError):
        return
    for path in found:
        try:
            journal = Journal(path)
        except OSError:
            continue  # somebody else has read and removed it
        with journal:
            if (journal.is_dead or living) and journal.is_of(using):
                yield journal
            elif journal.head is None or journal.is_forgotten():
                journal.remove()


def find(state_dir: str | None, claim: str) -> Journal | None:
    """Return the journal with a claim's messages, to be entered; None without one."""
    token = claim.rpartition(".")[0].rpartition(":")[2]
    if not token.isalnum():
        return None
    try:
        return Journal(find_folder(state_dir) / (token + SUFFIX))
    except (NoJournal, OSError):
        return None


def _open(path: str, flags: int) -> int:
    """Open no link, and wait for nobody who would write into a pipe."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags)


def _is_private(found: os.stat_result) -> bool:
    shared = stat.S_IWGRP | stat.S_IWOTH
    ours = found.st_uid == os.geteuid() and not found.st_mode & shared
    return ours and stat.S_ISREG(found.st_mode) and found.st_nlink == 1


_SHAPE = (str, str, str, int | None, str, int, str)  # Answer, from status on


def _are_an_answer(values: list[Any]) -> bool:
    return len(values) == len(_SHAPE) and all(
        isinstance(value, shape) for value, shape in zip(values, _SHAPE, strict=True)
    )
