"""Where the money came from: spread, inventory, settlement, fees; exact to the unit.

Every market is followed at a reference price in YES space, kept as twice the price so that a mid stays an integer.
A fill earns the distance between its price and the reference that stood just before it happened at the venue (the
book's reaction reaches us before the fill does, so "now" would book every adverse move as negative spread); from
there on the move of the reference earns on the net position; settlement is the last move. Pairs of YES and NO do not
move and drop out. A perp hedges inventory, so all that it earns is inventory: the way from its fill to the reference as
well as every move, and its funding. With every market at its reference, at every moment,

    spread + inventory + settlement - fees = total

What perps did is also counted by itself (`hedge`, a part of inventory), and what each strategy's markets brought in
this run (`brought`, fees taken off).

Amounts inside carry 5e-17 (twice price times quantity) and are brought to cash, rounded down, on reading; what the
three roundings lose is added to inventory so that the sum stays exact.
"""

from __future__ import annotations

from collections import deque

import attrs

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId, is_outcome
from hlomm.domain.orders import direction
from hlomm.domain.orders import yes_px as to_yes_px
from hlomm.domain.units import SCALE, Cash

_CASH2 = 2 * SCALE


HISTORY = 64
"""References kept per market to look back from a fill's venue time."""


Split = tuple[Cash, int]


def _split(amount2: int) -> Split:
    whole, rest = divmod(amount2, _CASH2)
    return Cash(whole), rest


@attrs.define(eq=False)
class _Track:
    ref2: int
    net: int = 0
    final: bool = False
    """Settled: the reference never moves again."""
    perp: bool = False
    owner: str = ""
    """Whose market it is: a strategy, or nobody's."""
    history: deque[tuple[int, int]] = attrs.field(factory=lambda: deque(maxlen=HISTORY))
    """(venue_ms from which on, ref2), oldest first."""

    def before(self, venue_ms: int) -> int:
        """Reference strictly before a venue time; the oldest known if that is all there is."""
        found = None
        for since_ms, ref2 in reversed(self.history):
            found = ref2
            if since_ms < venue_ms:
                break
        return self.ref2 if found is None else found


@attrs.frozen
class _Found:
    """A position that was there at start; its distance from cost counts as inventory once it can be priced."""

    yes: int
    no: int
    cost: int


class Attribution:
    def __init__(self) -> None:
        self._tracks: dict[MarketId, _Track] = {}
        self._found: dict[MarketId, _Found] = {}
        self._spread2 = 0
        self._inventory2 = 0
        self._settlement2 = 0
        self._hedge2 = 0
        """Of perps; it is part of the inventory."""
        self._owners: dict[MarketId, str] = {}
        self._brought2: dict[str, int] = {}

    def own(self, market: MarketId, owner: str) -> None:
        """From now on this market earns for that strategy."""
        self._owners[market] = owner
        track = self._tracks.get(market)
        if track is not None:
            track.owner = owner

    def found(self, market: MarketId, yes: int, no: int, cost: int) -> None:
        """Tokens found at start; of a perp the signed quantity as `yes`."""
        track = self._tracks.get(market)
        if track is not None:
            self._take_over(track, _Found(yes, no, cost))
            return
        known = self._found.get(market, _Found(0, 0, 0))
        self._found[market] = _Found(known.yes + yes, known.no + no, known.cost + cost)

    def earned(self) -> tuple[Split, Split, Split]:
        """(spread, inventory, settlement) so far, each as whole cash and the rest in the unit of `total2`."""
        return _split(self._spread2), _split(self._inventory2), _split(self._settlement2)

    def hedged(self) -> Split:
        """What perps brought, in the same way; it is inside inventory."""
        return _split(self._hedge2)

    def restore(self, earned: tuple[Split, Split, Split], hedge: Split) -> None:
        """Go on from the sums of an earlier run."""
        self._spread2, self._inventory2, self._settlement2 = (whole * _CASH2 + rest for whole, rest in earned)
        self._hedge2 = hedge[0] * _CASH2 + hedge[1]

    def resume(self, market: MarketId, ref2: int, net: int) -> None:
        """Go on following a market that an earlier run followed, from the reference it had."""
        assert market not in self._tracks
        self._tracks[market] = _Track(ref2, net, perp=not is_outcome(market), owner=self._owners.get(market, ""))

    def forget(self, market: MarketId) -> None:
        """Drop a market that is over; what it earned stays in the sums."""
        self._tracks.pop(market, None)
        self._found.pop(market, None)
        self._owners.pop(market, None)

    def moved(self, market: MarketId, ref2: int, venue_ms: int) -> None:
        """The reference price changed, at that venue time. A picture of a book that comes late changes nothing."""
        track = self._track(market, ref2)
        if track.final:
            return
        if track.net:
            self._carry(track, track.net * (ref2 - track.ref2))
        track.ref2 = ref2
        if not track.history or track.history[-1][1] != ref2:
            track.history.append((venue_ms, ref2))

    def filled(self, fill: Fill) -> None:
        """Any movement of tokens but a settlement. A pair's two halves cancel, so each may be booked as it comes."""
        assert fill.kind is not FillKind.SETTLEMENT
        if not is_outcome(fill.market):
            track = self._track(fill.market, 2 * fill.px)
            self._carry(track, fill.side * (track.ref2 - 2 * fill.px) * fill.qty)
            track.net += fill.side * fill.qty
            return
        sign = direction(fill.leg, fill.side)
        px2 = 2 * to_yes_px(fill.leg, fill.px)
        track = self._track(fill.market, px2)
        then2 = track.before(fill.venue_ms)
        spread2 = sign * (then2 - px2) * fill.qty
        self._spread2 += spread2
        self._bring(track.owner, spread2 - fill.fee * _CASH2)
        self._carry(track, sign * (track.ref2 - then2) * fill.qty)
        if not track.final:
            track.net += sign * fill.qty

    def funded(self, amount: int) -> None:
        """Funding of a perp paid (negative: received)."""
        self._inventory2 -= amount * _CASH2
        self._hedge2 -= amount * _CASH2

    def charged(self, market: MarketId, fee: int) -> None:
        """A fee that came with no fill of its own, as for a settlement."""
        self._bring(self._owners.get(market, ""), -fee * _CASH2)

    def settled(self, market: MarketId, yes_px: int) -> None:
        """The last move; what trickles in later is measured against the settlement price."""
        track = self._track(market, 2 * yes_px)
        last2 = track.net * (2 * yes_px - track.ref2)
        self._settlement2 += last2
        self._bring(track.owner, last2)
        track.ref2 = 2 * yes_px
        track.net = 0
        track.final = True
        track.history.clear()

    def adjusted(self, market: MarketId, yes: int, no: int, cost: int, gain2: int) -> None:
        """The position was set by an operator's decision; what that changed in its result counts as inventory."""
        self._inventory2 += gain2
        if not is_outcome(market):
            self._hedge2 += gain2
        track = self._tracks.get(market)
        if track is None:
            self._found[market] = _Found(yes, no, cost)
        elif not track.final:
            track.net = yes - no

    def _track(self, market: MarketId, ref2: int) -> _Track:
        track = self._tracks.get(market)
        if track is None:
            track = self._tracks[market] = _Track(ref2, perp=not is_outcome(market), owner=self._owners.get(market, ""))
            found = self._found.pop(market, None)
            if found is not None:
                self._take_over(track, found)
        return track

    def _take_over(self, track: _Track, found: _Found) -> None:
        if not track.final:
            track.net += found.yes - found.no
        gain2 = found.yes * track.ref2 + found.no * (_CASH2 - track.ref2) - found.cost * _CASH2
        self._inventory2 += gain2
        if track.perp:
            self._hedge2 += gain2

    def _carry(self, track: _Track, gain2: int) -> None:
        """What a position brought by the move of its reference."""
        self._inventory2 += gain2
        if track.perp:
            self._hedge2 += gain2
        else:
            self._bring(track.owner, gain2)

    def _bring(self, owner: str, gain2: int) -> None:
        self._brought2[owner] = self._brought2.get(owner, 0) + gain2

    def reference2(self, market: MarketId) -> int | None:
        """Twice the reference price, None if the market was never priced."""
        track = self._tracks.get(market)
        return None if track is None else track.ref2

    def quoted2(self, market: MarketId) -> int | None:
        """The same, of a market that still has a price of its own: not once it has settled."""
        track = self._tracks.get(market)
        return None if track is None or track.final else track.ref2

    def brought(self, owner: str) -> int:
        """Cash that a strategy's outcome markets brought since this run began, fees taken off, rounded down."""
        return self._brought2.get(owner, 0) // _CASH2

    def total2(self) -> int:
        """Spread + inventory + settlement in units of 5e-17 (twice price times quantity)."""
        return self._spread2 + self._inventory2 + self._settlement2

    def parts(self) -> tuple[int, int, int]:
        """(spread, inventory, settlement) in cash, the remainder of rounding in inventory."""
        total = self.total2() // _CASH2
        spread, settlement = self._spread2 // _CASH2, self._settlement2 // _CASH2
        return spread, total - spread - settlement, settlement
