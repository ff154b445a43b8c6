"""What is noted of an engine at work, live or in a backtest, so that the two can be laid side by side."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import attrs

from hlomm.domain.fills import Fill
from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.inputs import Booted, FillReceived, FillVoided, Input, OrderClosed, OrderRejected
from hlomm.domain.orders import Purpose, direction, yes_px
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders
from hlomm.domain.times import Now
from hlomm.domain.units import Px
from hlomm.engine.core import Engine
from hlomm.engine.report import pnl
from hlomm.research.journal_recording import Own

BOTH_SIDES = (1, -1)


@attrs.define(eq=False)
class Path:
    """A value over time: from each moment on, until the next."""

    times: list[int] = attrs.field(factory=list)
    values: list[Px | None] = attrs.field(factory=list)

    def note(self, ns: int, value: Px | None) -> None:
        if self.values and self.values[-1] == value:
            return
        if self.times and self.times[-1] == ns:
            self.values[-1] = value
            return
        self.times.append(ns)
        self.values.append(value)

    def at(self, ns: int) -> Px | None:
        found = bisect_right(self.times, ns)
        return self.values[found - 1] if found else None


@attrs.define(eq=False)
class Quotes:
    """Best quote per side as it was asked for, by what was sent and what was heard to be over."""

    paths: dict[int, Path] = attrs.field(factory=lambda: {side: Path() for side in BOTH_SIDES})
    _orders: dict[ClientId, tuple[int, Px]] = attrs.field(factory=dict)

    def heard(self, ns: int, item: Input) -> None:
        if isinstance(item, OrderClosed | OrderRejected):
            self._orders.pop(item.client_id, None)
            self._noted(ns)

    def sent(self, ns: int, output: Output, market: MarketId) -> None:
        match output:
            case PlaceOrders(orders=orders):
                for order in orders:
                    if order.market == market and order.purpose is Purpose.QUOTE:
                        self._orders[order.client_id] = direction(order.leg, order.side), yes_px(order.leg, order.px)
            case AmendOrders(amends=amends):
                for amend in amends:
                    if amend.client_id in self._orders:
                        self._orders[amend.client_id] = direction(amend.leg, amend.side), yes_px(amend.leg, amend.px)
            case CancelOrders(cancels=cancels):
                for cancel in cancels:
                    self._orders.pop(cancel.client_id, None)
            case _:
                return
        self._noted(ns)

    def _noted(self, ns: int) -> None:
        for side, path in self.paths.items():
            mine = [px for towards, px in self._orders.values() if towards == side]
            path.note(ns, max(mine, key=lambda px: px * side, default=None))


def quotes_of(own: Own, market: MarketId) -> Quotes:
    """Of a live run: at one moment, what was heard came before what was sent."""
    quotes = Quotes()
    steps: list[tuple[int, int, Input | Output]] = [
        *((ns, 0, item) for ns, item in own.news), *((ns, 1, output) for ns, output in own.sent),
    ]  # fmt: skip
    for ns, sent, step in sorted(steps, key=lambda step: step[:2]):
        if sent:
            assert isinstance(step, Output)
            quotes.sent(ns, step, market)
        else:
            assert isinstance(step, Input)
            quotes.heard(ns, step)
    return quotes


def fills_of(news: Iterable[tuple[int, Input]], until_ns: int) -> list[tuple[int, Fill]]:
    """(when we heard, fill) of everything that stood at the end."""
    found: dict[str, tuple[int, Fill]] = {}
    for ns, item in news:
        if ns > until_ns:
            break
        if isinstance(item, FillReceived):
            found |= {fill.key: (ns, fill) for fill in item.fills if fill.key not in found}
        elif isinstance(item, FillVoided):
            found.pop(item.fill.key, None)
    return list(found.values())


@attrs.define(eq=False)
class Modelled:
    """An onlooker of a backtest of one market."""

    market: MarketId
    news: list[tuple[int, Input]] = attrs.field(factory=list)
    quotes: Quotes = attrs.field(factory=Quotes)
    fair: Path = attrs.field(factory=Path)

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        del engine
        if isinstance(item, FillReceived) and item.fill.market == self.market:
            self.news.append((now.wall_ns, item))
        self.quotes.heard(now.wall_ns, item)

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        for output in outputs:
            self.quotes.sent(now.wall_ns, output, self.market)
        self.fair.note(now.wall_ns, fair_of(engine, self.market))


@attrs.define(eq=False)
class Live:
    """An onlooker of the replay of a run: fair values of the markets of interest, and the result of everything."""

    fairs: dict[MarketId, Path]
    until_ns: int
    total: int = 0
    """What this run made when it was asked to end, by the engine's own books."""
    hedge: int = 0
    """Of that, what perps brought."""
    last_ns: int = 0
    """The last turn that came out as it is on record: what was thought after it is not known."""
    _before: tuple[int, int] = (0, 0)
    _done: bool = False
    _engine: Engine | None = None

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        self._engine = engine
        if isinstance(item, Booted):
            self._before = _result(engine)  # books of earlier runs go on
        elif now.wall_ns >= self.until_ns and not self._done:
            self._take(engine)

    def end(self) -> None:
        """Nothing more comes. A run that was killed ends with a turn, and no input tells that its end has come."""
        if not self._done and self._engine is not None:
            self._take(self._engine)

    def _take(self, engine: Engine) -> None:
        self._done = True
        total, hedge = _result(engine)
        self.total, self.hedge = total - self._before[0], hedge - self._before[1]

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        del outputs
        self.last_ns = now.wall_ns
        if now.wall_ns <= self.until_ns:
            for market, path in self.fairs.items():
                path.note(now.wall_ns, fair_of(engine, market))


def _result(engine: Engine) -> tuple[int, int]:
    made = pnl(engine.state)
    return made.total, made.hedge


def fair_of(engine: Engine, market: MarketId) -> Px | None:
    state = engine.state.markets.get(market)
    return None if state is None or state.desired is None else state.desired.fair
