"""Exact accounting of one account: cash, outcome tokens, perps, cost, realised result, fees.

Every movement keeps one identity to the last unit:

    cash + cost of all tokens + perp wallet + cost of all perps - realised + fees = deposits + adjustments

A purchase turns cash into cost; a sale turns cost into cash and the difference into realised; a fee leaves cash
for fees; settlement is a sale at the settlement price. Partial sales release cost rounded down, so what remains
carries the rest and closing a position always releases all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.carried import CarriedBooks
from hlomm.domain.faults import InvariantBroken
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId, is_outcome
from hlomm.domain.inputs import AccountState, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, complement, notional_ceil, notional_floor, to_text
from hlomm.engine.perps import PerpPosition, Perps
from hlomm.engine.position import FLAT, Holdings, Position, shares

SETTLED_REMEMBERED: Final = 4096
"""Settlement prices kept for fills that come late."""


class Portfolio:
    def __init__(self, index: Holdings | None = None) -> None:
        """`index` holds the positions of all accounts there are; this one enters its own there too, and its moves."""
        self.opened = False
        """Taken over from the venue, or from an earlier run."""
        self._index = Holdings() if index is None else index
        self.cash = 0
        self.deposits = 0
        self.adjustments = 0
        """Differences taken over from the venue by an operator's decision; zero in a healthy life."""
        self.realised = 0
        self.fees = 0
        self.volume = 0
        self.fills = 0
        self.cost = 0
        self.positions: dict[MarketId, Position] = {}
        self.perps = Perps()
        self.settled: dict[MarketId, Px] = {}
        self.settlements = 0
        """Markets that settled."""
        self.settlements_held = 0
        """Of these, those in which tokens were held."""

    # -- queries

    def position(self, market: MarketId) -> Position:
        """The market's position, to look at; a flat one for a market in which nothing ever moved."""
        return self.positions.get(market, FLAT)

    def forget(self, market: MarketId) -> None:
        """Drop a flat position of a market that is over; what it earned stays in the totals."""
        position = self.positions.get(market)
        if position is not None:
            assert position.flat
            del self.positions[market], self._index.positions[market]
            self._moved()

    # -- movements

    def open_with(self, state: AccountState) -> None:
        """Take over the account as found: tokens at the venue's own entry cost."""
        self._open()
        self.cash = state.cash
        for token in state.tokens:
            self._add(self._own(token.market), token.leg, token.total, token.cost)
        self.deposits = self.cash + self.cost + self.perps.open_with(state.perp_cash, state.perps)
        for market, position in self.positions.items():
            yes_px = self.settled.get(market)
            if yes_px is not None:  # the report was asked for before the settlement and told after it
                self._convert(position, yes_px)
        self._moved()

    def _open(self) -> None:
        if self.opened or self.positions or self.cash or self.deposits:
            raise InvariantBroken("the account was opened twice")
        self.opened = True

    def find_perps(self, state: AccountState) -> None:
        """Take over a perp wallet that the books of an earlier version did not know."""
        self.deposits += self.perps.open_with(state.perp_cash, state.perps)
        self._moved()

    def restore(self, books: CarriedBooks) -> None:
        """Go on with the books of an earlier run."""
        self._open()
        self.cash, self.deposits, self.adjustments = books.cash, books.deposits, books.adjustments
        self.realised, self.fees, self.volume = books.realised, books.fees, books.volume
        self.fills, self.settlements, self.settlements_held = books.fills, books.settlements, books.settlements_held
        self.settled = dict(books.settled)
        for held in books.positions:
            self.positions[held.market] = self._index.positions[held.market] = Position(
                yes=held.yes, no=held.no, cost_yes=held.cost_yes, cost_no=held.cost_no, realised=held.realised,
                fees=held.fees, volume=held.volume, fills=held.fills,
            )  # fmt: skip
            self.cost += held.cost_yes + held.cost_no
        if books.perp_cash is not None:
            self.perps.raw, self.perps.funding, self.perps.known = books.perp_cash, books.funding, True
        for perp in books.perps:
            self.perps.positions[perp.market] = PerpPosition(
                qty=perp.qty, cost=perp.cost, realised=perp.realised, fees=perp.fees, funding=perp.funding,
                volume=perp.volume, fills=perp.fills,
            )  # fmt: skip
            self.perps.cost += perp.cost
        self._moved()

    def apply(self, fill: Fill) -> int | None:
        """One fill by a trade; the cost that a sale of tokens released. In a settled market they are cash at once."""
        if not is_outcome(fill.market):
            self._apply_perp(fill)
            return None
        released = None
        position = self._own(fill.market)
        if fill.side is Side.BUY:
            paid = notional_ceil(fill.px, fill.qty)
            self.cash -= paid
            self._add(position, fill.leg, fill.qty, paid)
        else:
            got = notional_floor(fill.px, fill.qty)
            released = self._remove(position, fill.leg, fill.qty, got)
        if fill.kind is FillKind.TRADE:
            traded = notional_floor(fill.px, fill.qty)
            position.volume += traded
            position.fills += 1
            self.volume += traded
            self.fills += 1
        self.charge(fill.market, fill.fee)
        yes_px = self.settled.get(fill.market)
        if yes_px is not None:
            self._convert(position, yes_px)
        self._moved()
        return released

    def convert(self, fills: Sequence[Fill]) -> None:
        """Parts of one conversion (see `hlomm.domain.sets`), all of them or those that were told so far.

        Cost follows the tokens. Those that came have cost what those that went had cost, in equal parts, and the cash
        that was paid; if none came, those that went share the cash by their cost. A unit that cannot be shared falls to
        the first.
        """
        gone = [fill for fill in fills if fill.side is Side.SELL]
        come = [fill for fill in fills if fill.side is Side.BUY]
        paid = sum(notional_ceil(fill.px, fill.qty) for fill in come)
        got = sum(notional_floor(fill.px, fill.qty) for fill in gone)
        released = [self._release(self._own(fill.market), fill.leg, fill.qty) for fill in gone]
        self.cash += got - paid
        if gone and come:
            moved = sum(released) + paid - got
            for fill, cost in zip(come, shares(moved, [1] * len(come)), strict=True):
                self._add(self._own(fill.market), fill.leg, fill.qty, cost)
        elif come:
            for fill in come:
                self._add(self._own(fill.market), fill.leg, fill.qty, notional_ceil(fill.px, fill.qty))
        for fill, cost, part in zip(gone, released, shares(got, released), strict=True):
            if not come:
                self.realised += part - cost
                self._own(fill.market).realised += part - cost
        for fill in fills:
            self.charge(fill.market, fill.fee)
            yes_px = self.settled.get(fill.market)
            if yes_px is not None:
                self._convert(self._own(fill.market), yes_px)
        self._moved()

    def void(self, fill: Fill, released: int | None) -> None:
        """Undo a fill of outcome tokens, to the last unit if nothing has moved since.

        A purchase gives back its tokens with what they cost; a sale takes its tokens back at the cost that it released,
        or where nobody remembers that, at what they were sold for. What has moved meanwhile may leave a rest: it is
        realised.
        """
        position = self._own(fill.market)
        held, cost = (position.yes, position.cost_yes) if fill.leg is Leg.YES else (position.no, position.cost_no)
        if fill.side is Side.BUY:
            worth = notional_ceil(fill.px, fill.qty)
            moved = -(cost if fill.qty >= held else min(worth, cost))
            self._move(position, fill.leg, -fill.qty, moved)
            self.cash += worth
            gained = worth + moved
        else:
            worth = notional_floor(fill.px, fill.qty)
            moved = (worth if released is None else released) if held + fill.qty > 0 else 0
            self._move(position, fill.leg, fill.qty, moved)
            self.cash -= worth
            gained = moved - worth
        self.realised += gained
        position.realised += gained
        if fill.kind is FillKind.TRADE:
            traded = notional_floor(fill.px, fill.qty)
            position.volume -= traded
            position.fills -= 1
            self.volume -= traded
            self.fills -= 1
        self.charge(fill.market, -fill.fee)
        yes_px = self.settled.get(fill.market)
        if yes_px is not None:
            self._convert(position, yes_px)
        self._moved()

    def _apply_perp(self, fill: Fill) -> None:
        self.realised += self.perps.apply(fill)
        self.perps.charge(fill.market, fill.fee)
        self.fees += fill.fee
        if fill.kind is FillKind.TRADE:
            self.volume += notional_floor(fill.px, fill.qty)
            self.fills += 1
        self._moved()

    def fund(self, market: MarketId, amount: int) -> None:
        """Funding of a perp, paid from the perp wallet (negative: received); realised at once."""
        self.perps.fund(market, amount)
        self.realised -= amount
        self._moved()

    def charge(self, market: MarketId, fee: int) -> None:
        self.cash -= fee
        self.fees += fee
        position = self.positions.get(market)
        if position is not None:
            position.fees += fee
        self._index.moves += 1

    def settle(self, market: MarketId, yes_px: Px) -> bool:
        """Turn all tokens of a market into cash at the settlement price; False if it was settled before."""
        known = self.settled.get(market)
        if known is not None:
            if known != yes_px:
                raise InvariantBroken(f"{market} settled at {to_text(known)} and again at {to_text(yes_px)}")
            return False
        self.settled[market] = yes_px
        if len(self.settled) > SETTLED_REMEMBERED:
            del self.settled[next(iter(self.settled))]
        self.settlements += 1
        position = self.positions.get(market)
        if position is not None:
            self.settlements_held += not position.flat
            self._convert(position, yes_px)
            self._moved()
        return True

    def adopt(self, state: AccountState) -> None:
        """Replace belief by the venue's figures after an operator accepted a difference."""
        before = self.cash + self.cost + self.perps.raw + self.perps.cost
        self.cash = state.cash
        found = {(token.market, token.leg): token for token in state.tokens}
        for market, position in self.positions.items():
            for leg in (Leg.YES, Leg.NO):
                self._set(position, leg, found.pop((market, leg), None))
        for (market, leg), token in found.items():
            self._set(self._own(market), leg, token)
        self.perps.adopt(state.perp_cash, state.perps)
        self.adjustments += self.cash + self.cost + self.perps.raw + self.perps.cost - before
        self._moved()

    # -- the only places where tokens and cost change

    def _own(self, market: MarketId) -> Position:
        """The market's position, to be changed."""
        position = self.positions.get(market)
        if position is None:
            position = self.positions[market] = self._index.positions[market] = Position()
        return position

    def _move(self, position: Position, leg: Leg, qty: int, cost: int) -> None:
        """Change a holding and its cost together."""
        if leg is Leg.YES:
            position.yes += qty
            position.cost_yes += cost
        else:
            position.no += qty
            position.cost_no += cost
        self.cost += cost

    def _add(self, position: Position, leg: Leg, qty: int, cost: int) -> None:
        short = min(max(-position.held(leg), 0), qty)
        if short:
            # A sale was reported before this purchase and was booked at no cost: its cost arrives now.
            share = cost * short // qty
            cost -= share
            self.realised -= share
            position.realised -= share
        self._move(position, leg, qty, cost)

    def _remove(self, position: Position, leg: Leg, qty: int, proceeds: int) -> int:
        """A sale of tokens; returns the cost that it released."""
        released = self._release(position, leg, qty)
        self.cash += proceeds
        self.realised += proceeds - released
        position.realised += proceeds - released
        return released

    def _release(self, position: Position, leg: Leg, qty: int) -> int:
        """Take tokens out and return their cost. A sale reported before its purchase leaves a short at no cost."""
        held, cost = (position.yes, position.cost_yes) if leg is Leg.YES else (position.no, position.cost_no)
        released = cost if qty >= held else cost * qty // held
        self._move(position, leg, -qty, -released)
        return released

    def _set(self, position: Position, leg: Leg, token: TokenBalance | None) -> None:
        """Make a holding what the venue says it is; tokens that appear come at the venue's average cost."""
        if position.held(leg) < 0:
            self._add(position, leg, -position.held(leg), 0)
        held, total = position.held(leg), 0 if token is None else token.total
        if total < held:
            self._release(position, leg, held - total)
        elif token is not None and total > held:
            self._add(position, leg, total - held, token.cost * (total - held) // total)

    def _convert(self, position: Position, yes_px: Px) -> None:
        for leg, px in ((Leg.YES, yes_px), (Leg.NO, complement(yes_px))):
            held = position.held(leg)
            if held:
                self._remove(position, leg, held, notional_floor(px, held))

    # -- the identity

    def _moved(self) -> None:
        """Every movement ends here: nothing that was added up before holds any longer."""
        self._index.moves += 1
        self.check()

    def check(self) -> None:
        left = self.cash + self.cost + self.perps.raw + self.perps.cost - self.realised + self.fees
        right = self.deposits + self.adjustments
        if left != right:
            raise InvariantBroken(
                f"accounts do not conserve: cash {to_text(self.cash)} + cost {to_text(self.cost)} + perp wallet "
                f"{to_text(self.perps.raw)} + perp cost {to_text(self.perps.cost)} - realised "
                f"{to_text(self.realised)} + fees {to_text(self.fees)} != {to_text(right)}"
            )

    def totals(self) -> tuple[Cash, Cash, Cash]:
        """(cash, realised, fees)."""
        return Cash(self.cash), Cash(self.realised), Cash(self.fees)
