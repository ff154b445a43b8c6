"""Fair probability from a digital model and a book, weighted by precision in probit space.

Each side is an `Estimate`: z = PhiInv(p) with its standard deviation there. In that space neither side can push the
result out of (0, 1), a vol error and a basis error of the model have closed forms that stay finite in the tails
(`hlomm.pricing.expected.Outlook`), and mirrored inputs give the mirrored result.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import msgspec

from hlomm.pricing import normal

NOTHING: Final = "neither model nor book gives a price"

_SD_MIN: Final = 1e-9
"""Floor on a probit standard deviation: nothing is certain, and precisions stay finite."""
_SD_MAX: Final = 1e6
"""From here on an opinion says nothing and counts as absent."""


class FairSource(IntEnum):
    """Which input decided."""

    NONE = 0
    MODEL = 1
    BOOK = 2
    BLEND = 3


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """One opinion about a probability."""

    z: float
    """PhiInv(p)."""
    sd_z: float
    """Standard deviation of z, > 0."""

    @property
    def p(self) -> float:
        return normal.cdf(self.z)

    @property
    def sd_p(self) -> float:
        """To first order: phi(z) sd_z."""
        return normal.pdf(self.z) * self.sd_z


class Fair(msgspec.Struct, frozen=True, gc=False):
    """Blended probability; `p` is None when there is nothing to blend, and `reason` says so."""

    p: float | None
    z: float
    sd_z: float
    weight_model: float
    weight_book: float
    source: FairSource
    reason: str = ""

    @property
    def sd_p(self) -> float:
        """Standard deviation in price units, to first order; infinite when there is no price."""
        return math.inf if self.p is None else normal.pdf(self.z) * self.sd_z


_NO_FAIR: Final = Fair(None, math.nan, math.inf, 0.0, 0.0, FairSource.NONE, NOTHING)


def book_estimate(p: float | None, spread: float | None) -> Estimate | None:
    """Opinion of a book: its price with sd_p = spread/2, carried into probit space by phi(z).

    None for a missing side, a price outside (0, 1), or a spread outside (0, 1].
    """
    if p is None or spread is None or not 0.0 < p < 1.0 or not 0.0 < spread <= 1.0:
        return None
    z = normal.probit(p)
    sd = 0.5 * spread / normal.pdf(z)
    return Estimate(z, max(sd, _SD_MIN)) if sd < _SD_MAX else None


def blend(model: Estimate | None, book: Estimate | None) -> Fair:
    """Precision-weighted mean of two independent opinions: w = 1/sd_z^2, sd_z = 1/sqrt(sum w)."""
    if model is None or book is None:
        if model is not None:
            return Fair(model.p, model.z, model.sd_z, 1.0, 0.0, FairSource.MODEL)
        if book is not None:
            return Fair(book.p, book.z, book.sd_z, 0.0, 1.0, FairSource.BOOK)
        return _NO_FAIR
    model_var, book_var = model.sd_z * model.sd_z, book.sd_z * book.sd_z
    weight_model = book_var / (model_var + book_var)
    weight_book = model_var / (model_var + book_var)
    z = weight_model * model.z + weight_book * book.z
    sd_z = math.sqrt(weight_model) * model.sd_z
    return Fair(normal.cdf(z), z, sd_z, weight_model, weight_book, FairSource.BLEND)
