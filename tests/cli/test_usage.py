"""Errors a person can act on, documents a script can read. Rung: processes, no daemon."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hlomm.rundir import owned_file
from hlomm.rundir.owned_file import OwnedNote


def test_help_lists_every_command(hlomm):
    done = hlomm("--help")
    assert done.code == 0
    for command in (
        "run", "tui", "status", "orders", "positions", "fills", "pnl", "markets", "explain", "kill", "flatten",
        "resume", "replay", "bundle", "metrics", "report", "doctor", "sim", "record", "import", "data", "backtest",
        "calibrate", "drift", "config",
    ):  # fmt: skip
        assert f"  {command} " in done.out


def test_config_mistakes_name_file_key_and_remedy(hlomm, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[limits]\nmax_postion = 3\nmax_drawdown = nan\n")
    done = hlomm("run", "--config", path)
    assert done.code == 2
    assert done.out == ""
    assert f"{path}: limits.max_postion: unknown key — did you mean 'max_position'?" in done.err
    assert "limits.max_drawdown" in done.err


def test_config_show_tells_origins(hlomm):
    done = hlomm("config", "show", "--set", "limits.max_drawdown=7", "--json")
    document = done.json()
    assert document["limits.max_drawdown"] == {"value": 7, "origin": "--set limits.max_drawdown"}
    assert document["quotes.refresh_s"]["origin"] == "default.toml"
    assert hlomm("config", "check").code == 0
    assert hlomm("config", "check", "--set", "a.b=1").code == 2


MISTAKE = ("--set", "venue.polymarket.request_s=15")
"""One where Polymarket is traded, and none where it is not."""


def test_a_configuration_is_looked_at_as_a_run_takes_it(hlomm):
    """The simulated venues are all on in a run, whatever the files leave off; a canary is in the sub-account."""
    shown = hlomm("config", "show", "--json").json()
    assert shown["venue.kalshi.enabled"] == {"value": True, "origin": "simulated venues"}
    run = hlomm("run", "--duration", "1", *MISTAKE)
    assert run.code == 2
    assert "venue.polymarket.request_s" in run.err
    checked = hlomm("config", "check", *MISTAKE)
    assert (checked.code, checked.err) == (2, run.err)
    doctor = {check["name"]: check for check in hlomm("doctor", "--json", *MISTAKE).json()["checks"]}
    assert doctor["configuration"]["code"] == "config_invalid"
    venues = {check["name"]: check["text"] for check in hlomm("doctor", "--json").json()["checks"]}
    assert venues["polymarket"] == venues["hyperliquid"] == "simulated: account and key come with the simulator"


def test_a_canary_is_looked_at_under_its_name(hlomm):
    own = ("--set", "canary.account=0x00000000000000000000000000000000000000ca")
    assert "canary.account is empty" in hlomm("config", "check", "--profile", "mainnet-canary").err
    assert hlomm("config", "check", "--profile", "mainnet-canary", *own).code == 0
    shown = hlomm("config", "show", "--profile", "mainnet-canary", *own, "--json").json()
    assert shown["limits.max_position"] == {"value": 50, "origin": "canary"}
    on = ("--set", "venue.kalshi.enabled=true")
    assert "a canary trades" in hlomm("config", "check", "--profile", "mainnet-canary", *own, *on).err
    assert hlomm("config", "show", "--profile", "sim-canary", "--json").json()["venue.kalshi.enabled"]["value"] is False


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ((), "hlomm run"),
        (("--profile", "paper"), "hlomm run --profile paper"),
        (("--profile", "mainnet-canary"), "hlomm run --profile mainnet-canary"),
        (("--profile", "papr"), "hlomm run"),
        (("--state-dir", "elsewhere/paper"), "hlomm run"),
    ],
)
def test_no_daemon_says_how_to_start_one(hlomm, given, start):
    done = hlomm("status", *given)
    assert done.code == 2
    assert f"start one with `{start}`" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--profile", "live"), "no profile 'live'"),
        (("run", "--arm", "5"), "no meaning in profile sim"),
        (("run", "--profile", "mainnet", "--sim", "sim.json"), "--sim has no meaning in profile mainnet"),
        (("run", "--profile", "testnet", "--sim", "sim.json", "--arm", "5"), "--sim has no meaning in profile testnet"),
        (("run", "--profile", "mainnet"), "write your own [limits] first"),
        (("sim", "--venues", "nyse"), "no simulated venue nyse"),
        (("sim", "--buckets", "15m,1w"), "expected a period such as 3m"),
        (("run", "--buckets", "1w"), "sim.buckets"),
        (("run", "--sim", "none.json"), "none.json"),
        (("run", "--venues", "hyperliquid,nyse"), "no venue nyse"),
        (("run", "--venues", "kalshi"), "hyperliquid is always one of them"),
        (("backtest", "none", "--strategy", "magic"), "no strategy 'magic'"),
        (("replay", "none"), "no such file or directory"),
        (("calibrate", "none"), "no such file or folder"),
        (("calibrate", "none", "--out", "found.json"), "ends in .toml"),
        (("drift", "none"), "no such file or directory"),
    ],
)
def test_usage_errors_exit_2_with_words(hlomm, arguments, words):
    done = hlomm(*arguments)
    assert done.code == 2, done.err
    assert words in done.err
    assert done.out == ""


def test_mainnet_needs_the_notional_typed(hlomm, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "[limits]\nmax_position=100\nmax_gross_notional=500\nmax_order_notional=100\nmax_open_orders=10\n"
        "max_drawdown=50\nmax_clock_skew_s=3\nmax_fair_deviation=0.2\nmax_resting_without_deadman=300\n"
        "max_orders_per_s=20\nmax_notional_per_min=5000\nmax_loss_event=100\nmax_loss_underlying=200\n"
        "max_loss_total=300\nmax_hedge_notional=1000\nmax_sets=100\n[strategy.avellaneda]\nmax_size=50\n"
    )
    done = hlomm("run", "--profile", "mainnet", "--config", path, "--arm", "400")
    assert done.code == 2
    assert "--arm 500" in done.err
    done = hlomm("run", "--profile", "mainnet", "--config", path, "--arm", "500")
    assert done.code == 2
    assert "account" in done.err


def test_backtest_without_data_says_what_it_needs(hlomm, tmp_path):
    done = hlomm("backtest", tmp_path / "none")
    assert done.code == 2
    assert "needs a recording" in done.err
    (tmp_path / "empty").mkdir()
    done = hlomm("backtest", tmp_path / "empty")
    assert done.code == 2
    assert "market_meta" in done.err


def test_replay_of_garbage_says_where(hlomm, tmp_path):
    path = tmp_path / "x.journal"
    path.write_bytes(b"not a journal at all")
    done = hlomm("replay", path, "--json")
    assert done.code == 3
    assert "byte 0" in json.dumps(done.json())


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--duration", "nan"),
        ("run", "--speed", "nan"),
        ("sweep", ".", "--out", "o", "--max-pbo", "nan"),
        ("report", ".", "--every", "nan"),
        ("run", "--duration", "inf"),
    ],
    ids=" ".join,
)
def test_not_a_number_is_out_of_every_bound(hlomm, arguments):
    done = hlomm(*arguments)
    assert (done.code, done.err.splitlines()[-1].endswith("is not a finite number.")) == (2, True)


def test_files_that_cannot_be_had_are_one_line(hlomm, tmp_path):
    """A loop of symlinks stands for everything that the system refuses with a name."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for arguments, code in (
        (("tui", "--state-dir", loop), 2),
        (("doctor", "--state-dir", loop), 3),
        (("keys", "list", "--keystore", loop), 2),
        (("record", "--profile", "mainnet", "--duration", "1", "--out", loop), 2),
        (("status", "--state-dir", tmp_path / ("x" * 200)), 2),
        (("run", "--state-dir", tmp_path / ("x" * 200), "--duration", "1"), 2),
    ):
        done = hlomm(*arguments)
        assert done.code == code, (arguments, done.err)
        assert "Traceback" not in done.err


def test_a_simulator_that_lists_nothing_says_so_through_the_run_too(hlomm, tmp_path):
    words = "sim.listing.periods: nothing would be listed — name a period such as 3m"
    assert words in hlomm("sim", "--periods", "").err
    done = hlomm("run", "--state-dir", tmp_path / "s", "--duration", "1", "--set", "sim.periods=[]")
    assert done.code == 2
    assert done.err.splitlines()[-1] == f"hlomm: the simulator takes none of that: {words}"


def test_a_kill_that_reaches_nobody_says_where_orders_can_still_be_cancelled(hlomm, tmp_path):
    done = hlomm("kill", "--state-dir", tmp_path, "--reason", "\udcff")
    assert done.code == 2
    assert done.err.endswith("guardian.sock — if orders may rest, cancel at the venue's own site\n")


def test_status_says_that_nobody_is_left_and_orders_may_rest(hlomm, tmp_path):
    said = hlomm("status", "--state-dir", tmp_path)
    assert said.code == 2
    assert "may rest" not in said.err
    owned_file.write(tmp_path / "owned.json", OwnedNote(pid=4_711, started=1, epoch_ms=1, account="x"))
    said = hlomm("status", "--state-dir", tmp_path)
    assert said.code == 2
    assert "no daemon answers" in said.err
    assert "the run of pid 4711 ended without goodbye: its orders may rest" in said.err


def test_a_name_that_is_no_text_is_one_line(hlomm, tmp_path):
    state = tmp_path / "\udcff"
    (state / "journal").mkdir(parents=True)
    (state / "journal" / "1795353300044-000000.journal").write_bytes(b"")
    done = hlomm("bundle", "--state-dir", state, "--out", tmp_path / "b.zip")
    assert done.code == 2
    assert done.err.count("\n") == 1, done.err


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("keys import hyperliquid --network testnet <&-", 2, "no key: name its file"),
        ("tui <&-", 2, "needs a terminal"),
        ("sim --json >/dev/full", 2, "the output: No space left on device"),
        ("--help >/dev/full", 2, "the output: No space left on device"),
        ("nonsense 2>/dev/full", 2, ""),
        ("config check 2>&-", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full(hlomm, line, code, words):
    """Supervisors and shells start programs so; each used to be a traceback, or a 1 that stands for nothing."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m hlomm.cli.main {line}', sys.executable], env=hlomm.environment(), capture_output=True,
        text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (code, 1 if words else 0), done.stderr
    assert words in done.stderr


def test_no_file_takes_the_number_of_a_stream_that_was_closed(hlomm):
    """What is printed to number 2 must never be written into a journal or a socket."""
    look = (
        "import sys, os; from hlomm.cli.options import _have_streams; _have_streams(); "
        "assert all(os.readlink(f'/proc/self/fd/{n}') == '/dev/null' and os.get_inheritable(n) for n in range(3)); "
        "assert [sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno()] == [0, 1, 2]"
    )
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, look], env=hlomm.environment(), check=False
    )
    assert done.returncode == 0


def test_the_folder_of_keys_may_be_in_quotes_as_for_a_run(hlomm, tmp_path):
    environment = hlomm.environment() | {"HL_OMM__KEYS__FOLDER": f' "{tmp_path}/k" '}
    done = subprocess.run(
        [sys.executable, "-m", "hlomm.cli.main", "keys", "list", "--json"], env=environment, capture_output=True,
        text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert json.loads(done.stdout)["folder"] == str(tmp_path / "k")


def test_a_canary_is_named_by_its_own_name_in_every_command(hlomm):
    """Those that read a configuration took it for a profile that there is not: no bundle, no alerts, no doctor."""
    assert hlomm("doctor", "--profile", "sim-canary", "--json").json()["state_dir"].endswith("/hlomm/sim-canary")
    for arguments, words in (
        (("bundle", "--profile", "mainnet-canary"), "mainnet-canary/journal: no run is on record"),
        (("alerts", "--profile", "testnet-canary"), "no alert URLs"),
        (("run", "--profile", "mainnet-canary"), "profile mainnet trades for real: write your own [limits] first"),
        (("run", "--profile", "paper-canary"), "no profile 'paper-canary'"),
        (("metrics", "--profile", "paper-canary"), "no profile 'paper-canary'"),
        (("selftest", "--live", "--profile", "mainnet-canary"), "no profile 'mainnet-canary'"),
    ):
        done = hlomm(*arguments)
        assert (done.code, words in done.err) == (2, True), done.err
