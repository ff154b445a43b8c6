"""Which markets a strategy is for, said by patterns: contracts come and go daily, their series stay.

Patterns are globs (`*`, `?`, `[...]`), compared case by case as the venue writes its names.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

import attrs
from msgspec.structs import replace

from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.units import SCALE, Qty, complement
from hlomm.domain.view import Desired, MarketView, Wish

_SHOWN: Final = 12


@attrs.frozen(kw_only=True)
class Selection:
    """Outcome markets by pattern. Empty `classes` or `underlyings` select nothing, empty `periods` every period."""

    classes: tuple[str, ...]
    underlyings: tuple[str, ...]
    periods: tuple[str, ...]
    deployers: tuple[str, ...] = ()
    """Whose own markets are taken as well as the protocol's. A deployer settles by key, and at any fraction."""
    fallbacks: bool = False
    """Whether the fallback of a question is taken with its other outcomes."""
    min_liquidity: float = 0.0
    """USDC that others must offer, both sides of the book together, before a position is added to; 0: any book."""

    def takes(self, market: Market) -> bool:
        """Whether a market fits. Perps never do; a fallback has no terms of its own to price, so few want it."""
        return (
            market.kind is MarketKind.OUTCOME
            and (self.fallbacks or not market.fallback)
            and _fits(market.klass, self.classes)
            and _fits(market.underlying, self.underlyings)
            and (not self.periods or _fits(market.period, self.periods))
            and (market.deployer is None or _fits(market.deployer, self.deployers))
        )

    def liquid_only(self, view: MarketView, desired: Desired) -> Desired:
        """What is wanted, less what would add to a position in a book that is too thin."""
        least, offered = self.min_liquidity * SCALE**2, 0
        # No level offers less than nothing, so the first ones that offer enough decide.
        for px, qty in view.bids:
            if offered >= least:
                return desired
            offered += px * qty
        for px, qty in view.asks:
            if offered >= least:
                return desired
            offered += complement(px) * qty
        if offered >= least:
            return desired
        why = f"liquidity: others offer {offered / SCALE**2:.2f} < {self.min_liquidity:g}, only reductions"
        bid, ask, take = (_reducing(view.net, +1, desired.bid), _reducing(view.net, -1, desired.ask), desired.take)
        return replace(
            desired, bid=bid, bid_reason=desired.bid_reason if bid is desired.bid else why,
            ask=ask, ask_reason=desired.ask_reason if ask is desired.ask else why,
            take=take if take is not None and take.direction * view.net < 0 else None,
        )  # fmt: skip

    def unmatched(self, listed: Iterable[Market]) -> dict[str, str]:
        """Patterns that fit nothing of what is listed: `setting pattern` to a sentence with what there is instead.

        A caller that remembers the keys says each sentence once, however what is listed changes. While no outcome is
        listed at all there is nothing to compare with, and nothing is said.
        """
        markets = [market for market in listed if market.kind is MarketKind.OUTCOME]
        if not markets:
            return {}
        settings: tuple[tuple[str, tuple[str, ...], list[str]], ...] = (
            ("classes", self.classes, [market.klass for market in markets]),
            ("underlyings", self.underlyings, [market.underlying for market in markets]),
            ("periods", self.periods, [market.period for market in markets]),
            ("deployers", self.deployers, [market.deployer for market in markets if market.deployer is not None]),
        )
        return {
            f"{setting} {pattern}": f"{setting}: {pattern!r} fits nothing that is listed; there are: {_those(names)}"
            for setting, patterns, names in settings
            for pattern in patterns
            if not any(fnmatchcase(name, pattern) for name in names)
        }


def _reducing(net: int, direction: int, wish: Wish | None) -> Wish | None:
    """As much of a wish as brings the position nearer to flat."""
    qty = min(wish.qty, max(-net * direction, 0)) if wish is not None else 0
    return None if wish is None or not qty else wish if qty == wish.qty else Wish(wish.px, Qty(qty))


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _those(names: list[str]) -> str:
    """Names in order, each once; `-` stands for an empty one."""
    known = sorted({name or "-" for name in names})
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return (", ".join(known[:_SHOWN]) or "none") + more
