"""What a process has sent, on its own disk: written here, read when it is gone."""

from .writer import (
    Answer,
    answered,
    begun,
    close_all,
    new_claim,
    settled,
    taken,
    worker_name,
)

__all__ = [
    "Answer",
    "answered",
    "begun",
    "close_all",
    "new_claim",
    "settled",
    "taken",
    "worker_name",
]
