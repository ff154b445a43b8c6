"""The engine over a recording: same object, same turns, a tape instead of a venue."""

from __future__ import annotations

from typing import Any

import attrs

from hlomm import __version__
from hlomm.assembly.documents import amount, engine_document
from hlomm.assembly.engine import build_engine
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    BookSnapshot,
    Booted,
    FeeRates,
    Input,
    MarketListed,
    MarketSettled,
    SessionUp,
    StopRequested,
    TradePrint,
)
from hlomm.domain.orders import direction, yes_px
from hlomm.domain.report import EngineReport
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import SCALE, Cash, Px, to_fixed, to_text
from hlomm.engine.core import Engine
from hlomm.engine.report import report
from hlomm.pricing.markout import Aggressor, Print, markouts
from hlomm.research.recording import Event, Recording
from hlomm.research.tape_venue import FILL_MODEL, Delays, TapeVenue
from hlomm.settings.load import Loaded

HORIZONS_S = (1, 5, 30, 60)
START_CASH = Cash(10_000 * SCALE)
SAMPLE_NS = 5 * NS_PER_S
SETTLE_DELAY_NS = 2 * NS_PER_S
"""From expiry to the settlement news, as recorded live."""


@attrs.frozen
class Sample:
    """One point of the run's paths; prices in YES space, None where there is none."""

    wall_ns: int
    bid: Px | None
    ask: Px | None
    fair: Px | None
    own_bid: Px | None
    own_ask: Px | None
    net: int
    pnl: int


@attrs.frozen
class FillPoint:
    wall_ns: int
    sign: int
    """+1 bought YES (or sold NO)."""
    px: Px
    qty: int
    maker: bool


@attrs.define(kw_only=True)
class BacktestResult:
    recording: Recording
    final: EngineReport
    settled: Px | None
    samples: list[Sample]
    fills: list[FillPoint]
    markouts: dict[int, dict[str, float | int | None]]
    turns: int
    inputs: int
    brier: float | None
    brier_market: float | None
    filled_from: list[tuple[str, int, int]]
    digest: int

    def document(self, profile: str) -> dict[str, Any]:
        first, last = self.recording.events[0].received_ns, self.recording.events[-1].received_ns
        path = [amount(sample.net) for sample in self.samples]
        return {
            "profile": profile,
            "seed": None,
            "duration_s": round((last - first) / NS_PER_S, 3),
            **engine_document(self.final),
            "venue_open_orders": 0,
            "invariant_breaks": self.final.invariant_breaks,
            "journal": None,
            "latency_us": {"p50": None, "p99": None},
            "market": self.recording.outcome.ticker,
            "settled": None if self.settled is None else amount(self.settled),
            "quotes": self.final.orders_placed + self.final.amends,
            "fill_model": FILL_MODEL,
            "markouts": {str(h): row for h, row in self.markouts.items()},
            "brier": self.brier,
            "brier_market": self.brier_market,
            "inventory_path": {
                "max": max(path, default=0.0),
                "min": min(path, default=0.0),
                "last": path[-1] if path else 0.0,
                "samples": path[:: max(len(path) // 60, 1)],
            },
            "data": {
                "events": len(self.recording.events),
                "books": self.recording.books,
                "prints_raw": self.recording.prints_raw,
                "prints_replayed": self.recording.prints_replayed,
                "mirrored_books": self.recording.mirrored,
            },
            "digest": f"{self.digest:016x}",
        }

    def text(self) -> str:
        engine, pnl, path = self.final, self.final.pnl, [sample.net for sample in self.samples]
        data = self.recording
        rows = [
            (
                f"{data.outcome.ticker}: {data.books} books (of which {data.mirrored} mirrored on the NO coin), "
                f"{data.prints_raw} raw prints, {data.prints_replayed} of them replays"
            ),
            f"fill model: {FILL_MODEL}",
            (
                f"quotes {engine.orders_placed + engine.amends} "
                f"(orders {engine.orders_placed}, amends {engine.amends}), "
                f"cancels {engine.cancels}, fills {engine.fills}, volume {to_fixed(engine.volume, 2)}"
            ),
            (
                f"inventory from {to_text(min(path, default=0))} to {to_text(max(path, default=0))} contracts; "
                f"settled {'-' if self.settled is None else to_text(self.settled)}"
            ),
            (
                f"pnl {_signed(pnl.total)} = spread {_signed(pnl.spread)} + inventory {_signed(pnl.inventory)} "
                f"+ settlement {_signed(pnl.settlement)} - fees {to_fixed(pnl.fees, 2)}; "
                f"max drawdown {to_fixed(engine.max_drawdown, 2)}"
            ),
        ]
        for horizon, row in self.markouts.items():
            mean = "-" if row["mean"] is None else f"{row['mean'] * 100:+.3f} c"
            rows.append(f"markout {horizon:>2} s: {mean} per contract ({row['n']} fills)")
        if self.brier is not None and self.brier_market is not None:
            rows.append(f"Brier score: fair value {self.brier:.5f}, market mid {self.brier_market:.5f}")
        return "\n".join(rows)


def _signed(value: int) -> str:
    return ("+" if value >= 0 else "") + to_fixed(value, 2)


def backtest(recording: Recording, loaded: Loaded, delays: Delays | None = None) -> BacktestResult:
    """Run the engine over all events, through settlement, and measure."""
    return _Run(recording, loaded, Delays() if delays is None else delays).run()


class _Run:
    def __init__(self, recording: Recording, loaded: Loaded, delays: Delays) -> None:
        self._recording = recording
        self._loaded = loaded
        self._engine: Engine = build_engine(loaded.settings)
        self._venue = TapeVenue(recording.outcome, delays, START_CASH)
        self._samples: list[Sample] = []
        self._fills: list[FillPoint] = []
        self._mids: list[tuple[float, float]] = []
        self._forecasts: list[tuple[float, float]] = []
        self._next_sample_ns = 0
        self._turns = 0
        self._inputs = 0

    def run(self) -> BacktestResult:
        events = self._recording.events
        self._start(events[0].received_ns)
        for event in events:
            self._advance(event.received_ns)
            self._event(event)
        settled = self._settle(events[-1].received_ns)
        return BacktestResult(
            recording=self._recording, final=report(self._engine.state), settled=settled, samples=self._samples,
            fills=self._fills, markouts=self._markouts(), turns=self._turns, inputs=self._inputs,
            brier=_brier(self._forecasts, 0, settled), brier_market=_brier(self._forecasts, 1, settled),
            filled_from=self._venue.filled_from, digest=self._engine.digest(),
        )  # fmt: skip

    # -- time

    def _start(self, at_ns: int) -> None:
        booted = Booted(
            epoch_ms=at_ns // NS_PER_MS, profile=self._loaded.profile, version=__version__,
            config=self._loaded.engine_json(), halted=None,
        )  # fmt: skip
        free = FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=0, settle=0)
        for item in (
            booted, MarketListed(self._recording.perp), MarketListed(self._recording.outcome), free,
            self._venue.account(at_ns), SessionUp(HYPERLIQUID),
        ):  # fmt: skip
            self._feed(item, at_ns)

    def _feed(self, item: Input, at_ns: int) -> None:
        self._inputs += 1
        self._engine.feed(item, Now(at_ns, at_ns))
        self._turn(at_ns)

    def _turn(self, at_ns: int) -> None:
        self._turns += 1
        for output in self._engine.turn(Now(at_ns, at_ns)):
            self._venue.submit(output, at_ns)

    def _advance(self, until_ns: int) -> None:
        """Everything of ours that falls due before the next event, in order of time."""
        while True:
            times = [t for t in (self._venue.next_ns(), self._engine.next_deadline()) if t is not None]
            at_ns = min(times, default=until_ns)
            if at_ns >= until_ns:
                return
            news = self._venue.due(at_ns)
            for item in news:
                self._feed(item, at_ns)
            if not news:
                self._turn(at_ns)

    def _event(self, event: Event) -> None:
        for item in self._venue.due(event.received_ns):
            self._feed(item, event.received_ns)
        if isinstance(event.item, BookSnapshot):
            self._venue.book(event.item)
        elif isinstance(event.item, TradePrint):
            fills_before = len(self._venue.filled_from)
            self._venue.trade(event.item, event.exchange_ns, event.received_ns)
            if len(self._venue.filled_from) > fills_before:
                for item in self._venue.due(event.received_ns):
                    self._feed(item, event.received_ns)
        self._feed(event.item, event.received_ns)
        self._collect(event)

    # -- the end

    def _settle(self, last_ns: int) -> Px | None:
        """Settle by the mark interpolated around expiry, or the last one known if the recording ends before."""
        outcome = self._recording.outcome
        assert outcome.expiry_ns is not None
        assert outcome.strike is not None
        if not self._recording.marks:
            return None
        mark, detail = settlement_mark(self._recording.marks, outcome.expiry_ns)
        yes = Px(SCALE if mark >= outcome.strike else 0)
        at_ns = max(outcome.expiry_ns, last_ns) + SETTLE_DELAY_NS
        self._advance(at_ns)
        self._venue.settle(yes)
        self._feed(MarketSettled(outcome.id, yes, detail), at_ns)
        self._feed(StopRequested("end of the recording", flatten=False), at_ns)
        for _ in range(100):
            self._advance(at_ns := at_ns + NS_PER_S)
            if self._engine.next_deadline() is None:
                break
        self._sample(at_ns)
        return yes

    # -- what is measured

    def _collect(self, event: Event) -> None:
        state = self._engine.state
        market = state.markets[self._recording.outcome.id]
        fair = market.desired.fair if market.desired is not None else None
        if isinstance(event.item, BookSnapshot):
            self._price(event.received_ns, event.item, fair)
        while len(self._fills) < state.portfolio.fills:
            row = state.recent_fills[len(self._fills) - state.portfolio.fills]
            px = yes_px(row.leg, row.px)
            self._fills.append(FillPoint(row.wall_ms * NS_PER_MS, direction(row.leg, row.side), px, row.qty, row.maker))
        if event.received_ns >= self._next_sample_ns:
            self._next_sample_ns = event.received_ns + SAMPLE_NS
            self._sample(event.received_ns)

    def _price(self, at_ns: int, book: BookSnapshot, fair: Px | None) -> None:
        """Reference for markouts: the mid, or the model where a side is missing; forecasts for the Brier score."""
        mid = (book.bids[0][0] + book.asks[0][0]) / (2 * SCALE) if book.bids and book.asks else None
        reference = mid if mid is not None else None if fair is None else fair / SCALE
        if reference is not None:
            self._mids.append((at_ns / NS_PER_S, reference))
        if mid is not None and fair is not None:
            self._forecasts.append((fair / SCALE, mid))

    def _sample(self, at_ns: int) -> None:
        state = self._engine.state
        market = state.markets[self._recording.outcome.id]
        snapshot = report(state)
        row = next(row for row in snapshot.markets if row.id == market.market.id)
        self._samples.append(
            Sample(
                at_ns, market.book.best_bid, market.book.best_ask, row.fair,
                row.own_bid.px if row.own_bid else None, row.own_ask.px if row.own_ask else None,
                state.portfolio.position(market.market.id).net, snapshot.pnl.total,
            )
        )  # fmt: skip

    def _markouts(self) -> dict[int, dict[str, float | int | None]]:
        """Mean maker markout per contract, weighted by size, at each horizon; positive is good."""
        makers = [fill for fill in self._fills if fill.maker]
        if not makers or not self._mids:
            return {h: {"mean": None, "n": 0} for h in HORIZONS_S}
        prints = [
            Print(fill.wall_ns / NS_PER_S, Aggressor.SELL if fill.sign > 0 else Aggressor.BUY, fill.px / SCALE)
            for fill in makers
        ]
        times, mids = zip(*self._mids, strict=True)
        rows = markouts(prints, times, mids, HORIZONS_S)
        found: dict[int, dict[str, float | int | None]] = {}
        for index, horizon in enumerate(HORIZONS_S):
            pairs = [
                (row.markouts[index], fill.qty) for row, fill in zip(rows, makers, strict=True) if row.markouts[index]
            ]
            total = sum(qty for _, qty in pairs)
            mean = sum(m.maker * qty for m, qty in pairs if m is not None) / total if total else None
            found[horizon] = {"mean": mean, "n": len(pairs)}
        return found


def settlement_mark(marks: tuple[tuple[int, Px], ...], expiry_ns: int) -> tuple[Px, str]:
    """Mark at expiry by linear interpolation of the updates around it (venue sheet 7.3), rounded down."""
    before = [mark for mark in marks if mark[0] <= expiry_ns]
    after = [mark for mark in marks if mark[0] > expiry_ns]
    if before and after:
        (t0, m0), (t1, m1) = before[-1], after[0]
        mark = Px(m0 + (m1 - m0) * (expiry_ns - t0) // (t1 - t0))
        return mark, f"price:{to_text(mark)} interpolated"
    at_ns, mark = before[-1] if before else after[0]
    return mark, f"price:{to_text(mark)}, the recording's nearest mark, {abs(expiry_ns - at_ns) / NS_PER_S:.1f} s away"


def _brier(forecasts: list[tuple[float, float]], column: int, settled: Px | None) -> float | None:
    """Mean squared distance of a forecast from the result, over snapshots with both sides."""
    if settled is None or not forecasts:
        return None
    outcome = settled / SCALE
    return sum((row[column] - outcome) ** 2 for row in forecasts) / len(forecasts)
