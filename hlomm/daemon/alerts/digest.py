"""How it stands, for people, from one snapshot and the fills since the digest before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.daemon.alerts.message import Message, one_line
from hlomm.domain.ids import is_outcome
from hlomm.domain.orders import direction
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import EngineReport, FillRow, Pnl, Snapshot
from hlomm.domain.units import Qty, to_fixed, to_text

CODE: Final = "digest"
HELD_SHOWN: Final = 5


def whose(snapshot: Snapshot | None, profile: str) -> str:
    """Which daemon, and with what it is armed: at the front of every message."""
    if snapshot is None:
        return f"hlomm {profile}"
    return f"hlomm {snapshot.profile}, {f'armed {to_text(snapshot.armed)}' if snapshot.armed else 'not armed'}"


def digest(snapshot: Snapshot, fills: Sequence[FillRow], missed: int, before: Pnl | None) -> Message:
    """`before`: the PnL of the digest before, None if there was none of this run. `missed`: fills that no row tells."""
    lines = (
        _state(snapshot), _pnl(snapshot.engine.pnl, before), _inventory(snapshot.engine),
        _fills(snapshot.engine, fills, missed), _risk(snapshot),
    )  # fmt: skip
    return Message(
        level=AlertLevel.INFO, code=CODE, title=f"{whose(snapshot, snapshot.profile)}: {snapshot.engine.state}",
        body="\n".join(one_line(line) for line in lines),
    )  # fmt: skip


def lasted(seconds: float) -> str:
    """A duration in the two units that matter."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{int(seconds)} s"
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _state(snapshot: Snapshot) -> str:
    engine = snapshot.engine
    up = f"up {lasted(snapshot.uptime_s)}"
    if engine.state != HaltState.RUNNING:
        return f"{engine.state} ({engine.reason or 'no reason is known'}), {up}"
    reasons = f": {'; '.join(engine.ladder_reasons[:2])}" if engine.ladder_reasons else ""
    return f"running, {up}; {engine.ladder or 'normal'}{reasons}"


def _pnl(pnl: Pnl, before: Pnl | None) -> str:
    since = "" if before is None else f", {_signed(pnl.total - before.total)} since the last"
    parts = (
        f"spread captured {_signed(pnl.spread)}, inventory {_signed(pnl.inventory)}, "
        f"settlement {_signed(pnl.settlement)}, fees {_signed(-pnl.fees)}, rewards {_signed(pnl.rewards)}"
    )
    split = f"realised {_signed(pnl.realised)}, unrealised {_signed(pnl.unrealised)}"
    return f"PnL {_signed(pnl.total)}{since} = {parts} ({split})"


def _inventory(engine: EngineReport) -> str:
    held = [(row.ticker, Qty(row.yes - row.no)) for row in engine.positions if row.yes - row.no and row.settled is None]
    held.sort(key=lambda one: -abs(one[1]))
    shown = ", ".join(f"{'+' if qty > 0 else ''}{to_text(qty)} {ticker}" for ticker, qty in held[:HELD_SHOWN]) or "flat"
    more = f" and {len(held) - HELD_SHOWN} more" if len(held) > HELD_SHOWN else ""
    gross = f"gross {to_fixed(engine.gross, 2)} of {to_fixed(engine.gross_limit, 2)}"
    return f"inventory {shown}{more}; {gross}, worst settlement {_signed(-engine.worst_loss)}"


def _fills(engine: EngineReport, fills: Sequence[FillRow], missed: int) -> str:
    left_out = f" ({missed} more are not told)" if missed else ""
    return f"fills {engine.fills}; since the last {balance(fills)}{left_out}; volume {to_fixed(engine.volume, 2)}"


def balance(fills: Sequence[FillRow]) -> str:
    """Fills of outcomes by the way they went, in contracts, and what is left over; those of perps are only counted."""
    ways = [direction(row.leg, row.side) * row.qty for row in fills if is_outcome(row.market)]
    up, down = [qty for qty in ways if qty > 0], [-qty for qty in ways if qty < 0]
    return (
        f"{len(fills)}: {len(up)} for YES {to_text(sum(up))}, {len(down)} for NO {to_text(sum(down))}, "
        f"balance {'+' if sum(ways) > 0 else ''}{to_text(sum(ways))}"
    )


def _risk(snapshot: Snapshot) -> str:
    engine = snapshot.engine
    venues = ", ".join(f"{row.venue} {row.session} {row.open_orders} orders" for row in snapshot.venues)
    limit = f" of {to_fixed(engine.drawdown_limit, 2)}"
    drawdown = f"drawdown {to_fixed(engine.drawdown, 2)}{limit}, at most {to_fixed(engine.max_drawdown, 2)}"
    return f"{drawdown}; equity {to_fixed(engine.equity, 2)}; {venues}; guardian {snapshot.guardian.state}"


def fills_line(fills: Sequence[FillRow], missed: int) -> str:
    """All of a minute."""
    shown = "; ".join(_fill(row) for row in list(fills)[-3:])
    more = f" ({missed} more are not told)" if missed else ""
    return f"fills {balance(fills)}{more}; the last: {shown}"


def _fill(row: FillRow) -> str:
    verb = "bought" if row.side > 0 else "sold"
    return f"{verb} {to_text(row.qty)} {row.leg.name} {row.ticker} for {to_text(row.px)}, fee {to_text(row.fee)}"


def _signed(value: int) -> str:
    return f"{'+' if value > 0 else ''}{to_fixed(value, 2)}"
