"""One request for states, as a thread of the poller makes it: plain values, no rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from negin_sms.exceptions import GatewayError, OutcomeUnknown
from negin_sms.gateway import Gateway

from .states import PollTarget

_WRITTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one request brought: states by gateway id, or an error."""

    asked: Sequence[PollTarget]
    states: dict[str, int] = field(default_factory=dict)
    error: GatewayError | None = None

    def own_states(self) -> Iterator[tuple[str, int]]:
        """Give what was reported of the ids that were asked for, nothing else."""
        for one in self.asked:
            if one.gateway_id in self.states:
                yield one.gateway_id, self.states[one.gateway_id]


def ask(gateway: Gateway, targets: Sequence[PollTarget]) -> PollResult:
    """Ask a gateway for the states of these messages; never raise."""
    try:
        states = dict(gateway.states([one.gateway_id for one in targets]))
    except GatewayError as error:
        return PollResult(targets, error=error.with_traceback(None))
    except Exception as error:
        # A gateway class of somebody else's: the run ends, the rows stay due.
        kind = type(error).__name__
        reason = _("The program failed while asking for states.")
        return PollResult(targets, error=OutcomeUnknown(reason, detail=kind))
    return PollResult(targets, states)


def batches(results: Iterable[PollResult]) -> Iterator[list[PollResult]]:
    """Put the answers among the results together that are written in one go."""
    batch: list[PollResult] = []
    messages = 0
    for result in results:
        if result.error is not None:
            continue
        if batch and messages + len(result.asked) > _WRITTEN_AT_ONCE:
            yield batch
            batch, messages = [], 0
        batch.append(result)
        messages += len(result.asked)
    if batch:
        yield batch
