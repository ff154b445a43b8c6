"""Position rows of the ledger, out of a checkpoint of the books."""

from __future__ import annotations

import attrs

from hlomm.domain.carried import CarriedBooks
from hlomm.domain.units import SCALE


@attrs.frozen(kw_only=True)
class BookRow:
    """One position with its exact cost, and its value at the last reference price (cost where there was none)."""

    market: str
    kind: str
    """`outcome` or `perp`; a perp's size stands in `yes`, signed."""
    yes: int
    no: int
    cost: int
    value: int
    realised: int
    fees: int
    volume: int
    fills: int

    def amounts(self) -> tuple[int, ...]:
        """In the order of the table's columns."""
        return self.yes, self.no, self.cost, self.value, self.realised, self.fees, self.volume


def book_rows(books: CarriedBooks) -> list[BookRow]:
    rows = []
    for held in books.positions:
        cost = held.cost_yes + held.cost_no
        worth2 = None if held.ref2 is None else held.yes * held.ref2 + held.no * (2 * SCALE - held.ref2)
        rows.append(
            BookRow(
                market=held.market, kind="outcome", yes=held.yes, no=held.no, cost=cost, value=_value(worth2, cost),
                realised=held.realised, fees=held.fees, volume=held.volume, fills=held.fills,
            )
        )  # fmt: skip
    for perp in books.perps:
        worth2 = None if perp.ref2 is None else perp.qty * perp.ref2
        rows.append(
            BookRow(
                market=perp.market, kind="perp", yes=perp.qty, no=0, cost=perp.cost, value=_value(worth2, perp.cost),
                realised=perp.realised, fees=perp.fees, volume=perp.volume, fills=perp.fills,
            )
        )  # fmt: skip
    return rows


def _value(worth2: int | None, cost: int) -> int:
    """Quantity times twice a price, brought back and rounded down."""
    return cost if worth2 is None else worth2 // (2 * SCALE)
