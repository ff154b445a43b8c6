"""A random life of an account at the venue: what happens goes into a purse, and is told as the venue tells it.

Conversions come as one row per token that moved, at the venue's prices of their own (sheet 7.6), priced and put
together by the session's code; sometimes in two deliveries, sometimes with parts that were told before. News of what
has ended still trickles in. Whoever listens (`Listener`) keeps the books that are held against the purse.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueOrderId, outcome_market, perp_market
from hlomm.domain.inputs import FillReceived
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, Qty
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid import conversions
from tests.support.purse import NO, UNIT, YES, Purse

PERPS: Final = (perp_market(HYPERLIQUID, "BTC"), perp_market(HYPERLIQUID, "ETH"))
CENT: Final = UNIT // 100
TICK, LOT = UNIT // 10, UNIT // 100_000
"""Of the BTC perp."""
START_CASH, START_WALLET = 1_000_000 * UNIT, 400_000 * UNIT
BINARIES, QUESTIONS = 4, 3
_SIDES, _LEGS = tuple(Side), tuple(Leg)


class Listener(Protocol):
    """Books that are told what happens."""

    def fills(self, items: Sequence[FillReceived]) -> None: ...
    def settled(self, market: MarketId, fraction: int, rows: Sequence[Fill]) -> None: ...
    def funded(self, market: MarketId, paid: int, key: str) -> None: ...
    def moved(self, market: MarketId, reference2: int, venue_ms: int) -> None: ...
    def listed(self, market: MarketId) -> None: ...


class Life:
    """`dust` trades in quantities and at prices that the venue does not have, so that every product must be rounded."""

    def __init__(self, seed: int, listener: Listener, *, dust: bool = False) -> None:
        self.rng = random.Random(f"life/{seed}")
        self.purse = Purse(START_CASH, START_WALLET)
        self.told = listener
        self.dust = dust
        self.now = 0
        self.done: Counter[str] = Counter()
        self.touched: list[MarketId] = []
        self.binaries: list[MarketId] = []
        self.questions: list[list[MarketId]] = []
        """The fallback first; outcomes that have ended are no longer in."""
        self.over: deque[list[MarketId]] = deque(maxlen=6)
        """Binaries and questions that ended of late."""
        self._fallbacks: dict[MarketId, bool] = {}
        self._counters = Counters()
        self._newest = 100
        for _ in range(BINARIES):
            self._list_binary()
        for _ in range(QUESTIONS):
            self._list_question()

    def step(self) -> None:
        """One thing happens, and all of it is told."""
        self.now += 1
        (name,) = self.rng.choices(_NAMES, cum_weights=_WEIGHTS)
        _KINDS[name](self)
        self.done[name] += 1

    # -- trades

    def trade(self) -> None:
        self._trade(self.rng.choice(self._live()))

    def _trade(self, market: MarketId) -> None:
        rng = self.rng
        leg, side = rng.choice(_LEGS), rng.choice(_SIDES)
        px, qty = rng.randrange(1, 100) * CENT, rng.randrange(1, 300) * UNIT
        if side is Side.SELL and rng.random() > 0.05:  # else it is told before its purchase
            qty = min(qty, self.purse.free(market, leg) * UNIT) or UNIT
        if self.dust:
            px, qty = rng.randrange(1, UNIT), rng.randrange(1, 200 * UNIT)
        self._row(market, leg, side, px, qty, self._fee(px * qty // UNIT))

    def perp(self) -> None:
        market, side = self.rng.choice(PERPS), self.rng.choice(_SIDES)
        px, qty = self.rng.randrange(500_000, 1_000_000) * TICK, self.rng.randrange(1, 50_000) * LOT
        before = self.purse.perps.get(market, 0)
        if before and self.rng.random() < 0.2:  # all of it, or through zero
            side, qty = Side.SELL if before > 0 else Side.BUY, abs(before) * self.rng.randrange(1, 4)
        if self.dust:
            px, qty = px + self.rng.randrange(TICK), qty + self.rng.randrange(LOT)
        fee = self._fee(px * qty // UNIT)
        self.purse.perp(market, side, px, qty, fee)
        if before * self.purse.perps[market] < 0:
            self.done["through zero"] += 1
        self._tell([self._fill(market, Leg.YES, side, px, qty, fee, FillKind.TRADE)])

    def fund(self) -> None:
        market, paid = self.rng.choice(PERPS), self.rng.randrange(-50 * UNIT, 50 * UNIT)
        self.purse.fund(paid)
        self.told.funded(market, paid, f"funding:{self.now}")
        self.touched = [market]

    # -- conversions

    def split(self) -> None:
        self._split(self.rng.choice(self._live()))

    def merge(self) -> None:
        self._merge(self.rng.choice(self._live()))

    def negate(self) -> None:
        self._negate(self.rng.choice(self.questions))

    def merge_question(self) -> None:
        self._merge_question(self.rng.choice(self.questions))

    def _split(self, market: MarketId) -> None:
        qty = self.rng.randrange(1, 200) * UNIT
        self.purse.split(market, qty)
        self._convert(FillKind.SPLIT, [(market, leg, Side.BUY, UNIT // 2) for leg in Leg], qty)

    def _merge(self, market: MarketId) -> None:
        qty = self._whole(min(self.purse.free(market, YES), self.purse.free(market, NO)))
        fee = self._fee(qty)
        self.purse.merge(market, qty, fee)
        self._convert(FillKind.MERGE, [(market, leg, Side.SELL, UNIT // 2) for leg in Leg], qty, fee)

    def _negate(self, question: Sequence[MarketId]) -> None:
        if len(question) == 1:
            return
        source = max(self.rng.sample(question, 2), key=lambda market: self.purse.free(market, NO))
        qty, others = self._whole(self.purse.free(source, NO)), [other for other in question if other != source]
        self.purse.negate(source, others, qty)
        rows = [(other, Leg.YES, Side.BUY, UNIT // len(others)) for other in others]
        self._convert(FillKind.NEGATE, [(source, Leg.NO, Side.SELL, UNIT), *rows], qty)

    def _merge_question(self, question: Sequence[MarketId]) -> None:
        qty = self._whole(min(self.purse.free(market, YES) for market in question))
        fee = self._fee(qty)
        self.purse.merge_question(question, qty, fee)
        rows = [(market, Leg.YES, Side.SELL, UNIT // len(question)) for market in question]
        self._convert(FillKind.MERGE_QUESTION, rows, qty, fee)

    # -- ends

    def settle(self) -> None:
        market = self.rng.choice(self.binaries)
        self._settle(market, self.rng.choice((0, UNIT, UNIT, UNIT // 2, self.rng.randrange(UNIT))))
        self.binaries.remove(market)
        self.over.append([market])
        self._list_binary()

    def settle_question(self) -> None:
        question = self.rng.choice(self.questions)
        winner = self.rng.choice(question)
        for market in question:
            self._settle(market, UNIT if market == winner else 0)
        self.questions.remove(question)
        self.over.append(question)
        self._list_question()
        self.touched = list(question)

    def eliminate(self) -> None:
        """A named outcome is out of the running before the rest is decided."""
        question = self.rng.choice(self.questions)
        if len(question) > 2:
            market = self.rng.choice(question[1:])
            self._settle(market, 0)
            question.remove(market)
            self.over.append([market, *question])

    def late(self) -> None:
        """News from before the end, told after it."""
        if not self.over:
            return
        markets = self.rng.choice(self.over)
        kinds: list[Callable[[], None]] = [
            lambda: self._trade(markets[0]), lambda: self._split(markets[0]), lambda: self._merge(markets[0]),
        ]  # fmt: skip
        if len(markets) > 1:
            kinds += [lambda: self._negate(markets), lambda: self._merge_question(self._fallback_first(markets))]
        self.rng.choice(kinds)()

    def move(self) -> None:
        market = self.rng.choice((*self._live(), *PERPS))
        reference2 = self.rng.randrange(2, 199) * CENT
        if market in PERPS:
            reference2 = 2 * self.rng.randrange(500_000, 1_000_000) * TICK
        self.purse.refer(market, reference2)
        self.told.moved(market, reference2, self.now)
        self.touched = [market]

    # -- telling

    def _row(self, market: MarketId, leg: Leg, side: Side, px: int, qty: int, fee: int) -> None:
        self.purse.trade((market, leg), side, px, qty, fee)
        self._tell([self._fill(market, leg, side, px, qty, fee, FillKind.TRADE)])

    def _convert(self, kind: FillKind, rows: Sequence[tuple[MarketId, Leg, Side, int]], qty: int, fee: int = 0) -> None:
        """One row per token, each with its share of the fee, those that cannot be shared with the first ones."""
        part, rest = divmod(fee, len(rows))
        self._tell(
            [
                self._fill(market, leg, side, px, qty, part + (number < rest), kind)
                for number, (market, leg, side, px) in enumerate(rows)
            ]
        )

    def _tell(self, rows: Sequence[Fill]) -> None:
        priced = [conversions.priced(row, self._fallbacks.get, self._counters) for row in rows]
        if len(priced) == 1 or self.rng.random() < 0.8:
            self.told.fills(list(conversions.grouped(priced)))
        else:
            cut = self.rng.randrange(1, len(priced))
            self.told.fills(list(conversions.grouped(priced[:cut])))
            self.told.fills(list(conversions.grouped(priced[cut:] if self.rng.random() < 0.5 else priced)))
            self.done["in two deliveries"] += 1
        self.touched = [row.market for row in rows]

    def _settle(self, market: MarketId, fraction: int) -> None:
        fee = self._fee(UNIT)
        self.purse.settle(market, fraction, fee)
        row = self._fill(market, Leg.YES, Side.SELL, fraction, UNIT, fee, FillKind.SETTLEMENT)
        self.told.settled(market, fraction, [row])
        self.touched = [market]

    def _fill(self, market: MarketId, leg: Leg, side: Side, px: int, qty: int, fee: int, kind: FillKind) -> Fill:
        return Fill(
            key=f"{self.now}:{market}:{leg}", market=market, leg=leg, side=side, px=Px(px), qty=Qty(qty),
            fee=Cash(fee), kind=kind, maker=fee < 0, client_id=None, venue_order_id=VenueOrderId(f"{self.now}"),
            venue_ms=self.now,
        )  # fmt: skip

    # -- material

    def _fee(self, notional: int) -> int:
        """Of either sign: a rebate is a fee received."""
        dice = self.rng.random()
        if dice < 0.5:
            return 0
        self.done["rebates"] += dice > 0.9
        return notional * self.rng.randrange(1, 2_000) // 1_000_000 * (-1 if dice > 0.9 else 1)

    def _whole(self, most: int) -> int:
        """Contracts to convert: never more than there are, but one if there are none (it is told before they came)."""
        return self.rng.randrange(1, most + 1) * UNIT if most else UNIT

    def _live(self) -> list[MarketId]:
        return [*self.binaries, *(market for question in self.questions for market in question)]

    def _fallback_first(self, markets: Sequence[MarketId]) -> list[MarketId]:
        return sorted(markets, key=lambda market: not self._fallbacks[market])

    def _list_binary(self) -> None:
        self._newest += 1
        market = outcome_market(HYPERLIQUID, self._newest)
        self._fallbacks[market] = False
        self.binaries.append(market)
        self.told.listed(market)

    def _list_question(self) -> None:
        """A fallback and two to five named outcomes."""
        legs = [outcome_market(HYPERLIQUID, self._newest + 1 + n) for n in range(self.rng.randrange(3, 7))]
        self._newest += len(legs)
        self._fallbacks.update({market: market == legs[0] for market in legs})
        self.questions.append(legs)
        for market in legs:
            self.told.listed(market)


_MIX: Final[tuple[tuple[Callable[[Life], None], float], ...]] = (
    (Life.trade, 38), (Life.perp, 13), (Life.fund, 5), (Life.split, 9), (Life.merge, 7), (Life.negate, 9),
    (Life.merge_question, 6), (Life.settle, 2), (Life.settle_question, 1), (Life.eliminate, 1), (Life.late, 3),
    (Life.move, 6),
)  # fmt: skip
_KINDS: Final = {kind.__name__: kind for kind, _ in _MIX}
_NAMES: Final = tuple(_KINDS)
_WEIGHTS: Final = tuple(sum(weight for _, weight in _MIX[: place + 1]) for place in range(len(_MIX)))
