"""Documents to a `Market`, or a named reason why it is not traded (venue sheet section 11).

The fields say what a market is; ticker, sub-title and rules text each say it again, and every one of them has to
agree. A market of a short window has no strike until the window opens: until then it is refused as `strike_unknown`
and read again when the venue says that it changed.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException
from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.faults import ProtocolViolation, UnitError
from hlomm.domain.ids import KALSHI, kalshi_market
from hlomm.domain.markets import Comparator, FeeCurve, Market, MarketKind, Source
from hlomm.domain.ticker import Terms, outcome_ticker
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse, to_text
from hlomm.venues.kalshi import eastern
from hlomm.venues.kalshi.fees import fee_curve
from hlomm.venues.kalshi.wire import rules
from hlomm.venues.kalshi.wire.documents import EventDoc, MarketDoc, SeriesDoc
from hlomm.venues.kalshi.wire.grid import ticks
from hlomm.venues.kalshi.wire.schemas import COUNT_STEP, scaled_number
from hlomm.venues.kalshi.wire.tickers import TickerParts, read_ticker
from hlomm.venues.kalshi.wire.times import wall_ns
from hlomm.venues.rules_text import template_digest

CENT: Final = SCALE // 100
"""The settling average has two decimals, so below x and at most x - 0.01 are the same."""
AVERAGING_S: Final = 60
_QUOTE: Final = "USD"


class Why(StrEnum):
    """Why a market is not traded."""

    SERIES = "series_not_listed"
    TYPE = "not_binary"
    NOTIONAL = "notional_not_one"
    BOUNDS = "settlement_bounds"
    STATUS = "status"
    STRIKE_TYPE = "strike_type"
    STRIKE_UNKNOWN = "strike_unknown"
    TIMES = "times"
    TICKER = "ticker"
    TICKER_TIME = "ticker_time"
    TICKER_STRIKE = "ticker_strike"
    SUBTITLE = "subtitle"
    SOURCE = "source"
    RULES_AVERAGE = "rules_average"
    RULES_WORD = "rules_comparator"
    RULES_STRIKE = "rules_strike"
    RULES_TIME = "rules_time"
    GRID = "price_ranges"
    FEE = "fee"
    UNREADABLE = "unreadable"


@attrs.frozen
class NotTraded:
    why: Why
    detail: str


@attrs.frozen
class _Kind:
    """A series that is understood."""

    underlying: str
    period: str
    window_s: int


SERIES: Final[dict[str, _Kind]] = {
    "KXBTCD": _Kind("BTC", "1h", 3_600),
    "KXBTC": _Kind("BTC", "1h", 3_600),
    "KXBTC15M": _Kind("BTC", "15m", 900),
}
"""What may be listed at all. Touch series (KXBTCMAXY and the like) depend on the path and are not here."""

_TRADABLE: Final = frozenset({"", "initialized", "active", "inactive", "closed", "determined", "finalized"})
"""Of `disputed` and `amended` nobody knows what they will pay."""


@attrs.frozen(kw_only=True)
class _Strike:
    """What a strike type means: prices in 1e-8, the word of the rules, and what each text must show."""

    word: str
    strike: Px | None = None
    comparator: Comparator = Comparator.AT_LEAST
    floor: Px | None = None
    ceiling: Px | None = None
    numbers: tuple[int, ...] = ()
    """As the rules text has them."""
    shown: tuple[int, ...] = ()
    """As the sub-title has them."""
    ticker: int | None = None

    @property
    def terms(self) -> Terms:
        if self.strike is not None:
            return Terms(strike=self.strike, comparator=self.comparator)
        return Terms(floor=self.floor, ceiling=self.ceiling)


class _Refused(Exception):  # noqa: N818 - a way out of nested checks, never seen outside
    def __init__(self, why: Why, detail: object) -> None:
        super().__init__(why)
        self.why, self.detail = why, detail


def read_market(
    doc: MarketDoc, event: EventDoc, series: SeriesDoc, *, allowed: frozenset[str], fee_precision: Cash
) -> Market | NotTraded:
    """The market that the documents describe. `allowed`: series to list, of those in `SERIES`."""
    try:
        return _read(doc, event, series, allowed, fee_precision)
    except _Refused as refused:
        return NotTraded(refused.why, str(refused.detail)[:200])
    except (ProtocolViolation, UnitError, DecimalException) as error:  # figures beyond all reckoning raise the last
        return NotTraded(Why.UNREADABLE, str(error)[:200])


def _read(doc: MarketDoc, event: EventDoc, series: SeriesDoc, allowed: frozenset[str], precision: Cash) -> Market:
    name = doc.ticker.partition("-")[0]
    kind = SERIES.get(name)
    if kind is None or name not in allowed or name != series.ticker or event.series_ticker not in ("", name):
        raise _Refused(Why.SERIES, doc.ticker)
    _check_form(doc)
    strike = _strike(doc)
    close_ns = wall_ns(doc.close_time, "market.close_time")
    _check_ticker(doc, strike, close_ns)
    _check_subtitle(doc, strike)
    _check_source(doc, event, series)
    averaged_ns = _check_rules(doc, strike, close_ns, kind)
    try:
        tick, grid = ticks(doc.price_ranges)
    except ProtocolViolation as error:
        raise _Refused(Why.GRID, error) from None
    return Market(
        id=kalshi_market(doc.ticker),
        venue=KALSHI,
        kind=MarketKind.OUTCOME,
        ticker=outcome_ticker(kind.underlying, strike.terms, close_ns),
        underlying=kind.underlying,
        tick=tick,
        lot=Qty(COUNT_STEP),
        min_notional=Cash(0),
        quote_token=_QUOTE,
        klass=name,
        strike=strike.strike,
        expiry_ns=close_ns,
        period=kind.period,
        floor=strike.floor,
        ceiling=strike.ceiling,
        comparator=strike.comparator,
        averaging_s=AVERAGING_S,
        source=Source.BRTI,
        settles_ns=close_ns,
        averaging_from_ns=averaged_ns,
        rules=rules.digest(doc.rules_primary, doc.rules_secondary, [_plain(number) for number in strike.numbers]),
        min_qty=Qty(COUNT_STEP),
        ticks=grid,
        template=template_digest(f"{doc.rules_primary}\n{doc.rules_secondary}"),
        fee=_fee(event, series, precision),
        exclusive=event.event_ticker if event.mutually_exclusive else "",
    )


def _check_form(doc: MarketDoc) -> None:
    if doc.market_type != "binary":
        raise _Refused(Why.TYPE, doc.market_type)
    if parse(doc.notional_value_dollars) != SCALE:
        raise _Refused(Why.NOTIONAL, doc.notional_value_dollars)
    if doc.settlement_bounds_type not in (None, "", "default"):
        raise _Refused(Why.BOUNDS, doc.settlement_bounds_type)
    if doc.status not in _TRADABLE:
        raise _Refused(Why.STATUS, doc.status)


def _strike(doc: MarketDoc) -> _Strike:
    floor = None if doc.floor_strike is None else Px(scaled_number(doc.floor_strike, "market.floor_strike"))
    cap = None if doc.cap_strike is None else Px(scaled_number(doc.cap_strike, "market.cap_strike"))
    match doc.strike_type:
        case "greater" if cap is None:
            known = _known(floor)
            # ".99" reads "or above" the next whole number, because the average has two decimals.
            shown = (known + CENT,) if known % SCALE == SCALE - CENT else (known,)
            return _Strike(
                word="above", strike=known, comparator=Comparator.ABOVE, numbers=(known,), shown=shown, ticker=known
            )
        case "greater_or_equal" if cap is None:
            known = _known(floor)
            return _Strike(word="at least", strike=known, numbers=(known,), shown=(known,), ticker=known)
        case "less" if floor is None:
            known = _known(cap)
            return _Strike(word="below", ceiling=known, numbers=(known,), shown=(known - CENT,), ticker=known)
        case "less_or_equal" if floor is None:
            known = _known(cap)
            above = Px(known + CENT)
            return _Strike(word="at most", ceiling=above, numbers=(known,), shown=(known,), ticker=known)
        case "between":
            low, high = _known(floor), _known(cap)
            if low >= high:
                raise _Refused(Why.STRIKE_TYPE, f"between {to_text(low)} and {to_text(high)}")
            above = Px(high + CENT)
            middle = (low + above) // 2
            return _Strike(
                word="between", floor=low, ceiling=above, numbers=(low, high), shown=(low, high), ticker=middle
            )
        case _:
            raise _Refused(Why.STRIKE_TYPE, f"{doc.strike_type} floor={floor} cap={cap}")


def _known(strike: Px | None) -> Px:
    if strike is None or strike <= 0:
        raise _Refused(Why.STRIKE_UNKNOWN, "no strike yet")
    return strike


def _check_ticker(doc: MarketDoc, strike: _Strike, close_ns: int) -> None:
    parts = read_ticker(doc.ticker)
    if parts is None:
        raise _Refused(Why.TICKER, doc.ticker)
    # In the repeated hour of autumn the ticker means either; the field decides.
    if close_ns not in eastern.instants(parts.year, parts.month, parts.day, parts.hour, parts.minute):
        raise _Refused(Why.TICKER_TIME, f"{doc.ticker} closes at {doc.close_time}")
    if not _strike_fits(parts, strike):
        raise _Refused(Why.TICKER_STRIKE, f"{doc.ticker}: {[_plain(one) for one in strike.numbers]}")


def _strike_fits(parts: TickerParts, strike: _Strike) -> bool:
    if parts.number is None:
        return strike.strike is not None and strike.comparator is Comparator.AT_LEAST
    return parts.mark == ("B" if strike.word == "between" else "T") and parts.number == strike.ticker


def _check_subtitle(doc: MarketDoc, strike: _Strike) -> None:
    shown = tuple(parse(number) for number in rules.dollars(doc.yes_sub_title))
    if not shown:
        raise _Refused(Why.STRIKE_UNKNOWN if "TBD" in doc.yes_sub_title else Why.SUBTITLE, doc.yes_sub_title)
    if shown != strike.shown:
        raise _Refused(Why.SUBTITLE, f"{doc.yes_sub_title}: {[_plain(one) for one in strike.shown]}")


def _check_source(doc: MarketDoc, event: EventDoc, series: SeriesDoc) -> None:
    sources = event.settlement_sources or series.settlement_sources or []
    if len(sources) != 1 or "CF Benchmarks" not in sources[0].name:
        raise _Refused(Why.SOURCE, [one.name for one in sources])
    if "BRTI" not in doc.rules_primary:
        raise _Refused(Why.SOURCE, "the rules do not name BRTI")


def _check_rules(doc: MarketDoc, strike: _Strike, close_ns: int, kind: _Kind) -> int | None:
    """The instant of the opening average, for a market whose strike is one."""
    text = doc.rules_primary
    if "simple average of the sixty seconds" not in text or "then the market resolves to Yes" not in text:
        raise _Refused(Why.RULES_AVERAGE, text)
    if f" is {strike.word} " not in text:
        raise _Refused(Why.RULES_WORD, f"{strike.word!r} is not in the rules")
    times = [
        eastern.instant(one.zone, one.year, one.month, one.day, one.hour, one.minute)
        for one in rules.spoken_times(text)
    ]
    if f" is {strike.word} the simple average of the sixty seconds" in text:
        opened_ns = close_ns - kind.window_s * NS_PER_S
        if times != [close_ns, opened_ns]:
            raise _Refused(Why.RULES_TIME, text)
        return opened_ns
    if not times or any(one != close_ns for one in times):
        raise _Refused(Why.RULES_TIME, text)
    said = tuple(parse(number) for number in rules.numbers_after(text, strike.word))
    if said != strike.numbers:
        raise _Refused(Why.RULES_STRIKE, f"{said} not {strike.numbers}")
    return None


def _fee(event: EventDoc, series: SeriesDoc, precision: Cash) -> FeeCurve:
    fee_type = event.fee_type_override or series.fee_type
    multiplier: Decimal | None = event.fee_multiplier_override
    if multiplier is None:
        multiplier = series.fee_multiplier
    curve = fee_curve(fee_type, multiplier, precision)
    if curve is None:
        raise _Refused(Why.FEE, f"{fee_type} x {multiplier}")
    return curve


def _plain(value: int) -> str:
    return to_text(value)
