"""What this process has sent, on its own disk: one append-only file.

A process that is killed cannot say any more which of its messages it had begun to
send. So it writes a line before the first byte of each request and one after its
answer; whoever finds the file unlocked knows that the process is gone, and reads
(``reader``). Each claim of the process begins with the file's own tag, so a
claim needs no line: of a message with such a claim and without a line, nothing was
begun.

The file holds neither number, text nor credential. Nothing is synced to the disk:
it outlives the process, not the machine. Where none can be kept all works as ever,
and a claim's lease decides what a crash leaves behind.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from django.utils.translation import gettext as _

from .files import (
    SUFFIX,
    Head,
    NoJournal,
    boot_id,
    database_name,
    find_folder,
    lock,
    to_line,
)

logger = logging.getLogger("negin_sms")

_FULL = 8 * 1024 * 1024  # bytes; about 60,000 messages
_KEPT = 300.0  # s; what a failover may have lost is in a file that is full, too
_TRY_AGAIN = 60.0  # s


class Answer(NamedTuple):
    """How the sending of one message ended, as far as its row needs to know.

    ``at`` is in seconds since 1970, and ``wish`` a digest of what was sent: by these a
    row is known again that has lost its claim.
    """

    claim: str
    pk: int
    status: str
    gateway_id: str = ""
    used_line: str = ""
    code: int | None = None
    flag: str = ""
    at: int = 0
    wish: str = ""


def worker_name() -> str:
    """Return a fresh name for this process: ``host:pid:random``."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(6)}"


def new_claim(state_dir: str | None, using: str) -> str:
    """Return a fresh name for a claim: ``host:pid:random``.

    With a journal in the folder of ``state_dir``, which is begun when there is none;
    without one where none can be kept.
    """
    key = (state_dir, database_name(using))
    with _lock:
        file = _current.get(key)
        if file is None or file.is_over:
            file = _begin_another(key)
        return worker_name() if file is None else file.new_claim()


def taken(claim: str, keys: Iterable[int]) -> None:
    """Note which messages a claim got that are to be sent; none ends it."""
    if file := _files.get(_tag_of(claim)):
        file.unsettled[claim] = set(keys)
        file.settle(claim, ())


def begun(claim: str, pk: int) -> None:
    """Write that a request leaves now; to be called before its first byte.

    Raise OSError where it must not leave: the line could not be written, nor the
    file be taken away, so that others would believe that nothing was begun.
    """
    tag = _tag_of(claim)
    if file := _files.get(tag):
        file.begin(claim, pk)
    elif tag in _ended:
        raise OSError(
            "the claim's journal was closed, or is of who forked this process"
        )


def answered(answer: Answer) -> None:
    """Write how a request ended, before its row is told."""
    if file := _files.get(_tag_of(answer.claim)):
        file.end(answer)


def settled(claim: str, keys: Iterable[int]) -> None:
    """Note that these rows say by now what this process knows of them."""
    if file := _files.get(_tag_of(claim)):
        file.settle(claim, keys)


class _File:
    """One file of this process, locked while it is open."""

    def __init__(self, folder: Path, database: str) -> None:
        self.tag = worker_name()
        token = self.tag.rpartition(":")[2]
        self.path = folder / (token + SUFFIX)
        self.unsettled: dict[str, set[int]] = {}  # keys by claim; none: not known yet
        self._numbers = itertools.count(1)
        self._is_lost = False
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        self._file = open(os.open(self.path, flags, 0o600), "ab", buffering=0)  # noqa: SIM115
        try:
            # A reader may look just now whether somebody has it.
            if not lock(self._file.fileno(), wait=True):
                raise NoJournal(_("%(path)s cannot be locked.") % {"path": self.path})
            inode = os.fstat(self._file.fileno()).st_ino
            self._append(Head(self.tag, boot_id(), inode, database).line())
        except BaseException:
            self._file.close()
            self.path.unlink(missing_ok=True)
            raise

    @property
    def is_over(self) -> bool:
        """Return whether it is full, or was taken away by somebody."""
        found = os.fstat(self._file.fileno())
        return self._is_lost or found.st_size >= _FULL or not found.st_nlink

    @property
    def is_young(self) -> bool:
        """Return whether what it holds may be newer than what a failover lost."""
        return time.time() - os.fstat(self._file.fileno()).st_mtime < _KEPT

    def new_claim(self) -> str:
        claim = f"{self.tag}.{next(self._numbers):x}"
        self.unsettled[claim] = set()
        return claim

    def settle(self, claim: str, keys: Iterable[int]) -> None:
        left = self.unsettled.get(claim, set())
        left.difference_update(keys)
        if not left:
            self.unsettled.pop(claim, None)

    def begin(self, claim: str, pk: int) -> None:
        if self._is_lost:
            return
        try:
            self._append(b'["b","%s",%d]\n' % (self._short(claim).encode(), pk))
        except OSError:
            self._lose()

    def end(self, answer: Answer) -> None:
        # Without this line the message is one that was begun: nobody is misled.
        with contextlib.suppress(OSError, TypeError):
            self._append(to_line(["a", self._short(answer.claim), *answer[1:]]))

    def close(self) -> None:
        """End the file; it is removed when all that it knows is in the database."""
        if not self.unsettled:
            self.path.unlink(missing_ok=True)
        self.drop()

    def drop(self) -> None:
        """Let go of it, and leave it where it is."""
        self._file.close()

    def _short(self, claim: str) -> str:
        return claim[len(self.tag) :]

    def _append(self, line: bytes) -> None:
        try:
            if self._file.write(line) == len(line):
                return
        except ValueError:  # closed: the interpreter is shutting down
            pass
        raise OSError("a line of the journal was not written")

    def _lose(self) -> None:
        """Take the file away, since a line is missing; OSError where that fails."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            os.truncate(self.path, 0)
        self._is_lost = True
        logger.warning("The journal %s cannot be written and was given up", self.path)


_Key = tuple[str | None, str]
_lock = threading.Lock()
_files: dict[str, _File] = {}  # by tag
_current: dict[_Key, _File] = {}
_hopeless_until: dict[_Key, float] = {}
_ended: frozenset[str] = frozenset()  # tags of which nothing more is written here


def _begin_another(key: _Key) -> _File | None:
    state_dir, database = key
    _current.pop(key, None)
    _close_old()
    if time.monotonic() < _hopeless_until.get(key, 0.0):
        return None
    try:
        file = _File(find_folder(state_dir, make=True), database)
    except (NoJournal, OSError) as error:
        if key not in _hopeless_until and state_dir != "":
            logger.warning("This process keeps no SMS journal: %s", error)
        _hopeless_until[key] = time.monotonic() + _TRY_AGAIN
        return None
    _hopeless_until.pop(key, None)
    _files[file.tag] = _current[key] = file
    return file


def _close_old() -> None:
    """Close full files of which nothing is wanted any more."""
    for tag, file in list(_files.items()):
        is_current = file in _current.values()
        if not (is_current or file.is_young or file.unsettled):
            file.close()
            del _files[tag]


def _tag_of(claim: str) -> str:
    return claim.rpartition(".")[0]


def close_all() -> None:
    """End this process's files; whatever it claims after that has new ones.

    What is claimed and not begun cannot be noted any more, so it does not leave.
    """
    global _ended
    with _lock:
        _ended |= frozenset(_files)
        for file in _files.values():
            file.close()
        _files.clear()
        _current.clear()


def _start_anew() -> None:
    # The lock is shared with the parent until the child lets go of the file; and
    # the parent's thread that held ours does not exist here.
    global _lock, _ended
    _lock = threading.Lock()
    _ended |= frozenset(_files)
    for file in _files.values():
        file.drop()
    _files.clear()
    _current.clear()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
