"""One simulated daemon as a process, used the way an operator uses it. Slow by nature: real processes, real sockets."""

from __future__ import annotations

import json
import signal
import urllib.request

import pytest

pytestmark = pytest.mark.slow

NAMES = ("hyperliquid", "polymarket", "kalshi")


def test_run_look_kill_restart_resume_replay(hlomm, tmp_path):
    state = tmp_path / "st"
    daemon = hlomm.start("run", "--state-dir", state, "--seed", "7", "--json")

    def status():
        done = hlomm("status", "--state-dir", state, "--json")
        return done.json() if done.code == 0 else None

    hlomm.until(lambda: (s := status()) and s["state"] == "running" and s["venues"]["hyperliquid"]["open_orders"] >= 2)
    assert hlomm("run", "--state-dir", state).code == 7, "a second daemon on the same state directory"

    assert status()["guardian"]["state"] == "up"
    orders = hlomm("orders", "--state-dir", state, "--json").json()
    assert all(order["purpose"] in {"quote", "hedge"} for order in orders)

    def explain():
        return hlomm("explain", "--state-dir", state, "--json").json()

    hlomm.until(lambda: any(row["bid"]["guard"] == "ok" for row in explain()))  # it may be amending all of them
    explained = next(row for row in explain() if row["id"].startswith("hyperliquid:o"))
    market = explained["market"]
    assert hlomm("explain", market, "--state-dir", state).out.startswith(market)
    assert hlomm("explain", "nonsense", "--state-dir", state).code == 2
    listed = hlomm("markets", "--state-dir", state, "--json").json()
    (row,) = [row for row in listed["markets"] if row["market"] == market and row["id"] == explained["id"]]
    assert hlomm("explain", row["coins"]["NO"], "--state-dir", state).out.startswith(market)
    assert row["coins"]["YES"] in hlomm("markets", "--state-dir", state).out
    for view in ("positions", "fills", "pnl"):
        assert hlomm(view, "--state-dir", state, "--json").code == 0
        assert hlomm(view, "--state-dir", state).out

    unknown = hlomm("pause", "nobody", "--state-dir", state)
    assert (unknown.code, "no strategy 'nobody'" in unknown.out) == (2, True)
    tuned = hlomm("tune", "strategy.avellaneda.gamma=0.0004", "--state-dir", state, "--reason", "\udcff" * 100_000)
    assert tuned.code == 0, tuned.err
    assert hlomm("kill", "--state-dir", state, "--reason", f"drill \udcff{'x' * 100_000}").code == 0
    hlomm.until(lambda: status()["state"] == "halted")
    daemon.send_signal(signal.SIGTERM)
    out, _ = daemon.communicate(timeout=40)
    summary = json.loads(out)
    assert daemon.returncode == 4
    assert summary["venue_open_orders"] == 0
    assert summary["invariant_breaks"] == 0
    assert summary["orders_placed"] > 0
    assert hlomm("status", "--state-dir", state).code == 2, "nobody answers any more"

    again = hlomm.start("run", "--state-dir", state, "--seed", "7", "--duration", "60")
    hlomm.until(lambda: (s := status()) and s["state"] == "halted")
    assert "drill" in status()["reason"]
    resumed = hlomm("resume", "--state-dir", state)
    assert (resumed.code, resumed.out.count("\n"), "hlomm resume" in resumed.out) == (0, 1, False), "no old alert"
    hlomm.until(lambda: status()["venues"]["hyperliquid"]["open_orders"] >= 1)
    # The first quotes of a flat book hardly depend on gamma: wait until a decision that does is on record.
    hlomm.until(lambda: hlomm("replay", state, "--set", "strategy.avellaneda.gamma=0.2").code == 3)
    again.send_signal(signal.SIGINT)
    assert again.wait(40) == 0

    replayed = hlomm("replay", state, "--json").json()
    assert replayed["identical"]
    assert replayed["outputs"] > 0
    diverged = hlomm("replay", state, "--set", "strategy.avellaneda.gamma=0.2", "--json")
    assert diverged.code == 3
    assert "first_divergence" in diverged.json()


def test_attach_to_a_simulator_already_running_and_leave_it_running(hlomm, tmp_path):
    sim = hlomm.start("sim", "--json", "--seed", "9")
    document = sim.stdout.readline()
    assert json.loads(document)["ready"]
    file = tmp_path / "sim.json"
    file.write_text(document)
    done = hlomm("run", "--sim", file, "--duration", "6", "--state-dir", tmp_path / "st", "--json", "--log-json")
    assert done.code == 2  # no such option: talk goes to stderr, stdout stays empty
    assert done.out == ""
    done = hlomm("run", "--sim", file, "--duration", "6", "--state-dir", tmp_path / "st", "--json")
    assert done.code == 0, done.err
    assert done.json()["orders_placed"] > 0
    assert done.json()["venue_open_orders"] == 0
    assert sim.poll() is None


def test_the_simulator_lists_the_series_it_is_told_to(hlomm):
    sim = hlomm.start("sim", "--json", "--seed", "9", "--buckets", "15m", "--templates", "3m", "--periods", "3m")
    rest = json.loads(sim.stdout.readline())["venues"]["hyperliquid"]["rest"]
    question = urllib.request.Request(
        f"{rest}/info", data=b'{"type": "outcomeMeta"}', headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(question, timeout=10) as answer:
        listed = json.load(answer)
    assert [len(one["namedOutcomes"]) for one in listed["questions"]] == [3]
    assert sorted(one["name"].partition(":")[0] for one in listed["outcomes"]) == [
        "Recurring", "Recurring Fallback", "Recurring Named Outcome", "Recurring Named Outcome",
        "Recurring Named Outcome", "template",
    ]  # fmt: skip


def test_killed_daemon_leaves_a_journal_that_replays(hlomm, tmp_path):
    state = tmp_path / "st"
    daemon = hlomm.start("run", "--state-dir", state, "--seed", "7")

    def quoting():
        done = hlomm("status", "--state-dir", state, "--json")
        return done.code == 0 and done.json()["venues"]["hyperliquid"]["open_orders"] >= 2

    hlomm.until(quoting)
    daemon.kill()
    daemon.wait()
    replayed = hlomm("replay", state, "--json")
    assert replayed.code == 0, replayed.err
    assert replayed.json()["identical"]
    assert replayed.json()["outputs"] > 0


def test_all_simulated_venues_of_one_process(hlomm):
    """The first line says where each is; each answers on a port of its own and tells its own truth."""
    simulator = hlomm.start("sim", "--venues", "hyperliquid,polymarket,kalshi", "--seed", "3", "--speed", "5", "--json")
    document = json.loads(simulator.stdout.readline())
    assert (document["ready"], document["seed"]) == (True, 3)
    assert list(document["venues"]) == ["hyperliquid", "polymarket", "kalshi"]
    for name, identity in (("hyperliquid", "address"), ("polymarket", "funder"), ("kalshi", "key_id")):
        venue = document["venues"][name]
        assert all(account[identity] for account in venue["accounts"])
        host = venue["rest"].split("/")[2]
        with urllib.request.urlopen(
            urllib.request.Request(
                f"http://{host}/sim", data=b'{"type":"state"}', headers={"Content-Type": "application/json"}
            ),
            timeout=10,
        ) as answer:
            state = json.loads(answer.read())
        assert state["seed"] == 3
        assert state["conservation_ok"] is True
        assert set(state["accounts"]) >= {"daemon", "free-1"}
    simulator.send_signal(signal.SIGINT)
    assert simulator.wait(20) == 0


def test_an_unknown_venue_is_refused_with_those_there_are(hlomm):
    done = hlomm("sim", "--venues", "kalshi,betfair")
    assert done.code == 2
    assert "betfair" in done.err
    assert "hyperliquid, polymarket, kalshi" in done.err


def test_a_run_at_three_venues_ends_with_all_accounts_agreeing(hlomm, tmp_path):
    """A session at every venue, status names each, and nothing is left anywhere."""
    state = tmp_path / "st"
    daemon = hlomm.start("run", "--state-dir", state, "--seed", "21", "--speed", "2", "--duration", "20", "--json")

    def status():
        done = hlomm("status", "--state-dir", state, "--json")
        return done.json() if done.code == 0 else None

    def all_live():
        found = status()
        return found and {name: row["session"] for name, row in found["venues"].items()} == dict.fromkeys(NAMES, "live")

    hlomm.until(all_live)
    out, err = daemon.communicate(timeout=60)
    assert daemon.returncode == 0, err
    summary = json.loads(out)
    assert summary["orders_placed"] > 0
    assert (summary["venue_open_orders"], summary["invariant_breaks"]) == (0, 0)
    assert {name: row["differences"] for name, row in summary["account"].items()} == {name: [] for name in NAMES}
    assert hlomm("replay", state / "journal", "--json").json()["identical"] is True
    assert "PRIVATE KEY" not in err


def test_a_simulator_that_lacks_an_enabled_venue_is_refused_with_the_remedy(hlomm, tmp_path):
    simulator = hlomm.start("sim", "--venues", "hyperliquid", "--json")
    place = tmp_path / "sim.json"
    place.write_text(simulator.stdout.readline())
    refused = hlomm("run", "--sim", place, "--state-dir", tmp_path / "st", "--venues", "hyperliquid,kalshi,polymarket")
    assert refused.code == 2
    assert "--venues hyperliquid,polymarket,kalshi" in refused.err
