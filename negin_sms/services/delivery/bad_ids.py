"""Which id is a refusal about, or is it the gateway? The chunks of one turn.

A chunk that the gateway refuses is halved until the bad id stands alone. That makes
sense only while the gateway answers for other ids. Until it has done so once in a
turn, a few witnesses are asked first, one by one: the youngest ids, which it has the
least reason to have forgotten. When those are refused too, the gateway is at fault.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from .states import PollTarget

WITNESSES = 3

Chunk = Sequence[PollTarget]


class ChunkQueue:
    """What is still to be asked; pure, it only decides what comes next."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Chunk] = deque()
        self._refused: list[Chunk] = []  # before the first answer of this turn
        self._answers = False

    def __bool__(self) -> bool:
        return bool(self._waiting or self._refused)

    def add(self, targets: Chunk) -> None:
        """Ask about these messages too."""
        for start in range(0, len(targets), self._size):
            self._waiting.append(targets[start : start + self._size])

    def pop(self, in_flight: int) -> Chunk | None:
        """Return what to ask next, None when there is nothing for now."""
        if self._refused:
            # One request at a time until it is clear who is at fault.
            if in_flight or self.blames_gateway:
                return None
            witness = self._call_witness()
            if witness is not None:
                return witness
        return self._waiting.popleft() if self._waiting else None

    @property
    def blames_gateway(self) -> bool:
        """Return whether so many single ids were refused that it is not the ids."""
        return sum(len(chunk) == 1 for chunk in self._refused) >= WITNESSES

    def note_answer(self) -> list[PollTarget]:
        """Learn that the gateway answers; return the ids that are bad, then."""
        self._answers = True
        return [
            bad for chunk in self.take_refused() for bad in self.note_refusal(chunk)
        ]

    def note_refusal(self, chunk: Chunk) -> list[PollTarget]:
        """Learn that a chunk was refused; return the ids that are bad for sure."""
        if not self._answers:
            self._refused.append(chunk)
            return []
        if len(chunk) == 1:
            return list(chunk)
        middle = len(chunk) // 2
        self._waiting.extendleft((chunk[:middle], chunk[middle:]))
        return []

    def take_refused(self) -> list[Chunk]:
        """Return the refused chunks of which nobody knows more, and forget them."""
        refused, self._refused = self._refused, []
        return refused

    def _call_witness(self) -> Chunk | None:
        """Take the youngest id out of the chunks that were refused together."""
        several = [chunk for chunk in self._refused if len(chunk) > 1]
        if not several:
            return None
        witness = max((one for chunk in several for one in chunk), key=_accepted_at)
        chunk = next(chunk for chunk in several if witness in chunk)
        self._refused.remove(chunk)
        rest = [one for one in chunk if one is not witness]
        if len(rest) == 1:  # it was not asked about alone yet
            self._waiting.appendleft(rest)
        else:
            self._refused.append(rest)
        return [witness]


def _accepted_at(target: PollTarget) -> datetime:
    return target.accepted_at
