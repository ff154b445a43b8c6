"""An engine with hands on it: feed inputs, step time deadline by deadline, read what came out.

Every turn is checked for what must hold after any turn: no timer is overdue, outputs stand in the order that is safe
to send, batches share one time in force.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueId, VenueOrderId
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BookSnapshot,
    Booted,
    CancelFailed,
    FillReceived,
    Input,
    MarketListed,
    OperatorAction,
    OperatorCommand,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    PerpBalance,
    SessionDown,
    SessionUp,
    TokenBalance,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Side, Tif
from hlomm.domain.outputs import (
    Alert,
    AmendOrders,
    CancelOrders,
    ConvertSet,
    HaltChanged,
    HaltState,
    Output,
    PlaceOrders,
    QueryAccount,
    QueryOrder,
)
from hlomm.domain.times import NS_PER_MS, Now
from hlomm.domain.units import Cash, Qty
from hlomm.engine.config import EngineConfig
from hlomm.engine.core import Engine
from hlomm.engine.order import Order
from hlomm.engine.state import MarketState, State
from tests.support.puppet import Puppet, Quote, desire
from tests.support.values import BASE, EPOCH_MS, START, M, account, levels, lots, outcome, perp, px, seconds, usd

O = TypeVar("O", bound=Output)

BIDS = levels(("0.50", 500), ("0.49", 500))
ASKS = levels(("0.60", 500), ("0.61", 500))
"""A book with room inside: mid 0.55."""


class Rig:
    """`Rig()` is up and running with one outcome market, a two-sided book and 10,000 USDC; `boot=False` is bare.

    An `honest` venue answers every question of a walk at once: with `shown`, or the account as our books have it.
    """

    def __init__(
        self,
        config: EngineConfig = BASE,
        *,
        boot: bool = True,
        halted: str | None = None,
        cash: str | float = 10_000,
        markets: Sequence[Market] = (),
        honest: bool = True,
        strategies: Sequence[Puppet] = (),
        venues: Sequence[VenueId] = (HYPERLIQUID,),
    ) -> None:
        self.puppets = list(strategies) or [Puppet()]
        self.puppet = self.puppets[0]
        self.venues = tuple(venues)
        self.engine = Engine(config, self.puppets, self.venues)
        self.now = START
        self.outputs: list[Output] = []
        self.fills = itertools.count(1)
        self.oids = itertools.count(1_000)
        self.oid_of: dict[ClientId, VenueOrderId] = {}
        self.honest = honest
        self.shown: tuple[str | float, tuple[TokenBalance, ...]] | None = None
        if boot:
            self.boot(halted=halted)
            self.tell(account(cash, asked_ns=self.now.mono_ns), MarketListed(perp()))
            for market in markets or (outcome(),):
                self.tell(MarketListed(market))
            for venue in self.venues[1:]:
                self.tell(account(cash, asked_ns=self.now.mono_ns, venue=venue))
            for venue in self.venues:
                self.tell(SessionUp(venue))
            for market in markets or (outcome(),):
                self.book(market=market.id)

    # -- driving

    @property
    def state(self) -> State:
        return self.engine.state

    @property
    def ms(self) -> int:
        return self.now.wall_ms

    def boot(self, *, halted: str | None = None) -> list[Output]:
        return self.tell(
            Booted(
                epoch_ms=EPOCH_MS, profile="sim", version="0", config="{}", halted=halted,
                accounts=tuple((venue, venue.upper()) for venue in self.venues) if len(self.venues) > 1 else (),
            )
        )  # fmt: skip

    def tell(self, *items: Input) -> list[Output]:
        """Feed inputs in order, each with its own turn."""
        found: list[Output] = []
        for item in items:
            self.engine.feed(item, self.now)
            found += self.turn()
        return found

    def turn(self) -> list[Output]:
        latest = outputs = self._turn()
        while self.honest and self.state.walk is not None and asked_account(latest):
            asked = [output.venue for output in of(latest, QueryAccount) if self.state.venues[output.venue].reachable]
            if not asked:
                break
            latest = []
            for venue in asked:
                self.engine.feed(self.account_shown(venue), self.now)
                latest = latest + self._turn()
            outputs = outputs + latest
        return outputs

    def account_shown(self, venue: VenueId = HYPERLIQUID) -> AccountState:
        books = self.state.portfolio.of(venue)
        if self.shown is not None:
            cash, tokens = self.shown
            return account(cash, tokens, asked_ns=self.now.mono_ns)
        tokens = tuple(
            TokenBalance(market, leg, position.held(leg), Cash(0))
            for market, position in books.positions.items()
            for leg in Leg
            if position.held(leg)
        )
        return AccountState(
            venue=venue, cash=Cash(books.cash), tokens=tokens, orders=(),
            asked_mono_ns=self.now.mono_ns, perp_cash=Cash(books.perps.raw),
            perps=tuple(
                PerpBalance(market, Qty(perp.qty), Cash(perp.cost))
                for market, perp in books.perps.positions.items()
                if perp.qty
            ),
        )  # fmt: skip

    def _turn(self) -> list[Output]:
        outputs = self.engine.turn(self.now)
        deadline = self.engine.next_deadline()
        assert deadline is None or deadline > self.now.mono_ns, "a timer is overdue after a turn"
        check_order(outputs)
        self.outputs += outputs
        return outputs

    def jump(self, span_s: float) -> None:
        """Move the clocks without a turn."""
        step = seconds(span_s)
        self.now = Now(self.now.mono_ns + step, self.now.wall_ns + step)

    def wait(self, span_s: float) -> list[Output]:
        """Let time pass, with a turn at every deadline on the way and one at the end."""
        until = self.now.mono_ns + seconds(span_s)
        found: list[Output] = []
        while (deadline := self.engine.next_deadline()) is not None and deadline < until:
            step = deadline - self.now.mono_ns
            self.now = Now(deadline, self.now.wall_ns + step)
            found += self.turn()
        step = until - self.now.mono_ns
        self.now = Now(until, self.now.wall_ns + step)
        return found + self.turn()

    # -- the market

    def book(
        self,
        bids: tuple[tuple[int, int], ...] = BIDS,
        asks: tuple[tuple[int, int], ...] = ASKS,
        *,
        market: MarketId = M,
    ) -> list[Output]:
        return self.tell(BookSnapshot(market, bids, asks, self.ms))

    def keep_fresh(self, span_s: float, *, market: MarketId = M) -> list[Output]:
        """Let time pass while the same book is heard again every second."""
        found: list[Output] = []
        whole, rest = divmod(span_s, 1.0)
        for step in [1.0] * int(whole) + [rest]:
            book = self.market(market).book
            found += self.wait(step)
            if book.seen:
                found += self.book(book.bids, book.asks, market=market)
        return found

    def want(
        self,
        bid: Quote | None = None,
        ask: Quote | None = None,
        *,
        fair: str | float | None = None,
        tolerance: str | float = 0,
        market: MarketId = M,
    ) -> list[Output]:
        """Let the strategy wish something, and decide."""
        known = self.state.markets.get(market)
        strategy = None if known is None else known.strategy
        puppet = next((puppet for puppet in self.puppets if puppet.id == strategy), self.puppet)
        puppet.desired[market] = desire(bid, ask, fair=fair, tolerance=tolerance)
        self.state.touch(market)
        return self.turn()

    # -- the venue

    def opened(
        self, order: OrderRequest | AmendRequest | Order, leaves: float | None = None, oid: str | None = None
    ) -> list[Output]:
        """It rests, under the next venue id unless one is given."""
        number = VenueOrderId(oid if oid is not None else str(next(self.oids)))
        self.oid_of[order.client_id] = number
        return self.tell(
            OrderOpened(
                client_id=order.client_id,
                venue_order_id=number,
                leaves=None if leaves is None else lots(leaves),
                venue_ms=self.ms,
            )
        )

    def closed(
        self,
        order: OrderRequest | CancelRequest | Order,
        filled: float | None = None,
        *,
        status: str = "canceled",
        oid: str | None = None,
    ) -> list[Output]:
        """It no longer rests; `filled` None is an answer without a figure (and without a venue id)."""
        number = oid if oid is not None else self.oid_of.get(order.client_id) if filled is not None else None
        return self.tell(
            OrderClosed(
                client_id=order.client_id,
                venue_order_id=None if number is None else VenueOrderId(number),
                status=status,
                filled=None if filled is None else lots(filled),
                venue_ms=self.ms,
            )
        )

    def fill_of(
        self,
        order: OrderRequest | Order,
        number: float,
        *,
        at: str | float | None = None,
        fee: str | float = 0,
        oid: str | None = None,
        key: str | None = None,
    ) -> Fill:
        known = self.oid_of.get(order.client_id)
        return Fill(
            key=key if key is not None else f"fill-{next(self.fills)}", market=order.market, leg=order.leg,
            side=order.side, px=order.px if at is None else px(at), qty=lots(number), fee=usd(fee),
            kind=FillKind.TRADE, maker=True, client_id=order.client_id,
            venue_order_id=VenueOrderId(oid) if oid is not None else known, venue_ms=self.ms,
        )  # fmt: skip

    def filled(self, order: OrderRequest | Order, number: float, **how: str | float | None) -> list[Output]:
        return self.tell(FillReceived(self.fill_of(order, number, **how)))  # type: ignore[arg-type]

    def buy(
        self,
        number: float,
        price: str | float,
        leg: Leg = Leg.YES,
        *,
        side: Side = Side.BUY,
        market: MarketId = M,
        kind: FillKind = FillKind.TRADE,
        fee: str | float = 0,
        ms: int | None = None,
    ) -> list[Output]:
        """Tokens that came from no order of ours (a fill of somebody's own making)."""
        fill = Fill(
            key=f"fill-{next(self.fills)}", market=market, leg=leg, side=side, px=px(price), qty=lots(number),
            fee=usd(fee), kind=kind, maker=False, client_id=None, venue_order_id=None,
            venue_ms=self.ms if ms is None else ms,
        )  # fmt: skip
        return self.tell(FillReceived(fill))

    def answer(
        self,
        order: OrderRequest | Order,
        *,
        found: bool = True,
        open_: bool = True,
        status: str | None = None,
        leaves: float = 0,
        filled: float = 0,
        oid: str | None = None,
        price: str | float | None = None,
    ) -> list[Output]:
        number = oid if oid is not None else self.oid_of.get(order.client_id)
        word = status if status is not None else "open" if open_ and found else "canceled" if found else "unknownOid"
        return self.tell(
            OrderAnswer(
                client_id=order.client_id,
                found=found,
                open=open_ and found,
                status=word,
                venue_order_id=VenueOrderId(number) if found and number is not None else None,
                leaves=lots(leaves),
                filled=lots(filled),
                px=None if price is None else px(price),
            )
        )

    def rejected(self, order: OrderRequest | Order, code: str = "Tick", text: str = "no") -> list[Output]:
        return self.tell(OrderRejected(client_id=order.client_id, code=code, text=text))

    def amend_failed(self, order: OrderRequest | Order, code: str = "ModifyDead", text: str = "no") -> list[Output]:
        return self.tell(AmendFailed(client_id=order.client_id, code=code, text=text))

    def cancel_failed(self, order: OrderRequest | Order, code: str = "MissingOrder", text: str = "no") -> list[Output]:
        return self.tell(CancelFailed(client_id=order.client_id, code=code, text=text))

    def down(self, reason: str = "socket closed", *, rest: bool = True, venue: VenueId = HYPERLIQUID) -> list[Output]:
        return self.tell(SessionDown(venue, reason, rest))

    def up(self, venue: VenueId = HYPERLIQUID) -> list[Output]:
        return self.tell(SessionUp(venue))

    def command(self, action: OperatorAction, *, target: str = "", reason: str = "") -> list[Output]:
        return self.tell(OperatorCommand(action=action, actor="uid 1000", reason=reason, target=target))

    # -- shortcuts to a quote that rests

    def resting_bid(self, price: str | float = "0.52", number: float = 100, **how: str | float) -> Order:
        """A bid that the venue has acknowledged."""
        return self._rested(self.want(bid=(price, number), **how))  # type: ignore[arg-type]

    def resting_ask(self, price: str | float = "0.58", number: float = 100, **how: str | float) -> Order:
        return self._rested(self.want(ask=(price, number), **how))  # type: ignore[arg-type]

    def _rested(self, outputs: Sequence[Output]) -> Order:
        (request,) = placed(outputs)
        self.opened(request)
        return self.order(request.client_id)

    # -- reading

    def order(self, client_id: ClientId) -> Order:
        order = self.state.orders.get(client_id)
        assert order is not None, f"no order {client_id}"
        return order

    def market(self, market: MarketId = M) -> MarketState:
        return self.state.markets[market]

    def net(self, market: MarketId = M) -> int:
        return self.state.portfolio.position(market).net

    def note(self, direction: int, market: MarketId = M) -> str:
        return self.market(market).notes[direction].guard

    @property
    def cash(self) -> Cash:
        return Cash(self.state.portfolio.cash)

    @property
    def halt(self) -> HaltState:
        return self.state.halt


def check_order(outputs: Sequence[Output]) -> None:
    """Cancels before merges before sales before amends before new quotes; no batch mixes times in force.

    So nothing that leaves may be cancelled in the same turn: it would come after its own cancel.
    """
    ranks = [rank for rank in map(_rank, outputs) if rank is not None]
    assert ranks == sorted(ranks), f"unsafe order of outputs: {[type(output).__name__ for output in outputs]}"
    leaving = {one.client_id for one in (*placed(outputs), *amended(outputs))}
    assert leaving.isdisjoint(one.client_id for one in cancelled(outputs)), "an order leaves after its own cancel"
    for output in outputs:
        if isinstance(output, PlaceOrders):
            assert len({order.tif for order in output.orders}) == 1, "a batch mixes times in force"
            assert len({order.reduce_only for order in output.orders}) == 1, "a batch mixes quotes and sales"
            assert output.orders, "an empty batch"


def _rank(output: Output) -> int | None:
    match output:
        case CancelOrders():
            return 0
        case ConvertSet():
            return 1
        case PlaceOrders(orders=orders):
            return 4 if orders[0].tif is Tif.ALO else 2
        case AmendOrders():
            return 3
        case _:
            return None


def of(outputs: Iterable[Output], kind: type[O]) -> list[O]:
    return [output for output in outputs if isinstance(output, kind)]


def placed(outputs: Iterable[Output]) -> list[OrderRequest]:
    return [order for output in of(outputs, PlaceOrders) for order in output.orders]


def amended(outputs: Iterable[Output]) -> list[AmendRequest]:
    return [amend for output in of(outputs, AmendOrders) for amend in output.amends]


def cancelled(outputs: Iterable[Output]) -> list[CancelRequest]:
    return [cancel for output in of(outputs, CancelOrders) for cancel in output.cancels]


def queried(outputs: Iterable[Output]) -> list[ClientId]:
    return [output.client_id for output in of(outputs, QueryOrder)]


def alerts(outputs: Iterable[Output], code: str | None = None) -> list[Alert]:
    return [alert for alert in of(outputs, Alert) if code is None or alert.code == code]


def halts(outputs: Iterable[Output]) -> list[HaltState]:
    return [change.state for change in of(outputs, HaltChanged)]


def asked_account(outputs: Iterable[Output]) -> int:
    return len(of(outputs, QueryAccount))


def risky(outputs: Iterable[Output]) -> list[Output]:
    """Everything that could add risk or move tokens."""
    return [output for output in outputs if isinstance(output, PlaceOrders | AmendOrders | ConvertSet)]


def wall_ms(now: Now) -> int:
    return now.wall_ns // NS_PER_MS
