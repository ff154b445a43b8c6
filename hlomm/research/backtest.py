"""The engine over a recording: same object, same turns, a tape instead of a venue."""

from __future__ import annotations

from hlomm import __version__
from hlomm.assembly.engine import build_engine
from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    BboUpdate,
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
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import SCALE, Cash, Px, to_float, to_text
from hlomm.engine.core import Engine
from hlomm.engine.report import report
from hlomm.engine.state import MarketState
from hlomm.pricing.expected import Contract, implied_vol
from hlomm.research.backtest_result import BacktestResult, FillPoint, Sample
from hlomm.research.fair_error import FairError, RealisedSoFar, Snapshot, constant
from hlomm.research.hedge_overlay import Moment, Overlay, overlay
from hlomm.research.onlooker import Onlooker
from hlomm.research.recording import Event, Recording
from hlomm.research.tape_venue import Delays, TapeVenue
from hlomm.settings.load import Loaded

START_CASH = Cash(10_000 * SCALE)
SAMPLE_NS = 5 * NS_PER_S
_LEAST_AVERSION = 1e-9
"""A strategy without risk aversion would have an infinite band."""
SETTLE_DELAY_NS = 2 * NS_PER_S
"""From expiry to the settlement news, as recorded live."""


def backtest(
    recording: Recording, loaded: Loaded, delays: Delays | None = None, onlooker: Onlooker | None = None, *,
    cash: Cash = START_CASH,
) -> BacktestResult:  # fmt: skip
    """Run the engine over all events, through settlement, and measure."""
    return _Run(recording, loaded, Delays() if delays is None else delays, onlooker, cash).run()


class _Run:
    def __init__(
        self, recording: Recording, loaded: Loaded, delays: Delays, onlooker: Onlooker | None, cash: Cash
    ) -> None:
        self._recording = recording
        self._onlooker = onlooker
        self._loaded = loaded
        self._engine: Engine = build_engine(loaded.settings)
        self._venue = TapeVenue(recording.outcome, delays, cash)
        self._samples: list[Sample] = []
        self._fills: list[FillPoint] = []
        self._forecasts: list[tuple[float, float]] = []
        self._snapshots: list[Snapshot] = []
        self._moments: list[Moment] = []
        self._so_far = RealisedSoFar()
        self._touch: tuple[float, float] | None = None
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
            fair_error=FairError(self._snapshots, None if settled is None else settled / SCALE),
            hedged=self._hedged(),
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
        now = Now(at_ns, at_ns)
        self._engine.feed(item, now)
        if self._onlooker is not None:
            self._onlooker.fed(self._engine, item, now)
        self._turn(at_ns)

    def _turn(self, at_ns: int) -> None:
        self._turns += 1
        outputs = self._engine.turn(Now(at_ns, at_ns))
        if self._onlooker is not None:
            self._onlooker.turned(self._engine, outputs, Now(at_ns, at_ns))
        for output in outputs:
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
        """Settle as recorded, else by the mark interpolated around expiry, or the last one known before it."""
        outcome = self._recording.outcome
        assert outcome.expiry_ns is not None
        assert outcome.strike is not None
        if self._recording.settled is not None:
            yes, detail = self._recording.settled, "as recorded"
        elif self._recording.marks:
            mark, detail = settlement_mark(self._recording.marks, outcome.expiry_ns)
            yes = Px(SCALE if mark >= outcome.strike else 0)
        else:
            return None
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
            self._price(event.item, fair)
            self._forecast(event.received_ns, event.item, market)
        elif isinstance(event.item, BboUpdate) and event.item.bid is not None and event.item.ask is not None:
            self._touch = event.item.bid[0] / SCALE, event.item.ask[0] / SCALE
            self._so_far.update(event.received_ns / NS_PER_S, 0.5 * sum(self._touch))
        while len(self._fills) < state.portfolio.fills:
            row = state.recent_fills[len(self._fills) - state.portfolio.fills]
            px = yes_px(row.leg, row.px)
            self._fills.append(FillPoint(row.wall_ms * NS_PER_MS, direction(row.leg, row.side), px, row.qty, row.maker))
        if event.received_ns >= self._next_sample_ns:
            self._next_sample_ns = event.received_ns + SAMPLE_NS
            self._sample(event.received_ns)

    def _price(self, book: BookSnapshot, fair: Px | None) -> None:
        """Forecasts for the Brier score."""
        mid = (book.bids[0][0] + book.asks[0][0]) / (2 * SCALE) if book.bids and book.asks else None
        if mid is not None and fair is not None:
            self._forecasts.append((fair / SCALE, mid))

    def _forecast(self, at_ns: int, book: BookSnapshot, market: MarketState) -> None:
        """What everybody made of this book; see `hlomm.research.fair_error`."""
        outcome, desired = self._recording.outcome, market.desired
        assert outcome.strike is not None
        tau_s = outcome.tau_ns(at_ns) / NS_PER_S
        if self._touch is None or tau_s <= 0.0:
            return
        facts = {} if desired is None else dict(desired.facts)
        spot, strike = 0.5 * sum(self._touch), to_float(outcome.strike)
        bid, ask = (levels[0][0] / SCALE if levels else None for levels in (book.bids, book.asks))
        mid = None if bid is None or ask is None else 0.5 * (bid + ask)
        fair = None if desired is None or desired.fair is None else desired.fair / SCALE
        realised = self._so_far.annual
        configured = self._loaded.settings.strategy.avellaneda.vol_annual
        forecasts = (
            constant(spot, strike, realised, tau_s), constant(spot, strike, configured, tau_s),
            _number(facts.get("model")), fair, mid,
        )  # fmt: skip
        self._snapshots.append(
            Snapshot(
                tau_s=tau_s, bid=bid, ask=ask, p=forecasts, realised=realised,
                implied=None if mid is None else implied_vol(Contract(floor=strike), spot, tau_s, mid),
                expected=_number(facts.get("expected")),
            )
        )  # fmt: skip

    def _moment(self, at_ns: int, market: MarketState, net: int, pnl: int) -> None:
        """What a hedge would look at, as often as the paths are sampled."""
        tau_s = self._recording.outcome.tau_ns(at_ns) / NS_PER_S
        if self._touch is None or tau_s <= 0.0:
            return
        said = None if market.desired is None else market.desired.sensitivity
        self._moments.append(
            Moment(
                at_s=at_ns / NS_PER_S, tau_s=tau_s, net=net / SCALE, delta=None if said is None else said.delta * 1e-8,
                gamma=0.0 if said is None else said.gamma * 1e-16, bid=self._touch[0], ask=self._touch[1],
                pnl=pnl / SCALE,
            )
        )  # fmt: skip

    def _hedged(self) -> Overlay:
        aversion = self._loaded.settings.strategy.avellaneda.gamma
        total = report(self._engine.state).pnl.total / SCALE
        return overlay(self._moments, final_pnl=total, risk_aversion=max(aversion, _LEAST_AVERSION))

    def _sample(self, at_ns: int) -> None:
        state = self._engine.state
        market = state.markets[self._recording.outcome.id]
        snapshot = report(state)
        row = next(row for row in snapshot.markets if row.id == market.market.id)
        net = state.portfolio.position(market.market.id).net
        self._moment(at_ns, market, net, snapshot.pnl.total)
        self._samples.append(
            Sample(
                at_ns, market.book.best_bid, market.book.best_ask, row.fair,
                row.own_bid.px if row.own_bid else None, row.own_ask.px if row.own_ask else None,
                net, snapshot.pnl.total,
            )
        )  # fmt: skip

    def _markouts(self) -> dict[int, dict[str, float | int | None]]:
        """Mean maker markout per contract, weighted by size, at each horizon (`hlomm.engine.markouts`)."""
        return {
            horizon_s: {"mean": total.sum2 / (2 * total.qty * SCALE) if total.qty else None, "n": total.fills}
            for horizon_s, total in zip(MARKOUT_S, self._engine.state.markouts.totals, strict=True)
        }


def _number(fact: float | str | None) -> float | None:
    """A named number of a decision; a dash stands for none."""
    return fact if isinstance(fact, float) else None


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
