"""Kalshi: the account, its orders and what may be asked about them. Positions net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from hlomm.domain.ids import KALSHI, ClientId, MarketId, VenueOrderId, kalshi_market
from hlomm.domain.inputs import AccountState, BookSnapshot, Level, RestingOrder, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.units import Cash, Px, Qty
from hlomm.research.soak.beside.door import DEPTH, Answer, Ask, Held, Over, Refused, Rests
from hlomm.research.soak.beside.kalshi_venue import KalshiVenue, book_side
from hlomm.research.soak.timeline import S
from hlomm.sim.kalshi import rows
from hlomm.sim.kalshi.contracts import (
    CRYPTO_SHARD,
    Market,
    Phase,
)
from hlomm.sim.kalshi.grid import LOT, TICK
from hlomm.sim.kalshi.orders import NewOrder
from hlomm.sim.kalshi.refusals import TRADING_PAUSED
from hlomm.sim.kalshi.refusals import Refused as Turned
from hlomm.venues.kalshi.direct import ANY_MARKET
from hlomm.venues.kalshi.wire import account as wire
from hlomm.venues.kalshi.wire import documents
from hlomm.venues.kalshi.wire.orders import GTC, IOC, Create
from hlomm.venues.kalshi.wire.sides import BookSide, from_wire, to_wire
from hlomm.venues.protocol import SaleRules

_TIFS: Final = {GTC: Tif.GTC, IOC: Tif.IOC}


class KalshiDoor(KalshiVenue):
    # -- orders

    def pausing(self) -> None:
        """Trading is paused on the shard: orders that asked for it are cancelled."""
        self.tick()
        self.flush()

    def pause_refusal(self) -> Refused:
        return Refused(TRADING_PAUSED.code, TRADING_PAUSED.message)

    def carry_out(self, ask: Ask) -> Answer:
        wish = ask.wire
        assert isinstance(wish, Create)
        new = NewOrder(
            ticker=wish.ticker, side=Side.BUY if wish.side is BookSide.BID else Side.SELL, ticks=wish.px // TICK,
            lots=wish.qty // LOT, tif=_TIFS[wish.tif], post_only=wish.post_only, reduce_only=wish.reduce_only,
            client_id=wish.client_id, expires_ns=None if wish.expires_s is None else wish.expires_s * S,
            cancel_on_pause=True,
        )  # fmt: skip
        try:
            order = self.engine.place(self.ours, new)
        except Turned as error:
            return Refused(error.refusal.code, error.refusal.message)
        self._orders[wish.client_id] = order
        self.ids[order.order_id] = ClientId(wish.client_id)
        if order.live:
            return Rests(order.order_id, order.lots * LOT)
        return Over(order.order_id, order.filled * LOT)

    def cancel(self, orders: Sequence[RestingOrder]) -> None:
        for order in orders:
            self.cancel_id(str(order.venue_order_id))

    def cancel_id(self, order_id: str) -> str | None:
        self.tick()
        try:
            self.engine.cancel(self.ours, order_id)
        except Turned as error:
            return error.refusal.code
        self.flush()
        return None

    def sell(self, order: OrderRequest, signer: str) -> None:
        side, px = to_wire(order.leg, order.side, order.px)
        wish = Create(
            ticker=order.market.partition(":")[2], shard=CRYPTO_SHARD, client_id=order.client_id, side=side, px=px,
            qty=order.qty, tif=IOC, reduce_only=True,
        )  # fmt: skip
        self.place(Ask(order, wish, signer))

    # -- questions

    def series(self) -> documents.SeriesDoc:
        return documents.decode_series(msgspec.json.encode({"series": rows.series_row(self._series, CRYPTO_SHARD)}))

    def listing(self) -> list[tuple[documents.EventDoc, documents.MarketDoc]]:
        """Markets that trade, each with its event."""
        return [
            (self._event(market), self._document(market))
            for market in self.exchange.markets.values()
            if market.phase is Phase.ACTIVE
        ]

    def document(self, ticker: str) -> documents.MarketDoc | None:
        market = self.exchange.markets.get(ticker)
        return None if market is None else self._document(market)

    def _document(self, market: Market) -> documents.MarketDoc:
        row = rows.market_row(market, 0, self.now_ns)
        return documents.decode_market(msgspec.json.encode({"market": row}))

    def _event(self, market: Market) -> documents.EventDoc:
        row = rows.event_row(self.exchange.events[market.event_ticker])
        return documents.decode_event(msgspec.json.encode({"event": row, "markets": []})).events[0]

    def orders(self) -> tuple[wire.OrderRow, ...]:
        return tuple(self._row(order, order.status, order.filled, order.lots) for order in self.ours.orders())

    def order_of(self, client_id: str) -> wire.OrderRow | None:
        """The order under a client id, resting or not."""
        order = self._orders.get(client_id)
        return None if order is None else self._row(order, order.status, order.filled, order.lots if order.live else 0)

    def positions(self) -> tuple[wire.PositionRow, ...]:
        return tuple(
            wire.PositionRow(ticker=ticker, qty=held.lots * LOT, cost=Cash(held.cost), shard=CRYPTO_SHARD)
            for ticker, held in self.ours.positions.items()
        )

    def balance(self) -> Cash:
        """Free for trading."""
        return Cash(self.ours.free(CRYPTO_SHARD))

    def fills_since(self, start_s: int) -> list[wire.FillRow]:
        found: list[wire.FillRow] = []
        for row in reversed(self._fills):
            if row.venue_ms < start_s * 1_000:
                break
            found.append(row)
        return found

    def settlements_since(self, start_ms: int) -> list[tuple[str, int, bool]]:
        """Markets that have paid since then: what we held of each (signed), and whether YES won."""
        return [(ticker, qty, yes) for ticker, qty, yes, paid_ms in self._settled if paid_ms >= start_ms]

    def resting(self) -> tuple[RestingOrder, ...]:
        self.tick()
        found = []
        for order in self.ours.orders():
            side, px = from_wire(book_side(order.side), Px(order.ticks * TICK), Leg.YES)
            found.append(
                RestingOrder(
                    client_id=None if order.client_id is None else ClientId(order.client_id),
                    venue_order_id=VenueOrderId(order.order_id), market=kalshi_market(order.ticker), leg=Leg.YES,
                    side=side, px=px, leaves=Qty(order.lots * LOT),
                )
            )  # fmt: skip
        return tuple(found)

    def matched(self) -> tuple[int, Held]:
        cash, tokens = self.ours.cash[CRYPTO_SHARD], Held()
        for ticker, position in self.ours.positions.items():
            if not position.lots:
                continue
            leg, qty = (Leg.YES if position.lots > 0 else Leg.NO), abs(position.lots) * LOT
            if ticker not in self._unpaid:
                tokens[kalshi_market(ticker), leg] = qty
            elif self._unpaid[ticker] is (leg is Leg.YES):
                cash += qty
        return cash, tokens

    def at_risk(self) -> tuple[int, int]:
        held = sum(position.cost for ticker, position in self.ours.positions.items() if ticker not in self._unpaid)
        return held, self.ours.held.get(CRYPTO_SHARD, 0)

    def account(self) -> AccountState:
        self.tick()
        tokens = tuple(
            TokenBalance(market, leg, Qty(qty), Cash(0))
            for (market, leg), qty in self.matched()[1].items()
            if self._market(market).phase is Phase.ACTIVE
        )
        return AccountState(venue=KALSHI, cash=self.balance(), tokens=tokens, orders=self.resting(), asked_mono_ns=0)

    def book(self, market: MarketId) -> BookSnapshot | None:
        known = self.exchange.markets.get(market.partition(":")[2])
        if known is None or known.phase is not Phase.ACTIVE:
            return None

        def side(which: Side) -> tuple[Level, ...]:
            return tuple((ticks * TICK, lots * LOT) for ticks, lots, *_ in known.book.depth(which, DEPTH))

        return BookSnapshot(market, side(Side.BUY), side(Side.SELL), self.now_ms)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        return ANY_MARKET if market.partition(":")[2] in self.exchange.markets else None

    def audit(self) -> list[str]:
        return self.exchange.audit()
