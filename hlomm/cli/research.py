"""Commands over what was recorded and over days that never were: nothing of this trades."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from hlomm.cli.options import (
    JSON,
    STATE_DIR,
    Group,
    Span,
    config_options,
    finish,
    reporting,
)


@click.command()
@click.option("--seeds", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many.")
@click.option("--first", type=click.IntRange(min=0), default=0, show_default=True, help="The first of them.")
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Only this one, as a failed run said.")
@click.option("--days", type=Span(0.05, 30), default=1.0, show_default=True, help="Length of each run.")
@click.option("--faults", default="all", show_default=True, help="all, none, or names with commas.")
@click.option("--jobs", type=click.IntRange(1, 256), default=None, help="Processes; default: one per processor.")
@click.option(
    "--intents",
    type=click.IntRange(1, 1_000_000),
    default=None,
    help="Instead of days: so many pairs across venues for each of --at, with every fault of that venue.",
)
@click.option("--at", default="hyperliquid,polymarket,kalshi", show_default=True, help="Venues of --intents.")
@JSON
@reporting
def soak(
    *, seeds: int, first: int, seed: int | None, days: float, faults: str, jobs: int | None, intents: int | None,
    at: str, as_json: bool,
) -> None:  # fmt: skip
    """Live through simulated days with faults, in virtual time; exit 3 if anything was ever wrong."""
    from hlomm.cli.soak import pairs_command, soak_command

    if intents is not None:
        finish(pairs_command(at.split(","), intents, first=first, as_json=as_json))
        return
    chosen = range(first, first + seeds) if seed is None else (seed,)
    finish(soak_command(chosen, days=days, faults=faults, jobs=jobs, as_json=as_json))


@click.command()
@config_options
@click.option("--sim", "sim_file", type=click.Path(path_type=Path), default=None, help="Record a running simulator.")
@click.option("--venues", default=None, metavar="NAMES", help="Which, with commas; default: all that have an address.")
@click.option("--markets", default="*", metavar="PATTERNS", help="Which of those listed, by id or name, e.g. '*15m*'.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The store; added to if it exists.")
@click.option("--duration", type=Span(min=0.1), default=None, help="Stop after that many seconds.")
@click.option("--disk-max", default=None, metavar="SIZE", help="Stop (exit 4) before the store is larger, e.g. 20G.")
@JSON
@reporting
def record(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], sim_file: Path | None, venues: str | None,
    markets: str, out: Path, duration: float | None, disk_max: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Write public streams to disk, byte for byte and as understood; no keys, no orders, follows every roll."""
    from hlomm.cli.record import record_command

    finish(
        record_command(
            profile=profile, config_files=config_files, sets=sets, venues=venues, markets=markets, sim_file=sim_file,
            out=out, duration_s=duration, disk_max=disk_max, as_json=as_json,
        )
    )  # fmt: skip


QUEUES = ("back", "front", "power", "power3", "log", "log2")
"""Names of `hlomm.pricing.queues.QueueModel`, which is not imported for `--help`."""


@click.command()
@config_options
@STATE_DIR
@click.option("--name", default="shadow", show_default=True, help="Part of the tag that its rows have.")
@click.option("--queue", type=click.Choice(QUEUES), default="back", show_default=True, help="As for backtest.")
@click.option("--queue-n", type=Span(0.1, 10), default=2.0, show_default=True, help="As for backtest.")
@click.option("--latency", default="", metavar="LEG=TIME,…", help="As for backtest.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of drawn latencies.")
@click.option("--follow", is_flag=True, help="Go on beside a run that lasts, until Ctrl-C.")
@click.option("--list", "listing", is_flag=True, help="Shadows on record, one line per tag and run.")
@JSON
@reporting
def shadow(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None, name: str,
    queue: str, queue_n: float, latency: str, seed: int, follow: bool, listing: bool, as_json: bool,
) -> None:  # fmt: skip
    """What other settings would have done beside a run, without an order.

    Reads the run's journal and nothing else; decisions, and fills as a model makes them up, go to the run's ledger
    under a tag of their own. `--config` and `--set` lie on top of the run's own configuration.
    """
    from hlomm.cli.shadow import list_command, shadow_command

    if listing:
        finish(list_command(state_dir, profile=profile, as_json=as_json))
        return
    finish(
        shadow_command(
            state_dir, profile=profile, name=name, config_files=config_files, sets=sets, queue=queue, queue_n=queue_n,
            latency=latency, seed=seed, follow=follow, as_json=as_json,
        )
    )  # fmt: skip


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_options
@click.option("--strategy", default="avellaneda", show_default=True)
@click.option(
    "--queue", type=click.Choice(QUEUES), default="back", show_default=True, help="Where cancels of a level come from."
)
@click.option("--queue-n", type=Span(0.1, 10), default=2.0, show_default=True, help="Exponent of power and power3.")
@click.option(
    "--latency",
    default="",
    metavar="LEG=TIME,…",
    help="feed (on top of the recorded), entry, response: 190ms, or a JSON file of samples to draw from.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of drawn latencies.")
@click.option(
    "--fees",
    type=click.Choice(("recorded", "today")),
    default="recorded",
    show_default=True,
    help="Those of the recording's day, or what a live session reckons with now.",
)
@click.option("--bracket/--no-bracket", default=True, help="Run the cautious and the hopeful queue too.")
@click.option("--together", is_flag=True, help="All markets of a store at once, sharing limits, cash and estimates.")
@click.option(
    "--look-ahead-check", is_flag=True, help="Prove that no decision knows what comes after it; exit 3 if not."
)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Where the chart and report go.")
@JSON
@reporting
def backtest(
    *, data: tuple[Path, ...], profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str,
    queue: str, queue_n: float, latency: str, seed: int, fees: str, bracket: bool, together: bool,
    look_ahead_check: bool, out: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Run the engine over a recording; what fills is a model, and the result says which."""
    from hlomm.cli.backtest import Assumed, backtest_command, session_command

    assumed = Assumed(queue=queue, queue_n=queue_n, latency=latency, seed=seed, fees=fees)
    if together:
        finish(
            session_command(
                data, profile=profile, config_files=config_files, sets=sets, strategy=strategy, as_json=as_json,
                assumed=assumed, bracketed=bracket,
            )
        )  # fmt: skip
        return
    finish(
        backtest_command(
            data, profile=profile, config_files=config_files, sets=sets, strategy=strategy, out=out, as_json=as_json,
            assumed=assumed, bracketed=bracket, guarded=look_ahead_check,
        )
    )  # fmt: skip


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_options
@click.option("--strategy", default="avellaneda", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the sweep; gone on with if begun."
)
@click.option("--grid", multiple=True, metavar="KEY=VALUES", help="v1,v2,v3 or lo:hi:n; repeatable, all combinations.")
@click.option("--random", "draws", type=click.IntRange(1, 25_000), default=None, metavar="N", help="Instead: N draws.")
@click.option("--range", "ranges", multiple=True, metavar="KEY=LO..HI", help="Of --random; LO..HI@log too; repeatable.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of --random.")
@click.option("--points", type=click.Path(path_type=Path), default=None, help="TOML file with [grid] or [random].")
@click.option(
    "--tier",
    type=click.Choice(("queue", "kernel")),
    default="queue",
    show_default=True,
    help="What runs them: the engine, or its quoting compiled (needs numba).",
)
@click.option(
    "--check-sets",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Of --tier kernel: sets of each recording that the engine runs as well.",
)
@click.option("--block", type=Span(min=1), default=60.0, show_default=True, help="Seconds per observation.")
@click.option("--jobs", type=click.IntRange(1, 256), default=None, help="Processes; default: one per processor.")
@click.option("--scheduler", default=None, metavar="ADDRESS", help="A Dask cluster instead, e.g. tcp://10.0.0.1:8786.")
@click.option("--set-timeout", type=Span(min=1), default=900.0, show_default=True, help="Seconds per set.")
@click.option("--train", type=click.IntRange(min=1), default=None, metavar="D", help="Walk forward: days that choose.")
@click.option("--test", type=click.IntRange(min=1), default=None, metavar="D", help="And days that follow.")
@click.option("--trials", type=click.IntRange(min=0), default=0, show_default=True, help="Made earlier on these data.")
@click.option("--min-dsr", type=Span(0, 1), default=0.95, show_default=True, help="Of a promoted winner.")
@click.option("--max-pbo", type=Span(0, 1), default=0.05, show_default=True, help="Of a promoted winner.")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Sets shown.")
@JSON
@reporting
def sweep(
    *, data: tuple[Path, ...], profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str,
    out: Path, grid: tuple[str, ...], draws: int | None, ranges: tuple[str, ...], seed: int, points: Path | None,
    tier: str, check_sets: int, block: float, jobs: int | None, scheduler: str | None, set_timeout: float,
    train: int | None, test: int | None, trials: int, min_dsr: float, max_pbo: float, top: int, as_json: bool,
) -> None:  # fmt: skip
    """Try many sets of settings over recordings; what the best is worth after so many trials stands beside it."""
    from hlomm.cli import sweep as made
    from hlomm.research.sweep.judge import Rules
    from hlomm.research.sweep.summary import Asking

    finish(
        made.sweep_command(
            data, loaded=made.only_strategy(strategy, profile, config_files, sets),
            asked=made.asked_for(grid, ranges, draws, seed, points), tier=tier, block_s=block, out=out,
            where=made.Where(jobs=jobs, scheduler=scheduler, point_s=set_timeout, check_sets=check_sets),
            as_json=as_json,
            asking=Asking(
                rules=Rules(min_dsr=min_dsr, max_pbo=max_pbo), earlier=trials, top=top, train=train or 0,
                test=test or 0,
            ),
        )
    )  # fmt: skip


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@config_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE.toml",
    help="Settings found, for --config; and everything found, beside it as .json.",
)
@JSON
@reporting
def calibrate(
    *, paths: tuple[Path, ...], profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Estimate fill rates, vol, latencies and queue from recordings; nothing is applied.

    Each PATH is a store, a HIP-4 recording, or the state directory or journal of a run (own orders: latency, queue).
    """
    from hlomm.cli.calibrate import calibrate_command

    finish(
        calibrate_command(
            paths, profile=profile, config_files=config_files, sets=sets, out=out, as_json=as_json
        )
    )  # fmt: skip


@click.command()
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@JSON
@reporting
def drift(*, path: Path, as_json: bool) -> None:
    """What a run brought against its own backtest: latency, signals, others, queue and fees, market by market.

    RUN is a state directory or a journal. Exit 3 if the journal does not replay.
    """
    from hlomm.cli.drift import drift_command

    finish(drift_command(path, as_json=as_json))


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@config_options
@click.option("--strategy", default=None, help="Of a recording: the one that is run over it.  [default: avellaneda]")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="HTML file, or folder for it.")
@click.option("--every", type=Span(min=0.05), default=1.0, show_default=True, help="Seconds between samples.")
@click.option("--gif", is_flag=True, help="The surfaces over time as animated GIFs beside it.")
@click.option("--parquet", is_flag=True, help="Fills, quotes, equity and decisions as Parquet files beside it.")
@click.option("--promotion", is_flag=True, help="Of a state directory: its ledger against the criteria of [canary].")
@click.option("--drift", is_flag=True, help="Of a run: also what it made against its own backtest (takes minutes).")
@JSON
@reporting
def report(
    *, path: Path, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str | None,
    out: Path | None, every: float, gif: bool, parquet: bool, drift: bool, promotion: bool, as_json: bool,
) -> None:  # fmt: skip
    """A run or a recording as one HTML page that needs no network.

    PATH is a state directory, a journal, a folder as `hlomm backtest` reads it, or one that `hlomm sweep` wrote. Every
    figure shows where its data come from: live, recorded or sim.
    """
    if promotion:
        from hlomm.cli.promotion import promotion_command
        from hlomm.domain.faults import UsageError

        more = strategy is not None or out is not None or gif or parquet or drift
        if more:
            raise UsageError("--promotion is a table of its own: of the other options only --profile, --config, --set")
        finish(promotion_command(path, profile=profile, config_files=config_files, sets=sets, as_json=as_json))
        return
    from hlomm.cli.report import report_command

    finish(
        report_command(
            path, profile=profile, config_files=config_files, sets=sets, strategy=strategy, out=out, every_s=every,
            gif=gif, parquet=parquet, drift=drift, as_json=as_json,
        )
    )  # fmt: skip


IMPORTS = (
    "hip4", "hl-csv", "hl-frames", "hl-archive", "binance", "polymarket", "polymarket-tops", "polymarket-quotes",
    "kalshi", "candles",
)  # fmt: skip
"""Names of `hlomm.research.imports.kinds`, and of the tables that are taken whole; not imported for `--help`."""


@click.command(name="import")
@click.argument("kind", type=click.Choice(IMPORTS))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The store; added to if it exists.")
@JSON
@reporting
def import_(*, kind: str, paths: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Turn other people's recordings into a store; exit 2 if nothing real is found in them."""
    from hlomm.cli.data import import_command

    finish(import_command(kind, paths, out, as_json=as_json))


LENGTHS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d")
"""Names of `hlomm.venues.hyperliquid.wire.candles.LENGTHS_S`, which is not imported for `--help`."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@config_options
@click.option("--sim", "sim_file", type=click.Path(path_type=Path), default=None, help="Ask a running simulator.")
@click.option("--coin", default="BTC", show_default=True, help="Of Hyperliquid's perps.")
@click.option("--interval", type=click.Choice(LENGTHS), default="1m", show_default=True, help="Length of a candle.")
@click.option("--from", "start", default=None, metavar="TIME", help="UTC; default: 5,000 candles before the end.")
@click.option("--to", "end", default=None, metavar="TIME", help="UTC; default: the last candle that is over.")
@click.option(
    "--mode", type=click.Choice(("live", "historical", "auto")), default="auto", show_default=True,
    help="Ask the venue; read FILES; read FILES first and ask for what is missing.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The store; added to if it exists.")
@JSON
@reporting
def candles(
    *, files: tuple[Path, ...], profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...],
    sim_file: Path | None, coin: str, interval: str, start: str | None, end: str | None, mode: str, out: Path,
    as_json: bool,
) -> None:  # fmt: skip
    """Fetch what a store lacks of candles, 5,000 a request; nothing is made up, and holes are listed.

    FILES are tables as `hlomm import candles` reads them. Exit 2 if not one real candle can be had, 5 if the venue does
    not answer for all of it.
    """
    from hlomm.cli.candles import candles_command

    finish(
        candles_command(
            files, profile=profile, config_files=config_files, sets=sets, sim_file=sim_file, coin=coin,
            interval=interval, start=start, end=end, mode=mode, out=out, as_json=as_json,
        )
    )  # fmt: skip


@click.group(cls=Group)
def data() -> None:
    """Recorded data."""


@data.command(name="check")
@click.argument("folder", type=click.Path(path_type=Path))
@JSON
@reporting
def data_check(*, folder: Path, as_json: bool) -> None:
    """Gaps, crossed books, repeated rows, clocks, damaged files: counted, each with its rule; exit 3 for a defect."""
    from hlomm.cli.data import check_command

    finish(check_command(folder, as_json=as_json))


@data.command(name="pack")
@click.argument("folder", type=click.Path(path_type=Path))
@JSON
@reporting
def data_pack(*, folder: Path, as_json: bool) -> None:
    """Turn the spools of a recorder that was killed into Parquet; the next `hlomm record` does it too."""
    from hlomm.cli.data import pack_command

    finish(pack_command(folder, as_json=as_json))


COMMANDS: Final[tuple[click.Command, ...]] = (
    soak, record, shadow, backtest, sweep, calibrate, drift, report, import_, candles, data,
)  # fmt: skip
"""In the order in which they are shown."""
