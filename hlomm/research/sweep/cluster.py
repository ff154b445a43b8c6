"""Batches on a Dask cluster that somebody runs: the same work, wherever its workers are.

Its workers need this program and the data, at the same place; both are compared before anything is computed. The
scheduler itself tries a batch again whose worker died (`distributed.scheduler.allowed-failures`, 3) before it says so
here; then it is as with a process of this machine.
"""

from __future__ import annotations

import queue
import time
from typing import Any, Final, cast

import attrs

from hlomm.domain.faults import UsageError, VenueUnavailable
from hlomm.research.sweep.job import Batch, Job, Unfit
from hlomm.research.sweep.local import START_S, Finished
from hlomm.research.sweep.worker import evaluate

INSTALL: Final = "a cluster needs dask: `pip install distributed`, or this checkout with `pip install '.[cluster]'`"
CONNECT_S: Final = 15.0
COUNT_S: Final = 5.0
"""Between looks at how many workers there are."""
AHEAD: Final = 2
"""Batches per thread of the cluster, so that none waits for the way here and back."""


@attrs.define(eq=False)
class _Flying:
    batch: Batch
    since: float


class Cluster:
    """UsageError without dask, or where no scheduler with a worker answers at `address`."""

    def __init__(self, job: Job, address: str, *, point_s: float) -> None:
        try:
            from distributed import Client  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise UsageError(INSTALL) from None
        self._job = job
        self._point_s = point_s
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._flying: dict[Any, _Flying] = {}
        self._threads = 1
        self._counted = -COUNT_S
        # Half of dask's methods have types, the other half would be refused for having none.
        try:
            self._client: Any = cast("Any", Client)(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UsageError(f"--scheduler {address}: {error}") from None
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            self._client.close(timeout=CONNECT_S)
            raise UsageError(f"--scheduler {address}: it has no workers") from None

    @property
    def slots(self) -> int:
        """As many as there are threads now: workers may come and go."""
        if time.monotonic() - self._counted > COUNT_S:
            self._counted = time.monotonic()
            try:
                self._threads = sum(self._client.nthreads().values())
            except (OSError, TimeoutError) as error:
                raise self._gone(error) from None
        return AHEAD * max(self._threads, 1)

    def submit(self, batch: Batch) -> None:
        if self._client.status != "running":
            raise self._gone(self._client.status)
        future = self._client.submit(evaluate, self._job, batch, pure=False, retries=0)
        self._flying[future] = _Flying(batch, time.monotonic())
        future.add_done_callback(self._answers.put)

    def wait(self, timeout_s: float) -> list[Finished]:
        try:
            finished = self._take(self._answers.get(timeout=timeout_s))
        except queue.Empty:
            self._look()
            return []
        return [] if finished is None else [finished]  # one at a time: the next may be the end, and this one is whole

    def _take(self, future: Any) -> Finished | None:
        if future not in self._flying:
            return None
        flying = self._flying.pop(future)
        wall_s = time.monotonic() - flying.since
        if future.status == "finished":
            rows = future.result(timeout=CONNECT_S)
            return Finished(batch=flying.batch, rows=rows, wall_s=sum(row.wall_s for row in rows))
        if future.status != "error":  # nobody here cancels anything before the end, so the scheduler forgot it
            raise self._gone(f"a batch is {future.status}")
        error = future.exception(timeout=CONNECT_S)
        if type(error).__name__ == "KilledWorker":
            return Finished(
                batch=flying.batch, rows=(), wall_s=wall_s, death=f"a worker died: {error.last_worker.address}"
            )
        raise error if isinstance(error, Unfit) else Unfit(f"a worker cannot do it: {type(error).__name__}: {error}")

    def _look(self) -> None:
        """Nothing came for a while: whether anybody is there."""
        if self._client.status != "running":
            raise self._gone(self._client.status)
        allowed = START_S + AHEAD * self._point_s * max(
            (len(e.batch.numbers) for e in self._flying.values()), default=1
        )
        if self._flying and min(time.monotonic() - each.since for each in self._flying.values()) > allowed:
            raise VenueUnavailable(f"the cluster has answered nothing for {allowed:g} s; run again to go on")

    @staticmethod
    def _gone(why: object) -> VenueUnavailable:
        return VenueUnavailable(f"the scheduler is gone ({why}); what is done is kept, run again to go on")

    def close(self) -> None:
        for future in list(self._flying):
            future.cancel()
        self._flying.clear()
        self._client.close(timeout=CONNECT_S)
