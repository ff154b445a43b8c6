"""What is common to the doors of the venues beside Hyperliquid: time, news and its faults, what others do there.

Answers are neutral: an order rests, is over, or was refused. Whoever asked turns them into the words of its session.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import ClientId, MarketId, VenueId
from hlomm.domain.inputs import AccountState, BookSnapshot, RestingOrder
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose
from hlomm.research.soak.beside.own import OWN
from hlomm.research.soak.front import EPOCH_MS
from hlomm.research.soak.timeline import MS, S, Timeline
from hlomm.research.soak.weather import Weather
from hlomm.venues.protocol import SaleRules

DEPTH: Final = 5
REFUSAL: Final = "this order cannot be accepted at the moment"
PAUSE_S: Final = (40.0, 260.0)

Held = dict[tuple[MarketId, Leg], int]


@attrs.frozen
class Rests:
    order_id: str
    leaves: int


@attrs.frozen
class Over:
    """It does not rest; `filled` of it traded."""

    order_id: str
    filled: int


@attrs.frozen
class Refused:
    code: str
    text: str
    pause_s: float | None = None
    """The venue takes no orders from anybody, for so long."""


Answer = Rests | Over | Refused


@attrs.frozen
class Ask:
    """A wish of this process on its way: the engine's request, and what the session made of it."""

    request: OrderRequest
    wire: object
    signer: str = "daemon"


@attrs.frozen
class Contract:
    """A contract of Hyperliquid beside which others are listed. Times are venue nanoseconds."""

    number: int
    strike: int
    expiry_ns: int
    period: str


class Door(ABC):
    """One account at one venue. `publish` takes what its streams would say."""

    venue: VenueId

    def __init__(self, timeline: Timeline, weather: Weather, rng: random.Random) -> None:
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self.own = OWN[self.venue]
        self.publish: Callable[[object], None] = lambda _item: None
        self.on_order: Callable[[OrderRequest, str], None] = lambda _request, _signer: None
        """Told of every order that reaches the venue, before it is carried out."""
        self.on_trade: Callable[[MarketId], None] = lambda _market: None
        """Told when an order of ours has traded in a market: others will quote anew there."""
        self.on_change: Callable[[], None] = lambda: None
        """Told whenever our account may have changed."""
        self.filled: dict[ClientId, int] = {}
        """What each order of ours traded by the exchange's own word, void trades left out."""
        self.fills = 0
        self.decided: dict[MarketId, int] = {}
        """What YES pays (1e-8) in markets that are decided, whether anybody was told yet or not."""
        self.paused_until_ns = 0
        self.ids: dict[str, ClientId] = {}
        """Our client id by the venue's order id."""

    # -- time and mood

    @property
    def now_ns(self) -> int:
        return EPOCH_MS * MS + self._timeline.now_ns

    @property
    def now_ms(self) -> int:
        return self.now_ns // MS

    @property
    def paused(self) -> bool:
        """Trading is paused: nothing is placed, cancels work."""
        if self._timeline.now_ns >= self.paused_until_ns and (strength := self._weather.take(self.own.paused)):
            low, high = PAUSE_S
            self.paused_until_ns = self._timeline.now_ns + round((low + (high - low) * strength) * S)
            self.pausing()
        return self._timeline.now_ns < self.paused_until_ns

    @property
    def pause_left_s(self) -> float:
        return max(self.paused_until_ns - self._timeline.now_ns, 0) / S

    def place(self, ask: Ask) -> Answer:
        """An order arrives: refused, or carried out."""
        request = ask.request
        self.tick()
        if self.paused:
            return self.pause_refusal()
        if ask.signer == "daemon" and self._weather.take(self.own.refused) is not None:
            return Refused("refused", REFUSAL)
        if request.purpose is Purpose.LEG and self._weather.take(self.own.leg_missed) is not None:
            self.withdraw(request.market)
        self.on_order(request, ask.signer)
        answer = self.carry_out(ask)
        self.on_trade(request.market)
        if isinstance(answer, Rests | Over):
            self.ids[answer.order_id] = request.client_id
        self.flush()
        return answer

    # -- what a venue does its own way

    @abstractmethod
    def tick(self) -> None:
        """Set the clock, and do what time has made due."""

    @abstractmethod
    def flush(self) -> None:
        """Tell what happened to our account since the last time."""

    @abstractmethod
    def pausing(self) -> None:
        """Trading is paused now."""

    @abstractmethod
    def pause_refusal(self) -> Refused: ...

    @abstractmethod
    def carry_out(self, ask: Ask) -> Answer: ...

    @abstractmethod
    def withdraw(self, market: MarketId) -> None:
        """Everybody else takes his orders out of a book."""

    @abstractmethod
    def quote(self, market: MarketId, levels: Sequence[tuple[int, int]]) -> None:
        """Others quote anew: (price in 1e-4 of YES, signed contracts), above zero a bid. Nothing: they leave."""

    @abstractmethod
    def hit(self, market: MarketId, side: int, contracts: int) -> None:
        """Somebody else trades at once."""

    @abstractmethod
    def stand(self, contract: Contract) -> MarketId | None:
        """List a contract beside another; None if there is such a one already."""

    @abstractmethod
    def end(self, market: MarketId) -> None:
        """Trading is over."""

    @abstractmethod
    def settle(self, market: MarketId, price: int) -> None:
        """Its price, in 1e-8, is known: decide and pay, sooner or later."""

    @abstractmethod
    def change(self, fault: str) -> bool:
        """Change `fee`, `tick`, `minimum` or `rules` of what trades; whether there was something to change."""

    # -- questions

    @abstractmethod
    def resting(self) -> tuple[RestingOrder, ...]:
        """Open orders of the account."""

    @abstractmethod
    def cancel(self, orders: Sequence[RestingOrder]) -> None: ...

    @abstractmethod
    def matched(self) -> tuple[int, Held]:
        """Cash and tokens as if everything matched were delivered and everything settled paid out."""

    @abstractmethod
    def at_risk(self) -> tuple[int, int]:
        """Cash: what unpaired tokens cost, and what resting purchases may cost."""

    @abstractmethod
    def account(self) -> AccountState:
        """As a sweep asks for it: what can be sold now."""

    @abstractmethod
    def book(self, market: MarketId) -> BookSnapshot | None: ...

    @abstractmethod
    def sale_rules(self, market: MarketId) -> SaleRules | None: ...

    @abstractmethod
    def sell(self, order: OrderRequest, signer: str) -> None:
        """An immediate sale of a sweep."""

    @abstractmethod
    def audit(self) -> list[str]: ...

    # -- news

    def tell_fill(self, item: object) -> None:
        """Something about a fill, with what may become of it on the way."""
        weather = self._weather
        if weather.take(self.own.fill_lost) is not None:
            return
        if weather.take(self.own.fill_late) is not None:
            self._timeline.after(round(self._rng.uniform(2, 25) * S), lambda: self.publish(item))
            return
        self.publish(item)
        if weather.take(self.own.fill_twice) is not None:
            self.publish(item)

    def count(self, order_id: str, qty: int) -> None:
        """So much of an order of ours traded (below zero: is void)."""
        client_id = self.ids.get(order_id)
        self.fills += qty > 0
        if client_id is not None:
            self.filled[client_id] = self.filled.get(client_id, 0) + qty
