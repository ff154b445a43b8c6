"""Polymarket's session: orders by an id that is known before they leave, fills that are told before they are money."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from hlomm.domain.ids import POLYMARKET, ClientId, VenueOrderId
from hlomm.domain.inputs import (
    AccountDoubted,
    CancelFailed,
    DeadmanArmed,
    Input,
    MarketDelisted,
    MarketSettled,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    RestingOrder,
    SendLost,
    SendRefused,
    SentAction,
    VenuePaused,
)
from hlomm.domain.orders import CancelRequest, OrderRequest, Tif
from hlomm.domain.units import Px, Qty
from hlomm.research.soak.beside.desk import Desk
from hlomm.research.soak.beside.door import Answer, Ask, Over, Refused, Rests
from hlomm.research.soak.beside.polymarket_door import PolymarketDoor, Wish
from hlomm.research.soak.beside.session import Steps
from hlomm.research.soak.inside import Within
from hlomm.research.soak.network import Failure, Line
from hlomm.research.soak.timeline import S
from hlomm.research.soak.weather import Weather
from hlomm.settings.schema import Settings
from hlomm.sim.pm.orders import Kind
from hlomm.venues.pacing import backoff_s
from hlomm.venues.polymarket.account import as_matched
from hlomm.venues.polymarket.account_feed import CANCELED, FILLED, AccountFeed
from hlomm.venues.polymarket.answers import RESTING_TIFS, placed_qty
from hlomm.venues.polymarket.heartbeat import WITHIN_S
from hlomm.venues.polymarket.orders import OrderMap, Placed
from hlomm.venues.polymarket.registry import Known, Registry
from hlomm.venues.polymarket.signing import Order, SignatureType, SignedOrder, salt_of
from hlomm.venues.polymarket.wire import errors
from hlomm.venues.polymarket.wire.account_rows import OrderNews, Standing, TradeNews
from hlomm.venues.polymarket.wire.amounts import Unfit, resting_amounts, taking_amounts
from hlomm.venues.polymarket.wire.listings import Listing, read_listing

UNKNOWN_ORDER: Final = "unknown"
LOOKUP_PAUSE_S: Final = 1.5
READINGS: Final = 4
SETTLEMENT_ATTEMPTS: Final = 120
_KINDS: Final = {Tif.ALO: Kind.GTC, Tif.GTC: Kind.GTC, Tif.IOC: Kind.FAK, Tif.FOK: Kind.FOK}
_NOBODY: Final = "0x" + "a" * 40


class PolymarketDesk(Desk):
    door: PolymarketDoor
    late_s = (4.0, 9.0)
    """A request that has not arrived within `arrives_s` never will."""

    def __init__(
        self, inside: Within, weather: Weather, door: PolymarketDoor, settings: Settings, fills_from_ms: int | None,
        *, beats: bool,
    ) -> None:  # fmt: skip
        super().__init__(inside, weather, door, settings, fills_from_ms)
        section = settings.venue.polymarket
        self._beat_s = section.heartbeat_s if beats else 0.0
        self._arrives_s = section.arrives_s
        self._lookback_ms = 2 * 86_400_000
        self._pause_s = section.pause_s
        self.registry = Registry(section.underlyings, section.horizon_s, 2)
        self.orders = OrderMap(8_192)
        self.feed = AccountFeed(self.registry, self.orders, self.counters, 20_000)
        self._chasing: dict[str, int] = {}
        self._beat_until_ms = 0

    # -- what is listed

    def _read_lists(self) -> Steps:
        rows = yield self.door.listing
        wall_ns = self._in.venue_ms() * 1_000_000
        for row in rows:
            listing = read_listing(row)
            assert isinstance(listing, Listing), f"the venue lists what the session cannot read: {listing}"
            news = self.registry.take(listing, wall_ns)
            if news is not None:
                self._in.emit([news])
        for known in self.registry.ended(wall_ns):
            self._chase(known)

    def _chase(self, known: Known) -> None:
        """What an ended market paid is asked for, each at its own growing distance."""
        if known.condition not in self._chasing:
            self._chasing[known.condition] = 0
            self._do(self._ask_paid(known), lambda _result: self._chase_again(known))

    def _ask_paid(self, known: Known) -> Steps:
        record = yield lambda: self.door.record(known.condition)
        if record is not None and record[2] is not None:
            known.paid = Px(record[2])

    def _chase_again(self, known: Known) -> None:
        attempt = self._chasing[known.condition] = self._chasing[known.condition] + 1
        if known.paid is not None:
            if not known.settled:
                known.settled = True
                self._in.emit([MarketSettled(known.market, known.paid, "resolved")])
        elif attempt >= SETTLEMENT_ATTEMPTS:
            known.settled = True
            self._in.emit([MarketDelisted(known.market, f"no resolution after {attempt} questions")])
        else:
            pause_s = backoff_s(attempt, base_s=2.0, cap_s=60.0, jitter=0)
            self._in.after(pause_s, lambda: self._do(self._ask_paid(known), lambda _r: self._chase_again(known)))

    # -- the account

    def _introduce(self) -> Steps:
        yield from self._read_lists()
        now_ms = self._in.venue_ms()
        told_from_ms = now_ms if self._fills_from_ms is None else self._fills_from_ms
        since_ms = min(told_from_ms, now_ms) - self._lookback_ms
        trades: list[TradeNews] = yield lambda: self.door.trades_since(since_ms)
        for condition in dict.fromkeys(trade.condition for trade in trades if trade.fills):
            yield from self._learn(condition)
        self.feed.start_ms = since_ms
        self.feed.seed([one for one in trades if one.venue_ms < told_from_ms])
        if self._fills_from_ms is not None:
            self._in.emit(self.feed.on_listed([one for one in trades if one.venue_ms >= told_from_ms]))
        yield from self._read_account()

    def _learn(self, condition: str) -> Steps:
        """The tokens of a market and what it paid, from its own record."""
        record = yield lambda: self.door.record(condition)
        if record is not None:
            known = self.registry.learn(condition, record[0], record[1])
            if record[2] is not None:
                known.paid = Px(record[2])

    def _read_trades(self) -> Steps:
        trades = yield lambda: self.door.trades_since(self.feed.ask_from_ms)
        self._in.emit(self.feed.on_listed(trades))
        for trade in list(self.feed.unplaced.values()):
            yield from self._learn(trade.condition)
            self._in.emit(self.feed.on_trade(trade))

    def _read_account(self) -> Steps:
        yield from self._read_trades()
        asked_ns = self._in.clock.now().mono_ns
        listed: list[OrderNews] = yield self.door.orders
        for _ in range(READINGS):
            deliveries = self.feed.deliveries
            cash, tokens = yield self.door.balances
            yield from self._read_trades()
            if self.feed.deliveries == deliveries:
                break
        else:
            return Failure.LOST  # it changed during each of the readings
        orders = tuple(self._resting(news) for news in listed)
        self._in.emit([as_matched(self.feed, self.registry, cash, tokens, orders, asked_ns)])
        return None

    def _resting(self, news: OrderNews) -> RestingOrder:
        token = self.registry.token(news.token)
        assert token is not None, "orders rest in markets that were listed"
        return RestingOrder(
            client_id=self.orders.client_id(news.id), venue_order_id=VenueOrderId(news.id), market=token.market,
            leg=token.leg, side=news.side, px=news.px, leaves=Qty(news.qty - (news.matched or 0)),
        )  # fmt: skip

    # -- orders

    def _prepare(self, request: OrderRequest) -> Ask | list[Input]:
        try:
            placed = self._sign(request)
        except Unfit as unfit:
            return [SendRefused((request.client_id,), SentAction.PLACE, str(unfit))]
        self.orders.enter(placed)
        order = placed.signed.order
        cash, shares = order.maker_amount, order.taker_amount
        if request.side < 0:
            cash, shares = shares, cash
        wish = Wish(
            placed.signed.id, request.market.partition(":")[2], request.leg, request.side, cash, shares,
            _KINDS[request.tif], request.tif is Tif.ALO,
        )  # fmt: skip
        return Ask(request, wish)

    def _sign(self, request: OrderRequest) -> Placed:
        known = self.registry.known(request.market)
        if known is None or known.tick is None or known.paid is not None:
            raise Unfit(f"{request.market} is not listed")
        amounts = resting_amounts if request.tif in RESTING_TIFS else taking_amounts
        maker, taker = amounts(request.side, request.px, request.qty, known.tick)
        now_ms = self._in.venue_ms()
        order = Order(
            salt=salt_of(request.client_id), maker=_NOBODY, signer=_NOBODY, token=int(known.token(request.leg)),
            maker_amount=maker, taker_amount=taker, side=request.side, signature_type=SignatureType.EOA,
            timestamp_ms=now_ms,
        )  # fmt: skip
        name = "0x" + sha256(f"{order}".encode()).hexdigest()
        return Placed(request, SignedOrder(order, name, ""), now_ms)

    def _unsent(self, ask: Ask) -> None:
        """Its id is used up; nothing rests under it."""

    def _answered(self, ask: Ask, answer: Answer) -> list[Input]:
        client_id, request = ask.request.client_id, ask.request
        match answer:
            case Refused(pause_s=None):
                failed = errors.refusal(answer.text)
                return [OrderRejected(client_id=client_id, code=failed.code, text=failed.text)]
            case Refused():
                failed = errors.failure(425, answer.text)
                until_ms = self._in.clock.wall_ms() + round(self._pause_s * 1_000)
                paused = VenuePaused(POLYMARKET, until_ms, failed.text)
                if failed.ambiguous:
                    return [paused, SendLost((client_id,), SentAction.PLACE, failed.text)]
                return [paused, OrderRejected(client_id=client_id, code=failed.code, text=failed.text)]
            case Rests():
                order_id = VenueOrderId(answer.order_id)
                leaves = Qty(answer.leaves)
                return [OrderOpened(client_id=client_id, venue_order_id=order_id, leaves=leaves, venue_ms=0)]
            case Over():
                status = FILLED if answer.filled >= request.qty else CANCELED
                return [
                    OrderClosed(
                        client_id=client_id, venue_order_id=VenueOrderId(answer.order_id), status=status,
                        filled=Qty(answer.filled), venue_ms=0,
                    )
                ]  # fmt: skip

    def _cancel(self, request: CancelRequest) -> Steps:
        client_id = request.client_id
        order_id = self.orders.order_id(client_id)
        if order_id is None:
            return [CancelFailed(client_id=client_id, code="MissingOrder", text="never sent by this run")]
        text = yield lambda: self.door.cancel_id(order_id)
        if text is not None:
            return [CancelFailed(client_id=client_id, code=errors.error_code(text), text=text)]
        return [OrderClosed(client_id=client_id, venue_order_id=None, status=CANCELED, filled=None, venue_ms=0)]

    def _look_up(self, client_id: ClientId) -> Steps:
        """Among the open orders, then among the trades; absence is believed when said twice, and late enough."""
        order_id = self.orders.order_id(client_id)
        if order_id is None:
            self._in.emit([_answer(client_id, None, 0, UNKNOWN_ORDER)])
            return
        for attempt in range(6):
            listed: OrderNews | None = yield lambda: self.door.order(order_id)
            if listed is not None and listed.standing is Standing.RESTS:
                self._in.emit([_answer(client_id, listed, listed.matched or 0, listed.status)])
                return
            yield from self._read_trades()
            filled = self.feed.filled_of(order_id)
            placed = self.orders.placed(client_id)
            if filled:
                whole = 0 if placed is None else placed_qty(placed)
                status = FILLED if whole and filled >= whole else CANCELED
                self._in.emit([_answer(client_id, None, filled, status, order_id)])
                return
            sent_ms = 0 if placed is None else placed.sent_ms
            left_s = (sent_ms - self._in.venue_ms()) / 1_000 + self._arrives_s
            if attempt and left_s <= 0:
                self._in.emit([_answer(client_id, None, 0, UNKNOWN_ORDER)])
                return
            yield max(left_s, 0.0) + LOOKUP_PAUSE_S

    # -- news

    def _news(self, item: object) -> list[Input]:
        if isinstance(item, OrderNews):
            return self.feed.on_order(item)
        assert isinstance(item, TradeNews)
        return self.feed.on_trade(item)

    # -- dead-man

    def _came_up(self, line: Line) -> None:
        if self._beat_s:
            self._beat(line)

    def _beat(self, line: Line) -> None:
        """Beat while the session is up; what the venue promised lapses by itself."""
        if self.line is not line:
            return
        sent_ms = self._in.clock.wall_ms()

        def done(counted: object) -> None:
            if counted is True:
                self._beat_until_ms = sent_ms + WITHIN_S * 1_000
                self._in.emit([DeadmanArmed(POLYMARKET, self._beat_until_ms)])
                self._in.timeline.after(WITHIN_S * S, self._in.mine(self._lapse))

        self._in.request(self.door.beat, done)
        self._in.after(self._beat_s, lambda: self._beat(line))

    def _lapse(self) -> None:
        if self._beat_until_ms and self._in.clock.wall_ms() >= self._beat_until_ms:
            self._beat_until_ms = 0
            why = "the heartbeat lapsed: the venue has cancelled all orders"
            self._in.emit([DeadmanArmed(POLYMARKET, 0), AccountDoubted(POLYMARKET, why)])


def _answer(
    client_id: ClientId, listed: OrderNews | None, filled: int, status: str, order_id: str | None = None
) -> OrderAnswer:
    known = order_id if listed is None else listed.id
    return OrderAnswer(
        client_id=client_id, found=known is not None, open=listed is not None, status=status,
        venue_order_id=None if known is None else VenueOrderId(known),
        leaves=Qty(0 if listed is None else listed.qty - filled), filled=Qty(filled),
        px=None if listed is None else listed.px,
    )  # fmt: skip
