"""`hlomm bench NAME`: the commands; what they measure is in `hlomm.bench`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from hlomm.cli.options import JSON, Group, Span, finish, reporting
from hlomm.domain.faults import UsageError


@click.group(cls=Group)
def bench() -> None:
    """How fast this program is on this machine.

    Measure on a quiet one: what else ran is watched, and figures of a disturbed machine are marked.
    """


def _measured(name: str, module: str, *, as_json: bool, **plan: Any) -> None:
    """Run `hlomm.bench.MODULE` by its plan and show the document."""
    from hlomm.cli import bench as look

    look.quietly()
    measurement = import_module(f"hlomm.bench.{module}")
    text: Callable[[dict[str, Any]], list[str]] = getattr(look, name)
    finish(look.show(measurement.run(measurement.Plan(**plan)), text, as_json=as_json))


@bench.command()
@click.option("--seconds", type=Span(0.1, 3600), default=20.0, show_default=True, help="At each rate.")
@click.option("--rates", default="20,200,1000", show_default=True, help="Frames a second, with commas; empty: none.")
@click.option("--flood", type=click.IntRange(0, 10_000_000), default=20_000, show_default=True, help="Frames unpaced.")
@click.option("--markets", type=click.IntRange(1, 200), default=1, show_default=True, help="Contracts that are quoted.")
@click.option("--transport", type=click.Choice(["direct", "library"]), default="direct", show_default=True)
@click.option("--set", "sets", multiple=True, metavar="A.B=V", help="One setting of the daemon; repeatable.")
@JSON
@reporting
def hotpath(
    *, seconds: float, rates: str, flood: int, markets: int, transport: str, sets: tuple[str, ...], as_json: bool
) -> None:  # fmt: skip
    """From a frame on the socket to a signed order with the kernel, in the whole daemon, stage by stage."""
    chosen = _rates(rates)
    _measured(
        "hotpath", "hotpath", as_json=as_json, seconds=seconds, rates=chosen, flood=flood, markets=markets,
        transport=transport, sets=sets,
    )  # fmt: skip


def _rates(text: str) -> tuple[float, ...]:
    """Positive numbers; UsageError for anything else."""
    try:
        rates = tuple(float(one) for one in text.split(",") if one.strip())
    except ValueError:
        raise UsageError(f"--rates: expected numbers with commas, was {text!r}") from None
    if not all(0.1 <= rate <= 100_000 for rate in rates):
        raise UsageError(f"--rates: expected 0.1 to 100000 frames a second, was {text!r}")
    return rates


@bench.command()
@click.option("--seconds", type=Span(0.5, 86_400), default=60.0, show_default=True, help="At each rate.")
@click.option(
    "--rates", default="5000,10000", show_default=True, help="Book events a second, all venues together; with commas."
)
@click.option("--markets", type=click.IntRange(1, 50), default=3, show_default=True, help="At each venue.")
@click.option("--lump-ms", type=Span(0.1, 1000), default=2.0, show_default=True, help="Told in one piece.")
@click.option("--set", "sets", multiple=True, metavar="A.B=V", help="One setting of the daemon; repeatable.")
@JSON
@reporting
def flood(
    *, seconds: float, rates: str, markets: int, lump_ms: float, sets: tuple[str, ...], as_json: bool
) -> None:  # fmt: skip
    """Book events at three venues at once: whether the whole daemon keeps up, and whether it grows.

    Memory has a verdict from five minutes on: --rates 5000 --seconds 600.
    """
    chosen = _rates(rates)
    _measured(
        "flood", "flood", as_json=as_json, seconds=seconds, rates=chosen, markets=markets, lump_ms=lump_ms, sets=sets
    )  # fmt: skip


@bench.command()
@click.option("--seconds", type=Span(0.1, 3600), default=10.0, show_default=True, help="Of a stretch.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=6, show_default=True, help="Stretches of each side.")
@click.option("--clients", type=click.IntRange(1, 500), default=50, show_default=True, help="Of `hlomm metrics`.")
@click.option(
    "--every",
    "every_s",
    type=Span(0.1, 3600),
    default=5.0,
    show_default=True,
    metavar="S",
    help="How often each of them asks.",
)
@JSON
@reporting
def watched(*, seconds: float, rounds: int, clients: int, every_s: float, as_json: bool) -> None:
    """What clients of the metrics and pages cost the hot path: with and without them, in turns."""
    _measured("watched", "watched", as_json=as_json, seconds=seconds, rounds=rounds, clients=clients, every_s=every_s)


@bench.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@click.option(
    "--frames", type=click.IntRange(100, 10_000_000), default=20_000, show_default=True, help="Of a made tape."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="The best one counts.")
@JSON
@reporting
def engine(*, data: Path | None, frames: int, rounds: int, as_json: bool) -> None:
    """Book events a second through the engine in a backtest, and where its time goes.

    Over DATA, a recording or a store, or over a tape made for it, on which every book moves every quote.
    """
    _measured("engine", "engine", as_json=as_json, data=data, frames=frames, rounds=rounds)


@bench.command()
@click.option("--markets", default="1,10,50,200", show_default=True, help="How many, with commas; empty: none.")
@click.option("--venues", type=click.IntRange(0, 3), default=3, show_default=True, help="From one to so many.")
@click.option("--seconds", type=Span(1, 3600), default=15.0, show_default=True, help="Of each row.")
@JSON
@reporting
def growth(*, markets: str, venues: int, seconds: float, as_json: bool) -> None:
    """Latency, processor, memory and journal by markets and venues, and of two daemons on this machine."""
    _measured("growth", "growth", as_json=as_json, markets=_counts(markets), venues=venues, seconds=seconds)


def _counts(text: str) -> tuple[int, ...]:
    """Whole numbers from 1 to 200; UsageError for anything else."""
    try:
        counts = tuple(int(one) for one in text.split(",") if one.strip())
    except ValueError:
        counts = (0,)
    if not all(1 <= count <= 200 for count in counts):
        raise UsageError(f"--markets: expected numbers from 1 to 200 with commas, was {text!r}")
    return counts


@bench.command()
@click.option(
    "--frames", type=click.IntRange(100, 1_000_000), default=5_000, show_default=True, help="Behind decisions."
)
@click.option(
    "--rounds", type=click.IntRange(1, 1_000), default=4, show_default=True, help="How often they are written."
)
@click.option(
    "--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=None,
    help="On the disk that is meant.",
)  # fmt: skip
@JSON
@reporting
def journal(*, frames: int, rounds: int, folder: Path | None, as_json: bool) -> None:
    """What a record costs, on the loop and on the disk."""
    _measured("journal", "journal", as_json=as_json, frames=frames, rounds=rounds, folder=folder)


@bench.command()
@click.option("--frames", type=click.IntRange(10, 1_000_000), default=1_000, show_default=True, help="A round, paced.")
@click.option(
    "--flood", type=click.IntRange(10, 1_000_000), default=10_000, show_default=True, help="A round, unpaced."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=4, show_default=True)
@JSON
@reporting
def transport(*, frames: int, flood: int, rounds: int, as_json: bool) -> None:
    """Both websocket transports, how many times as much one costs, and an order over REST."""
    _measured("transport", "transport", as_json=as_json, frames=frames, flood=flood, rounds=rounds)


@bench.command()
@click.option("--days", type=Span(0.05, 30), default=0.25, show_default=True, help="Of the soak.")
@click.option("--venue-s", type=Span(1, 86_400), default=120.0, show_default=True, help="Of the venue alone.")
@JSON
@reporting
def sim(*, days: float, venue_s: float, as_json: bool) -> None:
    """How much faster than real time the simulated world lives."""
    _measured("sim", "sim", as_json=as_json, days=days, venue_s=venue_s)


@bench.command()
@click.option(
    "--frames", type=click.IntRange(10, 1_000_000), default=1_000, show_default=True, help="Of a rung a round."
)
@click.option("--flood", type=click.IntRange(0, 1_000_000), default=3_000, show_default=True, help="Frames unpaced.")
@click.option("--rounds", type=click.IntRange(1, 100), default=4, show_default=True)
@JSON
@reporting
def naive(*, frames: int, flood: int, rounds: int, as_json: bool) -> None:
    """From a first attempt, rung by rung, to the whole daemon: what each choice bought."""
    _measured("naive", "ladder", as_json=as_json, frames=frames, flood=flood, rounds=rounds)


@bench.command()
@click.option("--seconds", type=Span(0.5, 3600), default=10.0, show_default=True, help="At each rate.")
@click.option("--rates", default="20,200", show_default=True, help="Frames a second, with commas.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Every run once in each.")
@click.option("--only", default="", metavar="NAME,…", help="Of the measures; all by default.")
@JSON
@reporting
def hygiene(*, seconds: float, rates: str, rounds: int, only: str, as_json: bool) -> None:
    """What each measure of process hygiene buys: the whole daemon without it (or with it), beside the full set."""
    names = tuple(name.strip() for name in only.split(",") if name.strip())
    _measured("hygiene", "hygiene", as_json=as_json, seconds=seconds, rates=_rates(rates), rounds=rounds, only=names)


@bench.command()
@click.option("--frames", type=click.IntRange(100, 10_000_000), default=50_000, show_default=True, help="Of the tape.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Everybody once in each.")
@click.option(
    "--python", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None,
    help="An interpreter that has the peers, as they pin other versions than hlomm does; this one if none is named.",
)  # fmt: skip
@JSON
@reporting
def peers(*, frames: int, rounds: int, python: Path | None, as_json: bool) -> None:
    """hlomm, NautilusTrader and hftbacktest over one tape with one maker, and what each of them does and does not do.

    The peers are in no other extra: pip install '.[peers]', best into an environment of its own (--python). Events a
    second as multiples of `engine`, all in one run on two cores that others were using:

    \b
    engine           1     every order through the gate, exact money, settlement; Python
    engine_journal   0.95  the same, every input and decision written
    engine_nearest   0.7   the same with a set that the compiled tier can take
    kernel           100   that set compiled: what engine_nearest decides, to the unit
    nautilus_trader  13    a gate, no queue, no journal that replays; Python
    hftbacktest      330   a queue, floats, no gate, no journal; compiled
    """  # noqa: D301 - click keeps lines after a backspace, which a raw text has not
    _measured("peers", "peers.contest", as_json=as_json, frames=frames, rounds=rounds, python=python)
