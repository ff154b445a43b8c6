"""Numbers people write, as the integers the core counts in."""

from __future__ import annotations

from decimal import Decimal

from hlomm.domain.units import parse


def scaled(value: float) -> int:
    """Exact scaled integer of a configured number (its shortest decimal is what the operator wrote)."""
    return parse(format(Decimal(repr(value)), "f"))
