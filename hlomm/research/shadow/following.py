"""A shadow from the first record of a run to its last, or for as long as it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.faults import UsageError
from hlomm.domain.times import Now
from hlomm.domain.units import to_fixed
from hlomm.engine.report import report
from hlomm.journal.codec import InputRecord
from hlomm.research.fill_model import FillModel
from hlomm.research.shadow.ledger import Label, ShadowLedger, label
from hlomm.research.shadow.rows import Rows
from hlomm.research.shadow.shadow import Shadow
from hlomm.research.shadow.tail import Tail
from hlomm.research.shadow.twin import Piece, Twin
from hlomm.settings.load import Layer, Loaded, load
from hlomm.settings.paths import StatePaths

CHUNK: Final = 20_000
"""Records between two writes to the ledger."""
EARLY_MAX: Final = 100_000
"""Turns before the books of a run are open."""


@attrs.frozen(kw_only=True)
class Followed:
    """Where a shadow stands."""

    label: Label
    epoch_ms: int
    seq: int
    quotes: int
    fills: int
    total: int
    live_total: int
    """Result of the run itself, over the same records."""
    state: str

    def document(self) -> dict[str, Any]:
        return {
            "tag": self.label.tag, "name": self.label.name, "fill_model": self.label.fill_model,
            "epoch": self.epoch_ms, "seq": self.seq, "quotes": self.quotes, "fills": self.fills,
            "pnl": self.total / 1e8, "live_pnl": self.live_total / 1e8, "state": self.state,
        }  # fmt: skip

    def text(self) -> str:
        return (
            f"shadow {self.label.tag}\n"
            f"to record {self.seq} of run {self.epoch_ms}: {self.quotes} quotes, {self.fills} fills, "
            f"pnl {to_fixed(self.total, 2)} - made up by a model of fills; "
            f"the run itself: {to_fixed(self.live_total, 2)}"
        )


class Following:
    """Reads what there is, writes it down, and comes back for more."""

    def __init__(
        self, paths: StatePaths, name: str, model: FillModel, config_files: Sequence[Path], sets: Sequence[str]
    ) -> None:
        """UsageError where there is no run with open books; ConfigError for settings that are wrong."""
        self._tail = Tail(paths.journal)
        self._twin = Twin()
        self._rows = Rows()
        self._name, self._model, self._files, self._sets = name, model, config_files, sets
        self._path = paths.ledger
        self._early: list[Piece] = []
        self._shadow: Shadow | None = None
        self._ledger: ShadowLedger | None = None
        self._label: Label | None = None
        self._wall_ms = 0

    def read(self, told: Callable[[int], None] | None = None) -> bool:
        """Everything that is there by now; whether there was anything. Where it raises, it has let go of the ledger."""
        with ExitStack() as failing:
            failing.callback(self._let_go)
            anything = self._read(told)
            failing.pop_all()
        return anything

    def _read(self, told: Callable[[int], None] | None) -> bool:
        before = self._tail.seq
        for count, record in enumerate(self._tail.records(), 1):
            piece = self._twin.take(record)
            if isinstance(record, InputRecord):
                self._wall_ms = record.now.wall_ms
            if piece is not None:
                self._take(piece)
            if count % CHUNK == 0:
                self._write()
                if told is not None:
                    told(record.seq)
        self._write()
        return self._tail.seq > before

    def finish(self) -> Followed:
        """The run is over, or nobody looks any longer. UsageError if its books never opened."""
        if self._shadow is None:
            raise UsageError(f"run {self._tail.epoch_ms}: its account was never read, there is nothing to be beside of")
        try:
            self._shadow.finish()
            self._write()
        finally:
            self._let_go()
        return self.standing

    def _let_go(self) -> None:
        if self._ledger is not None:
            self._ledger.close()

    @property
    def over(self) -> bool:
        """Whether a later run has begun; what is read after that is the whole of this one."""
        return self._tail.over

    @property
    def standing(self) -> Followed:
        assert self._shadow is not None
        assert self._twin.engine is not None
        assert self._label is not None
        mine, live = report(self._shadow.engine.state), report(self._twin.engine.state)
        return Followed(
            label=self._label, epoch_ms=self._tail.epoch_ms, seq=self._tail.seq,
            quotes=mine.orders_placed + mine.amends, fills=mine.fills, total=mine.pnl.total,
            live_total=live.pnl.total, state=mine.state,
        )  # fmt: skip

    def _take(self, piece: Piece) -> None:
        if self._shadow is not None:
            self._shadow.take(piece)
            return
        # Until the account was read nobody knows with how much to begin; nothing can be traded before either.
        self._early.append(piece)
        if self._twin.equity:
            early, self._early = self._early, []
            self._shadow = self._begin(early[0].now)
            for one in early:
                self._shadow.take(one)
        elif len(self._early) > EARLY_MAX:
            raise UsageError(f"the account was not read within the first {EARLY_MAX} turns of this run")

    def _begin(self, now: Now) -> Shadow:
        assert self._twin.boot is not None
        boot = self._twin.boot
        beneath = Layer("journal", msgspec.json.decode(boot.config))
        loaded: Loaded = load(boot.profile, self._files, self._sets, environ={}, beneath=beneath)
        self._label = label(self._name, self._model, loaded.engine_json())
        self._ledger = ShadowLedger(self._path, self._label, self._tail.epoch_ms)
        return Shadow(loaded, self._model, self._twin.equity, now, self._rows)

    def _write(self) -> None:
        if self._ledger is None or self._shadow is None:
            return
        decisions, fills = self._rows.take()
        self._ledger.write(self._tail.seq, self._wall_ms, decisions, fills, report(self._shadow.engine.state))
