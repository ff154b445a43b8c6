"""The last-metre fuse: how much may leave a session, whatever the engine has decided. Pure: clock readings come in.

Theory of operation. It stands behind the risk gate and shares nothing with it but the table of limits, so that one
mistake cannot disarm both. It looks at every order (place or amend) just before it is signed and counts it, whether or
not its frame leaves afterwards. Four rules; an order at the limit passes, one beyond it trips:

- `orders_per_s`: orders in any second;
- `notional_per_min`: collateral of purchases in any minute, an amended order counted in full each time. Sales of
  outcome tokens lock nothing and count nothing; perp orders count price times quantity on both sides;
- `order_notional`: collateral of one order;
- `order_qty`: quantity of one order. A flattening purchase of an outcome (the complement of what is held) is bounded
  by this alone: it may close a whole position at once, and an outcome costs less than 1 apiece.

*Exits* are flattening orders that the venue itself lets only reduce: sales of outcome tokens (none can be sold that is
not held) and perp orders marked reduce-only. Selling what is held must stay possible, so neither size nor notional nor
the tripped fuse holds them up. Their rate does: they count, and beyond `orders_per_s` they are refused until the
second is over.

A tripped fuse is cancel-only: orders are refused here, exits, cancels and merges pass. It stays tripped as long as the
session object lives: only a restart makes a new one. Flattening without the engine (sweep, guardian) is not its
business.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import ClientId, VenueId, is_outcome
from hlomm.domain.inputs import FuseTripped, Input, SendRefused, SentAction
from hlomm.domain.orders import AmendRequest, OrderRequest, Purpose, Side
from hlomm.domain.outputs import AmendOrders, PlaceOrders
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash, Qty, notional_ceil, to_fixed, to_text

MINUTE_NS: Final = 60 * NS_PER_S


def _positive(_limits: object, field: attrs.Attribute[Any], value: int) -> None:
    if value <= 0:
        raise ConfigError(f"fuse {field.name}: expected more than 0, was {value}")


@attrs.frozen(kw_only=True)
class FuseLimits:
    """What may leave at most; see the module."""

    orders_per_s: int = attrs.field(validator=_positive)
    notional_per_min: Cash = attrs.field(validator=_positive)
    order_notional: Cash = attrs.field(validator=_positive)
    order_qty: Qty = attrs.field(validator=_positive)
    hedge_notional: Cash = attrs.field(validator=_positive)


@attrs.define(eq=False)
class Window:
    """Amounts of the last so many nanoseconds; an amount exactly that old counts no longer."""

    span_ns: int
    total: int = 0
    _entries: deque[tuple[int, int]] = attrs.field(factory=deque)

    def at(self, now_ns: int) -> int:
        """The sum in the window that ends now. A clock that steps back forgets nothing."""
        entries = self._entries
        while entries and now_ns - entries[0][0] >= self.span_ns:
            self.total -= entries.popleft()[1]
        return self.total

    def add(self, now_ns: int, amount: int) -> None:
        self._entries.append((now_ns, amount))
        self.total += amount

    def __len__(self) -> int:
        return len(self._entries)


@attrs.define(eq=False)
class Fuse:
    """The fuse of one session. Its memory is bounded by its own limits: what is refused is not remembered."""

    venue: VenueId
    limits: FuseLimits
    tripped: str | None = None
    """Which rule with which numbers; None while it holds."""
    told: bool = False
    """Whether the news of it was handed on."""
    passed: int = 0
    refused: int = 0
    _orders: Window = attrs.field(factory=lambda: Window(NS_PER_S))
    _notional: Window = attrs.field(factory=lambda: Window(MINUTE_NS))

    def screen(
        self, output: PlaceOrders | AmendOrders, now_ns: int
    ) -> tuple[PlaceOrders | AmendOrders | None, list[Input]]:
        """What of a batch may leave (None: nothing), and the news for the engine about the rest.

        `now_ns` is monotonic venue time. FuseTripped is among the news until `told` is set.
        """
        requests: tuple[OrderRequest | AmendRequest, ...]
        requests = output.orders if isinstance(output, PlaceOrders) else output.amends
        held: list[ClientId] = []
        why = ""
        for request in requests:
            refusal = self._judge(request, now_ns)
            if refusal is not None:
                held.append(request.client_id)
                why = refusal
        if not held:
            return output, []
        news: list[Input] = []
        if self.tripped is not None and not self.told:
            news.append(FuseTripped(self.venue, self.tripped))
        kind = SentAction.PLACE if isinstance(output, PlaceOrders) else SentAction.AMEND
        news.append(SendRefused(tuple(held), kind, why))
        return _without(output, frozenset(held)), news

    def _judge(self, request: OrderRequest | AmendRequest, now_ns: int) -> str | None:
        """Why an order may not leave; counts it if it may."""
        out = is_exit(request)
        spends = 0 if out else collateral(request)
        beyond = self._beyond(request, spends, now_ns, out=out)
        if out:
            refusal = beyond if beyond is None else f"{beyond}; sales go on when the second is over"
        else:
            if self.tripped is None:
                self.tripped = beyond
            refusal = None if self.tripped is None else f"fuse tripped ({self.tripped}): only cancels and sales pass"
        if refusal is not None:
            self.refused += 1
            return refusal
        self.passed += 1
        self._orders.add(now_ns, 1)
        if spends:
            self._notional.add(now_ns, spends)
        return None

    def _beyond(self, request: OrderRequest | AmendRequest, spends: int, now_ns: int, *, out: bool) -> str | None:
        """The rule that an order breaks, with the numbers."""
        limits = self.limits
        orders, minute = self._orders.at(now_ns) + 1, self._notional.at(now_ns) + spends
        if orders > limits.orders_per_s:
            return f"max_orders_per_s: {orders} orders in a second > {limits.orders_per_s}"
        if out:
            return None
        if request.qty > limits.order_qty:
            return f"max_position: one order of {to_text(request.qty)} > {to_text(limits.order_qty)}"
        hedges = isinstance(request, OrderRequest) and request.purpose is Purpose.HEDGE
        most, name = (
            (limits.hedge_notional, "max_hedge_notional") if hedges else (limits.order_notional, "max_order_notional")
        )
        if spends > most and not _flattens(request):
            return f"{name}: one order of {to_fixed(spends, 2)} > {to_fixed(most, 2)}"
        if minute > limits.notional_per_min:
            return f"max_notional_per_min: {to_fixed(minute, 2)} in a minute > {to_fixed(limits.notional_per_min, 2)}"
        return None

    @property
    def word(self) -> str:
        """Its state in one line, for people."""
        return "ok" if self.tripped is None else f"tripped: {self.tripped}"


def collateral(request: OrderRequest | AmendRequest) -> int:
    """Cash that an order can take, rounded up: nothing for a sale of outcome tokens."""
    if is_outcome(request.market) and request.side is Side.SELL:
        return 0
    return notional_ceil(request.px, request.qty)


def is_exit(request: OrderRequest | AmendRequest) -> bool:
    """Whether it is a flattening order that the venue itself lets only reduce."""
    return _flattens(request) and (request.side is Side.SELL or not is_outcome(request.market))


def _flattens(request: OrderRequest | AmendRequest) -> bool:
    return isinstance(request, OrderRequest) and request.reduce_only and request.purpose is Purpose.FLATTEN


def _without(output: PlaceOrders | AmendOrders, held: frozenset[ClientId]) -> PlaceOrders | AmendOrders | None:
    if isinstance(output, PlaceOrders):
        orders = tuple(one for one in output.orders if one.client_id not in held)
        return PlaceOrders(output.venue, orders) if orders else None
    amends = tuple(one for one in output.amends if one.client_id not in held)
    return AmendOrders(output.venue, amends) if amends else None
