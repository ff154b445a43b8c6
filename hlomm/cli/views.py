"""One-shot views and commands through the link. Tables for people, documents for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hlomm.cli.client import KILL_S, REASON_MAX, Client, guardian_beside, sendable, socket_path, tell_guardian
from hlomm.cli.tables import in_columns
from hlomm.domain.exits import ExitCode
from hlomm.domain.explained import groups_of, why_untraded
from hlomm.domain.faults import ProtocolViolation, UsageError
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.markets import MarketKind
from hlomm.domain.naming import find_market
from hlomm.domain.report import AlertRow, GuardianRow, MarketRow, PositionRow, SetRow, SideNote, Snapshot, StrandedRow
from hlomm.domain.times import NS_PER_MS, utc_clock
from hlomm.domain.units import Cash, to_fixed, to_text
from hlomm.link.guardian import Phase
from hlomm.link.picture import left_out_text
from hlomm.link.protocol import Ask, Command
from hlomm.rundir import owned_file
from hlomm.settings.paths import StatePaths

View = Callable[..., tuple[Any, str]]
_ALWAYS_SAID = frozenset({OperatorAction.KILL, OperatorAction.FLATTEN, OperatorAction.CANCEL})
"""They are answered by an alert each time and do not wait; after others the newest alert may be older than they are."""


def show(
    view: View, profile: str, state_dir: Path | None, socket: Path | None, *, as_json: bool, **arguments: Any
) -> None:
    """Ask the daemon once and print. Where no daemon answers, its guardian may know why."""
    path = socket_path(profile, state_dir, socket)
    try:
        client = Client(path)
    except UsageError as nobody:
        raise UsageError(f"{nobody}{_guardian_says(path)}") from None
    try:
        snapshot = client.snapshot()
        document, text = view(snapshot, **arguments)
        missing = left_out_text(snapshot.engine)
    finally:
        client.close()
    click.echo(json.dumps(document) if as_json else text)
    if missing:
        click.echo(missing, err=True)


def command(
    name: str, profile: str, state_dir: Path | None, socket: Path | None, *, reason: str, as_json: bool,
    target: str = "",
) -> ExitCode:  # fmt: skip
    """Give an order to the daemon; the answer is the state right after it was taken.

    A kill that the daemon does not take within a second goes to its guardian. USAGE: there is no such strategy.
    """
    path, action = socket_path(profile, state_dir, socket), OperatorAction(name)
    kill = action is OperatorAction.KILL
    before: tuple[AlertRow, ...] = ()
    try:
        client = Client(path, KILL_S) if kill else Client(path)
        try:
            if action not in _ALWAYS_SAID:
                before = client.snapshot().alerts[-1:]
            snapshot = client.command(action, reason, target)
        finally:
            client.close()
    except (UsageError, ProtocolViolation) as silence:
        if not kill:
            raise
        return _kill_by_guardian(path, reason, silence, as_json=as_json)
    engine = snapshot.engine
    said = snapshot.alerts[-1:]
    news = () if said == before else said
    last = news[0].text if news else ""
    document = {"action": name, "state": engine.state, "reason": engine.reason, "alert": last}
    click.echo(json.dumps(document) if as_json else f"{engine.state}: {engine.reason}\n{last}".rstrip())
    if news and news[0].code == "unknown_strategy":
        return ExitCode.USAGE
    wanted = {"resume": "running"}.get(name)
    return ExitCode.HALTED if wanted is not None and engine.state != wanted else ExitCode.CLEAN


def _kill_by_guardian(path: Path, reason: str, silence: UsageError | ProtocolViolation, *, as_json: bool) -> ExitCode:
    try:
        told = tell_guardian(
            guardian_beside(path), Command(id=1, action=OperatorAction.KILL, reason=sendable(reason, REASON_MAX))
        )
    except (UsageError, ProtocolViolation) as nobody:
        raise UsageError(f"{silence}; {nobody}") from None
    if told.phase is Phase.STOOD_DOWN:
        raise UsageError(f"{silence}; its guardian acts no more ({told.reason}): cancel at the venue's own site")
    document = {
        "action": "kill", "state": f"guardian {told.phase.value}", "reason": told.reason, "daemon": str(silence),
        "did": list(told.did),
    }  # fmt: skip
    text = f"{silence}\nthe guardian has taken it — {told.phase.value}: {told.reason}"
    click.echo(json.dumps(document) if as_json else "\n".join((text, *told.did)))
    return ExitCode.CLEAN


def _guardian_says(daemon_socket: Path) -> str:
    try:
        told = tell_guardian(guardian_beside(daemon_socket), Ask(id=1))
    except (UsageError, ProtocolViolation):
        left = owned_file.read(StatePaths(daemon_socket.parent).owned)
        if left is None:
            return ""
        return (
            f"\nno guardian answers either, and the run of pid {left.pid} ended without goodbye: its orders may rest — "
            "`hlomm run` takes them over; or cancel at the venue's own site"
        )
    return f"\nits guardian is there — {told.phase.value}: {told.reason}"


def _number(value: int) -> float:
    return float(to_text(value))


def status(snapshot: Snapshot) -> tuple[Any, str]:
    engine = snapshot.engine
    document = {
        "state": engine.state,
        "reason": engine.reason,
        "ladder": engine.ladder,
        "ladder_reasons": list(engine.ladder_reasons),
        "profile": snapshot.profile,
        "armed": _number(snapshot.armed),
        "fill_model": snapshot.fill_model or None,
        "guardian": {
            "state": snapshot.guardian.state, "reason": snapshot.guardian.reason, "pid": snapshot.guardian.pid,
            "answer_age_s": snapshot.guardian.answer_age_s, "restarts": snapshot.guardian.restarts,
        },
        "venues": {
            row.venue: {
                "session": row.session, "data_age_s": row.data_age_s, "open_orders": row.open_orders,
                "budget_used": row.budget_used, "budget_cap": row.budget_cap,
                "budget_runway_min": row.budget_runway_min, "budget_slow": row.budget_slow,
                "reconnects": row.reconnects, "counters": row.counters, "fuse": row.fuse,
            }
            for row in snapshot.venues
        },
        "equity": _number(engine.equity),
        "pnl": _number(engine.pnl.total),
        "drawdown": _number(engine.drawdown),
        "gross": _number(engine.gross),
        "positions": [
            {"market": row.ticker, "yes": _number(row.yes), "no": _number(row.no), "value": _number(row.value)}
            for row in engine.positions
            if row.yes or row.no
        ],
        "breakers": engine.breakers,
        "stranded": {
            row.venue: {
                "stranded": _number(row.stranded), "cap": _number(row.cap), "deadman_until_ms": row.deadman_until_ms,
            }
            for row in engine.stranded
        },
        "uptime_s": snapshot.uptime_s,
        "journal": snapshot.journal,
        "cpus": list(snapshot.cpus),
    }  # fmt: skip
    lines = [
        (
            f"{engine.state.upper()}: {engine.reason}   profile {snapshot.profile}{_armed(snapshot)}   "
            f"up {snapshot.uptime_s:.0f} s{_pinned(snapshot)}"
        ),
        (
            f"equity {to_fixed(engine.equity, 2)}   pnl {_signed(engine.pnl.total)}   drawdown "
            f"{to_fixed(engine.drawdown, 2)}/{to_fixed(engine.drawdown_limit, 2)}   gross {to_fixed(engine.gross, 2)}"
            f"/{to_fixed(engine.gross_limit, 2)}   fills {engine.fills}"
        ),
    ]
    for row in snapshot.venues:
        age = "-" if row.data_age_s is None else f"{row.data_age_s:.1f} s"
        fuse = f", FUSE {row.fuse}" if row.fuse.startswith("tripped") else ""
        lines.append(f"{row.venue}: {row.session}, data {age} old, {row.open_orders} orders open{fuse}")
    if snapshot.fill_model:
        lines.append(f"fills are made up by a model: {snapshot.fill_model}")
    else:
        lines.append(_guardian(snapshot.guardian))
    lines += [_stranded(row) for row in engine.stranded]
    lines.append("   ".join((engine.ladder.upper(), *engine.ladder_reasons[:1])))
    lines += [f"   {reason}" for reason in engine.ladder_reasons[1:]]
    return document, "\n".join(lines)


def _pinned(snapshot: Snapshot) -> str:
    return f" on processor {', '.join(map(str, snapshot.cpus))}" if snapshot.cpus else ""


def _armed(snapshot: Snapshot) -> str:
    return f"   ARMED {to_fixed(snapshot.armed, 0)}" if snapshot.armed else ""


def _guardian(row: GuardianRow) -> str:
    if row.state != "up" or row.answer_age_s is None:
        return f"guardian: {row.state}" + (f" — {row.reason}" if row.reason else "")
    return f"guardian: up (pid {row.pid}), answered {row.answer_age_s:.1f} s ago"


def _stranded(row: StrandedRow) -> str:
    """What a lost network would leave at a venue."""
    if row.deadman_until_ms is not None:
        return f"{row.venue}: dead-man armed until {_clock(row.deadman_until_ms)}Z"
    return f"{row.venue}: {to_fixed(row.stranded, 2)}/{to_fixed(row.cap, 2)} would be stranded, no dead-man armed"


def positions(snapshot: Snapshot) -> tuple[Any, str]:
    rows = snapshot.engine.positions
    document = [
        {
            "market": row.ticker, "yes": _number(row.yes), "no": _number(row.no), "sets": _number(_sets(row)),
            "net": _number(row.yes - row.no), "cost": _number(row.cost), "value": _number(row.value),
            "realised": _number(row.realised), "fees": _number(row.fees),
            "settled": None if row.settled is None else _number(row.settled),
        }
        for row in rows
    ]  # fmt: skip
    table = [
        (row.ticker, to_text(row.yes), to_text(row.no), to_text(_sets(row)), to_text(row.yes - row.no),
         to_fixed(row.cost, 2), to_fixed(row.value, 2), _signed(row.realised),
         "" if row.settled is None else to_text(row.settled))
        for row in rows
    ]  # fmt: skip
    head = ("market", "YES", "NO", "sets", "net", "cost", "value", "realised", "settled")
    lines = [in_columns(head, table, "no positions yet")]
    lines += [f"sets of {row.ticker}: {_said_of_sets(row)}" for row in snapshot.engine.sets]
    lines += [
        f"hedge {row.market}: held {to_text(row.held)}, target {to_text(row.target)} within {to_text(row.band)} — "
        + (row.note.guard if not row.note.detail else f"{row.note.guard}: {row.note.detail}")
        for row in snapshot.engine.hedges
    ]
    return document, "\n".join(lines)


def _sets(row: PositionRow) -> int:
    """YES and NO that together pay exactly 1; a perp has none."""
    return max(min(row.yes, row.no), 0)


def _said_of_sets(row: SetRow) -> str:
    if row.converting:
        return f"{row.converting} of {to_text(row.qty)} is under way"
    kept = "free ones are merged" if row.note.guard == "ok" and not row.note.detail else row.note.guard
    return f"{kept} — {row.note.detail}" if row.note.detail else kept


def pnl(snapshot: Snapshot, *, scenarios: bool = False) -> tuple[Any, str]:
    if scenarios:
        return profile_of(snapshot)
    parts = snapshot.engine.pnl
    names = (
        "realised", "unrealised", "fees", "rewards", "total", "spread", "inventory", "settlement", "hedge", "rounding",
    )  # fmt: skip
    document = {name: _number(getattr(parts, name)) for name in names}
    text = (
        f"total {_signed(parts.total)} = realised {_signed(parts.realised)} + unrealised {_signed(parts.unrealised)} "
        f"- fees {to_fixed(parts.fees, 2)}\n"
        f"      {_signed(parts.total)} = spread {_signed(parts.spread)} + inventory "
        f"{_signed(parts.inventory - parts.hedge)} + hedge {_signed(parts.hedge)} + settlement "
        f"{_signed(parts.settlement)} - fees {to_fixed(parts.fees, 2)} + rewards {_signed(parts.rewards)} "
        f"+ rounding {to_text(parts.rounding)}"
    )
    return document, text


def profile_of(snapshot: Snapshot) -> tuple[Any, str]:
    """The payoff profile: what settles at which price, with the worst combination of resting orders filled."""
    engine = snapshot.engine
    document = {
        "scenarios": [
            {"name": row.name, "at": None if row.at is None else _number(row.at), "result": _number(Cash(-row.loss))}
            for row in engine.scenarios
        ],
        "worst_loss": _number(engine.worst_loss),
    }  # fmt: skip
    cells = [
        (row.name, "-" if row.at is None else to_fixed(row.at, 2), _signed(Cash(-row.loss))) for row in engine.scenarios
    ]
    table = in_columns(("settles on", "at", "result"), cells, "nothing is at stake")
    return document, f"{table}\nworst over everything: {_signed(Cash(-engine.worst_loss))}"


def _meant(name: str, snapshot: Snapshot) -> tuple[MarketId, ...]:
    """Markets of that name; what still trades comes before what has settled."""
    rows = snapshot.engine.markets
    try:
        return find_market(name, {row.id: row.ticker for row in rows if row.settled is None}).markets
    except UsageError:
        return find_market(name, {row.id: row.ticker for row in rows}).markets


def explain(snapshot: Snapshot, market: str | None) -> tuple[Any, str]:
    engine = snapshot.engine
    rows = [row for row in snapshot.engine.markets if row.kind is MarketKind.OUTCOME and row.settled is None]
    if market is not None:
        meant = _meant(market, snapshot)
        rows = [row for row in snapshot.engine.markets if row.id in meant]
    document = [
        {
            "market": row.ticker, "id": row.id, "bid": _note(row, row.bid_note), "ask": _note(row, row.ask_note),
            "facts": dict(row.facts), "book": row.shape, "book_age_s": row.book_age_s, "strategy": row.strategy,
            "groups": groups_of(row, engine),
        }
        for row in rows
    ]  # fmt: skip
    explained = (_explained(row) + _grouped(groups_of(row, engine)) for row in rows)
    text = "\n".join(explained) or "no outcome markets are listed"
    return document, "\n".join((text, *(f"{engine.ladder}: {reason}" for reason in engine.ladder_reasons)))


def _grouped(groups: dict[str, str]) -> str:
    return "".join(f"\n   {group}: {why}" for group, why in groups.items())


def _explained(row: MarketRow) -> str:
    age = "never seen" if row.book_age_s is None else f"{row.shape.replace('_', ' ')}, {row.book_age_s:.1f} s old"
    facts = "  ".join(f"{name} {value}" for name, value in row.facts)
    bid, ask = _said(row, row.bid_note), _said(row, row.ask_note)
    return f"{row.ticker}   book {age}\n  bid: {bid}\n  ask: {ask}\n  {facts}".rstrip()


def _note(row: MarketRow, note: SideNote | None) -> dict[str, str]:
    if note is None:
        return {"guard": "not_traded", "detail": why_untraded(row)}
    return {"guard": note.guard, "detail": note.detail}


def _said(row: MarketRow, note: SideNote | None) -> str:
    if note is None:
        why = why_untraded(row)
        return f"no strategy trades it: {why}" if why else "no strategy trades it"
    said = "quoting" if note.guard == "ok" else note.guard
    return f"{said} — {note.detail}" if note.detail else said


def _signed(value: int) -> str:
    return ("+" if value >= 0 else "") + to_fixed(value, 2)


def _clock(wall_ms: int) -> str:
    return utc_clock(wall_ms * NS_PER_MS)
