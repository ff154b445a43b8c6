"""What a backtest assumes about being filled, in one value with a name that goes onto every result.

None of it is a fact: nobody knows where in a queue an order would have stood. BACK and POWER with n = 2 bracket the
truth about queues (QUANT 9), not the profit: an order that fills more often is not always better off.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.faults import UsageError
from hlomm.pricing.queues import QueueModel
from hlomm.research.latency import Latency

VERSION: Final = 2
"""2: the venue lives in its own time, sizes taken are gone until the next snapshot, own orders do not meet. Rows of
different versions are never mixed."""
N_RANGE: Final = (0.1, 10.0)


@attrs.frozen(kw_only=True)
class FillModel:
    """Queue position and latencies."""

    queue: QueueModel = QueueModel.BACK
    n: float = 2.0
    """Exponent of POWER and POWER3; the others have none."""
    latency: Latency = attrs.field(factory=Latency)

    @property
    def queue_tag(self) -> str:
        name = self.queue.name.lower()
        return f"{name}(n={self.n:g})" if self.queue in (QueueModel.POWER, QueueModel.POWER3) else name

    @property
    def tag(self) -> str:
        """Everything that tells two models apart."""
        return f"queue-{self.queue_tag}/v{VERSION} {self.latency.tag()}"

    @property
    def pessimistic(self) -> FillModel:
        """The lower end of the bracket: cancels are always behind us."""
        return attrs.evolve(self, queue=QueueModel.BACK, n=2.0)

    @property
    def optimistic(self) -> FillModel:
        """The upper end: cancels come from where more of the queue stands."""
        return attrs.evolve(self, queue=QueueModel.POWER, n=2.0)

    def same_as(self, other: FillModel) -> bool:
        """Whether a run with the one is a run with the other."""
        return self.tag == other.tag


def fill_model(queue: str, n: float, latency: Latency) -> FillModel:
    """By the queue's name. UsageError for a name or an exponent that there is not."""
    names = {model.name.lower(): model for model in QueueModel}
    if queue not in names:
        raise UsageError(f"no queue model {queue!r}; there are: {', '.join(names)}")
    low, high = N_RANGE
    if not low <= n <= high:
        raise UsageError(f"an exponent of a queue model is from {low:g} to {high:g}, was {n:g}")
    return FillModel(queue=names[queue], n=n, latency=latency)
