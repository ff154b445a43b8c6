"""Kalshi's session: positions that net, orders found by our own id, pauses that are looked for."""

from __future__ import annotations

from functools import partial
from typing import Final

from hlomm.domain.ids import KALSHI, ClientId, kalshi_market
from hlomm.domain.inputs import (
    AccountDoubted,
    CancelFailed,
    Input,
    MarketSettled,
    OrderAnswer,
    OrderClosed,
    OrderRejected,
    RateBudget,
    VenuePaused,
)
from hlomm.domain.orders import CancelRequest, OrderRequest
from hlomm.domain.units import ONE, Cash, Px, Qty
from hlomm.research.soak.beside.desk import Desk
from hlomm.research.soak.beside.door import Answer, Ask, Refused, Rests
from hlomm.research.soak.beside.kalshi_door import KalshiDoor
from hlomm.research.soak.beside.kalshi_venue import SERIES
from hlomm.research.soak.beside.session import Steps
from hlomm.research.soak.inside import Within
from hlomm.research.soak.network import REQUEST_DEADLINE_S, Line
from hlomm.research.soak.weather import Weather
from hlomm.settings.schema import Settings
from hlomm.venues.kalshi.account import AccountBooks, Reading
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.registry import Registry, closes_within
from hlomm.venues.kalshi.tracks import RESTING, Track, Tracks
from hlomm.venues.kalshi.upkeep import BUDGET, PAUSE_S
from hlomm.venues.kalshi.wire.account import EXECUTED, FillRow, OrderRow
from hlomm.venues.kalshi.wire.account import RESTING as RESTS
from hlomm.venues.kalshi.wire.orders import GTC, IOC, Create
from hlomm.venues.kalshi.wire.schemas import sayable
from hlomm.venues.kalshi.wire.sides import BookSide, from_wire, to_wire

STATUS_S: Final = 30.0
STATUS_PAUSED_S: Final = 5.0
LAG_S: Final = 1.0
FINAL: Final = "finalized"


class KalshiDesk(Desk):
    door: KalshiDoor
    late_s = (1.0, REQUEST_DEADLINE_S - 0.5)
    """What has not arrived by the deadline of its request never will, as the session takes it."""

    def __init__(
        self, inside: Within, weather: Weather, door: KalshiDoor, settings: Settings, fills_from_ms: int | None
    ) -> None:
        super().__init__(inside, weather, door, settings, fills_from_ms)
        section = settings.venue.kalshi
        self._config = KalshiConfig(
            rest_url="https://kalshi.test",
            ws_url="wss://kalshi.test",
            key_id="soak",
            private_key=None,
            series=(SERIES,),
        )
        self._horizon_s = section.horizon_s
        self._life_s = section.order_life_s
        self.registry = Registry(frozenset((SERIES,)), self._config.shard, self._config.fee_precision, self.counters)
        self.tracks, self.purse = Tracks(), Purse()
        self.feed = AccountFeed(self.tracks, self.purse, self.counters, self._config.fill_memory, inside.venue_ms)
        self.feed.doubt = lambda why: inside.say([AccountDoubted(KALSHI, why)])
        self.books = AccountBooks(self._config, self.registry, self.tracks, self.purse, self.feed, self.counters)
        self._paused = False

    # -- what is listed

    def _read_lists(self) -> Steps:
        self.registry.series[SERIES] = yield self.door.series
        rows = yield self.door.listing
        now_ns = self._in.venue_ms() * 1_000_000
        for event, doc in rows:
            if closes_within(doc, now_ns, self._horizon_s) and doc.ticker not in self.registry.over:
                self.registry.events.put(event.event_ticker, event)
                self._in.emit(self.registry.take(doc, now_ns))
                assert not self.registry.refused, "the venue lists what the session cannot read"
        yield from self._settle_due()

    def _settle_due(self) -> Steps:
        """Ask after listed and held markets that are past their close."""
        now_ns = self._in.venue_ms() * 1_000_000
        held = [ticker for ticker, qty in self.purse.positions.items() if qty]
        for ticker in dict.fromkeys((*self.registry.due(now_ns), *held)):
            market = self.registry.market(ticker)
            if market is not None and (market.expiry_ns or 0) > now_ns:
                continue
            doc = yield partial(self.door.document, ticker)
            if doc is not None and doc.status == FINAL:
                self._in.emit(self._settled(ticker, ONE if doc.result == "yes" else Px(0)))

    def _settled(self, ticker: str, yes_px: Px) -> list[Input]:
        if ticker in self.registry.over:
            return []
        now_ms = self._in.venue_ms()
        self.registry.end(ticker)
        self.purse.settle(ticker, yes_px, now_ms)
        self.feed.active(now_ms)
        return [MarketSettled(kalshi_market(ticker), yes_px, "document")]

    # -- the account

    def _introduce(self) -> Steps:
        self._in.emit([RateBudget(KALSHI, 0, BUDGET)])
        yield from self._open_books()
        yield from self._read_lists()
        yield from self._read_account()

    def _open_books(self) -> Steps:
        """Positions and fills before anything is told: what is listed now is inside the first account."""
        start_ms = self._fills_from_ms
        now_ms = self._in.venue_ms()
        fills: list[FillRow] = yield lambda: self.door.fills_since(
            (now_ms if start_ms is None else start_ms) // 1000 - 60
        )
        positions = yield self.door.positions
        self.purse.positions = {row.ticker: row.qty for row in positions if row.qty}
        if start_ms is None:
            self.feed.start_ms = now_ms
            self.feed.seed(fills)
            return
        self.feed.start_ms = self.feed.complete_ms = start_ms
        settled: list[tuple[str, int, bool]] = yield lambda: self.door.settlements_since(start_ms)
        for ticker, qty, _ in settled:
            self.purse.positions[ticker] = qty
        for fill in self.feed.unseen(fills):
            held = self.purse.positions.get(fill.ticker, 0)
            self.purse.positions[fill.ticker] = held - (fill.qty if fill.side is BookSide.BID else -fill.qty)
        self._in.emit(self.feed.on_listed(fills))
        events: list[Input] = []
        for ticker, _, yes in settled:
            events += self._settled(ticker, ONE if yes else Px(0))
        self.purse.unpaid.clear()
        self._in.emit(events)

    def _read_account(self) -> Steps:
        asked_ns = self._in.clock.now().mono_ns
        orders, positions, balance, as_of_ms = yield self._reading
        fills = yield lambda: self.door.fills_since(self.feed.ask_from_ms // 1_000 - 1)
        self._in.emit(self.feed.on_listed(fills))
        listed = {row.ticker for row in positions}
        if any(qty and ticker not in listed for ticker, qty in self.purse.positions.items()):
            yield from self._settle_due()
        reading = Reading(orders, positions, balance, asked_ns, as_of_ms)
        state = self.books.state(reading)
        self.books.trust(reading)
        self._in.emit([state])
        resting = {row.order_id for row in orders}
        for track in self.tracks.live():
            late = track.sent_ms + 2_000 * REQUEST_DEADLINE_S < as_of_ms
            gone = track.order_id is not None and track.order_id not in resting
            if late and gone and not self.under_way(track.client_id):
                self._ask(track.client_id)

    def _reading(self) -> tuple[tuple[OrderRow, ...], tuple[object, ...], Cash, int]:
        return self.door.orders(), self.door.positions(), self.door.balance(), self.door.now_ms

    # -- orders

    def _prepare(self, request: OrderRequest) -> Ask | list[Input]:
        market = self.registry.markets.get(request.market)
        if market is None:
            text = f"{request.market} not listed"
            return [OrderRejected(client_id=request.client_id, code="no_such_market", text=text)]
        if not sayable(request.px, request.qty):
            text = "finer than the venue can be told"
            return [OrderRejected(client_id=request.client_id, code="invalid_order", text=text)]
        ticker = request.market.partition(":")[2]
        side, px = to_wire(request.leg, request.side, request.px)
        now_ms = self._in.venue_ms()
        rests = request.tif in RESTING
        expires_s = -(-(now_ms + int(self._life_s * 1_000)) // 1_000) if rests else None
        track = self.tracks.place(request, ticker, self._config.shard, expires_s, now_ms)
        self.feed.active(now_ms)
        wish = Create(
            ticker=ticker, shard=track.shard, client_id=request.client_id, side=side, px=px, qty=request.qty,
            tif=GTC if rests else IOC, reduce_only=request.reduce_only and not rests, expires_s=expires_s,
        )  # fmt: skip
        return Ask(request, wish)

    def _unsent(self, ask: Ask) -> None:
        track = self.tracks.of(ask.request.client_id)
        if track is not None:
            self.tracks.end(track)

    def _answered(self, ask: Ask, answer: Answer) -> list[Input]:
        track = self.tracks.of(ask.request.client_id)
        assert track is not None, "it was entered before it left"
        if isinstance(answer, Refused):
            self.tracks.end(track)
            return [OrderRejected(client_id=track.client_id, code=answer.code, text=answer.text)]
        if track.order_id is None:
            self.tracks.name(track, answer.order_id)
        now_ms = self.door.now_ms
        self.feed.active(now_ms)
        if isinstance(answer, Rests):
            return self.feed.opened(track, now_ms)
        return self.feed.closed(track, answer.filled, now_ms, executed=answer.filled >= track.total)

    def _cancel(self, request: CancelRequest) -> Steps:
        client_id = request.client_id
        track = self.tracks.of(client_id)
        order_id = None if track is None else track.order_id
        if order_id is None:
            row: OrderRow | None = yield lambda: self.door.order_of(client_id)
            if row is None:
                return [CancelFailed(client_id=client_id, code="not_found", text="the venue has no such id")]
            track = self.tracks.adopt(row, self._config.shard) if track is None else track
            self.tracks.name(track, row.order_id)
            order_id = row.order_id
        assert track is not None
        refused = yield lambda: self.door.cancel_id(order_id)
        if refused is not None:
            return [CancelFailed(client_id=client_id, code=refused, text="it rests no more")]
        was_done = track.done
        self.tracks.end(track)
        return [] if was_done else [
            OrderClosed(
                client_id=client_id, venue_order_id=track.venue_id, status="canceled", filled=None, venue_ms=0
            )
        ]  # fmt: skip

    def _look_up(self, client_id: ClientId) -> Steps:
        """Absence is believed when said twice by lists that are younger than anything that could still arrive."""
        track = self.tracks.of(client_id)
        for denied in range(2):
            if track is not None:
                left_s = (track.sent_ms - self._in.venue_ms()) / 1_000 + REQUEST_DEADLINE_S
                if left_s > 0:
                    yield left_s
            row: OrderRow | None = yield lambda: self.door.order_of(client_id)
            if row is not None:
                self._in.emit([self._found(client_id, track, row)])
                return
            if not denied:
                yield LAG_S
        if track is not None:
            self.tracks.end(track)
        self._in.emit([_unknown(client_id)])

    def _found(self, client_id: ClientId, track: Track | None, row: OrderRow) -> OrderAnswer:
        if track is None:
            track = self.tracks.adopt(row, self._config.shard)
        if track.order_id is None:
            self.tracks.name(track, row.order_id)
        rests = row.status == RESTS
        if rests:
            self.tracks.revive(track)
            track.opened = True
        else:
            self.tracks.end(track)
        return OrderAnswer(
            client_id=client_id, found=True, open=rests,
            status="open" if rests else ("filled" if row.status == EXECUTED else row.status),
            venue_order_id=track.venue_id, leaves=row.leaves if rests else Qty(0),
            filled=track.filled_of(row.filled), px=from_wire(row.side, row.px, track.leg)[1],
        )  # fmt: skip

    # -- news

    def _news(self, item: object) -> list[Input]:
        if isinstance(item, FillRow):
            return self.feed.on_fill(item)
        assert isinstance(item, OrderRow)
        track = self.tracks.of_order(item.order_id) or self.tracks.of(item.client_id)
        if track is None:
            return []
        return self.feed.on_row(track, item)

    # -- pauses

    def _came_up(self, line: Line) -> None:
        self._watch_status(line)

    def _watch_status(self, line: Line) -> None:
        if self.line is not line:
            return
        self._do(self._read_status())
        self._in.after(STATUS_PAUSED_S if self._paused else STATUS_S, lambda: self._watch_status(line))

    def _read_status(self) -> Steps:
        paused = yield lambda: self.door.paused
        if paused:
            until_ms = self._in.clock.wall_ms() + PAUSE_S * 1_000
            self._in.emit([VenuePaused(KALSHI, until_ms, "trading is paused")])
        elif self._paused:
            self._in.emit([VenuePaused(KALSHI, 0, "trading again")])
        self._paused = paused


def _unknown(client_id: ClientId) -> OrderAnswer:
    return OrderAnswer(
        client_id=client_id, found=False, open=False, status="unknown", venue_order_id=None, leaves=Qty(0),
        filled=Qty(0),
    )  # fmt: skip
