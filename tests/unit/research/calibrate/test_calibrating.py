"""From files to settings: every kind of path, what is offered, and that it is accepted."""

from __future__ import annotations

import json
import tomllib

import attrs
import numpy as np
import pytest

from hlomm.cli.calibrate import calibrate_command
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import BookSnapshot, ClockSkew, MarketListed, SessionUp, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.pricing.normal import cdf
from hlomm.research.calibrate.calibrating import calibrate
from hlomm.research.calibrate.found import number
from hlomm.research.calibrate.intensity import Cell
from hlomm.settings.load import load
from tests.unit.research.test_journal_recording import journal, opening, traded
from tests.unit.store.making import OUTCOME, T0, market, minute, write

A, K, NU, FEED_MS, AHEAD_MS, MINUTES = 0.5, 150.0, 0.7, 180, 235, 40


def settings():
    return load("sim", environ={})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return synthetic(tmp_path_factory.mktemp("store"))


def synthetic(root):
    write(root, made())
    return root


def made():
    """A market of which everything is known: mids, takers, delays, and a clock that is ahead."""
    rng = np.random.default_rng(11)
    span_ms = MINUTES * 60_000
    listed = market(expiry_ns=T0 + (span_ms + 3_600_000) * NS_PER_MS)
    news = []
    mids, y = {}, 0.0
    for ms in range(0, span_ms, 500):
        y += rng.normal(0.0, NU * np.sqrt(0.5))
        mids[ms] = round(cdf(y / np.sqrt((span_ms - ms) / 1e3 + 3_600.0)) * SCALE)
        px = mids[ms]
        news.append((ms, BookSnapshot(
            OUTCOME, ((px - 100_000, 50 * SCALE),), ((px + 100_000, 50 * SCALE),), stamp(ms)
        )))  # fmt: skip
    for key, ms in enumerate(rng.integers(1, span_ms, rng.poisson(2 * A * span_ms / 1e3))):
        sign = int(rng.choice([-1, 1]))
        px = mids[(int(ms) - 1) // 500 * 500] + sign * round(rng.exponential(1 / K) * SCALE)
        news.append((int(ms), TradePrint(OUTCOME, Px(px), Qty(SCALE), Side(sign), f"t{key}", stamp(int(ms)))))
    delays = rng.lognormal(np.log(FEED_MS), 0.3, len(news))
    rows = [(ms + round(delay), item) for (ms, item), delay in zip(news, delays, strict=True)]
    rows += [(0, SessionUp(HYPERLIQUID)), (1, MarketListed(listed)), (2, ClockSkew(HYPERLIQUID, AHEAD_MS))]
    return sorted(rows, key=lambda row: row[0])


def stamp(ms):
    return T0 // NS_PER_MS + ms + AHEAD_MS


def test_a_synthetic_recording_gives_back_what_it_was_made_of(store):
    found = calibrate([store], settings())
    rows = {row.what: row for row in found.rows()}
    for what, truth in (("A of priceBinary", A), ("k of priceBinary", K), ("nu of priceBinary", NU)):
        row = rows[what]
        assert row.value == pytest.approx(truth, rel=0.15), what
        assert row.interval is not None
        assert row.interval[0] <= truth <= row.interval[1], what
    feed = found.latency["feed"]
    assert feed.quantiles()["p50"] / 1e6 == pytest.approx(FEED_MS, rel=0.05)
    assert feed.quantiles()["p90"] / 1e6 == pytest.approx(FEED_MS * np.exp(0.3 * 1.2816), rel=0.05)
    assert found.latency["entry"].refused
    assert found.queue.n is None
    assert found.simulated
    assert rows["A of priceBinary"].now == 0.6
    assert (
        rows["k of priceBinary"].offered == f"--set strategy.avellaneda.fill_decay={rows['k of priceBinary'].value:.3g}"
    )


def test_what_is_written_is_a_configuration_and_the_whole_finding(store, tmp_path, capsys):
    out = tmp_path / "o" / "found.toml"
    calibrate_command((store,), profile="sim", config_files=(), sets=(), out=out, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert json.loads(out.with_suffix(".json").read_text()) == said
    assert set(said["latency"]) == {"feed", "entry", "response"}
    assert set(said["latency"]["feed"]) >= {"samples_ns", "quantiles_ns", "n"}
    assert said["latency"]["entry"]["samples_ns"] == []
    written = tomllib.loads(out.read_text())
    assert set(written["strategy"]["avellaneda"]) == {"fill_rate", "fill_decay"}
    with_it = load("sim", (out,), environ={}).settings.strategy.avellaneda
    assert with_it.fill_rate == pytest.approx(A, rel=0.15)
    calibrate_command((store,), profile="sim", config_files=(), sets=(), out=None, as_json=False)
    text = capsys.readouterr().out
    assert "--set strategy.avellaneda.fill_rate=" in text
    assert "no own fills: default kept" in text


def test_a_class_that_is_not_quoted_is_told_and_not_offered(store):
    chosen = load("sim", sets=['strategy.avellaneda.classes=["priceBucket"]'], environ={})
    rows = {row.what: row for row in calibrate([store], chosen).rows()}
    row = rows["A of priceBinary"]
    assert row.value is not None
    assert row.offered == "-"
    assert "not quoted" in row.note


def test_a_class_is_quoted_by_pattern(store):
    chosen = load("sim", sets=['strategy.avellaneda.classes=["price*"]'], environ={})
    rows = {row.what: row for row in calibrate([store], chosen).rows()}
    assert rows["A of priceBinary"].offered.startswith("--set strategy.avellaneda.fill_rate=")


def test_one_setting_is_not_offered_as_what_the_last_of_two_classes_was_found_to_have(store):
    found = calibrate([store], settings())
    (first,) = (one for one in found.intensities if one.cell == Cell(klass="priceBinary"))
    assert first.fit is not None
    other = attrs.evolve(
        first, cell=Cell(klass="priceBucket"), fit=attrs.evolve(first.fit, a=3 * first.fit.a)
    )  # fmt: skip
    both = attrs.evolve(found, intensities=(first, other), quoted=("price*",))
    rows = [row for row in both.rows() if row.what[0] in "Ak"]
    assert [row.value for row in rows] == [first.fit.a, first.fit.k, 3 * first.fit.a, first.fit.k]
    assert {row.offered for row in rows} == {"-"}
    assert "one setting for priceBinary and priceBucket, which differ: not offered" in both.overlay()
    assert "fill_" not in tomllib.loads(both.overlay()).get("strategy", {}).get("avellaneda", {})
    one = attrs.evolve(both, quoted=("priceBucket",))
    assert tomllib.loads(one.overlay())["strategy"]["avellaneda"]["fill_rate"] == pytest.approx(
        3 * first.fit.a, rel=0.01
    )


def test_a_value_whose_interval_says_nothing_is_not_offered(store):
    found = calibrate([store], settings())
    fit = found.intensities[0].fit
    assert fit is not None
    assert fit.a_interval is not None
    wide = attrs.evolve(fit, a_interval=(fit.a_interval[1] / 6.0, fit.a_interval[1]))
    vague = attrs.evolve(found, intensities=(attrs.evolve(found.intensities[0], fit=wide),))
    assert {row.offered for row in vague.rows() if row.what[0] in "Ak"} == {"-"}
    assert "fill_" not in tomllib.loads(vague.overlay()).get("strategy", {}).get("avellaneda", {})
    assert "not offered" in vague.text()


def test_nothing_found_is_an_overlay_of_comments(tmp_path):
    write(tmp_path, minute())
    found = calibrate([tmp_path], settings())
    assert tomllib.loads(found.overlay()) == {}
    assert "50 are needed" in found.overlay()
    assert "50 are needed" in found.text()


def test_a_journal_is_read_with_its_own_orders(tmp_path):
    folder = tmp_path / "state" / "journal"
    folder.mkdir(parents=True)
    journal(folder, [*opening(), *minute(), *traded()])
    found = calibrate([tmp_path / "state"], settings())
    assert found.latency["feed"].n > 60
    assert found.latency["entry"].n == 1
    assert found.queue.refused == "no own fills: default kept" or "are needed" in found.queue.refused


def test_a_market_of_which_nothing_is_known_has_arrivals_and_no_nu(store, tmp_path):
    rows = [row for row in made() if not isinstance(row[1], MarketListed)]
    write(tmp_path, rows)
    found = calibrate([tmp_path], settings())
    row = next(row for row in found.rows() if row.what.startswith("k of"))
    assert row.what == "k of unlisted at hyperliquid"
    assert row.value == pytest.approx(K, rel=0.15)
    assert row.offered == "-"
    assert not found.nus
    assert any("nor when they end" in one for one in found.told)
    assert found.latency["feed"].samples_ns == calibrate([store], settings()).latency["feed"].samples_ns


@pytest.mark.parametrize(
    ("value", "text"), [(0.0213, "0.0213"), (1234.5, "1230.0"), (1.5e-6, "0.0000015"), (494.0, "494"), (0.0, "0")]
)
def test_numbers_are_such_that_toml_reads_them(value, text):
    assert number(value) == text
    assert tomllib.loads(f"x = {text}")["x"] == pytest.approx(value, rel=0.01)


def test_a_path_that_is_nothing_is_said(tmp_path):
    with pytest.raises(UsageError, match="no such file or folder"):
        calibrate([tmp_path / "none"], settings())
    with pytest.raises(UsageError, match=r"ends in \.toml"):
        calibrate_command(
            (tmp_path,), profile="sim", config_files=(), sets=(), out=tmp_path / "x.json", as_json=True
        )  # fmt: skip


def test_simulated_and_real_are_never_mixed(q15, store):
    with pytest.raises(UsageError, match="never mixed"):
        calibrate([q15, store], settings())


def test_the_recorded_market(q15):
    found = calibrate([q15], settings())
    rows = {row.what: row for row in found.rows()}
    assert 0.3 < rows["nu of priceBinary"].value < 0.6, "QUANT 2.1: .3 to .6 of mids"
    assert 395 < rows["k of priceBinary"].value < 674
    assert 0.015 < rows["A of priceBinary"].value < 0.03
    assert 100 < rows["feed, ms"].value < 250
    assert found.queue.n is None
    assert not found.simulated
    assert found.latency["feed"].samples_ns[-1] < 10 * NS_PER_S


def test_what_two_paths_heard_of_one_market_counts_once(store, tmp_path):
    alone = calibrate([store], settings()).intensities[0]
    both = calibrate([store, synthetic(tmp_path / "beside")], settings()).intensities[0]
    assert (both.arrivals, both.exposure_s, both.markets) == (alone.arrivals, alone.exposure_s, alone.markets)
    assert both.fit.k_interval == alone.fit.k_interval
