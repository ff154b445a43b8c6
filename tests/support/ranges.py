"""Ranges of one event at one venue, of which exactly one pays, and a strategy that wants a set of them."""

from __future__ import annotations

from typing import Any, Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, polymarket_market
from hlomm.domain.inputs import BookSnapshot, Level
from hlomm.domain.markets import Comparator, FeeCurve, Leg, Market, Source
from hlomm.domain.orders import OrderRequest
from hlomm.domain.outputs import Output
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import Basket, BasketLeg
from hlomm.engine.basket import BasketState, GroupState, event_group
from hlomm.engine.config import EngineConfig
from tests.support.pairs import EXPIRY_NS, legs
from tests.support.pairs import rules as pair_rules
from tests.support.puppet import Puppet
from tests.support.rig import Rig
from tests.support.values import levels, lots, outcome, px, usd
from tests.support.venues import kalshi

EVENT: Final = "KXBTC-26NOV2012"
GROUP: Final = event_group(KALSHI, EVENT)
BOOK: Final = levels(("0.28", 300), ("0.27", 300)), levels(("0.30", 300), ("0.31", 300))
RULES: Final = pair_rules()
CURVE: Final = FeeCurve(taker=7_000_000, step=Cash(100))


def ranges(**changes: Any) -> list[Market]:
    """Below 90,000; up to 92,000; above 91,999.99."""
    common: dict[str, Any] = {
        "klass": "KXBTC", "exclusive": EVENT, "expiry_ns": EXPIRY_NS, "min_notional": usd(1), "strike": None,
        "comparator": Comparator.AT_LEAST, "fee": CURVE,
    }  # fmt: skip
    pieces: tuple[dict[str, Any], ...] = (
        {"ceiling": px(90_000)}, {"floor": px(90_000), "ceiling": px(92_000)},
        {"strike": px("91999.99"), "comparator": Comparator.ABOVE},
    )  # fmt: skip
    return [
        kalshi(f"{EVENT}-{place}", **(common | piece | {"rules": f"text {place}"} | changes))
        for place, piece in enumerate(pieces)
    ]


def neg_risk(number: int, floor: int | None, ceiling: int | None, **changes: Any) -> Market:
    """A bucket of a neg-risk event, as Polymarket lists it."""
    values: dict[str, Any] = {
        "id": polymarket_market(f"0x{number:064x}"), "venue": POLYMARKET, "klass": "range", "strike": None,
        "floor": None if floor is None else px(floor), "ceiling": None if ceiling is None else px(ceiling),
        "source": Source.BINANCE_1M, "quote_token": "pUSD", "expiry_ns": EXPIRY_NS, "exclusive": "0xevent",
        "min_notional": usd(1), "ticker": f"OUT:pm-{number}", "fee": FeeCurve(taker=7_000_000, step=Cash(1_000)),
    }  # fmt: skip
    return outcome(0, **(values | changes))


def wanted(count: int = 3, *, number: float = 100, loss: float = 15, **more: Any) -> Basket:
    """YES of all."""
    return Basket(
        legs=tuple(BasketLeg(market.id, Leg.YES, px("0.31")) for market in ranges()[:count]), qty=lots(number),
        least=lots(10), worth=Cash(SCALE), edge=px("0.05"), max_unwind_loss=usd(loss), reason="edge 0.05", **more,
    )  # fmt: skip


@attrs.define(eq=False)
class SetDesk:
    """A rig whose puppet has the ranges."""

    rig: Rig
    markets: list[Market]

    @classmethod
    def open(cls, rules: EngineConfig = RULES, markets: list[Market] | None = None) -> SetDesk:
        listed = ranges() if markets is None else markets
        rig = Rig(rules, markets=listed, strategies=[Puppet(klass="KXBTC")], venues=(HYPERLIQUID, KALSHI))
        desk = cls(rig, listed)
        for market in listed:
            desk.book(market)
        return desk

    def book(self, market: Market, book: tuple[tuple[Level, ...], tuple[Level, ...]] = BOOK) -> list[Output]:
        return self.rig.tell(BookSnapshot(market.id, *book, self.rig.ms))

    def want(self, basket: Basket) -> list[OrderRequest]:
        """What leaves when the strategy wants that; afterwards it wants nothing more."""
        self.wait(1.5)
        self.rig.puppet.basket = basket
        self.rig.state.touch(self.markets[0].id)
        outputs = self.rig.wait(1)
        self.rig.puppet.basket = None
        return legs(outputs)

    def wait(self, span_s: float) -> list[OrderRequest]:
        """Let time pass while all books are heard again every half second."""
        found: list[OrderRequest] = []
        for _ in range(round(span_s * 2)):
            found += legs(self.rig.wait(0.5))
            for market in self.markets:
                book = self.rig.market(market.id).book
                found += legs(self.rig.tell(BookSnapshot(market.id, book.bids, book.asks, self.rig.ms)))
        return found

    def ends(self, order: OrderRequest, number: float) -> list[OrderRequest]:
        """It filled that much and is gone."""
        if not number:
            return legs(self.rig.rejected(order, "IocCancel", "could not match"))
        outputs = self.rig.filled(order, number)
        outputs += self.rig.closed(order, number, status="filled" if lots(number) == order.qty else "canceled")
        return legs(outputs)

    @property
    def known(self) -> GroupState:
        return self.rig.state.baskets.by_group[GROUP]

    @property
    def basket(self) -> BasketState:
        assert self.known.basket is not None
        return self.known.basket
