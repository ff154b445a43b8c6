"""`hlomm candles`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import trio

from hlomm.cli.record import places
from hlomm.daemon import logs
from hlomm.daemon.sim_process import SimDocument, read_document
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError, VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.times import NS_PER_S
from hlomm.research.imports.backfill import Backfill, Backfilled, Mode, span, when
from hlomm.research.record.sources import hyperliquid_at
from hlomm.research.store.candles import RULES
from hlomm.rundir.lock import Lock
from hlomm.settings.load import load
from hlomm.settings.schema import Settings
from hlomm.settings.venues import Hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.wire.candles import LENGTHS_S
from hlomm.venues.transport import Transport

_COIN: Final = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)
_HOLES_SHOWN: Final = 10


def candles_command(
    files: tuple[Path, ...], *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...],
    sim_file: Path | None, coin: str, interval: str, start: str | None, end: str | None, mode: str, out: Path,
    as_json: bool,
) -> ExitCode:  # fmt: skip
    how = Mode(mode)
    if how is Mode.HISTORICAL and not files:
        raise UsageError("--mode historical: name the files or folders to read")
    if how is Mode.LIVE and files:
        raise UsageError("--mode live reads no files: --mode auto does, and asks for what is missing")
    if how is not Mode.HISTORICAL and profile == "sim" and sim_file is None:
        raise UsageError("nobody to ask: name a profile such as --profile mainnet, or --sim FILE of `hlomm sim`")
    if _COIN.fullmatch(coin) is None:
        raise UsageError(f"--coin {coin}: expected a perp such as BTC; outcomes are recorded (`hlomm record`)")
    loaded = load(profile, config_files, sets)
    logs.configure(loaded.settings.daemon.log, loaded.settings.daemon.log_of)
    document = None if sim_file is None else read_document(sim_file)
    clock = Clock() if document is None else Clock(document.clock.map())
    now_ns = clock.now().wall_ns
    wanted = span(coin, LENGTHS_S[interval], _time("--from", start), _time("--to", end), now_ns)
    config = None if how is Mode.HISTORICAL else _asked(loaded.settings, document)
    out.mkdir(parents=True, exist_ok=True)
    lock = Lock(out / "candles.lock", f"the candles of {out}", "wait for it, or choose another --out")
    try:
        fill = Backfill(out, wanted, now_ns)
        if files:
            fill.read(files)
        if config is not None:
            trio.run(_ask, fill, config, clock, "live" if document is None else "sim")
    finally:
        lock.release()
    return _told(fill.done(how), out, as_json=as_json)


def _asked(settings: Settings, document: SimDocument | None) -> HyperliquidConfig:
    (place,) = places(settings, document, HYPERLIQUID)
    assert isinstance(place.section, Hyperliquid)
    return hyperliquid_at(place, place.section)


async def _ask(fill: Backfill, config: HyperliquidConfig, clock: Clock, source: str) -> None:
    rest = HyperliquidRest(config, Transport(), clock, Counters())
    async with rest.opened():
        await fill.ask(rest, clock, source, lambda line: click.echo(line, err=True))


def _told(done: Backfilled, out: Path, *, as_json: bool) -> ExitCode:
    if done.had == 0:
        odd = ", ".join(f"{count} {name}" for name, count in done.odd.items())
        nothing = f"not one candle of {done.wanted.market} could be had{f' ({odd})' if odd else ''}"
        if done.failure:
            raise VenueUnavailable(f"{nothing}: {done.failure}")
        raise UsageError(nothing)
    click.echo(json.dumps(done.document()) if as_json else _text(done, out))
    if done.failure:
        click.echo(f"hlomm: the venue was not asked for all of it: {done.failure}", err=True)
    return ExitCode.REFUSED if done.failure else ExitCode.CLEAN


def _text(done: Backfilled, out: Path) -> str:
    wanted = done.wanted
    head = (
        f"{wanted.market}, {wanted.length_s} s, {when(wanted.first_ns)} to {when(wanted.end_ns)}: {done.had} of"
        f" {wanted.count} candles are in {out} ({done.there} were, {done.historical} from {done.files} files,"
        f" {done.live} from the venue in {done.requests} requests)"
    )
    shown = done.holes[:_HOLES_SHOWN]
    lines = [head, *(f"missing: {one.candles} from {when(one.from_ns)} to {when(one.to_ns)}" for one in shown)]
    if done.missing:
        more = f", {len(done.holes) - _HOLES_SHOWN} of them not shown" if len(done.holes) > _HOLES_SHOWN else ""
        lines.append(f"{done.missing} missing in {len(done.holes)} holes{more}; never filled in")
    lines += [f"{name.replace('_', ' ')}: {count}\n    {RULES[name]}" for name, count in done.odd.items()]
    return "\n".join(lines)


def _time(option: str, text: str | None) -> int | None:
    """Unix ns of an ISO date or time; without a zone it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: expected a time such as 2026-11-01 or 2026-11-01T12:00") from None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * NS_PER_S
