"""What a market's metadata gives in evidence, piece by piece; one that is missing or wrong refuses the market."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import Struct

from hlomm.domain.units import Px
from hlomm.venues.polymarket.wire import templates
from hlomm.venues.polymarket.wire.eastern import eastern
from hlomm.venues.polymarket.wire.gamma import GammaRow
from hlomm.venues.polymarket.wire.values import iso_ns, scaled

NOON: Final = 12 * 60
"""Minutes of the day."""


class Refusal(Struct, frozen=True):
    """Why a market is none of ours: the term that failed, and what stood there.

    `family` and `touch` are the ordinary lot of most of the venue's markets; any other term is news.
    """

    term: str
    detail: str


class Refused(Exception):  # noqa: N818 - control flow of this module alone
    def __init__(self, term: str, detail: object) -> None:
        super().__init__(term)
        self.refusal = Refusal(term, str(detail)[:160])


def plain(text: str) -> str:
    """One line, straight quotes."""
    straight = text.translate({0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'"})
    return " ".join(straight.split())


def rules_of(row: GammaRow) -> str:
    return plain(row.description or "").lower()


def source_of(row: GammaRow) -> str:
    """The source's address; where its field is empty, the one that the rules name."""
    told = row.resolution_source or row.event.resolution_source
    if told:
        return told.strip().rstrip("/")
    named = re.findall(r"https://[^\s\"()]+", row.description or "")
    return named[0].rstrip("./") if named else ""


def check_binance(row: GammaRow, coin: str, said: str) -> None:
    source = matched(templates.BINANCE, source_of(row), "source")
    if source["coin"] != coin or said.upper() != coin:
        raise Refused("underlying", f"{coin}, {said}, {source['coin']}")


def matched(pattern: re.Pattern[str], text: str, term: str) -> re.Match[str]:
    """The template must begin the text (rules go on after it) or, for sources and titles, be all of it."""
    match = pattern.match(text) if term == "text" or text.endswith("?") else pattern.fullmatch(text)
    if match is None:
        raise Refused(term, text)
    return match


def known_coin(symbol: str) -> str:
    if symbol not in templates.COINS:
        raise Refused("underlying", symbol)
    return symbol


def coin_named(name: str) -> str:
    return known_coin(templates.NAMES.get(name, name))


def end_ns(row: GammaRow) -> int:
    if not row.end_date:
        raise Refused("times", "no end")
    return iso_ns(row.end_date, "times")


def start_ns(row: GammaRow) -> int | None:
    told = row.event_start_time or row.event.start_time
    return iso_ns(told, "times") if told else None


def dated_end(row: GammaRow, slug: re.Match[str], minute: int) -> int:
    """The end, which must be that minute of the day in New York, on the day that the slug names."""
    end = end_ns(row)
    if eastern(end) != (*slug_date(slug, end), minute):
        raise Refused("times", f"{row.slug}: {row.end_date} is not minute {minute} of its day in New York")
    return end


def slug_date(slug: re.Match[str], near_ns: int) -> tuple[int, int, int]:
    """Year, month and day of a slug; one without a year means that of the time it is compared with."""
    if slug["month"] not in templates.MONTHS:
        raise Refused("times", slug["month"])
    year = int(slug["year"]) if slug["year"] else eastern(near_ns)[0]
    return year, templates.MONTHS.index(slug["month"]) + 1, int(slug["day"])


def price(text: str, term: str) -> Px:
    try:
        value = Decimal(text.strip().removeprefix("$").replace(",", ""))
    except InvalidOperation:
        raise Refused(term, repr(text)) from None
    px = scaled(value, term)
    if not px:
        raise Refused(term, repr(text))
    return Px(px)


def needed(value: Decimal | None, term: str) -> Decimal:
    if value is None or value <= 0:
        raise Refused(term, value)
    return value
