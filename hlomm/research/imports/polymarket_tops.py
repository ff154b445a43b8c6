"""Polymarket: tables of the best prices of daily up-or-down contracts, `orderbook*.csv` and `probabilities*.csv`.

The header of either table is shorter than its rows, so columns are known by place. A row of the first has one token:
`UP:` is YES, and `DOWN:` the same book from the other side, which is checked, counted and left out. It also names the
strike, and a contract of which the strike is corrected is told to have changed. The second table says how many hours
are left for a strike: that is the expiry, on the full hour. A contract without it is not listed.

There are no sizes (a size of 0 says so); what the table calls depth looks like a number of levels, and is not taken.
Nor is the spot price of its model: nobody knows of which venue it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import attrs

from hlomm.domain.ids import POLYMARKET, polymarket_market
from hlomm.domain.inputs import BboUpdate, Level, MarketChanged, MarketListed
from hlomm.domain.markets import Comparator, Market, MarketKind, Source
from hlomm.domain.ticker import Terms, outcome_ticker
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import ONE, SCALE, Cash, Px
from hlomm.research.imports.lines import Line, Tally, cells, scaled, seconds, unsized, zoned_ns
from hlomm.venues.polymarket.wire.amounts import WHOLE
from hlomm.venues.polymarket.wire.families import COLLATERAL, TIE_PAYS_HALF

VENUE: Final = POLYMARKET
_UNDERLYING: Final = "BTC"
_HOUR_NS: Final = 3_600 * NS_PER_S
_EXPIRY_OFF_NS: Final = 120 * NS_PER_S
"""How far from a full hour the hours left may point: they are told in whole minutes, a moment late."""
_TICK: Final = Px(SCALE // 1_000)
"""The finest step between two prices of the tables."""
_MINUTE_NS: Final = 60 * NS_PER_S


@attrs.frozen(kw_only=True)
class _Row:
    recv_ns: int
    up: bool
    token: str
    bid: Level | None
    ask: Level | None
    strike: Px

    def mirrors(self, other: _Row) -> bool:
        return (self.bid, self.ask) == (_complement(other.ask), _complement(other.bid))


def read(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    expiries = _expiries([path for path in files if path.name.startswith("probabilities")], tally)
    for path in files:
        if path.name.startswith("orderbook"):
            yield from _tops(path, expiries, tally)
        elif not path.name.startswith("probabilities"):
            tally.add("files_of_other_names")


def _tops(path: Path, expiries: Mapping[Px, int], tally: Tally) -> Iterator[Line]:
    rows = list(_rows(path, tally))
    # Of a token with several strikes the wrong ones may be in no other table; it ends once.
    ends = {row.token: expiries[row.strike] for row in rows if row.strike in expiries}
    listed: dict[str, Market] = {}
    for row in rows:
        if row.token in ends:
            market, known = _market(row, ends[row.token]), listed.get(row.token)
            if known != market:
                listed[row.token] = market
                news = MarketListed(market) if known is None else MarketChanged(market)
                yield Line(recv_ns=row.recv_ns, news=((news, None),), file=str(path))
        top = BboUpdate(polymarket_market(row.token), row.bid, row.ask, 0)
        yield Line(recv_ns=row.recv_ns, news=((top, None),), file=str(path))


def _rows(path: Path, tally: Tally) -> Iterator[_Row]:
    """Those of YES."""
    last: _Row | None = None
    for row_cells in islice(cells(path, tally), 1, None):
        try:
            row = _row(row_cells)
        except (ValueError, IndexError):
            tally.add("unreadable_rows")
            continue
        if row.up:
            last = row
            yield row
        else:
            same = last is not None and row.mirrors(last)
            tally.add("mirrored_tops_of_the_down_token" if same else "other_tops_of_the_down_token")


def _row(row: Sequence[str]) -> _Row:
    side, _, token = row[1].partition(":")
    if side not in ("UP", "DOWN") or not token:
        raise ValueError("a token of neither side")
    return _Row(
        recv_ns=zoned_ns(row[0]), up=side == "UP", token=token, bid=unsized(row[2]), ask=unsized(row[3]),
        strike=_strike(row[9]),
    )  # fmt: skip


def _complement(level: Level | None) -> Level | None:
    return None if level is None else (SCALE - level[0], level[1])


def _strike(text: str) -> Px:
    strike = scaled(text)
    if not strike:
        raise ValueError("no strike")
    return Px(strike)


def _expiries(files: Sequence[Path], tally: Tally) -> dict[Px, int]:
    """By strike; one that rows disagree on, or that is not on a full hour, is none."""
    found: dict[Px, set[int]] = defaultdict(set)
    for path in files:
        for row in islice(cells(path, tally), 1, None):
            try:
                at_ns = zoned_ns(row[0]) + seconds(float(row[2]) * 3_600.0)
                hour_ns = round(at_ns / _HOUR_NS) * _HOUR_NS
                found[_strike(row[1])].add(hour_ns if abs(at_ns - hour_ns) <= _EXPIRY_OFF_NS else 0)
            except (ValueError, IndexError):
                tally.add("unreadable_rows")
    unsure = {strike for strike, hours in found.items() if len(hours) > 1 or 0 in hours}
    tally.add("strikes_without_an_expiry", len(unsure))
    return {strike: hours.pop() for strike, hours in found.items() if strike not in unsure}


def _market(row: _Row, expiry_ns: int) -> Market:
    """YES pays if the candle of one minute at noon in New York closes above that of the day before: the strike."""
    terms = Terms(strike=row.strike, comparator=Comparator.ABOVE)
    return Market(
        id=polymarket_market(row.token), venue=POLYMARKET, kind=MarketKind.OUTCOME,
        ticker=outcome_ticker(_UNDERLYING, terms, expiry_ns), underlying=_UNDERLYING, tick=_TICK, lot=WHOLE,
        min_notional=Cash(ONE), quote_token=COLLATERAL, klass="updown-1d", strike=row.strike, expiry_ns=expiry_ns,
        period="1d", comparator=Comparator.ABOVE, source=Source.BINANCE_1M, settles_ns=expiry_ns + _MINUTE_NS,
        void=TIE_PAYS_HALF,
    )  # fmt: skip
