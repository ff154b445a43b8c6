"""Exponent n of the power queue model, from how our own resting orders really filled (QUANT 9).

Every stretch in which an order of ours rested at one price is lived through again with `hlomm.pricing.queues`: ahead of
it the size that the level had in the last book before the venue took it, then the venue's own prints and books up to
its real end, our own share of the level taken off. The model says how much of it would have filled; the journal says
how much did. Only stretches can tell exponents apart in which somebody traded at that price and the size changed by
more than prints explain; the rest is left out. n is the value of a grid with the least sum of |modelled - filled|, in
contracts. Its interval is by bootstrap over orders, for one order's fate is one observation. With too few, or where
all of the grid errs alike, nothing is said: an exponent is never invented.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import attrs
import numpy as np

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.inputs import BookSnapshot, FillReceived, Level, OrderClosed, OrderOpened, TradePrint
from hlomm.domain.orders import AmendRequest, OrderRequest, Tif, direction, yes_px
from hlomm.domain.outputs import AmendOrders, PlaceOrders
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import to_float
from hlomm.pricing.queues import QueueModel, QueuePosition
from hlomm.research.calibrate.blocks import COVERED
from hlomm.research.calibrate.series import Floats
from hlomm.research.journal_recording import Own, Traded
from hlomm.research.recording import Event

GRID: Final = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
ORDERS_MIN: Final = 30
DEFAULT_N: Final = 2.0
NONE: Final = "no own fills: default kept"
_DRAWS: Final = 500
_SEED: Final = 20_261_121
_BRACKET: Final = (QueueModel.BACK, QueueModel.FRONT)
_BRACKET_NAMES: Final = tuple(model.name.lower() for model in _BRACKET)


@attrs.frozen(kw_only=True)
class FoundExponent:
    orders: int
    """Stretches lived through again."""
    telling: int
    """Of them, those that can tell exponents apart."""
    filled: float
    """Contracts that those really filled."""
    n: float | None
    interval: tuple[float, float] | None
    errors: tuple[tuple[float, float], ...]
    """(n, mean |modelled - filled| per order, in contracts)."""
    bracket: tuple[tuple[str, float], ...]
    """The same of the models at the ends."""
    refused: str

    def document(self) -> dict[str, Any]:
        return attrs.asdict(self)


@attrs.frozen(kw_only=True)
class Stretch:
    """An order at one price, from the moment the venue took it to the moment it was over there."""

    yes_px: int
    direction: int
    qty: int
    from_ms: int
    to_ms: int
    fills: tuple[tuple[int, int], ...]
    """(venue ms, contracts in 1e-8) in order."""

    def left(self, ms: int) -> int:
        return self.qty - sum(qty for at, qty in self.fills if at <= ms)


def exponent(markets: Iterable[Traded]) -> FoundExponent:
    """Of all own orders of all markets."""
    lived, filled = [], []
    total = fills = 0
    for one in markets:
        # At one time prints come before the book that shows what they took.
        events = sorted(
            one.recording.events, key=lambda event: (event.exchange_ns, isinstance(event.item, BookSnapshot))
        )
        times = [event.exchange_ns // NS_PER_MS for event in events]
        lot = to_float(one.recording.outcome.lot)
        for stretch in stretches(one.own):
            total += 1
            fills += len(stretch.fills)
            errors = _live(stretch, events[bisect_left(times, stretch.from_ms - _BOOK_AGE_MS) :], lot)
            if errors is not None:
                lived.append(errors)
                filled.append(to_float(stretch.qty - stretch.left(stretch.to_ms)))
    return _judged(np.array(lived, dtype=np.float64).reshape(len(lived), len(GRID) + 2), total, fills, sum(filled))


_BOOK_AGE_MS: Final = 10_000
"""The book before an order joined is at most that old."""


def _judged(errors: Floats, total: int, fills: int, filled: float) -> FoundExponent:
    means = errors.mean(axis=0) if len(errors) else np.full(len(GRID) + 2, np.nan)
    reason = ""
    if not fills:
        reason = NONE
    elif len(errors) < ORDERS_MIN:
        reason = (
            f"{len(errors)} of {total} own orders stood in a queue that tells exponents apart, {ORDERS_MIN} are "
            "needed: default kept"
        )
    elif np.ptp(means[: len(GRID)]) < 1e-9:
        reason = "all exponents err alike: default kept"
    found = None if reason else GRID[int(np.argmin(means[: len(GRID)]))]
    return FoundExponent(
        orders=total, telling=len(errors), filled=filled, n=found,
        interval=None if found is None else _interval(errors[:, : len(GRID)]),
        errors=tuple(zip(GRID, (float(mean) for mean in means), strict=False)) if len(errors) else (),
        bracket=tuple(zip(_BRACKET_NAMES, (float(mean) for mean in means[len(GRID) :]), strict=True))
        if len(errors)
        else (),
        refused=reason,
    )  # fmt: skip


def _interval(errors: Floats) -> tuple[float, float]:
    rng = np.random.default_rng(_SEED)
    weights = rng.multinomial(len(errors), np.full(len(errors), 1.0 / len(errors)), size=_DRAWS)
    best = np.argmin(weights @ errors, axis=1)
    low, high = np.percentile(np.array(GRID)[best], COVERED)
    return float(low), float(high)


# -- own orders


def stretches(own: Own) -> Iterator[Stretch]:
    """Post-only orders that the venue stamped as resting and as over, price by price."""
    opened: dict[ClientId, list[tuple[int, VenueOrderId]]] = {}
    closed: dict[ClientId, int] = {}
    fills: dict[VenueOrderId, list[tuple[int, int]]] = {}
    for _, item in own.news:
        match item:
            case OrderOpened(client_id=client_id, venue_ms=ms, venue_order_id=oid) if ms:
                rows = opened.setdefault(client_id, [])
                if oid not in [known for _, known in rows]:
                    rows.append((ms, oid))
            case OrderClosed(client_id=client_id, venue_ms=ms) if ms:
                closed[client_id] = max(ms, closed.get(client_id, 0))
            case FillReceived(fill=fill) if fill.kind is FillKind.TRADE and fill.maker and fill.venue_order_id:
                fills.setdefault(fill.venue_order_id, []).append((fill.venue_ms, fill.qty))
    for client_id, requests in _requests(own).items():
        # One price after another: the venue gives every amended order a new id.
        rows = sorted(opened.get(client_id, ()))
        if len(rows) != len(requests) or client_id not in closed:
            continue  # refused on the way, or never seen to end: which price rested when is not known
        ends = [*(ms for ms, _ in rows[1:]), closed[client_id]]
        for request, (from_ms, oid), to_ms in zip(requests, rows, ends, strict=True):
            yield Stretch(
                yes_px=yes_px(request.leg, request.px), direction=direction(request.leg, request.side),
                qty=request.qty, from_ms=from_ms, to_ms=to_ms, fills=tuple(sorted(fills.get(oid, ()))),
            )  # fmt: skip


def _requests(own: Own) -> dict[ClientId, list[OrderRequest | AmendRequest]]:
    found: dict[ClientId, list[OrderRequest | AmendRequest]] = {}
    for _, output in own.sent:
        match output:
            case PlaceOrders(orders=requests) | AmendOrders(amends=requests):
                for request in requests:
                    if request.tif is Tif.ALO:
                        found.setdefault(request.client_id, []).append(request)
    return found


# -- lived again


def _live(stretch: Stretch, events: Sequence[Event], lot: float) -> list[float] | None:
    """|modelled - filled| by every exponent, then by back and front; None if it cannot tell them apart."""
    queues: list[QueuePosition] | None = None
    filled = to_float(stretch.qty - stretch.left(stretch.to_ms))
    # What is full is over: prints after that met somebody else.
    end_ms = stretch.fills[-1][0] if stretch.fills and not stretch.left(stretch.to_ms) else stretch.to_ms
    level = -1
    modelled = [0.0] * (len(GRID) + 2)
    for event in events:
        ms, item = event.exchange_ns // NS_PER_MS, event.item
        if ms > end_ms:
            break
        if queues is None and ms >= stretch.from_ms:
            queues = _joined(stretch, level, lot)
        if isinstance(item, BookSnapshot):
            size = _size(item.bids if stretch.direction > 0 else item.asks, stretch)
            if queues is None:
                level = -1 if size is None else size
            elif size is not None:
                for queue in queues:
                    queue.depth(max(to_float(size - stretch.left(ms)), 0.0))
        elif isinstance(item, TradePrint) and queues is not None and ms > stretch.from_ms:
            _met(stretch, item, queues, modelled)
    if level < 0 or max(modelled) - min(modelled) < 0.5 * lot:
        return None
    return [abs(each - filled) for each in modelled]


def _joined(stretch: Stretch, level: int, lot: float) -> list[QueuePosition]:
    ahead, qty = to_float(max(level, 0)), to_float(stretch.qty)
    return [
        *(QueuePosition(model=QueueModel.POWER, level_qty=ahead, remaining=qty, lot=lot, n=n) for n in GRID),
        *(QueuePosition(model=model, level_qty=ahead, remaining=qty, lot=lot) for model in _BRACKET),
    ]


def _met(stretch: Stretch, item: TradePrint, queues: Sequence[QueuePosition], modelled: list[float]) -> None:
    beyond = (stretch.yes_px - item.px) * stretch.direction
    if beyond < 0 or stretch.direction == int(item.aggressor):
        return
    for at, queue in enumerate(queues):
        if beyond > 0:
            fill = min(queue.remaining, to_float(item.qty))
            queue.remaining -= fill
        else:
            fill = queue.trade(to_float(item.qty))
        modelled[at] += fill


def _size(levels: Sequence[Level], stretch: Stretch) -> int | None:
    """Of the order's level; None where the book does not reach that deep."""
    for px, qty in levels:
        if px == stretch.yes_px:
            return qty
        if (px - stretch.yes_px) * stretch.direction < 0:
            return 0
    return None if levels else 0
