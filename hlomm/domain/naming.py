"""From what a person types to a market: by name, by coin, by id, or by the beginning of a name.

One resolver for every place that takes the name of a market. It never guesses: what fits several markets is refused
with their names, what fits none with the names that come nearest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, MarketId, VenueId
from hlomm.domain.markets import Leg
from hlomm.domain.ticker import Ticker, parse_ticker

_NUMBERED: Final = re.compile(r"[^:]+:o([0-9]+)", re.ASCII)
_COIN: Final = re.compile(r"[#+](0|[1-9][0-9]{0,10})", re.ASCII)
_KINDS: Final = ("OUT:", "PERP:")
_SHOWN: Final = 6


@attrs.frozen
class Found:
    """One name. `markets` are several only where the venue lists the same terms twice: two series, two deployers."""

    markets: tuple[MarketId, ...]
    leg: Leg | None
    """The side, where it was named."""


def coin_name(market: MarketId, leg: Leg) -> str | None:
    """`#<10 * outcome + side>` of one side of an outcome market, side 0 being YES; None for what has no such number.

    Only outcomes of Hyperliquid are numbered; perps and the markets of other venues are not.
    """
    number = _NUMBERED.fullmatch(market)
    return None if number is None else f"#{10 * int(number[1]) + int(leg)}"


def read_coin_name(text: str) -> tuple[int, Leg] | None:
    """Outcome number and side of `#n` (a coin) or `+n` (a token), None if it is neither."""
    match = _COIN.fullmatch(text)
    if match is None:
        return None
    outcome, side = divmod(int(match[1]), 10)
    return (outcome, Leg(side)) if side in (Leg.YES, Leg.NO) else None


def find_market(text: str, listed: Mapping[MarketId, str]) -> Found:
    """The market meant by `text` among `listed` (id to name without side).

    Understood are, in this order: `#n` and `+n`; a market id, with or without its venue; a name, with or without side,
    kind (`OUT:`) and time of day, in any case; the beginning of exactly one name. UsageError says what there is
    instead.
    """
    if not listed:
        raise UsageError(f"no market {text!r}: none is listed")
    coin = read_coin_name(text)
    if coin is not None:
        outcome, leg = coin
        return _one(text, [id_ for id_ in listed if id_.endswith(f":o{outcome}")], listed, leg)
    base, leg_named = _without_side(text)
    by_id = [id_ for id_ in listed if base in (id_, id_.partition(":")[2])]
    return _one(text, by_id or _by_name(base, listed) or _by_beginning(base, listed), listed, leg_named)


def _one(text: str, found: Iterable[MarketId], listed: Mapping[MarketId, str], leg: Leg | None) -> Found:
    markets = tuple(found)
    names = sorted({listed[market] for market in markets})
    if not names:
        raise UsageError(f"no market {text!r}; nearest of {len(listed)}: {', '.join(_nearest(text, listed.values()))}")
    if len(names) > 1:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise UsageError(f"{text!r} fits {len(names)} markets: {', '.join(names[:_SHOWN])}{more}")
    return Found(markets, leg)


def _nearest(text: str, names: Iterable[str]) -> list[str]:
    """Names that begin like the text first, among equals those most like it."""
    known = sorted(set(names))
    alike = difflib.get_close_matches(text, known, len(known), 0)
    return sorted(alike, key=lambda name: -_shared(_as_typed(name, text), text.casefold()))[:_SHOWN]


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _without_side(text: str) -> tuple[str, Leg | None]:
    base, _, last = text.rpartition("-")
    return (base, Leg[last.upper()]) if base and last.upper() in Leg.__members__ else (text, None)


def _as_typed(name: str, typed: str) -> str:
    """A listed name in lower case, without its kind unless one was typed."""
    said = typed.upper().startswith(_KINDS)
    return (name if said else name.partition(":")[2]).casefold()


def _by_name(base: str, listed: Mapping[MarketId, str]) -> list[MarketId]:
    exact = [id_ for id_, name in listed.items() if _as_typed(name, base) == base.casefold()]
    meant = parse_ticker(base if base.startswith("OUT:") else f"OUT:{base}")
    if exact or meant is None:
        return exact
    return [id_ for id_, name in listed.items() if _same(meant, parse_ticker(name))]


def _same(meant: Ticker, listed: Ticker | None) -> bool:
    """Whether a listed name is what was meant: other ways to write the terms, or the time of day left open."""
    if listed is None:
        return False
    if meant.minute_of_day is None:
        meant = attrs.evolve(meant, minute_of_day=listed.minute_of_day)
    return meant == listed


def _by_beginning(base: str, listed: Mapping[MarketId, str]) -> list[MarketId]:
    return [id_ for id_, name in listed.items() if _as_typed(name, base).startswith(base.casefold())]


_SHORT: Final = {HYPERLIQUID: "HL", POLYMARKET: "PM", KALSHI: "KS"}


def venue_short(venue: str) -> str:
    """Two letters for a venue, where there is room for no more."""
    return _SHORT.get(VenueId(venue), venue[:2].upper())
