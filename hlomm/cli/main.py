"""`hlomm`: every command in one place."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import click

from hlomm import __version__
from hlomm.cli import research
from hlomm.cli.benches import bench
from hlomm.cli.look import tui
from hlomm.cli.options import (
    JSON,
    KEYSTORE,
    PASSWORD_FD,
    PROFILE,
    SOCKET,
    STATE_DIR,
    Group,
    Span,
    config_options,
    finish,
    key_options,
    new_key_options,
    reporting,
)
from hlomm.domain.faults import UsageError


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
@click.option("--duration", type=Span(min=0.1), default=None, help="Stop after that many seconds.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the simulator.")
@click.option("--speed", type=Span(min=0.1, max=100), default=1.0, show_default=True, help="Venue time factor.")
@click.option("--buckets", default=None, metavar="PERIODS", help="Simulator: list price buckets too, e.g. 15m.")
@click.option("--arm", type=Span(min=0), default=None, help="Live profiles: the notional you allow, typed out.")
@PASSWORD_FD
@click.option("--i-know", is_flag=True, help="Live profiles: sign with the account's own key, which can withdraw.")
@click.option("--canary", is_flag=True, help="On the sub-account of [canary], at smallest sizes.")
@JSON
@reporting
def run(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None,
    sim_file: Path | None, venues: str | None, duration: float | None, seed: int, speed: float, buckets: str | None,
    arm: float | None, password_fd: int | None, i_know: bool, canary: bool, as_json: bool,
) -> None:  # fmt: skip
    """Trade, in the foreground, until Ctrl-C (which cancels, flattens and leaves)."""
    from hlomm.cli.run import run_command

    if buckets is not None:
        sets += (f"sim.buckets={json.dumps([name.strip() for name in buckets.split(',') if name.strip()])}",)
    finish(
        run_command(
            profile=profile, config_files=config_files, sets=sets, state_dir=state_dir, sim_file=sim_file,
            venues=venues, duration_s=duration, seed=seed, speed=speed, arm=arm,
            password_fd=password_fd, i_know=i_know, canary=canary, as_json=as_json,
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
@PROFILE
@STATE_DIR
@SOCKET
@click.option("--port", type=click.IntRange(0, 65_535), default=9109, show_default=True, help="On 127.0.0.1.")
@JSON
@reporting
def metrics(*, profile: str, state_dir: Path | None, socket: Path | None, port: int, as_json: bool) -> None:
    """Serve /metrics (Prometheus), /health, /decisions, /positions and /performance, read-only, on this machine.

    A process of its own beside the daemon, which it asks at most once a second; it may come and go as it likes.
    """
    from hlomm.cli.metrics import metrics_command

    finish(metrics_command(profile=profile, state_dir=state_dir, socket_file=socket, port=port, as_json=as_json))


@main.command()
@config_options
@STATE_DIR
@SOCKET
@click.option("--test", is_flag=True, help="Send one message to each service, say what became of it, and end.")
@JSON
@reporting
def alerts(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None,
    socket: Path | None, test: bool, as_json: bool,
) -> None:  # fmt: skip
    """Tell people: halts, risk, silence and a digest, by chat, pager or mail ([alerts] in the configuration).

    A process of its own that never holds up trading; it may start before the daemon and outlives it.
    """
    from hlomm.cli.alerts import Given, alerts_command

    given = Given(
        profile=profile, config_files=config_files, sets=sets, state_dir=state_dir, socket_file=socket
    )  # fmt: skip
    finish(alerts_command(given, test=test, as_json=as_json))


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

    Several go together ('a=1; b=2'), all or none. It holds until the daemon restarts. Limits cannot be tuned; a value
    that breaks a bound is refused (exit 2).
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
    """Re-run a journal, or the newest run of a bundle, and compare every decision, byte for byte."""
    from hlomm.cli.replay import replay_command

    finish(replay_command(path, until=until, sets=sets, as_json=as_json))


@main.command()
@config_options
@STATE_DIR
@click.option("--live", is_flag=True, help="Ask the venues too, with the keys of a run: questions only.")
@click.option("--sim", "sim_file", type=click.Path(path_type=Path), default=None, help="--live asks that simulator.")
@click.option("--rebuild-ledger", is_flag=True, help="First make ledger.sqlite anew from the journal.")
@click.option("--port", type=click.IntRange(1, 65_535), default=9109, show_default=True, help="Of `hlomm metrics`.")
@PASSWORD_FD
@click.option("--i-know", is_flag=True, help="As for `hlomm run`: the account's own key is taken.")
@JSON
@reporting
def doctor(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None, live: bool,
    sim_file: Path | None, rebuild_ledger: bool, port: int, password_fd: int | None, i_know: bool, as_json: bool,
) -> None:  # fmt: skip
    """Check program, configuration, keys, disk and records, and with --live the venues; exit 3 if a check fails.

    Each line: ok, warn or fail, a stable code, and what to do. It places nothing and changes nothing.
    """
    from hlomm.cli.doctor import Live, doctor_command
    from hlomm.rundir.hardening import no_core_dumps

    if live:
        no_core_dumps()
    asked = Live(sim_file=sim_file, password_fd=password_fd, i_know=i_know) if live else None
    finish(
        doctor_command(
            profile=profile, config_files=config_files, sets=sets, state_dir=state_dir,
            rebuild_ledger=rebuild_ledger, port=port, live=asked, as_json=as_json,
        )
    )  # fmt: skip


@main.command()
@config_options
@STATE_DIR
@click.option("--live", is_flag=True, help="Yes, place orders.")
@click.option("--sim", "sim_file", type=click.Path(path_type=Path), default=None, help="Profile sim: that simulator.")
@click.option("--venue", default="hyperliquid", show_default=True, help="Where.")
@click.option("--market", default=None, metavar="ID", help="In which market; default: nearest to even odds.")
@click.option("--arm", type=Span(min=0), default=None, help="Live profiles: as for `hlomm run`.")
@PASSWORD_FD
@click.option("--i-know", is_flag=True, help="As for `hlomm run`: the account's own key is taken.")
@JSON
@reporting
def selftest(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None, live: bool,
    sim_file: Path | None, venue: str, market: str | None, arm: float | None, password_fd: int | None, i_know: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """One round trip of the venue's least size, after typed confirmation; every answer is compared with the model.

    Rests a bid far away, changes and cancels it, buys and sells back. Exit 3 if a field differs, 6 if it is not flat.
    """
    from hlomm.cli.selftest import Asked, selftest_command
    from hlomm.rundir.hardening import no_core_dumps

    no_core_dumps()
    asked = Asked(
        profile=profile, config_files=config_files, sets=sets, state_dir=state_dir, sim_file=sim_file, venue=venue,
        market=market, live=live, arm=arm, password_fd=password_fd, i_know=i_know,
    )  # fmt: skip
    finish(selftest_command(asked, as_json=as_json))


@main.command()
@config_options
@STATE_DIR
@click.option("--since", default="1d", show_default=True, metavar="WHEN", help="90m, 2h, 3d ago, or a time.")
@click.option("--log", "logs", multiple=True, type=click.Path(path_type=Path), help="A log kept elsewhere; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="The file; default: named by the time.")
@click.option("--no-replay", is_flag=True, help="Leave out the replay of each run, which takes time for a long one.")
@JSON
@reporting
def bundle(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None, since: str,
    logs: tuple[Path, ...], out: Path | None, no_replay: bool, as_json: bool,
) -> None:  # fmt: skip
    """Pack an incident into one file for `hlomm replay`: journal, configuration, logs, versions, verdicts; no keys.

    Every run that wrote anything since then is packed whole, for it can only be replayed from its beginning.
    """
    from hlomm.cli.bundle import bundle_command

    finish(
        bundle_command(
            profile=profile, config_files=config_files, sets=sets, state_dir=state_dir, since=since, logs=logs,
            out=out, verdicts=not no_replay, as_json=as_json,
        )
    )  # fmt: skip


@main.command()
@click.option("--venues", default="hyperliquid,polymarket,kalshi", show_default=True, help="Comma-separated.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--speed", type=Span(min=0.1, max=100), default=1.0, show_default=True)
@click.option("--linger", type=Span(min=1), default=None, help="End after that long without clients.")
@click.option("--first-expiry", type=Span(min=5, max=180), default=45.0, show_default=True)
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


for research_command in research.COMMANDS:
    main.add_command(research_command)

main.add_command(bench)


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
    from hlomm.cli.venues import configured

    configured(profile, config_files, sets)
    click.echo("configuration is fine", err=True)


@config.command(name="reload")
@PROFILE
@STATE_DIR
@SOCKET
@click.option("--reason", default="", help="Goes into the record.")
@click.option("--tunable-only", is_flag=True, help="Take what can be changed now, and leave the rest to a restart.")
@JSON
@reporting
def config_reload(
    *, profile: str, state_dir: Path | None, socket: Path | None, reason: str, tunable_only: bool, as_json: bool
) -> None:
    """Read the files of the running daemon again, and change what may change while it trades: all of it or nothing.

    What would need a restart is named, and then nothing is changed (exit 2). See `hlomm tune` for what may change.
    """
    from hlomm.cli.reloading import reload_command

    finish(reload_command(profile, state_dir, socket, reason=reason, tunable_only=tunable_only, as_json=as_json))


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
