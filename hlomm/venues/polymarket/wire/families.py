"""From the venue's metadata to a market: what settles it, when, and by which comparison (venue sheet section 15).

Theory of operation. A slug says which family a market claims to be of; nothing else is taken from it that the rest does
not confirm. The rules text must then match that family's template word for word, the source must be the one that the
template names, the times must lie where the family puts them, and the strike must stand in two places alike. What does
not fit is refused with the name of the first term that failed: texts change (2026-08-07), and a market whose terms are
guessed at is worse than none. Markets that pay when a price is merely touched are not digital options and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from hlomm.domain.ids import POLYMARKET, polymarket_market
from hlomm.domain.markets import Comparator, Market, MarketKind, Source
from hlomm.domain.ticker import Terms, outcome_ticker
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import ONE, Cash, Px
from hlomm.venues.polymarket.wire import templates
from hlomm.venues.polymarket.wire.amounts import WHOLE
from hlomm.venues.polymarket.wire.eastern import eastern
from hlomm.venues.polymarket.wire.evidence import (
    NOON,
    Refused,
    check_binance,
    coin_named,
    dated_end,
    end_ns,
    known_coin,
    matched,
    price,
    rules_of,
    slug_date,
    source_of,
    start_ns,
)
from hlomm.venues.polymarket.wire.gamma import GammaRow

COLLATERAL: Final = "pUSD"
TIE_PAYS_HALF: Final = "equal closes pay one half"

_MINUTE_NS: Final = 60 * NS_PER_S


def market_of(row: GammaRow) -> Market:
    """The market of a row; tick, minimum, fee and digest are its listing's. Refused if a term does not fit."""
    name, slug = _family(row)
    return _FAMILIES[name](row, slug)


def _family(row: GammaRow) -> tuple[str, re.Match[str]]:
    for name, pattern in templates.SLUGS.items():
        match = pattern.fullmatch(row.slug)
        if match is not None:
            return name, match
    bucket = templates.RANGE_EVENT.fullmatch(row.event.slug)
    if bucket is not None:
        return "range", bucket
    if templates.TOUCH.search(row.slug) or templates.TOUCH.search(row.event.slug):
        raise Refused("touch", row.slug)
    raise Refused("family", row.slug)


# -- families


def _updown(row: GammaRow, slug: re.Match[str]) -> Market:
    coin = known_coin(slug["coin"].upper())
    source = matched(templates.CHAINLINK, source_of(row), "source")
    text = matched(templates.UP_TEXT, rules_of(row), "text")
    if templates.NAMES.get(text["name"]) != coin or source["coin"].upper() != coin:
        raise Refused("underlying", f"{coin}, {text['name']}, {source['coin']}")
    length = templates.LENGTHS[slug["length"]]
    start, end = int(slug["start"]) * NS_PER_S, end_ns(row)
    if int(slug["start"]) % length or end != start + length * NS_PER_S or start_ns(row) != start:
        raise Refused("times", f"{row.slug}: {row.event_start_time} to {row.end_date}")
    averaging = int(source["twap"] or 0)
    return _draft(
        row,
        coin,
        klass=f"updown-{slug['length']}",
        period=slug["length"],
        expiry_ns=end,
        settles_ns=end,
        averaging_from_ns=start,
        averaging_s=averaging,
        source=Source.CHAINLINK_TWAP if averaging else Source.CHAINLINK,
    )


def _hourly(row: GammaRow, slug: re.Match[str]) -> Market:
    coin = coin_named(slug["name"])
    text = matched(templates.HOUR_TEXT, rules_of(row), "text")
    check_binance(row, coin, text["coin"])
    end = end_ns(row)
    start = end - 3_600 * NS_PER_S
    hour = int(slug["hour"]) % 12 + (12 if slug["half"] == "pm" else 0)
    if start_ns(row) not in (start, None) or eastern(start) != (*slug_date(slug, start), hour * 60):
        raise Refused("times", f"{row.slug}: {row.event_start_time} to {row.end_date}")
    return _draft(
        row,
        coin,
        klass="updown-1h",
        period="1h",
        expiry_ns=end,
        settles_ns=end,
        averaging_from_ns=start,
        source=Source.BINANCE_1H,
    )


def _daily(row: GammaRow, slug: re.Match[str]) -> Market:
    coin = coin_named(slug["name"])
    text = matched(templates.DAY_TEXT, rules_of(row), "text")
    check_binance(row, coin, text["coin"])
    end = dated_end(row, slug, NOON)
    start = start_ns(row)
    if start is None or eastern(start)[3] != NOON or not 22 <= (end - start) // (3_600 * NS_PER_S) <= 26:
        raise Refused("times", f"{row.slug}: {row.event_start_time} to {row.end_date}")
    for said, at in ((text["from"], start), (text["to"], end)):
        year, month, day, _ = eastern(at)
        if said != f"{templates.MONTHS[month - 1][:3]} {day} '{year % 100:02d}" and said != (
            f"{templates.MONTHS[month - 1]} {day} '{year % 100:02d}"
        ):
            raise Refused("times", f"{said!r} is not {year}-{month}-{day}")
    return _draft(
        row,
        coin,
        klass="updown-1d",
        period="1d",
        expiry_ns=end,
        settles_ns=end + _MINUTE_NS,  # the candle that opens at noon closes a minute later
        averaging_from_ns=start + _MINUTE_NS,
        comparator=Comparator.ABOVE,
        source=Source.BINANCE_1M,
        void=TIE_PAYS_HALF,
    )


def _above(row: GammaRow, slug: re.Match[str]) -> Market:
    coin = coin_named(slug["name"])
    text = matched(templates.ABOVE_TEXT, rules_of(row), "text")
    check_binance(row, coin, text["coin"])
    minute = int(text["hour"]) * 60 + int(text["minute"])
    if text["noon"] and minute != NOON:
        raise Refused("times", text[0])
    end = dated_end(row, slug, minute)
    strike = price(row.group_item_title or "", "strike")
    asked = matched(templates.ABOVE_QUESTION, row.question.lower(), "strike")
    if price(asked["px"], "strike") != strike:
        raise Refused("strike", f"{row.group_item_title!r} against {row.question!r}")
    return _draft(
        row,
        coin,
        klass="above",
        period="1d" if minute == NOON else "",
        expiry_ns=end,
        settles_ns=end + _MINUTE_NS,
        strike=strike,
        comparator=Comparator.ABOVE,
        source=Source.BINANCE_1M,
    )


def _range(row: GammaRow, slug: re.Match[str]) -> Market:
    coin = coin_named(slug["name"])
    text = matched(templates.RANGE_TEXT, rules_of(row), "text")
    check_binance(row, coin, text["coin"])
    end = dated_end(row, slug, NOON)
    asked = matched(templates.RANGE_QUESTION, row.question.lower(), "strike")
    titled = matched(templates.BUCKET, (row.group_item_title or "").strip(), "strike")
    low, high = asked["low"] or asked["over"], asked["high"] or asked["below"]
    floor = None if low is None else price(low, "strike")
    ceiling = None if high is None else price(high, "strike")
    if titled["sign"]:
        edge = price(titled["edge"], "strike")
        agreed = (floor, ceiling) == ((None, edge) if titled["sign"] == "<" else (edge, None))
    else:
        agreed = (floor, ceiling) == (price(titled["low"], "strike"), price(titled["high"], "strike"))
    if not agreed or (floor is not None and ceiling is not None and floor >= ceiling):
        raise Refused("strike", f"{row.group_item_title!r} against {row.question!r}")
    return _draft(
        row,
        coin,
        klass="range",
        period="1d",
        expiry_ns=end,
        settles_ns=end + _MINUTE_NS,
        floor=floor,
        ceiling=ceiling,
        source=Source.BINANCE_1M,
    )


_FAMILIES: Final[dict[str, Callable[[GammaRow, re.Match[str]], Market]]] = {
    "updown": _updown,
    "hourly": _hourly,
    "daily": _daily,
    "above": _above,
    "range": _range,
}


# -- parts


def _draft(
    row: GammaRow,
    coin: str,
    *,
    klass: str,
    period: str,
    expiry_ns: int,
    settles_ns: int,
    source: Source,
    averaging_from_ns: int | None = None,
    averaging_s: int = 0,
    strike: Px | None = None,
    floor: Px | None = None,
    ceiling: Px | None = None,
    comparator: Comparator = Comparator.AT_LEAST,
    void: str = "",
) -> Market:
    if strike is None and floor is None and ceiling is None:
        terms = Terms(window=period)
    else:
        terms = Terms(strike=strike, comparator=comparator, floor=floor, ceiling=ceiling)
    return Market(
        id=polymarket_market(row.condition_id),
        venue=POLYMARKET,
        kind=MarketKind.OUTCOME,
        ticker=outcome_ticker(coin, terms, expiry_ns),
        underlying=coin,
        tick=Px(0),
        lot=WHOLE,
        min_notional=Cash(ONE),
        quote_token=COLLATERAL,
        klass=klass,
        strike=strike,
        expiry_ns=expiry_ns,
        period=period,
        floor=floor,
        ceiling=ceiling,
        comparator=comparator,
        averaging_s=averaging_s,
        source=source,
        settles_ns=settles_ns,
        averaging_from_ns=averaging_from_ns,
        void=void,
    )
