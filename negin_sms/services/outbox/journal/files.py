"""The journals' folder, and what makes a file in it a journal.

A journal is named ``TOKEN.journal``; its first line says who writes it. What a reader
may conclude from a file depends on that line: see ``reader``.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import stat
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from django.db import connections
from django.utils.translation import gettext as _

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".journal"
# TOKEN is of twelve digits: systemd and hledger have files with that suffix, too.
PATTERN = "[0-9a-f]" * 12 + SUFFIX
_KIND = "negin-sms-journal-1"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_encode = json.JSONEncoder(separators=(",", ":")).encode
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_UNNAMED = "negin-sms-"  # and who keeps it, in the temporary folder


class NoJournal(Exception):
    """No journal can be kept; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Head:
    """A journal's first line.

    ``tag`` begins every claim of the file. ``inode`` tells a file from its copy, and
    ``boot`` whether the machine was started since. ``database`` is the name of the
    one that the claims were made in.
    """

    tag: str
    boot: str
    inode: int
    database: str

    def line(self) -> bytes:
        """Return the line as it is written."""
        return to_line([_KIND, *astuple(self)])

    @classmethod
    def parse(cls, line: bytes) -> Head | None:
        """Read the line; None for anything else."""
        match from_line(line):
            case [kind, str(tag), str(boot), int(inode), str(database)]:
                return cls(tag, boot, inode, database) if kind == _KIND else None
        return None


def to_line(values: list[Any]) -> bytes:
    """Return values as one line; its end is how a torn one is told."""
    return _encode(values).encode("ascii") + b"\n"


def from_line(line: bytes) -> list[Any] | None:
    """Read a line that is whole; None for one that is not."""
    if not line.endswith(b"\n"):
        return None
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, list) else None


@functools.cache
def boot_id() -> str:
    """Return what changes with every start of the machine, "" where nobody knows."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def database_name(using: str) -> str:
    """Return by what name the journal knows a database.

    Without host and port: processes reach the same one directly and by a pooler.
    """
    connection = connections[using]
    return f"{connection.vendor}:{connection.settings_dict['NAME']}"


def find_folder(state_dir: str | None, *, make: bool = False) -> Path:
    """Return the folder of STATE_DIR, or where it could be; ``make`` it when needed.

    Who only looks makes none: it would belong to whoever watches, not to the worker.
    Raise NoJournal where none is wanted or possible, or where others could write.
    """
    if fcntl is None:
        raise NoJournal(_("This system has no file locks that end with a process."))
    if state_dir == "":
        raise NoJournal(_("STATE_DIR is empty, so no journal is wanted."))
    try:
        if state_dir is None:
            folder = Path(tempfile.gettempdir(), f"{_UNNAMED}{os.geteuid()}")
            _refuse_unsafe(folder, followed=False, make=make)
        else:
            folder = Path(state_dir)
            # systemd makes a link of it (DynamicUser=), in a folder of root's.
            _refuse_unsafe(folder, followed=True, make=make)
    except OSError as error:
        raise NoJournal(
            _(
                "The folder %(folder)s cannot be used (%(why)s). Give it to the user who "
                "runs this, or name another one in STATE_DIR."
            )
            % {"folder": folder, "why": error.strerror}
        ) from None
    return folder


def others_keep_one() -> bool:
    """Return whether another user keeps a journal here that STATE_DIR does not name."""
    found = Path(tempfile.gettempdir()).glob(f"{_UNNAMED}[0-9]*")
    whose = {folder.name.removeprefix(_UNNAMED) for folder in found}
    return any(uid.isdecimal() and int(uid) != os.geteuid() for uid in whose)


def _refuse_unsafe(folder: Path, *, followed: bool, make: bool) -> None:
    if make:
        folder.mkdir(mode=0o700, parents=followed, exist_ok=True)
    elif not os.path.lexists(folder):
        _refuse_unmakable(folder)
        return
    found = os.stat(folder, follow_symlinks=followed)
    if not stat.S_ISDIR(found.st_mode):
        raise NoJournal(_("%(folder)s is no folder, or a link.") % {"folder": folder})
    if found.st_uid != os.geteuid():
        raise NoJournal(
            _(
                "The folder %(folder)s belongs to somebody else. Name another one in STATE_DIR."
            )
            % {"folder": folder}
        )
    if found.st_mode & _OTHERS_MAY_WRITE:
        raise NoJournal(
            _("Others may write in the folder %(folder)s. Take that right from them.")
            % {"folder": folder}
        )


def _refuse_unmakable(folder: Path) -> None:
    nearest = next(each for each in folder.absolute().parents if each.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Take a file's lock, which ends with the process; return whether it was free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
