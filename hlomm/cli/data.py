"""`hlomm data check`, `hlomm data pack` and `hlomm import`."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import click

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.research.imports.kinds import KINDS, TABLES
from hlomm.research.imports.lines import import_into
from hlomm.research.store.check import check
from hlomm.research.store.findings import RULES, Check
from hlomm.research.store.pack import pack
from hlomm.research.store.read import is_store


def check_command(root: Path, *, as_json: bool) -> ExitCode:
    found = check(root)
    click.echo(json.dumps(found.document()) if as_json else _text(found))
    return ExitCode.DIVERGED if found.defects else ExitCode.CLEAN


def pack_command(root: Path, *, as_json: bool) -> ExitCode:
    if not is_store(root):
        raise UsageError(f"{root}: no recorded data")
    try:
        packed = pack(root)
    except OSError as error:
        raise UsageError(f"{root}: {error.strerror or error} — the spools stay as they are, and can be read") from None
    if as_json:
        click.echo(json.dumps([attrs.asdict(one) for one in packed]))
    else:
        for one in packed:
            click.echo(f"{one.part}: {one.rows} rows in {one.files} files{f', {one.corrupt}' if one.corrupt else ''}")
        click.echo(f"{len(packed)} spools packed")
    return ExitCode.DIVERGED if any(one.corrupt for one in packed) else ExitCode.CLEAN


def _text(found: Check) -> str:
    rows = ", ".join(f"{count} {table}" for table, count in found.rows.items()) or "no rows"
    origin = f"sources {', '.join(sorted(found.sources)) or '-'}, schemas {', '.join(sorted(found.schemas)) or '-'}"
    lines = [f"{found.root}: {found.files} files, {rows}, {found.markets} markets, {origin}"]
    for venue, clock in found.clocks.items():
        lines.append(
            f"{venue}: clock off by {clock['skew_min_ms']} to {clock['skew_max_ms']} ms; news is"
            f" {clock['age_p50_ms']} ms old (median), {clock['age_p99_ms']} (p99), {clock['age_min_ms']} (least)"
        )
    for name, one in found.findings.items():
        if one.count:
            lines.append(f"{name.replace('_', ' ')}: {one.count} ({'; '.join(one.examples)})")
            lines.append(f"    {RULES[name]}")
    lines.append("defects: " + (", ".join(found.defects) or "none"))
    return "\n".join(lines)


def import_command(name: str, paths: tuple[Path, ...], out: Path, *, as_json: bool) -> ExitCode:
    try:
        done = TABLES[name](out, paths) if name in TABLES else import_into(out, KINDS[name], paths)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror or error} — the import is not whole; run it again") from None
    if as_json:
        click.echo(json.dumps(done.document()))
        return ExitCode.CLEAN
    odd = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in done.odd.items())
    click.echo(
        f"{done.files} files: {done.events} events and {done.frames} raw messages of {len(done.markets)} markets into"
        f" {out}{f'; noticed: {odd}' if odd else ''}"
    )
    return ExitCode.CLEAN
