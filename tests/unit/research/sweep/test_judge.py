"""Whether a winner is worth anything: pure noise never is, an edge is, and each rule can say no."""

from __future__ import annotations

import attrs
import numpy as np
import polars as pl
import pytest

from hlomm.domain.faults import DataDefect, UsageError
from hlomm.research.sweep.judge import Judge, Rules, Table, table
from hlomm.research.sweep.summary import Asking, document, lines, summarise
from hlomm.research.sweep.walk import Unit, walk
from tests.unit.research.sweep import tiers
from tests.unit.research.sweep.making import Inline, job_of, points_of, sweep
from tests.unit.research.sweep.tiers import GAMMA, HALF

RULES = Rules()


def drawn(seed: int, rows: int = 120, sets: int = 1000) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, sets))


def table_of(returns: np.ndarray, *, fills: int = 100, failed: int = 0, recordings: tuple[int, ...] = ()) -> Table:
    sets, recordings = returns.shape[1], recordings or (0,) * len(returns)
    return Table(
        points=tuple(range(sets)), returns=returns, recordings=recordings, by_event=False,
        fills=dict.fromkeys(recordings, (fills,) * sets), pnl=tuple(returns.sum(axis=0)), failed=failed,
    )  # fmt: skip


def winner(judge: Judge):
    return judge.verdict(judge.ranked()[0])


def test_no_winner_of_pure_noise_is_promoted():
    """A thousand sets without skill, twelve times over.

    The deflated ratio alone lets the best of 1,000 pass when it is 1.645 sd above the 3.26 sd that the best of 1,000
    has on average: 1000 * Phi(-4.9) = 5 in 10,000 sweeps. PBO and t only take away from that.
    """
    deflated = []
    for seed in range(12):
        made = winner(Judge.of(table_of(drawn(seed)), RULES))
        assert made.moments.t_stat > 2.3, "it looks good"
        deflated.append(made.deflated.dsr)
        assert not made.promoted
    assert max(deflated) < 0.95
    assert np.mean(deflated) == pytest.approx(0.5, abs=0.15), "the best of noise is what luck alone would show"


def test_an_edge_is_promoted():
    for seed in range(2):
        returns = drawn(seed)
        returns[:, 77] += 0.9
        made = winner(Judge.of(table_of(returns), RULES))
        assert made.point == 77
        assert made.promoted, made.reasons
        assert (made.trials, made.pbo_choices) == (1000, 924)


@pytest.mark.parametrize("fat", [3, 5])
def test_neither_is_noise_with_fat_tails(fat):
    rng = np.random.default_rng(fat)
    for _ in range(2):
        assert not winner(Judge.of(table_of(rng.standard_t(fat, (120, 1000))), RULES)).promoted


@pytest.mark.parametrize("shared", [0.5, 0.99])
def test_neither_are_sets_that_are_nearly_one_and_the_same(shared):
    """Their ratios vary little, so luck seems not to reach far: the deflated ratio alone lets some 3 % of them pass."""
    rng = np.random.default_rng(7)
    for _ in range(10):
        common, own = rng.standard_normal((120, 1)), rng.standard_normal((120, 200))
        assert not winner(Judge.of(table_of(shared**0.5 * common + (1 - shared) ** 0.5 * own), RULES)).promoted


@pytest.fixture(scope="module")
def good() -> Table:
    returns = drawn(5, sets=50)
    returns[:, 7] += 0.6
    return table_of(returns)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rules(min_dsr=1.5), "deflated Sharpe 0.998 is below 1.5"),
        (Rules(max_pbo=-1.0), "probability of overfitting 0.009 is above -1"),
        (Rules(min_t=30.0), "is below 30"),
        (Rules(least=121), "120 observations, needs 121"),
        (Rules(confidence=1 - 1e-12), "120 observations, needs"),
    ],
)
def test_each_rule_alone_can_say_no(good, rules, words):
    assert winner(Judge.of(good, RULES)).promoted
    reasons = winner(Judge.of(good, rules)).reasons
    assert any(words in reason for reason in reasons)
    assert len(reasons) == (2 if rules.least == 121 else 1)


def test_few_fills_and_few_sets_say_no(good):
    assert winner(Judge.of(attrs.evolve(good, fills={0: (29,) * 50}), RULES)).reasons == ("29 fills, needs 30",)
    alone = table_of(good.returns[:, 7:8])
    assert winner(Judge.of(alone, RULES)).reasons == ("too little to tell overfitting (120 observations of 1 sets)",)


def test_every_trial_counts_failed_and_earlier_ones_too(good):
    plain = Judge.of(good, RULES)
    more = Judge.of(attrs.evolve(good, failed=150), RULES, 10_000)
    assert (plain.trials, more.trials) == (50, 10_200)
    assert winner(more).deflated.sr0 > winner(plain).deflated.sr0
    assert winner(more).deflated.dsr < winner(plain).deflated.dsr


def test_sets_with_one_result_are_one_set_where_overfitting_is_told(good):
    same = table_of(np.repeat(drawn(3, sets=1), 100, axis=1))
    assert winner(Judge.of(same, RULES)).pbo is None
    noise = drawn(4, sets=20)
    doubled = Judge.of(table_of(np.repeat(noise, 10, axis=1)), RULES)
    assert doubled.logits == Judge.of(table_of(noise), RULES).logits
    assert doubled.trials == 200, "but all of them were tried"


def test_a_set_that_never_traded_has_no_ratio_and_no_vote_against_others():
    returns = drawn(6, sets=4) + 0.4
    returns[:, 2] = 0.0
    judge = Judge.of(table_of(returns), RULES)
    assert judge.sharpes[2] == 0.0
    assert judge.ranked()[-1] == 2
    assert judge.verdict(2).reasons == ("its result never changes, so there is no ratio",)


@pytest.mark.parametrize("beside", ["idle", "copies"])
def test_sets_that_never_trade_and_copies_do_not_make_luck_look_short(beside):
    """Twenty sets of noise are as lucky as they are, whatever stands beside them."""
    noise = drawn(12, rows=240, sets=20)
    more = np.zeros((240, 180)) if beside == "idle" else np.repeat(noise[:, :1], 180, axis=1)
    alone, among = (Judge.of(table_of(each), RULES) for each in (noise, np.hstack((more, noise))))
    assert among.var_sr == pytest.approx(alone.var_sr)
    assert winner(among).deflated.sr0 > winner(alone).deflated.sr0, "all of them were tried"
    assert winner(among).deflated.dsr < 0.5


def test_one_ratio_of_many_trials_is_held_against_what_chance_makes():
    returns = np.zeros((101, 50))
    returns[:, 7] = drawn(2, rows=101, sets=1)[:, 0] + 0.5
    judge = Judge.of(table_of(returns), RULES, 950)
    assert judge.var_sr == pytest.approx(0.01)
    assert winner(judge).deflated.sr0 == pytest.approx(0.1 * 3.25, abs=0.01)
    copies = Judge.of(table_of(np.repeat(returns[:, 7:8], 50, axis=1)), RULES)
    assert copies.var_sr == 0.0, "nothing else was tried"


# -- from results


def rows(values: dict[tuple[int, int], list[float] | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "point": point, "recording": recording, "pnl": None if blocks is None else sum(blocks), "fills": 3,
                "returns": blocks, "error": "it died" if blocks is None else None,
            }
            for (point, recording), blocks in values.items()
        ], schema={"point": pl.Int32, "recording": pl.Int32, "pnl": pl.Float64, "fills": pl.Int64,
                   "returns": pl.List(pl.Float64), "error": pl.String},
    )  # fmt: skip


def test_blocks_stand_in_the_order_in_which_markets_settled():
    made = table(rows({(0, 0): [1, 2], (0, 1): [3], (1, 0): [4, 5], (1, 1): None, (2, 0): [6, 7], (2, 1): [8]}), [1, 0])
    assert made.points == (0, 2)
    assert made.returns.tolist() == [[3, 8], [1, 6], [2, 7]]
    assert made.recordings == (1, 0, 0)
    assert (made.failed, made.trials, made.fills, made.pnl) == (1, 3, {1: (3, 3), 0: (3, 3)}, (6.0, 21.0))
    assert made.filled(1) == 6


def test_where_nothing_has_a_result_there_is_no_winner():
    results = rows({(0, 0): None, (1, 0): None})
    assert table(results, [0]).trials == 2
    manifest = {
        "tier": "queue", "source": "sim", "sets": 2, "keys": [GAMMA], "seed": 1, "block_s": 60.0,
        "recordings": [{"market": "M", "settles": "2026-05-10T06:00:00+00:00", "events": 9}],
    }  # fmt: skip
    said = document(summarise(manifest, results, Asking(rules=RULES, train=1, test=1)))
    assert (said["winner"], said["promoted"], said["failed"]) == (None, False, 2)
    assert lines(said)[-1] == "no set has a result over every recording: there is no winner"


@pytest.mark.parametrize(
    ("tier", "checked", "promoted"), [("kernel", True, True), ("kernel", False, False), ("queue", False, True)]
)
def test_what_compiled_code_made_is_promoted_only_where_the_engine_was_asked(tier, checked, promoted):
    returns = drawn(3, sets=40)
    returns[:, 7] += 0.9
    results = pl.DataFrame(
        [
            {
                "point": at, "recording": 0, "pnl": float(made.sum()), "fills": 100, "returns": made.tolist(),
                "error": None, "left": None, "checked": checked and at == 20, GAMMA: f"0.{at}", "fees": 0.0,
                "volume": 1.0, "quotes": 5, "max_drawdown": 1.0, "inventory_max": 1.0,
            }
            for at, made in enumerate(returns.T)
        ], schema_overrides={"error": pl.String, "left": pl.String},
    )  # fmt: skip
    manifest = {
        "tier": tier, "source": "sim", "sets": 40, "keys": [GAMMA], "seed": 1, "block_s": 60.0,
        "recordings": [{"market": "M", "settles": "2026-05-10T06:00:00+00:00", "events": 9}],
    }  # fmt: skip
    said = document(summarise(manifest, results, Asking(rules=RULES)))
    assert said["winner"]["point"] == 7
    assert (said["promoted"], said["winner"]["promoted"]) == (promoted, promoted)
    assert promoted or said["winner"]["reasons"] == [
        "not one compiled result was held against the engine over recordings [0]"
    ]


def test_of_many_events_each_is_one_observation():
    values = {(point, at): [float(point + at), 1.0] for point in range(2) for at in range(30)}
    made = table(rows(values), range(30))
    assert made.by_event
    assert made.returns.tolist() == [[at + 1, at + 2] for at in range(30)]


def test_sets_with_blocks_of_their_own_are_refused():
    with pytest.raises(DataDefect, match="1 to 2 blocks"):
        table(rows({(0, 0): [1, 2], (1, 0): [4]}), [0])


# -- walk-forward


def test_the_winner_of_each_train_is_followed_over_its_test():
    returns = drawn(8, rows=40, sets=30)
    made = walk(table_of(returns), ["2026-05-10"], 20, 5, RULES)
    assert made.unit is Unit.BLOCK
    assert [window.train for window in made.windows] == [("0", "19"), ("5", "24"), ("10", "29"), ("15", "34")]
    assert [window.test for window in made.windows] == [("20", "24"), ("25", "29"), ("30", "34"), ("35", "39")]
    for number, window in enumerate(made.windows):
        train = returns[5 * number : 5 * number + 20]
        best = (train.mean(axis=0) / train.std(axis=0)).argmax()
        assert window.winner.point == best
        assert window.returns == tuple(returns[5 * number + 20 : 5 * number + 25, best])
        assert window.winner.observations == 20
    assert made.returns == tuple(each for window in made.windows for each in window.returns)
    assert made.moments.n == 20


def test_nothing_after_a_train_decides_its_winner():
    returns = drawn(9, rows=40, sets=30)
    changed = returns.copy()
    changed[20:] = -changed[20:]
    first, second = (walk(table_of(each), ["d"], 20, 20, RULES).windows[0] for each in (returns, changed))
    assert first.winner == second.winner
    assert first.returns == tuple(-each for each in second.returns)


def test_a_verdict_on_a_train_counts_no_fill_of_another_time():
    """40 fills of the tested day do not make a track record of the 20 of the day before; of blocks nobody knows."""
    returns = drawn(10, rows=80, sets=5)
    whole = attrs.evolve(
        table_of(returns, recordings=(0,) * 40 + (1,) * 40), fills={0: (20,) * 5, 1: (40,) * 5}
    )  # fmt: skip
    (window,) = walk(whole, ["2026-05-10", "2026-05-11"], 1, 1, RULES).windows
    assert "20 fills, needs 30" in window.winner.reasons
    (window,) = walk(table_of(returns), ["2026-05-10"], 40, 40, RULES).windows
    assert "how often it was filled in a part of a recording is not on record" in window.winner.reasons


@pytest.mark.parametrize(
    ("days", "unit", "names"),
    [
        (["2026-05-10", "2026-05-11", "2026-05-11"], Unit.DAY, ["2026-05-10", "2026-05-11"]),
        (["2026-05-10"] * 3, Unit.RECORDING, ["0", "1", "2"]),
    ],
)
def test_what_a_stretch_is_counted_in(days, unit, names):
    whole = table_of(drawn(1, rows=30, sets=5), recordings=(0,) * 10 + (1,) * 10 + (2,) * 10)
    made = walk(whole, days, 1, 1, RULES)
    assert made.unit is unit
    assert [window.train[0] for window in made.windows] == names[:-1]
    assert len(made.windows[0].returns) == (20 if unit is Unit.DAY else 10)
    with pytest.raises(UsageError, match=f"need 4 {unit}; there are {len(names)}"):
        walk(whole, days, 3, 1, RULES)


# -- all the way


@pytest.mark.parametrize(("tier", "promoted"), [(tiers.Noise, False), (tiers.Edge, True)])
def test_a_whole_sweep_of_a_thousand_sets(store, tmp_path, tier, promoted):
    points = points_of(f"{GAMMA}=0.001:0.02:20", f"{HALF}=0.0001:0.005:50")
    sweep(tmp_path, Inline(job_of(store, tier)), points)
    manifest = {
        "tier": "noise", "source": "sim", "sets": 1000, "keys": [GAMMA, HALF], "seed": 1, "block_s": 60.0,
        "recordings": [{"market": "M", "settles": "2026-05-10T06:00:00+00:00", "events": 9}],
    }  # fmt: skip
    # Half an hour of blocks is not many: the edge has to be large, and the rest of its row must not have it too.
    made = summarise(manifest, pl.read_parquet(tmp_path / "results.parquet"), Asking(rules=RULES, train=24, test=8))
    said = document(made)
    assert said["promoted"] is promoted
    assert said["trials"] == {"here": 1000, "earlier": 0, "counted": 1000}
    assert len(said["top"]) == 10
    text = "\n".join(lines(said))
    assert ("PROMOTED" in text) is promoted
    assert ("not promoted: deflated Sharpe" in text) is not promoted
    assert "positions carry over" in text
    assert said["walk"]["observations"] == 24
    if promoted:
        assert said["winner"]["settings"][GAMMA] == "0.004"
        assert said["walk"]["psr"] > 0.999
