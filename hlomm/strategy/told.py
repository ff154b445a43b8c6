"""The numbers behind a market maker's decision, by name, for people and for measurements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from hlomm.domain.view import Fact, Facts
from hlomm.pricing import fair, kelly, microprice
from hlomm.pricing.expected import Contract, Outlook, implied_vol
from hlomm.pricing.quoter import Quote


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers behind a decision; the implied vol is worked out, and all of it put together, when somebody looks."""

    value: fair.Fair
    book: microprice.BookPrice
    model: fair.Estimate | None
    outlook: Outlook | None
    realised: float
    """Vol of the underlying, per sqrt(year)."""
    spot: float | None
    contract: Contract | None
    tau_s: float
    nu: float
    wanted: Quote
    size: kelly.Size

    def __call__(self) -> Facts:
        return tuple((name, _fact(of(self))) for name, of in _FACTS.items())

    def named(self, name: str) -> Fact | None:
        of = _FACTS.get(name)
        return None if of is None else _fact(of(self))

    def implied(self) -> float | None:
        """Black-Scholes vol of the book's mid."""
        if self.spot is None or self.contract is None or self.book.mid is None:
            return None
        return implied_vol(self.contract, self.spot, self.tau_s, self.book.mid)


_FACTS: Final[dict[str, Callable[[Told], Fact | None]]] = {
    "fair": lambda told: told.value.p,
    "model": lambda told: None if told.model is None else told.model.p,
    "book": lambda told: told.book.value,
    "weight_model": lambda told: told.value.weight_model,
    "vol": lambda told: told.realised,
    "implied": lambda told: told.implied(),
    "expected": lambda told: None if told.outlook is None else told.outlook.sigma,
    "premium": lambda told: None if told.outlook is None else told.outlook.premium,
    "nu": lambda told: told.nu,
    "reservation": lambda told: told.wanted.reservation,
    "half": lambda told: told.wanted.half,
    "size": lambda told: told.size.contracts,
    "size_bound": lambda told: told.size.bound.name.lower(),
}


def _fact(value: Fact | None) -> Fact:
    return "-" if value is None else value
