"""Two venues that do anything with the orders of a maker's pairs, and a purse that knows what they really did.

The engine is built as the daemon builds it. Every order has a truth: whether it is at the venue, and how much of it
filled. What is told of it comes late, in pieces, or only when asked for; nothing that is told is untrue.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import attrs
import msgspec

from hlomm.assembly.engine import build_engine
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, KALSHI, ClientId, MarketId, VenueId, VenueOrderId, venue_of
from hlomm.domain.inputs import (
    AccountState,
    BookSnapshot,
    Booted,
    CancelFailed,
    FeeRates,
    FillReceived,
    MarketListed,
    MarkPrice,
    OperatorAction,
    OperatorCommand,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SentAction,
    SessionDown,
    SessionUp,
    TokenBalance,
    VenuePaused,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.outputs import CancelOrders, ConvertSet, HaltState, Output, PlaceOrders, QueryAccount, QueryOrder
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Cash, Px, Qty, notional_ceil, notional_floor
from hlomm.engine.core import Engine
from hlomm.settings.load import engine_settings
from tests.support.pairs import HL, KS
from tests.support.storm import Storm
from tests.support.values import EPOCH_MS, PERP, account, lots, perp, px
from tests.support.venue import TruthVenue

VENUES: Final = (HYPERLIQUID, KALSHI)
DEADLINE_S: Final = 5
RETRY_S: Final = 0.5
SETS: Final = (
    "strategy.avellaneda.enabled=false", "strategy.cross_venue.enabled=true", "strategy.cross_venue.maker=hyperliquid",
    f"strategy.cross_venue.deadline_s={DEADLINE_S}", "strategy.cross_venue.maker_reach=0.1",
    "strategy.cross_venue.max_size=2000", "strategy.cross_venue.max_notional_usd=200", "hedge.enabled=false",
    "sets.enabled=false", f"flatten.retry_s={RETRY_S}", "flatten.attempts=30", "flatten.on_disconnect=pause",
    "flatten.deadline_s=4",
    "orders.query_retry_s=0.5", "orders.settle_doubt_s=11", "limits.max_loss_event=100000",
    "limits.max_position=100000",
    "limits.max_loss_underlying=100000", "limits.max_loss_total=100000", "limits.max_gross_notional=100000",
    "limits.max_drawdown=100000", "limits.max_open_orders=1000", "orders.reject_limit=1000", "breakers.api_errors=1000",
)  # fmt: skip
FEE: Final = 100_000
CENT: Final = SCALE // 100
PIECES: Final = (1, 9, 12, 25, 25, 60, 1000, 1000)


@attrs.define(eq=False)
class Truth:
    """One order as its venue knows it."""

    request: OrderRequest
    there: bool | None = None
    """None: still on its way."""
    cancelled: bool = False
    """We asked for its end."""
    filled: int = 0
    told: int = 0
    ended: bool = False
    heard: bool = True
    """Its end, or that it rests, was told."""

    @property
    def leaves(self) -> int:
        return self.request.qty - self.filled


class Post(TruthVenue):
    """Hands over what the engine sends."""

    def __init__(self, makers: Makers) -> None:
        super().__init__()
        self._makers = makers

    def send(self, outputs: list[Output], now_ns: int) -> None:
        self._makers.sent(outputs)


class Makers(Storm):
    def __init__(self, seed: int, *, look: Callable[[Engine], None] | None = None) -> None:
        super().__init__(*SETS, look=look)
        self.engine = build_engine(engine_settings(self.config), VENUES)
        self.venue = Post(self)
        self.rng = random.Random(seed)
        self.orders: dict[ClientId, Truth] = {}
        self.questions: list[Output] = []
        self.cash: dict[VenueId, int] = dict.fromkeys(VENUES, 10000 * SCALE)
        self.tokens: dict[tuple[MarketId, Leg], int] = {}
        self.down: VenueId | None = None
        self.mid = 50
        self.dry = 0
        """Steps in which nobody sells the hedge."""
        self.quiet = False
        """Everything is told, and both books are healthy."""

    def boot(self, **_: Any) -> Makers:
        self.feed(
            Booted(
                epoch_ms=EPOCH_MS, profile="sim", version="0", config=self.config, halted=None,
                accounts=tuple((venue, venue.upper()) for venue in VENUES),
            )
        )  # fmt: skip
        self.feed(MarketListed(perp()))
        for venue, market in zip(VENUES, (HL, KS), strict=True):
            self.feed(account(10_000, venue=venue))
            rate = {"open_maker": 0, "open_taker": FEE, "close_maker": 0, "close_taker": FEE, "settle": 0}
            self.feed(FeeRates(venue=venue, **rate))
            self.feed(MarketListed(market))
        for venue in VENUES:
            self.feed(SessionUp(venue))
        return self

    def sent(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case PlaceOrders(orders=orders):
                    self.orders.update((request.client_id, Truth(request)) for request in orders)
                case CancelOrders(cancels=cancels):
                    for cancel in cancels:
                        self.orders[cancel.client_id].cancelled = True
                case QueryOrder() | QueryAccount():
                    self.questions.append(output)
                case _:
                    pass

    def _convert(self, output: ConvertSet) -> None:
        """On the way to safety pairs of one contract are merged; nothing else is ever converted here."""
        assert output.action is SetAction.MERGE
        for leg in Leg:
            self.tokens[output.market, leg] -= output.qty
        self.cash[venue_of(output.market)] += output.qty
        parts = self._parts(output)
        free = [msgspec.structs.replace(part.fill, fee=Cash(0)) for part in parts]
        self.feed(FillReceived(free[0], tuple(free[1:])))

    # -- one step of everything

    def step(self) -> None:
        rng = self.rng
        self._weather()
        for truth in list(self.orders.values()):
            if not truth.ended or not truth.heard:
                self._order(truth)
        for question in self.questions[:]:
            if self.quiet or rng.random() < 0.7:
                self.questions.remove(question)
                self._answer(question)
        self.wait(rng.choice((0.05, 0.2, 0.4, 0.8)))

    def _weather(self) -> None:
        rng = self.rng
        calm = 1.0 if self.quiet else rng.random()
        self.dry = 0 if self.quiet else self.dry - 1 if self.dry else rng.choice((0,) * 49 + (25,))
        self.feed(MarkPrice(PERP, px(95_000), self.ms))
        if rng.random() < 0.15:
            self.mid = 50 + rng.randint(-2, 2)
        if self.down is not None and (self.quiet or rng.random() < 0.3):
            self.feed(SessionUp(self.down))
            self.down = None
        elif calm < 0.02 and self.down is None:
            self.down = rng.choice(VENUES)
            self.feed(SessionDown(self.down, "storm", rest=True))
        elif calm < 0.04:
            self.feed(VenuePaused(rng.choice(VENUES), self.ms + rng.choice((500, 3_000)), "storm"))
        elif calm < 0.05:
            self.feed(OperatorCommand(action=OperatorAction.PAUSE, actor="storm", target="cross_venue"))
        elif calm < 0.055:
            self.feed(OperatorCommand(action=OperatorAction.KILL, actor="storm"))
        elif calm > 0.9 and self.engine.state.halt is HaltState.HALTED:
            self.feed(OperatorCommand(action=OperatorAction.RESUME, actor="storm"))
        if calm > 0.5:
            self.feed(OperatorCommand(action=OperatorAction.UNPAUSE, actor="storm", target="cross_venue"))
        wide, near = (4, 1) if calm > 0.1 else (rng.randint(1, 6), rng.randint(1, 4))
        for market, gap in ((HL.id, wide), (KS.id, near)):
            if venue_of(market) == self.down:
                continue
            size = lots(400 if calm > 0.2 else rng.choice((5, 30, 100)))
            bids, asks = ((Px((self.mid - gap) * CENT), size),), ((Px((self.mid + gap) * CENT), size),)
            if market == KS.id and self.dry > 0:
                bids, asks = (), ()
            elif calm < 0.12 and rng.random() < 0.3:
                bids = ()
            self.feed(BookSnapshot(market, bids, asks, self.ms))

    # -- what becomes of an order

    def _order(self, truth: Truth) -> None:
        rng, request = self.rng, truth.request
        if venue_of(request.market) == self.down:
            return
        if truth.there is None:
            self._arrives(truth)
        elif not truth.heard:
            if self.quiet or rng.random() < 0.5:
                self._told(truth)
        elif request.tif is Tif.IOC:
            if self.quiet or rng.random() < 0.8:
                some = rng.choice((truth.leaves, truth.leaves, truth.leaves, truth.leaves // 2, 0))
                self._fill(truth, 0 if self.dry and venue_of(request.market) == KALSHI else some)
                self._end(truth)
        else:
            self._rests(truth)

    def _arrives(self, truth: Truth) -> None:
        request, fate = truth.request, 1.0 if self.quiet else self.rng.random()
        if fate < 0.05:
            truth.there, truth.ended = False, True
            self.feed(OrderRejected(client_id=request.client_id, code="Tick", text="storm"))
        elif fate < 0.12:
            truth.there, truth.heard = fate < 0.09, False
            truth.ended = not truth.there
            self.feed(SendLost((request.client_id,), SentAction.PLACE, "storm"))
        else:
            truth.there = True
            if request.tif is not Tif.IOC:
                self._told(truth)

    def _rests(self, truth: Truth) -> None:
        rng = self.rng
        if truth.leaves and rng.random() < (0.5 if not self.quiet else 0.0):
            self._fill(truth, min(lots(rng.choice(PIECES)), truth.leaves))
        if not truth.leaves:
            self._end(truth)
        elif truth.cancelled and not self.quiet and rng.random() < 0.1:
            truth.cancelled = False
            self.feed(CancelFailed(client_id=truth.request.client_id, code="storm", text="storm"))
        elif truth.cancelled and (self.quiet or rng.random() < 0.6):
            self._end(truth)

    def _fill(self, truth: Truth, qty: int) -> None:
        """At its limit; told at once, or when somebody asks."""
        qty = qty // SCALE * SCALE
        if qty <= 0:
            return
        truth.filled += qty
        request = truth.request
        buys, venue = request.side is Side.BUY, venue_of(request.market)
        notional = notional_ceil(request.px, qty) if buys else notional_floor(request.px, qty)
        fee = 0 if request.tif is not Tif.IOC else -(-notional * FEE // SCALE)
        self.cash[venue] -= notional + fee if buys else fee - notional
        token = request.market, request.leg
        self.tokens[token] = self.tokens.get(token, 0) + (qty if buys else -qty)
        truth.told += qty
        fill = Fill(
            key=self.key(), market=request.market, leg=request.leg, side=request.side, px=request.px, qty=Qty(qty),
            fee=Cash(fee), kind=FillKind.TRADE, maker=request.tif is not Tif.IOC, client_id=request.client_id,
            venue_order_id=self._oid(truth), venue_ms=self.ms,
        )  # fmt: skip
        self.feed(FillReceived(fill))

    def _end(self, truth: Truth) -> None:
        truth.ended = True
        if not self.quiet and self.rng.random() < 0.07:
            truth.heard = False  # nobody says so: the engine has to ask
        else:
            self._told(truth)

    def _told(self, truth: Truth) -> None:
        """Where it is now; what never arrived is only ever denied."""
        client_id = truth.request.client_id
        if truth.there is False:
            return
        truth.heard = True
        if truth.ended:
            status = "filled" if not truth.leaves else "canceled"
            self.feed(
                OrderClosed(
                    client_id=client_id, venue_order_id=self._oid(truth), status=status, filled=Qty(truth.filled),
                    venue_ms=self.ms,
                )
            )  # fmt: skip
        else:
            self.feed(
                OrderOpened(
                    client_id=client_id, venue_order_id=self._oid(truth), leaves=Qty(truth.leaves), venue_ms=self.ms
                )
            )

    def _answer(self, question: Output) -> None:
        if isinstance(question, QueryAccount):
            self.feed(self._account(question.venue))
            return
        assert isinstance(question, QueryOrder)
        truth = self.orders[question.client_id]
        if venue_of(truth.request.market) == self.down:
            self.questions.append(question)
            return
        found = bool(truth.there)
        if truth.ended and not found:
            truth.heard = True
        status = "unknownOid" if not found else "open" if not truth.ended else "canceled" if truth.leaves else "filled"
        self.feed(
            OrderAnswer(
                client_id=question.client_id, found=found, open=found and not truth.ended, status=status,
                venue_order_id=self._oid(truth) if found else None, leaves=Qty(truth.leaves if not truth.ended else 0),
                filled=Qty(truth.filled), px=truth.request.px if found else None,
            )
        )  # fmt: skip

    def _account(self, venue: VenueId) -> AccountState:
        tokens = tuple(
            TokenBalance(market, leg, Qty(held), Cash(0))
            for (market, leg), held in self.tokens.items()
            if held and venue_of(market) == venue
        )
        return AccountState(
            venue=venue, cash=Cash(self.cash[venue]), tokens=tokens, orders=(), asked_mono_ns=self.now.mono_ns,
            perp_cash=Cash(0), perps=(),
        )  # fmt: skip

    def _oid(self, truth: Truth) -> VenueOrderId:
        return VenueOrderId(f"v{truth.request.client_id[-8:]}")
