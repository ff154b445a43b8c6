"""Worker processes of this machine. Each has one batch at a time, so that a death has a name."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, Protocol

import attrs

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import HlommError
from hlomm.research.sweep.job import Batch, Job, Row, Unfit
from hlomm.research.sweep.worker import evaluate, prepare

START_S: Final = 600.0
"""For a process to come up and load its data."""
IDLE_DEATHS_MAX: Final = 10


_ENDED: Final[tuple[str, Any]] = ("ended", None)


class WorkersDie(HlommError):  # noqa: N818 - it is a statement
    """Workers end by themselves, and no set of settings is to blame: no memory for the data, for instance."""


@attrs.frozen(kw_only=True)
class Finished:
    batch: Batch
    rows: Sequence[Row]
    wall_s: float
    death: str = ""
    """How the worker ended that had this batch; there are no rows then."""


class Executor(Protocol):
    """Where batches run."""

    @property
    def slots(self) -> int:
        """How many batches it wants at a time."""

    def submit(self, batch: Batch) -> None:
        """Never more than `slots` at a time."""

    def wait(self, timeout_s: float) -> list[Finished]:
        """Those that finished, after at most so long. Raises Unfit or WorkersDie when it makes no sense to go on."""

    def close(self) -> None:
        """Stop everything, at once."""


@attrs.define(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    batch: Batch | None = None
    since: float = 0.0
    ready: bool = False


class Processes:
    """`count` of them. `point_s`: how long one set may take; a worker that takes longer is killed, and named."""

    def __init__(self, job: Job, count: int, *, point_s: float) -> None:
        self._job = job
        self._point_s = point_s
        self._idle_deaths = 0
        self._workers = [self._start() for _ in range(count)]

    @property
    def slots(self) -> int:
        return len(self._workers)

    def submit(self, batch: Batch) -> None:
        worker = next(each for each in self._workers if each.batch is None)
        worker.batch, worker.since = batch, time.monotonic()
        try:
            worker.pipe.send(batch)
        except OSError:
            return  # it is dead; `wait` finds out

    def wait(self, timeout_s: float) -> list[Finished]:
        handles = [handle for worker in self._workers for handle in (worker.pipe, worker.process.sentinel)]
        ready = set(wait(handles, timeout_s))
        heard = [each for each in self._workers if {each.pipe, each.process.sentinel} & ready]
        finished = [each for worker in heard for each in self._hear(worker)]
        return finished + [each for worker in list(self._workers) for each in self._overdue(worker)]

    def _hear(self, worker: _Worker) -> list[Finished]:
        try:
            # What it said before it ended counts; nothing to read means that only its end was noticed.
            word, said = worker.pipe.recv() if worker.pipe.poll() else _ENDED
        except (EOFError, OSError):
            word, said = _ENDED
        if word == _ENDED[0]:
            return self._bury(worker, _how(worker.process))
        if word == "unfit":
            raise Unfit(said)
        if word == "ready":
            worker.ready, worker.since = True, time.monotonic()
            return []
        batch, worker.batch = worker.batch, None
        assert batch is not None
        return [Finished(batch=batch, rows=said, wall_s=time.monotonic() - worker.since)]

    def _overdue(self, worker: _Worker) -> list[Finished]:
        if worker.batch is None:
            return []
        allowed = self._point_s * len(worker.batch.numbers) + (0.0 if worker.ready else START_S)
        if time.monotonic() - worker.since <= allowed:
            return []
        return self._bury(worker, f"worker {worker.process.pid} was killed: no answer within {allowed:g} s")

    def _bury(self, worker: _Worker, how: str) -> list[Finished]:
        """Another takes its place. What it was working on is told; what it had not begun is not to blame, and kept."""
        _end(worker)
        at_work = worker.ready and worker.batch is not None
        if not at_work:
            self._idle_deaths += 1
            if self._idle_deaths > IDLE_DEATHS_MAX:
                raise WorkersDie(f"workers end before they have begun anything; the last: {how}")
        self._workers[self._workers.index(worker)] = self._start()
        if worker.batch is None:
            return []
        if not at_work:
            self.submit(worker.batch)
            return []
        return [Finished(batch=worker.batch, rows=(), wall_s=time.monotonic() - worker.since, death=how)]

    def _start(self) -> _Worker:
        context = get_context("spawn")  # a fork would take locks and threads along
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._job), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours, since=time.monotonic())

    def close(self) -> None:
        for worker in self._workers:
            _end(worker)
        self._workers = []


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join(10)
    worker.pipe.close()


def _how(process: BaseProcess) -> str:
    process.join(10)
    code = process.exitcode
    if code is not None and code < 0:
        return f"worker {process.pid} was ended by {signal.Signals(-code).name}"
    return f"worker {process.pid} ended with exit code {code}"


def _serve(pipe: Connection, job: Job) -> None:
    """A worker's life. Ctrl-C is the business of the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    try:
        prepare(job)
    except HlommError as error:
        pipe.send(("unfit", str(error)))
        return
    pipe.send(("ready", None))
    while True:
        try:
            batch = pipe.recv()
            pipe.send(("rows", evaluate(job, batch)))
        except (EOFError, OSError):
            return


def _follow() -> None:
    """However the process that started us ends, we end too: nobody would hear the result."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(int(ExitCode.FAULT))
