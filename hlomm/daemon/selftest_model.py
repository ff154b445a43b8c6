"""The model that `hlomm selftest` holds a venue's answers against, and the plan of its round trip. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.fee import curve_fee
from hlomm.domain.fills import Fill
from hlomm.domain.grid import floor_px
from hlomm.domain.inputs import BookSnapshot, FeeRates, Level
from hlomm.domain.markets import Market
from hlomm.domain.orders import Side
from hlomm.domain.units import ONE, Cash, Px, Qty, ceil_to, notional_ceil, notional_floor, to_text
from hlomm.engine.fees import TOLERANCE

TAU_MIN_NS: Final = 60_000_000_000
"""A contract nearer to its expiry is no place for a test."""
FEE_MARGIN: Final = ONE // 100
"""Of the notional, on top of what is shown: no fee known is dearer."""


class Verdict(StrEnum):
    SAME = "same"
    WITHIN = "within"
    """Not what was expected most, and inside of what the model allows: a better price, a lower fee."""
    DIFFERS = "differs"


@attrs.frozen
class Field:
    """One field of an answer beside what the model says of it."""

    name: str
    expected: str
    was: str
    verdict: Verdict


@attrs.frozen(kw_only=True)
class Plan:
    """One round trip in YES of one market: a bid far away, changed, cancelled; then bought and sold back."""

    market: Market
    rest_px: Px
    amend_px: Px
    rest_qty: Qty
    buy_px: Px
    """Limit of the purchase; the sale's follows the book, `slippage` below its best bid."""
    slippage: Px
    qty: Qty
    """Enough to be sold above the venue's minimum after a fall by a third."""
    asks: tuple[Level, ...]

    @property
    def most(self) -> Cash:
        """Most collateral that is ever at stake, fees included."""
        largest = max(notional_ceil(self.rest_px, self.rest_qty), notional_ceil(self.buy_px, self.qty))
        return Cash(ceil_to(largest * (ONE + FEE_MARGIN) // ONE, ONE // 100))


@attrs.frozen(kw_only=True)
class Step:
    name: str
    fields: tuple[Field, ...] = ()
    said: str = ""
    """Why it was left out, or what broke it."""

    @property
    def good(self) -> bool:
        return not self.said.startswith("broken") and all(one.verdict is not Verdict.DIFFERS for one in self.fields)


@attrs.frozen(kw_only=True)
class Result:
    plan: Plan
    steps: tuple[Step, ...]
    flat: bool
    """Nothing rests and nothing is held, by the venue's word."""
    left: str
    cost: Cash | None
    """What it cost, None where the account could not be read in the end."""

    @property
    def good(self) -> bool:
        return self.flat and all(step.good for step in self.steps)


def plan_of(market: Market, book: BookSnapshot | None, slippage: Px, wall_ns: int) -> Plan | str:
    """The least that the venue takes, or why there is nothing to be planned."""
    if market.tau_ns(wall_ns) < TAU_MIN_NS:
        return "it expires in less than a minute"
    if book is None or not book.bids or not book.asks:
        return "its book has one side only"
    bid, ask = book.bids[0][0], book.asks[0][0]
    fallen = floor_px(market, Px(bid * 2 // 3))
    rest_px = floor_px(market, Px(bid // 2))
    amend_px = floor_px(market, Px(bid // 2 - max(market.tick, ONE // 1_000)))
    if min(bid - slippage, fallen, amend_px) <= 0:
        return f"its best bid of {to_text(bid)} is too low to sell back with a slippage of {to_text(slippage)}"
    qty = _least(market, fallen)
    if sum(size for px, size in book.asks if px <= ask + slippage) < qty:
        return f"fewer than {to_text(qty)} are offered within a slippage of {to_text(slippage)}"
    return Plan(
        market=market, rest_px=rest_px, amend_px=amend_px, rest_qty=_least(market, amend_px),
        buy_px=floor_px(market, Px(min(ask + slippage, ONE - market.tick))), slippage=slippage, qty=qty, asks=book.asks,
    )  # fmt: skip


def _least(market: Market, px: Px) -> Qty:
    """Fewest contracts that are worth the venue's minimum at that price, which is the lowest they are offered at."""
    worth = -(-market.min_notional * ONE // px)
    return Qty(ceil_to(max(worth, market.min_qty, market.lot), market.lot))


def calmest(plans: Sequence[Plan]) -> Plan | None:
    """Of those that are not nearly decided the one with most time left: its price moves least meanwhile."""
    undecided = [plan for plan in plans if ONE // 5 < plan.asks[0][0] < ONE * 4 // 5]
    return max(undecided or plans, key=lambda plan: plan.market.tau_ns(0), default=None)


def sale_px(plan: Plan, bids: Sequence[Level]) -> Px | None:
    """Limit of a sale into these bids; None where there is none to be had."""
    px = floor_px(plan.market, Px(bids[0][0] - plan.slippage)) if bids else Px(0)
    return px if px > 0 else None


# -- answers


def equal(name: str, expected: str, was: str) -> Field:
    return Field(name, expected, was, Verdict.SAME if expected == was else Verdict.DIFFERS)


def amount(name: str, expected: int, was: int) -> Field:
    return equal(name, to_text(expected), to_text(was))


def latency(took_ms: float, within_s: float) -> Field:
    """The model has no opinion but the deadline after which an order counts as unknown."""
    verdict = Verdict.WITHIN if took_ms <= within_s * 1_000 else Verdict.DIFFERS
    return Field("latency_ms", f"below {within_s * 1_000:g}", f"{took_ms:.1f}", verdict)


def price(fills: Sequence[Fill], side: Side, limit: Px, levels: Sequence[Level]) -> Field:
    """What was paid or got, beside what the book of a moment before promised; never beyond the limit."""
    qty = sum(fill.qty for fill in fills)
    promised, was = _walked(levels, qty), sum(fill.px * fill.qty for fill in fills)
    beyond = any((fill.px - limit) * side > 0 for fill in fills)
    verdict = Verdict.DIFFERS if beyond or not qty else Verdict.SAME if was == promised else Verdict.WITHIN
    each = to_text(was // qty) if qty else "nothing"
    shown = "too thin a book" if promised is None else to_text(promised // qty if qty else 0)
    word = "at most" if side is Side.BUY else "at least"
    return Field("px", f"{shown}, {word} {to_text(limit)}", each, verdict)


def _walked(levels: Sequence[Level], qty: int) -> int | None:
    """Cost of so many contracts along the levels, in 1e-16; None where there are too few."""
    cost, left = 0, qty
    for px, size in levels:
        taken = min(size, left)
        cost, left = cost + px * taken, left - taken
    return None if left else cost


def fee(market: Market, rates: FeeRates | None, fills: Sequence[Fill]) -> Field:
    """The fee of some fills beside the model's, which never counts with less than may be charged."""
    was = sum(fill.fee for fill in fills)
    if market.fee is None and rates is None:
        return Field("fee", "not told by the venue", to_text(was), Verdict.DIFFERS)
    expected = sum(_fee(market, rates, fill) for fill in fills)
    slack = sum(_slack(market, fill) for fill in fills)
    verdict = Verdict.DIFFERS
    if was == expected:
        verdict = Verdict.SAME
    elif was <= expected + slack:
        verdict = Verdict.WITHIN
    return Field("fee", f"at most {to_text(expected)}", to_text(was), verdict)


def _fee(market: Market, rates: FeeRates | None, fill: Fill) -> int:
    if market.fee is not None:
        return curve_fee(market.fee, fill.px, fill.qty, maker=fill.maker)
    assert rates is not None
    if fill.side is Side.BUY:
        rate = rates.open_maker if fill.maker else rates.open_taker
    else:
        rate = rates.close_maker if fill.maker else rates.close_taker
    return -(-notional_floor(fill.px, fill.qty) * rate // ONE)


def _slack(market: Market, fill: Fill) -> int:
    """What rounding at the venue can add."""
    if market.fee is not None:
        return 2 * market.fee.step
    return notional_floor(fill.px, fill.qty) * TOLERANCE // ONE


def fee_token(market: Market, *, paid: bool) -> Field:
    """Sessions count fees in collateral: they were taken from it if the balance says so to the last unit."""
    return equal("fee token", market.quote_token, market.quote_token if paid else "not seen in the balance")


def cash_of(fills: Sequence[Fill]) -> int:
    """What fills do to the cash, fees included, each rounded as the books do it."""
    return sum(
        (-notional_ceil(fill.px, fill.qty) if fill.side is Side.BUY else notional_floor(fill.px, fill.qty)) - fill.fee
        for fill in fills
    )
