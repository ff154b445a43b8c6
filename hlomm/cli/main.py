"""`hlomm`: every command in one place."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import click

from hlomm import __version__
from hlomm.cli.look import tui
from hlomm.cli.options import (
    JSON,
    KEYSTORE,
    PASSWORD_FD,
    PROFILE,
    SOCKET,
    STATE_DIR,
    config_options,
    finish,
    key_options,
    new_key_options,
    reporting,
)
from hlomm.domain.faults import UsageError


class Group(click.Group):
    """Keeps commands in the order they are declared: the way a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hlomm")
def main() -> None:
    """Market maker for Hyperliquid HIP-4 outcome contracts.

    Without any configuration `hlomm run` trades simulated venues with play money; `hlomm tui` looks in.
    """


@main.command()
@config_options
@STATE_DIR
@click.option("--sim", "sim_file", type=click.Path(path_type=Path), default=None, help="Attach to a running simulator.")
@click.option(
    "--venues", default=None, metavar="NAMES",
    help="Which to trade at, with commas; profile sim trades at all that are simulated.",
)  # fmt: skip
@click.option("--duration", type=click.FloatRange(min=0.1), default=None, help="Stop after that many seconds.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the simulator.")
@click.option(
    "--speed", type=click.FloatRange(min=0.1, max=100), default=1.0, show_default=True, help="Venue time factor."
)
@click.option("--buckets", default=None, metavar="PERIODS", help="Simulator: list price buckets too, e.g. 15m.")
@click.option(
    "--arm", type=click.FloatRange(min=0), default=None, help="Live profiles: the notional you allow, typed out."
)
@PASSWORD_FD
@click.option("--i-know", is_flag=True, help="Live profiles: sign with the account's own key, which can withdraw.")
@JSON
@reporting
def run(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None,
    sim_file: Path | None, venues: str | None, duration: float | None, seed: int, speed: float, buckets: str | None,
    arm: float | None, password_fd: int | None, i_know: bool, as_json: bool,
) -> None:  # fmt: skip
    """Trade, in the foreground, until Ctrl-C (which cancels, flattens and leaves)."""
    from hlomm.cli.run import run_command

    if buckets is not None:
        sets += (f"sim.buckets={json.dumps([name.strip() for name in buckets.split(',') if name.strip()])}",)
    finish(
        run_command(
            profile=profile, config_files=config_files, sets=sets, state_dir=state_dir, sim_file=sim_file,
            venues=venues, duration_s=duration, seed=seed, speed=speed, arm=arm,
            password_fd=password_fd, i_know=i_know, as_json=as_json,
        )
    )  # fmt: skip


main.add_command(tui)


@main.command()
@PROFILE
@STATE_DIR
@SOCKET
@JSON
@click.option("--latency", is_flag=True, help="How long each stage of a decision takes, and the queues.")
@reporting
def status(*, profile: str, state_dir: Path | None, socket: Path | None, as_json: bool, latency: bool) -> None:
    """State, venues, equity, positions at a glance."""
    from hlomm.cli import latency as timed
    from hlomm.cli import views

    view = timed.latency if latency else views.status
    views.show(view, profile, state_dir, socket, as_json=as_json)


def _view(name: str, summary: str, module: str = "views") -> None:
    @main.command(name=name, help=summary)
    @PROFILE
    @STATE_DIR
    @SOCKET
    @JSON
    @reporting
    def command(*, profile: str, state_dir: Path | None, socket: Path | None, as_json: bool) -> None:
        from hlomm.cli import views

        views.show(getattr(import_module(f"hlomm.cli.{module}"), name), profile, state_dir, socket, as_json=as_json)


_view("orders", "Live orders: owner, state, and what made each or holds it.", "trades")
_view("positions", "Tokens held, cost and value.")
_view("fills", "Last fills, newest last, and what each was worth a little later.", "trades")


@main.command()
@PROFILE
@STATE_DIR
@SOCKET
@click.option("--scenarios", is_flag=True, help="What could still be won or lost, by settlement.")
@JSON
@reporting
def pnl(*, profile: str, state_dir: Path | None, socket: Path | None, scenarios: bool, as_json: bool) -> None:
    """Result and where it came from."""
    from hlomm.cli import views

    views.show(views.pnl, profile, state_dir, socket, as_json=as_json, scenarios=scenarios)


@main.command()
@PROFILE
@STATE_DIR
@SOCKET
@click.option("--links", is_flag=True, help="Pairs of contracts on one event: grade, state, every term that differs.")
@JSON
@reporting
def markets(*, profile: str, state_dir: Path | None, socket: Path | None, links: bool, as_json: bool) -> None:
    """What is listed, under every name it has, and what is done with it."""
    from hlomm.cli import linked, listing, views

    views.show(linked.links if links else listing.markets, profile, state_dir, socket, as_json=as_json)


@main.command()
@PROFILE
@STATE_DIR
@SOCKET
@JSON
@reporting
def arbitrage(*, profile: str, state_dir: Path | None, socket: Path | None, as_json: bool) -> None:
    """Linked events and what they would bring; pairs being made, kept, and what became of all."""
    from hlomm.cli import arbitrage as view
    from hlomm.cli import views

    views.show(view.arbitrage, profile, state_dir, socket, as_json=as_json)


@main.command()
@click.argument("market", required=False)
@PROFILE
@STATE_DIR
@SOCKET
@JSON
@reporting
def explain(*, market: str | None, profile: str, state_dir: Path | None, socket: Path | None, as_json: bool) -> None:
    """Why a market is quoted the way it is, or not at all.

    MARKET is a name as `hlomm markets` shows it or the beginning of one, a coin (#9000), or a market id.
    """
    from hlomm.cli import views

    views.show(views.explain, profile, state_dir, socket, as_json=as_json, market=market)


def _order(name: str, summary: str) -> None:
    @main.command(name=name, help=summary)
    @PROFILE
    @STATE_DIR
    @SOCKET
    @click.option("--reason", default="", help="Goes into the record.")
    @JSON
    @reporting
    def command(*, profile: str, state_dir: Path | None, socket: Path | None, reason: str, as_json: bool) -> None:
        from hlomm.cli import views

        finish(views.command(name, profile, state_dir, socket, reason=reason, as_json=as_json))


_order("kill", "Cancel everything, flatten, stay HALTED across restarts.")
_order("flatten", "Cancel everything and sell what is held; then HALTED.")
_order("cancel", "Cancel everything and sell nothing; then HALTED with what is held.")
_order("resume", "Leave HALTED and quote again.")


def _strategy(name: str, summary: str) -> None:
    @main.command(name=name, help=summary)
    @click.argument("strategy")
    @PROFILE
    @STATE_DIR
    @SOCKET
    @click.option("--reason", default="", help="Goes into the record.")
    @JSON
    @reporting
    def command(
        *, strategy: str, profile: str, state_dir: Path | None, socket: Path | None, reason: str, as_json: bool
    ) -> None:
        from hlomm.cli import views

        finish(views.command(name, profile, state_dir, socket, reason=reason, as_json=as_json, target=strategy))


_strategy("pause", "Stop one strategy's quoting.")
_strategy("unpause", "Let it quote again.")


@main.command()
@click.argument("assignment", metavar="KEY=VALUE")
@PROFILE
@STATE_DIR
@SOCKET
@click.option("--reason", default="", help="Goes into the record.")
@JSON
@reporting
def tune(
    *, assignment: str, profile: str, state_dir: Path | None, socket: Path | None, reason: str, as_json: bool
) -> None:
    """Change a strategy's setting while it trades, e.g. strategy.avellaneda.gamma=0.0005.

    It holds until the daemon restarts. Limits cannot be tuned; a value that breaks a bound is refused (exit 2).
    """
    from hlomm.cli.tuning import tune_command

    finish(tune_command(assignment, profile, state_dir, socket, reason=reason, as_json=as_json))


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--until", type=click.IntRange(min=1), default=None, metavar="SEQ", help="Stop after that record.")
@click.option("--set", "sets", multiple=True, metavar="A.B=V", help="Replay with another setting.")
@JSON
@reporting
def replay(*, path: Path, until: int | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Re-run a journal and compare every decision, byte for byte."""
    from hlomm.cli.replay import replay_command

    finish(replay_command(path, until=until, sets=sets, as_json=as_json))


@main.command()
@config_options
@STATE_DIR
@click.option("--rebuild-ledger", is_flag=True, help="First make ledger.sqlite anew from the journal.")
@JSON
@reporting
def doctor(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None,
    rebuild_ledger: bool, as_json: bool,
) -> None:  # fmt: skip
    """Check configuration, state directory, journal, ledger and audit chain; exit 3 if a check fails."""
    from hlomm.cli.doctor import doctor_command

    finish(
        doctor_command(
            profile=profile, config_files=config_files, sets=sets, state_dir=state_dir,
            rebuild_ledger=rebuild_ledger, as_json=as_json,
        )
    )  # fmt: skip


@main.command()
@click.option("--venues", default="hyperliquid,polymarket,kalshi", show_default=True, help="Comma-separated.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--speed", type=click.FloatRange(min=0.1, max=100), default=1.0, show_default=True)
@click.option("--linger", type=click.FloatRange(min=1), default=None, help="End after that long without clients.")
@click.option("--first-expiry", type=click.FloatRange(min=5, max=180), default=45.0, show_default=True)
@click.option("--periods", default="3m,15m,1h,1d", show_default=True, help="Series of binaries, comma-separated.")
@click.option("--buckets", default="", metavar="PERIODS", help="Series of price buckets, e.g. 15m.")
@click.option("--templates", default="", metavar="PERIODS", help="Series of a deployer's contracts.")
@click.option(
    "--dislocations/--no-dislocations", default=True, show_default=True, help="Whether the venues' prices fall apart."
)
@JSON
@reporting
def sim(
    *, venues: str, seed: int, speed: float, linger: float | None, first_expiry: float, periods: str, buckets: str,
    templates: str, dislocations: bool, as_json: bool,
) -> None:  # fmt: skip
    """Serve the simulated venues alone, for any client."""
    from hlomm.cli.sim import Series, sim_command

    sim_command(
        venues=venues, seed=seed, speed=speed, linger_s=linger, first_expiry_s=first_expiry, as_json=as_json,
        series=Series(periods=periods, buckets=buckets, templates=templates), dislocations=dislocations,
    )  # fmt: skip


@main.command(hidden=True)
@click.option("--state-dir", type=click.Path(path_type=Path), required=True)
@reporting
def guardian(*, state_dir: Path) -> None:
    """Watch over a daemon; `hlomm run` starts it and tells it what it needs on standard input."""
    from hlomm.cli.guardian import guardian_command

    guardian_command(state_dir)


@main.command()
@click.option("--seeds", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many.")
@click.option("--first", type=click.IntRange(min=0), default=0, show_default=True, help="The first of them.")
@click.option("--seed", type=click.IntRange(min=0), default=None, help="Only this one, as a failed run said.")
@click.option("--days", type=click.FloatRange(0.05, 30), default=1.0, show_default=True, help="Length of each run.")
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


@main.command()
@config_options
@click.option("--sim", "sim_file", type=click.Path(path_type=Path), default=None, help="Record a running simulator.")
@click.option("--venues", default=None, metavar="NAMES", help="Which, with commas; default: all that have an address.")
@click.option("--markets", default="*", metavar="PATTERNS", help="Which of those listed, by id or name, e.g. '*15m*'.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The store; added to if it exists.")
@click.option("--duration", type=click.FloatRange(min=0.1), default=None, help="Stop after that many seconds.")
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


@main.command()
@config_options
@STATE_DIR
@click.option("--name", default="shadow", show_default=True, help="Part of the tag that its rows have.")
@click.option("--queue", type=click.Choice(QUEUES), default="back", show_default=True, help="As for backtest.")
@click.option("--queue-n", type=click.FloatRange(0.1, 10), default=2.0, show_default=True, help="As for backtest.")
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


@main.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@config_options
@click.option("--strategy", default="avellaneda", show_default=True)
@click.option(
    "--queue", type=click.Choice(QUEUES), default="back", show_default=True, help="Where cancels of a level come from."
)
@click.option(
    "--queue-n", type=click.FloatRange(0.1, 10), default=2.0, show_default=True, help="Exponent of power and power3."
)
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


@main.command()
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
    "--tier", type=click.Choice(("queue", "kernel")), default="queue", show_default=True, help="What runs them."
)
@click.option("--block", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Seconds per observation.")
@click.option("--jobs", type=click.IntRange(1, 256), default=None, help="Processes; default: one per processor.")
@click.option("--scheduler", default=None, metavar="ADDRESS", help="A Dask cluster instead, e.g. tcp://10.0.0.1:8786.")
@click.option("--set-timeout", type=click.FloatRange(min=1), default=900.0, show_default=True, help="Seconds per set.")
@click.option("--train", type=click.IntRange(min=1), default=None, metavar="D", help="Walk forward: days that choose.")
@click.option("--test", type=click.IntRange(min=1), default=None, metavar="D", help="And days that follow.")
@click.option("--trials", type=click.IntRange(min=0), default=0, show_default=True, help="Made earlier on these data.")
@click.option("--min-dsr", type=click.FloatRange(0, 1), default=0.95, show_default=True, help="Of a promoted winner.")
@click.option("--max-pbo", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Of a promoted winner.")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Sets shown.")
@JSON
@reporting
def sweep(
    *, data: tuple[Path, ...], profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str,
    out: Path, grid: tuple[str, ...], draws: int | None, ranges: tuple[str, ...], seed: int, points: Path | None,
    tier: str, block: float, jobs: int | None, scheduler: str | None, set_timeout: float, train: int | None,
    test: int | None, trials: int, min_dsr: float, max_pbo: float, top: int, as_json: bool,
) -> None:  # fmt: skip
    """Try many sets of settings over recordings; what the best is worth after so many trials stands beside it."""
    from hlomm.cli import sweep as made
    from hlomm.research.sweep.judge import Rules
    from hlomm.research.sweep.summary import Asking

    finish(
        made.sweep_command(
            data, loaded=made.only_strategy(strategy, profile, config_files, sets),
            asked=made.asked_for(grid, ranges, draws, seed, points), tier=tier, block_s=block, out=out,
            where=made.Where(jobs=jobs, scheduler=scheduler, point_s=set_timeout), as_json=as_json,
            asking=Asking(
                rules=Rules(min_dsr=min_dsr, max_pbo=max_pbo), earlier=trials, top=top, train=train or 0,
                test=test or 0,
            ),
        )
    )  # fmt: skip


@main.command()
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


@main.command()
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@JSON
@reporting
def drift(*, path: Path, as_json: bool) -> None:
    """What a run brought against its own backtest: latency, signals, others, queue and fees, market by market.

    RUN is a state directory or a journal. Exit 3 if the journal does not replay.
    """
    from hlomm.cli.drift import drift_command

    finish(drift_command(path, as_json=as_json))


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@config_options
@click.option("--strategy", default=None, help="Of a recording: the one that is run over it.  [default: avellaneda]")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="HTML file, or folder for it.")
@click.option(
    "--every", type=click.FloatRange(min=0.05), default=1.0, show_default=True, help="Seconds between samples."
)
@click.option("--gif", is_flag=True, help="The surfaces over time as animated GIFs beside it.")
@click.option("--parquet", is_flag=True, help="Fills, quotes, equity and decisions as Parquet files beside it.")
@click.option("--drift", is_flag=True, help="Of a run: also what it made against its own backtest (takes minutes).")
@JSON
@reporting
def report(
    *, path: Path, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str | None,
    out: Path | None, every: float, gif: bool, parquet: bool, drift: bool, as_json: bool,
) -> None:  # fmt: skip
    """A run or a recording as one HTML page that needs no network.

    PATH is a state directory, a journal, a folder as `hlomm backtest` reads it, or one that `hlomm sweep` wrote. Every
    figure shows where its data come from: live, recorded or sim.
    """
    from hlomm.cli.report import report_command

    finish(
        report_command(
            path, profile=profile, config_files=config_files, sets=sets, strategy=strategy, out=out, every_s=every,
            gif=gif, parquet=parquet, drift=drift, as_json=as_json,
        )
    )  # fmt: skip


IMPORTS = ("hip4", "hl-csv", "hl-frames", "hl-archive", "binance", "polymarket", "kalshi", "candles")
"""Names of `hlomm.research.imports.kinds`, and candles, which is not imported for `--help`."""


@main.command(name="import")
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


@main.command()
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


@main.group(cls=Group)
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


@main.group(cls=Group)
def keys() -> None:
    """The encrypted keys of a live run: one file for each venue, role and network, one password for all."""
    from hlomm.rundir.hardening import no_core_dumps

    no_core_dumps()


@keys.command(name="import")
@key_options
@new_key_options
@JSON
@reporting
def keys_import(
    *, venue: str, role: str, network: str, keystore: Path | None, source: str | None,
    from_password_fd: int | None, key_id: str, expires: str, password_fd: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Encrypt a key: an agent's 64 hex digits, a keyfile, a PEM, or an API key as JSON.

    It is asked for at the terminal unless --from names a file; it is never an argument.
    """
    from hlomm.cli import keystore as store
    from hlomm.keystore.folder import keystore_at

    given = store.given(source, from_password_fd, key_id=key_id, expires=expires, password_fd=password_fd)
    slot = store.slot_of(venue, role, network)
    finish(store.import_command(keystore_at(keystore), slot, given, as_json=as_json))


@keys.command(name="list")
@KEYSTORE
@JSON
@reporting
def keys_list(*, keystore: Path | None, as_json: bool) -> None:
    """Venue, role, address or id, network and dates; nothing secret, and no password is asked."""
    from hlomm.cli import keystore as store
    from hlomm.keystore.folder import keystore_at

    finish(store.list_command(keystore_at(keystore), as_json=as_json))


@keys.command(name="remove")
@key_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@reporting
def keys_remove(*, venue: str, role: str, network: str, keystore: Path | None, yes: bool, as_json: bool) -> None:
    """Delete a key's file. The key is good at the venue until it is revoked there."""
    from hlomm.cli import keystore as store
    from hlomm.keystore.folder import keystore_at

    slot = store.slot_of(venue, role, network)
    finish(store.remove_command(keystore_at(keystore), slot, sure=yes, as_json=as_json))


@keys.command(name="rotate")
@key_options
@new_key_options
@click.option("--confirm", is_flag=True, help="The new key works: remove the old one.")
@click.option("--undo", is_flag=True, help="It does not: put the old one back.")
@JSON
@reporting
def keys_rotate(
    *, venue: str, role: str, network: str, keystore: Path | None, source: str | None,
    from_password_fd: int | None, key_id: str, expires: str, password_fd: int | None, confirm: bool, undo: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Put a new key in place of the old, which is kept until --confirm or --undo."""
    from hlomm.cli import keystore as store
    from hlomm.keystore.folder import keystore_at

    slot, folder = store.slot_of(venue, role, network), keystore_at(keystore)
    if confirm and undo:
        raise UsageError("--confirm and --undo are the two ways to end a rotation: choose one")
    if confirm or undo:
        finish(store.settle_command(folder, slot, confirm=confirm, as_json=as_json))
        return
    given = store.given(source, from_password_fd, key_id=key_id, expires=expires, password_fd=password_fd)
    finish(store.rotate_command(folder, slot, given, as_json=as_json))


@main.group(cls=Group)
def config() -> None:
    """The merged configuration."""


@config.command(name="show")
@config_options
@JSON
@reporting
def config_show(*, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], as_json: bool) -> None:
    """Merged values, each with the place it came from."""
    from hlomm.cli.configuration import show

    show(profile, config_files, sets, as_json=as_json)


@config.command(name="check")
@config_options
@reporting
def config_check(*, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...]) -> None:
    """Validate without running; exit 2 with every mistake listed."""
    from hlomm.settings.load import load

    load(profile, config_files, sets)
    click.echo("configuration is fine", err=True)


@config.command(name="init")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@reporting
def config_init(*, file: Path) -> None:
    """Write a file of your own: every setting with its meaning, commented out. Nothing is overwritten."""
    from hlomm.cli.configuration import init

    init(file)


@config.command(name="schema")
@reporting
def config_schema() -> None:
    """JSON Schema of a configuration file, for editors."""
    from hlomm.cli.configuration import print_schema

    print_schema()


if __name__ == "__main__":
    main()
