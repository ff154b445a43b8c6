"""What is tried: grids, draws and files, all checked before anything runs."""

from __future__ import annotations

import math

import pytest

from hlomm.domain.faults import ConfigError, UsageError
from hlomm.research.sweep.axes import Asked, axis, from_file, leaves, plan, spread
from hlomm.settings.load import load, toml_value, with_values
from tests.unit.research.sweep.tiers import GAMMA, HALF

SETTINGS = load("sim", environ={})


def test_a_grid_is_every_combination_the_last_key_fastest():
    made = plan(Asked(axes=(axis(f"{GAMMA}=0.001,0.002"), axis(f"{HALF}=0.001:0.003:3"))), SETTINGS)
    assert made.keys == (GAMMA, HALF)
    assert [tuple(point.values()) for point in made.points] == [
        (gamma, half) for gamma in ("0.001", "0.002") for half in ("0.001", "0.002", "0.003")
    ]
    assert (made.left_out, made.repeated) == ((), 0)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("k=1:5:5", ("1", "2", "3", "4", "5")),
        ("k=1:2:3", ("1.0", "1.5", "2.0")),
        ("k=1.0:3.0:3", ("1.0", "2.0", "3.0")),
        ("k=0:0.3:4", ("0.0", "0.1", "0.2", "0.3")),
        ("k=5:1:3", ("5", "3", "1")),
        ("k=glft", ("glft",)),
        ("k= a , b ", ("a", "b")),
    ],
)
def test_values(text, values):
    assert axis(text).values == values


@pytest.mark.parametrize("text", ["k", "k=", "=1", "k=1:2:1", "k=1:1:3", "k=1:2:30000"])
def test_a_grid_that_means_nothing(text):
    with pytest.raises(UsageError):
        axis(text)


@pytest.mark.parametrize(
    "text", ["k=1", "k=2..1", "k=1..1", "k=a..b", "k=0..1@log", "k=-1..1@log", "k=1..2@lin", "k=..", "k=nan..1"]
)
def test_a_range_that_means_nothing(text):
    with pytest.raises(UsageError):
        spread(text)


def drawn(count: int, seed: int = 3, **ranges: str) -> list[tuple[str, ...]]:
    asked = Asked(ranges=tuple(spread(f"{key}={text}") for key, text in ranges.items()), draws=count, seed=seed)
    return [tuple(point.values()) for point in plan(asked, SETTINGS).points]


def test_draws_are_the_same_for_a_seed_and_more_of_them_begin_with_fewer():
    ranges = {GAMMA: "1e-5..0.01@log", HALF: "0.001..0.01"}
    few, many, other = drawn(20, **ranges), drawn(60, **ranges), drawn(20, 4, **ranges)
    assert many[:20] == few
    assert other != few
    gammas = [float(gamma) for gamma, _ in drawn(2000, **ranges)]
    assert all(1e-5 <= gamma <= 0.01 for gamma in gammas)
    below = sum(gamma < math.sqrt(1e-5 * 0.01) for gamma in gammas) / len(gammas)
    assert below == pytest.approx(0.5, abs=0.05), "uniform in the logarithm"
    assert all(0.001 <= float(half) <= 0.01 for _, half in many)


def test_whole_numbers_are_drawn_whole_and_repetitions_are_tried_once():
    asked = Asked(ranges=(spread("strategy.avellaneda.size_decimals=0..3"),), draws=50)
    made = plan(asked, SETTINGS)
    assert sorted(next(iter(point.values())) for point in made.points) == ["0", "1", "2", "3"]
    assert made.repeated == 46


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("strategy.avellaneda.gama", "did you mean strategy.avellaneda.gamma?"),
        ("avellaneda.gamma", "did you mean"),
        ("daemon.fsync_s", "no decision depends on it"),
        ("strategy.avellaneda", "no such setting"),
        ("events.rules", "no such setting"),
        ("zzz", "`hlomm config show` lists them"),
    ],
)
def test_a_key_that_cannot_be_tried(key, words):
    with pytest.raises(UsageError, match=f"{key}: .*") as caught:
        plan(Asked(axes=(axis(f"{key}=1,2"),)), SETTINGS)
    assert words in str(caught.value)


def test_a_key_that_the_tier_does_not_understand():
    with pytest.raises(UsageError, match="does not understand") as caught:
        plan(Asked(axes=(axis("limits.max_position=1,2"),)), SETTINGS, frozenset({GAMMA}))
    assert GAMMA in str(caught.value)
    assert plan(Asked(axes=(axis(f"{GAMMA}=0.1,0.2"),)), SETTINGS, frozenset({GAMMA})).points


def test_every_value_that_no_setting_can_have_is_said():
    asked = Asked(axes=(axis(f"{GAMMA}=-1,0.1,many"), axis("strategy.avellaneda.model=glft,exact")))
    with pytest.raises(ConfigError) as caught:
        plan(asked, SETTINGS)
    said = str(caught.value)
    assert all(text in said for text in (f"{GAMMA}=-1", f"{GAMMA}=many", "strategy.avellaneda.model=exact"))
    assert f"{GAMMA}=0.1" not in said


def test_sets_that_contradict_themselves_are_left_out_with_the_reason():
    least, most = "strategy.avellaneda.min_size", "strategy.avellaneda.max_size"
    made = plan(Asked(axes=(axis(f"{least}=10,80"), axis(f"{most}=50,100"))), SETTINGS)
    assert [tuple(point.values()) for point in made.points] == [("10", "50"), ("10", "100"), ("80", "100")]
    (reason,) = made.left_out
    assert reason.startswith(f"{least}=80, {most}=50: ")
    assert "above max_size" in reason
    with pytest.raises(UsageError, match="nothing is left"):
        plan(Asked(axes=(axis(f"{least}=80"), axis(f"{most}=50"))), SETTINGS)


def test_too_many_are_refused_before_any_is_made():
    with pytest.raises(UsageError, match="1000000000000 combinations, at most 25000"):
        plan(
            Asked(axes=tuple(axis(f"limits.{key}=1:9:10000") for key in ("max_position", "max_sets", "stale_book_s"))),
            SETTINGS,
        )
    with pytest.raises(UsageError, match="25000"):
        plan(Asked(ranges=(spread(f"{GAMMA}=0.1..0.2"),), draws=25_001), SETTINGS)


def test_one_key_twice_and_nothing_at_all():
    with pytest.raises(UsageError, match="twice"):
        plan(Asked(axes=(axis(f"{GAMMA}=1"), axis(f"{GAMMA}=2"))), SETTINGS)
    with pytest.raises(UsageError, match="say what to try"):
        plan(Asked(), SETTINGS)


def test_a_file_says_the_same_as_the_command_line(tmp_path):
    file = tmp_path / "points.toml"
    file.write_text(
        f'[grid]\n"{GAMMA}" = [0.001, 0.002]\nstrategy.avellaneda.min_half_spread = "0.001:0.003:3"\n'
        'strategy.avellaneda.classes = [["priceBinary"], []]\n'
    )
    made = plan(from_file(file), SETTINGS)
    assert made.keys == (GAMMA, HALF, "strategy.avellaneda.classes")
    assert [point["strategy.avellaneda.classes"] for point in made.points[:2]] == ['["priceBinary"]', "[]"]
    file.write_text(f'[random]\npoints = 7\nseed = 5\n[random.ranges]\n{GAMMA} = "1e-4..1e-2@log"\n')
    asked = from_file(file)
    assert asked == Asked(ranges=(spread(f"{GAMMA}=1e-4..1e-2@log"),), draws=7, seed=5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[grid]\n[random]\n",
        "[grids]\n",
        "[random]\npoints = '7'\n",
        "[grid\n",
        "[grid]\nx = 3\n",
        "[random]\npoints=2\nway='log'\n",
    ],
)
def test_a_file_that_says_nothing_useful(tmp_path, text):
    file = tmp_path / "points.toml"
    file.write_text(text)
    with pytest.raises((UsageError, ConfigError), match=r"points\.toml|say what to try"):
        plan(from_file(file), SETTINGS)


def test_values_are_what_set_would_make_of_them():
    point = {GAMMA: "0.004", "strategy.avellaneda.model": "as_paper", "limits.max_position": "300"}
    changed = with_values(SETTINGS, {key: toml_value(text) for key, text in point.items()})
    wanted = load("sim", sets=[f"{key}={text}" for key, text in point.items()], environ={})
    assert changed.settings == wanted.settings
    assert changed.engine_json() == wanted.engine_json()
    assert changed.origins.keys() == wanted.origins.keys()
    assert SETTINGS.settings == load("sim", environ={}).settings, "what they were made from stays"
    with pytest.raises(ConfigError, match=f"point: {GAMMA}"):
        with_values(SETTINGS, {GAMMA: "much"})


def test_leaves_are_every_setting_that_a_journal_carries():
    keys = leaves()
    assert {"limits.max_position", GAMMA, "breakers.daily_loss"} <= keys.keys()
    assert not any(key.startswith(("daemon.", "venue.")) for key in keys)


def test_limits_are_tried_to_what_can_be_counted():
    """A ninth decimal of them is none: a third of the steps, and nearly all draws, were sets that nothing could run."""
    found = plan(Asked(axes=(axis("limits.max_loss_event=10.0:50:7"),)), SETTINGS)
    assert ([point["limits.max_loss_event"] for point in found.points][1], len(found.points)) == ("16.66666667", 7)
    drawn = plan(Asked(ranges=(spread("limits.max_loss_event=10..20.5"),), draws=20), SETTINGS)
    assert (len(drawn.points), drawn.left_out) == (20, ())
