"""`hlomm bench`: what its documents look like to people."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from hlomm.bench import shown
from hlomm.cli.tables import in_columns
from hlomm.daemon import logs
from hlomm.domain.exits import ExitCode

Json = dict[str, Any]

_HEAD = ("", "p50", "p90", "p99", "p99.9", "budget", "p50 as a part of it")
_STAGES = ("read", "parse", "book", "parse_book", "quote", "risk", "decide", "record", "encode_sign", "send")


def show(document: Json, text: Callable[[Json], list[str]], *, as_json: bool) -> ExitCode:
    """The document, or what `text` makes of it under the machine's name."""
    if as_json:
        click.echo(json.dumps(document))
    else:
        click.echo("\n".join([*shown.whose(document), "", *text(document)]))
    return ExitCode.CLEAN


def quietly() -> None:
    """The daemon that is measured has nothing to tell but trouble."""
    logs.configure("warning")


def hotpath(document: Json) -> list[str]:
    lines = []
    for name, one in document["rates"].items():
        budget, stages = document["budget_us"], one["stages"]
        rows = [shown.row(stage, stages[stage], budget.get(stage)) for stage in _STAGES]
        rows += [shown.row("total", one["total"], budget["total"]), shown.row("wire", one["wire"])]
        speed = "as fast as they are taken" if name == "flood" else f"{name} frames/s"
        lines += [f"== {speed}, {document['transport']} transport: microseconds from readable to handed over"]
        lines += [in_columns(_HEAD, rows, ""), _beside(one), ""]
    good, checked = document["signatures"]["good"], document["signatures"]["checked"]
    lines.append(
        f"{checked} signatures looked at by the venue, {good} good; a clock around a method costs "
        f"{document['probe_us']:.2f} us and is in the figures"
    )
    own = document["daemon"]["total"]
    lines.append(f"the daemon's own histogram of the whole run: total p50 {own['p50']:,.0f}, p99 {own['p99']:,.0f}")
    return lines


def _beside(one: Json) -> str:
    gc = one["gc"]
    pauses = f"{gc['count']} collections" + (f", longest {gc['max']:,.0f} us" if gc["count"] else "")
    doubt = "" if not one["disturbed"] else "\nDISTURBED: " + "; ".join(one["disturbed"])
    return (
        f"{one['frames']:,} frames at {one['frames_per_s']:,.0f}/s, {one['decisions']:,} decisions, "
        f"{one['orders']:,} orders; {one['cpu_us_per_frame']:.0f} us of processor a frame; loop late p99 "
        f"{one['loop'].get('p99', 0):,.0f} us; {pauses}{doubt}"
    )
