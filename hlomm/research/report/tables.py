"""What a report is made of, as typed columns: the same in the page and in the Parquet files beside it.

Money, prices and quantities are integers in units of 1e-8 (prices of outcomes in YES space); `wall_ns` is the
engine's wall clock, unix nanoseconds; figures of models (vols, premiums) are floats. Every row carries the source tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

_I, _F, _S, _B = pl.Int64, pl.Float64, pl.String, pl.Boolean

EQUITY: Final = {
    "wall_ns": (_I, "when the sample was taken"),
    "state": (_S, "halt state: running, halted, ..."),
    "equity": (_I, "both wallets and everything held at conservative marks = capital + total + marking"),
    "capital": (_I, "what was brought in and what operators took over: moves no result"),
    "marking": (_I, "conservative marks less reference prices, of what is held"),
    "cash": (_I, "collateral of outcomes, all venues"),
    "perp_cash": (_I, "the perp wallet"),
    "drawdown": (_I, "equity below its high-water mark"),
    "max_drawdown": (_I, "largest so far, as the engine saw it at every turn"),
    "gross": (_I, "collateral locked in unpaired tokens and resting buys"),
    "total": (_I, "result at reference prices = spread + inventory + hedge - fees + rewards + settlement + rounding"),
    "spread": (_I, "distance of fills from the reference before them"),
    "inventory": (_I, "moves of the reference on outcomes held"),
    "hedge": (_I, "what perps brought, funding included, their fees not"),
    "fees": (_I, "paid, positive"),
    "rewards": (_I, "paid to us"),
    "settlement": (_I, "the last move, from reference to settlement"),
    "rounding": (_I, "what whole units lose against exact parts"),
    "realised": (_I, "closed result before fees"),
    "unrealised": (_I, "open result at reference prices"),
    "volume": (_I, "notional traded so far"),
    "fills": (_I, "trades so far"),
    "open_orders": (_I, "orders that live"),
}
QUOTES: Final = {
    "wall_ns": (_I, "when the sample was taken"),
    "market": (_S, "id"),
    "venue": (_S, "where"),
    "ticker": (_S, "name for people, as the venue's text made it"),
    "strategy": (_S, "whose market it is, empty for nobody's"),
    "tau_s": (_F, "seconds to settlement"),
    "bid": (_I, "best bid of others, null: none"),
    "ask": (_I, "best ask of others, null: none"),
    "own_bid": (_I, "our resting bid, null: none"),
    "own_bid_qty": (_I, "what is left of it"),
    "own_ask": (_I, "our resting ask, null: none"),
    "own_ask_qty": (_I, "what is left of it"),
    "fair": (_I, "P(YES) that the strategy holds, null: no opinion"),
    "fair_source": (_S, "book, model or blend"),
    "net": (_I, "YES less NO held for quoting"),
    "bid_guard": (_S, "why the bid is quoted (ok) or not"),
    "ask_guard": (_S, "why the ask is quoted (ok) or not"),
    "spot": (_F, "underlying as the strategy sees it, null: none"),
    "realised_vol": (_F, "per sqrt(year)"),
    "expected_vol": (_F, "priced with, per sqrt(year)"),
    "premium": (_F, "the books' factor on it"),
    "sigma_p": (_F, "vol of the contract's price that the quote was made with, per sqrt(second)"),
}
FILLS: Final = {
    "wall_ns": (_I, "when the engine heard of it"),
    "market": (_S, "id"),
    "venue": (_S, "where"),
    "ticker": (_S, "name for people"),
    "kind": (_S, "trade, settlement, split, merge, ..."),
    "leg": (_S, "YES or NO; perps: YES"),
    "side": (_S, "BUY or SELL"),
    "px": (_I, "of the leg's own coin"),
    "yes_px": (_I, "the same in YES space; perps: px"),
    "sign": (_I, "+1 gains from YES, -1 from NO"),
    "qty": (_I, "contracts or coins"),
    "fee": (_I, "positive: paid"),
    "maker": (_B, "our order rested"),
    "outcome": (_B, "false for perps"),
    "tau_s": (_F, "seconds to settlement, null for perps and markets that are gone"),
    "edge": (_I, "distance from fair value in our favour, null: not known"),
    "markout_1s": (_I, "worth per contract after 1 s in our favour, null: not known"),
    "markout_5s": (_I, "after 5 s"),
    "markout_30s": (_I, "after 30 s"),
    "markout_60s": (_I, "after 60 s"),
}
DECISIONS: Final = {
    "wall_ns": (_I, "of the turn"),
    "kind": (_S, "PlaceOrders, AmendOrders, CancelOrders, ConvertSet, Alert, HaltChanged, ..."),
    "venue": (_S, "where, empty where it is of no venue"),
    "market": (_S, "id, empty where it is of no market"),
    "client_id": (_S, "of the order, empty for none"),
    "leg": (_S, "YES, NO or empty"),
    "side": (_S, "BUY, SELL or empty"),
    "px": (_I, "of the leg's own coin, null: none"),
    "qty": (_I, "null: none"),
    "purpose": (_S, "of a new order: quote, hedge, flatten, ..."),
    "text": (_S, "alert, reason of a halt, kind of a conversion"),
}
STANDINGS: Final = {
    "wall_ns": (_I, "of the sample"),
    "event": (_S, "contracts of several venues that links hold together"),
    "venue": (_S, "where"),
    "market": (_S, "id"),
    "deviation": (_F, "its mid less what the others say, in price"),
    "threshold": (_F, "what trading on it costs, in price"),
}
SCHEMAS: Final[Mapping[str, Mapping[str, tuple[Any, str]]]] = {
    "fills": FILLS, "quotes": QUOTES, "equity": EQUITY, "decisions": DECISIONS, "standings": STANDINGS,
}  # fmt: skip
"""Columns of each table with type and meaning; all but the first, `source`."""

_CHUNK: Final = 20_000
"""Rows gathered as Python objects before they become columns."""


class Table:
    """Rows in, a typed frame out."""

    def __init__(self, name: str) -> None:
        self._schema = {column: kind for column, (kind, _) in SCHEMAS[name].items()}
        self._rows: list[tuple[Any, ...]] = []
        self._frames: list[pl.DataFrame] = []

    def add(self, *values: Any) -> None:
        """One row, in the order of the schema."""
        self._rows.append(values)
        if len(self._rows) >= _CHUNK:
            self._pack()

    def every_other(self) -> pl.Series:
        """Drop every other row; the `wall_ns` of those that stay."""
        self._pack()
        self._frames = [self._whole().gather_every(2)]
        return self._frames[0]["wall_ns"]

    def only(self, wall_ns: pl.Series) -> None:
        """Drop the rows of all other moments."""
        self._pack()
        self._frames = [self._whole().filter(pl.col("wall_ns").is_in(wall_ns.implode()))]

    def frame(self, source: str) -> pl.DataFrame:
        """With the origin of its rows in the first column: the tag, and of made-up fills the model too."""
        self._pack()
        return self._whole().select(pl.lit(str(source)).alias("source"), pl.all())

    def _whole(self) -> pl.DataFrame:
        return pl.concat(self._frames) if self._frames else pl.DataFrame(schema=self._schema)

    def _pack(self) -> None:
        if self._rows:
            self._frames.append(pl.DataFrame(self._rows, schema=self._schema, orient="row"))
            self._rows = []
