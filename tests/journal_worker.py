"""A process that keeps a journal, does what it is told by lines, and may be killed."""

from __future__ import annotations

import json
import os
import resource
import signal
import warnings
from pathlib import Path
from typing import Any

from negin_sms.services.outbox import journal
from negin_sms.services.outbox.journal import Answer, reader
from negin_sms.services.outbox.journal.reader import Fate


class Worker:
    """A fork of this process with a journal in a folder of its own.

    Each command is a function of ``journal``, or of this module, and its arguments.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        with warnings.catch_warnings():
            # Of other tests' threads that are left: the child touches none of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if not self.pid:
            os.close(self._commands)
            _obey(commands, answers)
        os.close(commands)
        os.close(answers)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def do(self, name: str, *arguments: Any) -> Any:
        os.write(self._commands, json.dumps([name, *arguments]).encode())
        return json.loads(os.read(self._answers, 10_000))

    def claim(self, *keys: int) -> str:
        """Take messages under a new claim."""
        claim: str = self.do("new_claim", str(self.folder), "default")
        self.do("taken", claim, keys)
        return claim

    def kill(self) -> None:
        """kill -9, as the kernel does when memory is short."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._commands)
            os.close(self._answers)
            self.pid = 0


def _obey(commands: int, answers: int) -> None:
    try:
        while order := os.read(commands, 10_000):
            name, *arguments = json.loads(order)
            act = _OURS.get(name) or getattr(journal, name)
            try:
                said = act(*arguments)
            except OSError as error:
                said = f"OSError: {error}"
            os.write(answers, json.dumps(said).encode())
    finally:
        os._exit(0)


def answered(fields: dict[str, Any]) -> None:
    journal.answered(journal.Answer(**fields))


def fork(claim: str, pk: int) -> list[Any]:
    """Fork; return the child's key, and what it says to sending the parent's row."""
    heard, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            journal.begun(claim, pk)
            said = "sent"
        except OSError as error:
            said = str(error)
        os.write(told, said.encode())
        signal.pause()  # it outlives its parent
    os.close(told)
    return [child, os.read(heard, 1000).decode()]


def fill_disk(folder: str) -> None:
    """Let no file grow any more, as on a disk that is full."""
    biggest = max(path.stat().st_size for path in Path(folder).iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (biggest, biggest))


_OURS: dict[str, Any] = {f.__name__: f for f in (answered, fork, fill_disk)}


def file_of(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def fate(folder: Path, claim: str, pk: int) -> Answer | Fate | None:
    """Ask as an expiring of claims does; None where there is no dead journal."""
    for found in reader.read_all(str(folder), "default"):
        if found.has(claim):
            return found.fate(claim, pk)
    return None
