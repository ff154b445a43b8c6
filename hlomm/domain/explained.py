"""What keeps a market from being quoted, beside the guards of its sides: the same words for commands and screens."""

from __future__ import annotations

from hlomm.domain.report import EngineReport, MarketRow
from hlomm.domain.ticker import parse_ticker


def why_untraded(row: MarketRow) -> str:
    """What keeps every strategy from it, where that is known."""
    name = parse_ticker(row.ticker)
    if name is None or not name.terms.window or row.strike is not None:
        return ""
    return f"its strike is the price at the beginning of its {name.terms.window}, which nobody has told us"


def groups_of(row: MarketRow, engine: EngineReport) -> dict[str, str]:
    """Pairs and sets that a contract is a leg of and that are not traded now, with the reason."""
    why_not = engine.arbitrage.why_not
    return {group: why for group, why in why_not.items() if row.id in group.split(" ") or row.group == group}
