"""What one account owns. All money is cash in 1e-8; token and position sizes are lots of their grid.

These records only hold figures; every movement between them goes through `ledger`, which keeps the sums.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.coins import PERP_GRID

LEVERAGE_MAX: Final = 40
"""Highest leverage of the perp."""
TokenKey = tuple[int, Leg]


@attrs.define(eq=False)
class TokenBalance:
    """Tokens of one leg: `hold` is committed to open sells, `entry` what the rest cost."""

    total: int = 0
    hold: int = 0
    entry: int = 0

    @property
    def free(self) -> int:
        return self.total - self.hold


@attrs.define(eq=False)
class PerpPosition:
    """A cash-margined perp account.

    `raw` is the account's USD after paying for every purchase in full (negative for a leveraged long), so the sum over
    all accounts never changes by trading. `entry` is the signed cost of the open position, for reports only.
    """

    raw: int = 0
    lots: int = 0
    entry: int = 0
    leverage: int = 20
    paid: int = 0
    """Funding paid since inception, in cash; negative when more was received."""
    paid_open: int = 0
    """Funding paid since the position was opened or changed sides."""
    paid_change: int = 0
    """Funding paid since the position last changed."""

    def value(self, mark_ticks: int) -> int:
        """Equity at a mark price."""
        return self.raw + self.lots * mark_ticks * PERP_GRID.cash

    def used(self, mark_ticks: int) -> int:
        """Margin bound by the position, rounded up."""
        return -(-abs(self.lots) * mark_ticks * PERP_GRID.cash // self.leverage)

    def maintenance(self, mark_ticks: int) -> int:
        """Equity below which the position is closed by force: half the initial margin at the highest leverage."""
        return -(-abs(self.lots) * mark_ticks * PERP_GRID.cash // (2 * LEVERAGE_MAX))

    def liquidation_px(self) -> int | None:
        """Mark at which equity equals maintenance, in 1e-8; None where no price gets there.

        raw + lots * p = |lots| * p / (2 * highest leverage), solved for p.
        """
        scale = 2 * LEVERAGE_MAX
        weight = self.lots * scale - abs(self.lots)
        if self.lots == 0 or self.raw * weight >= 0:
            return None
        return abs(self.raw) * scale * PERP_GRID.tick // (abs(weight) * PERP_GRID.cash)

    def reduces(self, side: Side, lots: int) -> bool:
        """Whether a trade of that size would only make the position smaller."""
        return self.lots * side < 0 and lots <= abs(self.lots)


@attrs.define(eq=False)
class Account:
    """One address. Background accounts have deep pockets and no history."""

    address: str
    name: str
    background: bool = False
    quote: int = 0
    quote_hold: int = 0
    tokens: dict[TokenKey, TokenBalance] = attrs.field(factory=dict)
    perp: PerpPosition = attrs.field(factory=PerpPosition)
    volume: int = 0
    """Fee-paying volume since inception in cash: what the request budget grows with."""

    @property
    def quote_free(self) -> int:
        return self.quote - self.quote_hold

    def token(self, outcome: int, leg: Leg) -> TokenBalance:
        """The balance of a leg, created empty when it is first touched."""
        key = (outcome, leg)
        balance = self.tokens.get(key)
        if balance is None:
            balance = self.tokens[key] = TokenBalance()
        return balance

    def held(self, outcome: int, leg: Leg) -> TokenBalance:
        """The balance of a leg without creating it."""
        return self.tokens.get((outcome, leg)) or TokenBalance()
