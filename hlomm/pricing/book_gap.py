"""A book's price brought up to now by its underlying.

Those who quote a contract follow its underlying, and we see the underlying at once and their quotes a little later:
the nearer the end, the more a mid of half a second ago is worth to whoever trades against it (QUANT 2.1: at ten minutes
1.6 cents per root second, at one minute 5). Model and book differ in two ways. In level, by the market's vol and
basis, which changes slowly; and because the book has not moved yet, which is over at once. So the book's opinion is
followed as a gap to the model in probit space,

    z_now = z_model + gap,   gap = mean of (z_book - z_model) over about `follow_s`

and between two of its updates it moves with the model. A gap counts for as long as it stood, whatever the rate of
updates; after a silence of several `follow_s` the present one is all that is known.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

_FORGOTTEN: Final = 5.0
"""Silence in units of `follow_s` after which nothing of the past is left to average with."""


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class BookGap:
    """Running gap of one market; times in seconds on a clock that does not jump."""

    follow_s: float = attrs.field(validator=attrs.validators.gt(0.0))
    _gap: float = attrs.field(default=0.0, init=False)
    _stood: float = attrs.field(default=0.0, init=False)
    """The gap as it was last seen."""
    _last_s: float = attrs.field(default=-math.inf, init=False)

    def update(self, t_s: float, z_book: float, z_model: float) -> float:
        """The book's z as of now; finite arguments. Of a time that goes back the gap is not averaged."""
        passed_s, seen = t_s - self._last_s, z_book - z_model
        if passed_s > _FORGOTTEN * self.follow_s:
            self._gap = seen
        elif passed_s > 0.0:
            self._gap += -math.expm1(-passed_s / self.follow_s) * (self._stood - self._gap)
        self._stood, self._last_s = seen, max(t_s, self._last_s)
        return z_model + self._gap
