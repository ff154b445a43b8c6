"""`hlomm soak`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from hlomm.assembly.engine import KNOWN
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import VenueId
from hlomm.research.soak.campaign import Campaign, hush, parse_faults, run_campaign, run_pairs
from hlomm.research.soak.day import SeedResult


def soak_command(seeds: Sequence[int], *, days: float, faults: str, jobs: int | None, as_json: bool) -> ExitCode:
    hush()
    return _report(run_campaign(seeds, days, parse_faults(faults), jobs=jobs, told=_tell), as_json=as_json)


def pairs_command(venues: Sequence[str], intents: int, *, first: int, as_json: bool) -> ExitCode:
    """At least so many pairs at each venue; UsageError for a venue that nobody knows."""
    unknown = [name for name in venues if name not in KNOWN]
    if unknown:
        raise UsageError(f"no venue {unknown[0]!r}; there are: {', '.join(KNOWN)}")
    hush()
    return _report(run_pairs([VenueId(name) for name in venues], intents, first=first, told=_tell), as_json=as_json)


def _report(campaign: Campaign, *, as_json: bool) -> ExitCode:
    if as_json:
        click.echo(json.dumps(campaign.document()))
    else:
        click.echo(text(campaign))
    return ExitCode.CLEAN if campaign.clean else ExitCode.DIVERGED


def text(campaign: Campaign) -> str:
    document = campaign.document()
    took = f"{document['virtual_days']:g} virtual days in {document['wall_s']:g} s"
    lines = [
        f"{document['seeds']} seeds, {took} ({document['ratio']:g} times real time)",
        "injections: " + ", ".join(f"{name} {count}" for name, count in document["faults"].items()),
    ]
    lines.append("pairs: " + ", ".join(f"{name} {count}" for name, count in document["pairs"].items()))
    for violation in document["violations"]:
        where = "" if violation["seed"] is None else f"seed {violation['seed']}, {violation['at_s']} s: "
        lines.append(f"VIOLATION {violation['rule']}: {where}{violation['what']}")
        if violation["repeat"]:
            lines.append(f"  again: {violation['repeat']}")
    lines.append("no violation" if campaign.clean else f"{len(document['violations'])} violations")
    return "\n".join(lines)


def _tell(result: SeedResult) -> None:
    word = "ok" if not result.findings else "; ".join(map(str, result.findings[:3]))
    click.echo(f"seed {result.seed}: {result.virtual_s / 86_400:.2f} days in {result.wall_s:.1f} s: {word}", err=True)
