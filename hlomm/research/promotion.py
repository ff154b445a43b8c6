"""Whether an account has earned more than its smallest size: what its ledger says, against criteria set beforehand.

One observation is one settlement: all contracts that were traded and settled within the same minute, for one price
settles them all. Its result is every unit of cash that moved in them, fees and settlement included. Only Hyperliquid
tells a settlement as a fill: what the fills leave of a contract is paid here, and what was held before the first one
is taken off at what it paid. What is still open, and a hedge that belongs to no single contract, is in the total beside
it and in no observation. One account is one row: those of another account, or of another model of fills, are never
added to it. (QUANT 8.4, 10.)

Nothing is promoted by this. Who runs many canaries and looks at the best one reads too high a probability here: for
choosing among many there is `hlomm sweep`, which counts its trials.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from hlomm.domain.faults import UsageError
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, complement, notional_ceil, notional_floor, to_fixed
from hlomm.pricing.trials import Moments, min_trl, moments, psr
from hlomm.rundir.ledger_schema import connect
from hlomm.settings.rehearsals import Canary

MS_PER_MIN: Final = 60_000
MS_PER_DAY: Final = 86_400_000
CONFIDENCE: Final = 0.95
"""Of the minimum track record."""


@attrs.frozen(kw_only=True)
class Record:
    """What one account has done. Money in 1e-8."""

    account: str
    profile: str
    trades: int
    volume: int
    fees: int
    total: int
    """Result as last written down: what is open at its mark, hedge and fees included."""
    drawdown: int
    days: float
    """From the first trade to the last."""
    results: tuple[int, ...]
    """Of the settlements, in their order."""
    halts: int
    """Times it stopped itself, or was stopped, in a way that outlives a restart."""

    @property
    def moments(self) -> Moments | None:
        return moments([result / SCALE for result in self.results])

    @property
    def psr(self) -> float | None:
        found = self.moments
        return None if found is None else psr(found.sharpe, found.n, found.skew, found.kurtosis)[1]

    @property
    def min_trl(self) -> float | None:
        """Settlements until a ratio like this one is above 0 with confidence; None if it is not above 0."""
        found = self.moments
        needed = math.inf if found is None else min_trl(found.sharpe, found.skew, found.kurtosis, 0.0, CONFIDENCE)
        return needed if math.isfinite(needed) else None

    def lacks(self, asked: Canary) -> list[str]:
        """Every criterion that is not met, with the numbers."""
        found = []
        for what, has, least in (
            ("trades", self.trades, asked.fills),
            ("settlements", len(self.results), asked.settlements),
            ("days", round(self.days, 1), asked.days),
        ):
            if has < least:
                found.append(f"{has:g} {what} of {least:g}")
        if self.total <= 0:
            found.append(f"result {to_fixed(self.total, 2)}, must be above 0")
        if self.psr is None:
            found.append("no Sharpe ratio: too few settlements, or all alike")
        elif self.psr < asked.psr:
            found.append(f"PSR {self.psr:.3f} of {asked.psr:g}")
        if self.min_trl is not None and self.min_trl > len(self.results):
            found.append(f"{len(self.results)} settlements of a minimum track record of {math.ceil(self.min_trl)}")
        return found

    def document(self, asked: Canary) -> dict[str, Any]:
        lacks, found = self.lacks(asked), self.moments
        return {
            "account": self.account, "profile": self.profile, "trades": self.trades, "volume": self.volume / SCALE,
            "fees": self.fees / SCALE, "pnl": self.total / SCALE, "settled_pnl": sum(self.results) / SCALE,
            "max_drawdown": self.drawdown / SCALE, "days": round(self.days, 3), "halts": self.halts,
            "settlements": len(self.results), "sharpe": None if found is None else found.sharpe,
            "skew": None if found is None else found.skew, "kurtosis": None if found is None else found.kurtosis,
            "psr": self.psr, "min_trl": self.min_trl, "meets": not lacks, "lacks": lacks,
        }  # fmt: skip

    def text(self, asked: Canary) -> str:
        lacks = self.lacks(asked)
        chance = "-" if self.psr is None else f"{self.psr:.3f}"
        return "\n".join(
            (
                f"{self.account} ({self.profile})",
                (
                    f"  {self.trades} trades in {self.days:.1f} days, volume {to_fixed(self.volume, 2)}, pnl "
                    f"{to_fixed(self.total, 2)} (settled {to_fixed(sum(self.results), 2)}, fees "
                    f"{to_fixed(self.fees, 2)}), drawdown {to_fixed(self.drawdown, 2)}, {self.halts} halts"
                ),
                f"  PSR {chance} over {len(self.results)} settlements",
                f"  not yet: {'; '.join(lacks)}" if lacks else "  meets every criterion; the decision is yours",
            )
        )


def records(ledger: Path) -> list[Record]:
    """Every account that has traded, in the order of its first trade. UsageError without a ledger that can be read."""
    if not ledger.exists():
        raise UsageError(f"{ledger}: no ledger here — name the state directory of a run")
    connection = connect(ledger)
    connection.row_factory = sqlite3.Row
    try:
        return list(_records(connection))
    except sqlite3.DatabaseError as error:
        raise UsageError(f"{ledger}: {error} — hlomm doctor --rebuild-ledger makes it anew") from None
    finally:
        connection.close()


def _records(connection: sqlite3.Connection) -> Iterator[Record]:
    trades = connection.execute(
        "SELECT account, COUNT(*) AS n, MIN(wall_ms) AS first_ms, MAX(wall_ms) AS last_ms, MAX(epoch) AS epoch "
        "FROM fills WHERE kind = 'trade' AND booked AND account <> '' AND (account, key) NOT IN "
        "(SELECT account, key FROM voids) GROUP BY account ORDER BY first_ms"
    )
    for row in trades.fetchall():
        account = row["account"]
        last = connection.execute(
            "SELECT * FROM pnl WHERE account = ? ORDER BY minute DESC LIMIT 1", (account,)
        ).fetchone()
        run = connection.execute("SELECT profile FROM runs WHERE epoch = ?", (row["epoch"],)).fetchone()
        yield Record(
            account=account, profile="" if run is None else run["profile"], trades=row["n"],
            volume=_amount(last, "volume"), fees=_amount(last, "fees"), total=_amount(last, "total"),
            drawdown=_amount(last, "max_drawdown"), days=(row["last_ms"] - row["first_ms"]) / MS_PER_DAY,
            results=_results(connection, account), halts=_halts(connection, account),
        )  # fmt: skip


def _amount(row: sqlite3.Row | None, name: str) -> int:
    return 0 if row is None else int(row[name])


def _results(connection: sqlite3.Connection, account: str) -> tuple[int, ...]:
    """By settlement: all cash that moved in the contracts that it ended, and what it paid without a fill to say so."""
    moved: defaultdict[int, int] = defaultdict(int)
    left: defaultdict[tuple[int, str, int], int] = defaultdict(int)
    rows = connection.execute(
        "SELECT s.wall_ms AS settled_ms, s.yes_px, f.market, f.leg, f.side, f.px, f.qty, f.fee FROM fills f "
        "JOIN settlements s ON s.account = f.account AND s.market = f.market WHERE f.account = ? AND f.booked "
        "AND (f.account, f.key) NOT IN (SELECT account, key FROM voids)", (account,),
    )  # fmt: skip
    for row in rows:
        px, qty, minute = int(row["px"]), int(row["qty"]), row["settled_ms"] // MS_PER_MIN
        pays = int(row["yes_px"]) if row["leg"] == Leg.YES.name else complement(int(row["yes_px"]))
        bought = row["side"] == Side.BUY.name
        moved[minute] += (-notional_ceil(px, qty) if bought else notional_floor(px, qty)) - int(row["fee"])
        left[minute, row["market"], pays] += qty if bought else -qty
    for (minute, _, pays), qty in left.items():
        moved[minute] += notional_floor(pays, qty)
    return tuple(moved[minute] for minute in sorted(moved))


def _halts(connection: sqlite3.Connection, account: str) -> int:
    row = connection.execute(
        "SELECT COUNT(*) AS n FROM halts WHERE persist AND state = 'halted' AND epoch IN "
        "(SELECT epoch FROM runs WHERE account = ? UNION SELECT epoch FROM accounts WHERE account = ?)",
        (account, account),
    ).fetchone()  # fmt: skip
    return int(row["n"])
