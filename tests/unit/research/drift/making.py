"""A run of which every cause is known: the backtester itself, put on record as if it had been live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import numpy as np

from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, MarkPrice, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.outputs import Output
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.engine.core import Engine
from hlomm.journal.codec import InputRecord, Record, TurnRecord
from hlomm.pricing.normal import cdf
from hlomm.research.backtest import Terms, backtest
from hlomm.research.drift.delays import Delays
from hlomm.research.fill_model import FillModel
from hlomm.research.recording import Event, Recording, perp_of
from hlomm.settings.load import Loaded, load
from tests.replay.journals import write
from tests.unit.store.making import OUTCOME, PERP, T0, market

SECONDS, AGE_MS = 120, 100
SPOT, STRIKE, VOL_S = 79_000.0, 79_000.0, 0.45 / np.sqrt(31_536_000.0)


def settings(*sets: str) -> Loaded:
    """One market trades: no hedge, no sets, and the smallest engine that quotes."""
    return load("sim", sets=["hedge.enabled=false", "sets.enabled=false", *sets], environ={})


def recording(seed: int = 5) -> Recording:
    """Some minutes of a contract at the money, with takers who reach some way into the book."""
    rng = np.random.default_rng(seed)
    expiry_ns = T0 + (SECONDS + 600) * NS_PER_S
    spot, events = SPOT, []
    for half_second in range(2 * SECONDS):
        ms = 500 * half_second
        spot *= float(np.exp(rng.normal(0.0, VOL_S * np.sqrt(0.5))))
        left_s = (expiry_ns - T0) / NS_PER_S - ms / 1e3
        mid = round(cdf(np.log(spot / STRIKE) / (VOL_S * np.sqrt(left_s))) * 1_000) * 100_000
        touch = (round(spot) * SCALE, SCALE), ((round(spot) + 1) * SCALE, SCALE)
        events += [
            event(ms, BboUpdate(PERP, *touch, stamp(ms))),
            event(ms + 1, MarkPrice(PERP, Px(touch[0][0]), stamp(ms + 1))),
            event(ms + 2, BookSnapshot(OUTCOME, levels(mid, -1), levels(mid, +1), stamp(ms + 2))),
        ]  # fmt: skip
        if rng.random() < 0.5:
            sign = int(rng.choice([-1, 1]))
            px = Px(mid + sign * round(rng.exponential(0.01) * 1_000) * 100_000)
            item = TradePrint(OUTCOME, px, Qty(int(rng.integers(5, 60)) * SCALE), Side(sign), f"t{ms}", stamp(ms + 250))
            events.append(event(ms + 250, item))
    return Recording(
        outcome=market(expiry_ns=expiry_ns), perp=perp_of("BTC"), events=tuple(events), marks=(), books=2 * SECONDS,
        prints_raw=0, prints_replayed=0, mirrored=0, settled=Px(SCALE),
    )  # fmt: skip


def stamp(ms: int) -> int:
    return T0 // NS_PER_MS + ms


def event(ms: int, item: Input) -> Event:
    return Event(received_ns=T0 + (ms + AGE_MS) * NS_PER_MS, exchange_ns=T0 + ms * NS_PER_MS, item=item)


def levels(mid: int, side: int) -> tuple[tuple[int, int], ...]:
    return tuple((mid + side * (400_000 + 300_000 * level), (20 + 30 * level) * SCALE) for level in range(4))


@attrs.define(eq=False)
class Pen:
    """An onlooker that writes a journal."""

    records: list[Record] = attrs.field(factory=list)

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        del engine
        self.records.append(InputRecord(len(self.records) + 1, now, item))

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        self.records.append(TurnRecord(len(self.records) + 1, now, engine.digest(), tuple(outputs)))


def lived(tape: Recording, delays: Delays | None = None, loaded: Loaded | None = None) -> list[Record]:
    pen = Pen()
    terms = Terms() if delays is None else Terms(model=FillModel(latency=delays.latency()))
    backtest(tape, settings() if loaded is None else loaded, terms, pen)
    return pen.records


def run(
    folder: Path, records: Sequence[Record], edit: Callable[[Record], Record | None] = lambda record: record
) -> Path:
    """The journal of a run; `edit` changes what the venue did in it."""
    write(folder, [made for record in records if (made := edit(record)) is not None])
    return folder
