"""Rung: pure functions from the store to text, and the engine's own scenarios. What each settlement would give."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.markets import Comparator, Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.report import EngineReport, ScenarioRow
from hlomm.domain.units import Cash, Px
from hlomm.engine.report import report
from tests.support.rig import Rig
from tests.support.values import PERP, levels, outcome
from tests.support.values import px as rig_px
from tests.tui.examples import NOW_S, cash, perp, px, snapshot
from tests.tui.reading import store, text, tones
from tests.tui.stocked import at, event, markets, stocked
from tui.state import Store
from tui.views import payoff, plot
from tui.views.line import Tone, plain


def shown(*scenarios: ScenarioRow, **changes: object) -> Store:
    return store(stocked(scenarios=scenarios, **changes))


def found(made: Store) -> list[tuple[str, str]]:
    """(where, result) of every row."""
    return [(row.where, f"{-row.loss / 1e8:+g}") for row in payoff.settlements(made)]


def rows(made: Store, width: int = 78, now_s: float = NOW_S) -> list[str]:
    return [plain(each) for each in payoff.row_lines(made, payoff.settlements(made), now_s, width)]


# -- which rows there are


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (("5", "-3", "-3"), [("<80,000", "-5"), ("≥80,000", "+3")]),
        (("5", "5", "-3"), [("≤80,000", "-5"), (">80,000", "+3")]),
        (("5", "-3", "7"), [("<80,000", "-5"), ("=80,000", "+3"), (">80,000", "-7")]),
        (("5", "5.004", "5.004"), [("any price", "-5.004")]),
        (("5", "-3", "-2.997"), [("<80,000", "-5"), ("≥80,000", "+2.997")]),
        (("5", "5", "5"), [("any price", "-5")]),
    ],
)
def test_a_bound_has_a_row_for_each_side_that_differs(losses: tuple[str, ...], expected: list[object]) -> None:
    assert found(shown(*at("80000", *losses))) == expected


def test_a_bound_that_changes_nothing_has_no_row() -> None:
    made = shown(*at("79000", "5", "5", "5"), *at("80000", "5", "-3", "-3"), *at("81000", "-3", "-3", "-3"))
    assert found(made) == [("<80,000", "-5"), ("≥80,000", "+3")]


def test_where_the_hedge_stands_and_ends_there_are_rows_without_a_sign() -> None:
    made = shown(*at("64000.40", "9"), *at("80000.25", "5", "-3", "-3"), *at("96000.60", "1"))
    assert found(made) == [("64,000.40", "-9"), ("<80,000.25", "-5"), ("≥80,000.25", "+3"), ("96,000.60", "-1")]
    assert found(shown(*at("64000.404", "9")))[0] == ("64,000.40", "-9")


def test_points_that_are_no_bound_are_shown_by_their_price() -> None:
    """Two bounds a hair apart: nothing is lost and nothing is guessed."""
    start = px("80000")
    close = [ScenarioRow(name="BTC", at=Px(start + step), loss=cash(str(step))) for step in range(4)]
    assert [result for _, result in found(shown(*close))] == ["+0", "-1", "-2", "-3"]


def test_events_without_a_price_end_in_yes_or_no() -> None:
    made = store(stocked())
    assert found(made)[-2:] == [("NO", "-3.6"), ("YES", "+36.4")]
    assert rows(made)[-1].startswith("BTC other 06:00Z   YES     +36.40")


def test_every_underlying_has_a_worst_and_it_is_held_against_its_own_limit() -> None:
    made = store(stocked())
    assert [row.where for row in payoff.settlements(made) if row.worst] == ["110,257", "NO"]
    high, low = (line for line in payoff.row_lines(made, payoff.settlements(made), NOW_S, 78) if "worst" in plain(line))
    assert tones(high, "worst of 750") == {Tone.ALARM}
    assert tones(low, "worst of 250") == {Tone.STRONG}


def test_without_limits_the_worst_is_still_the_worst() -> None:
    made = store(stocked(underlying_loss_limit=Cash(0), event_loss_limit=Cash(0), loss_limit=Cash(0)))
    assert "worst    " in rows(made)[-3]
    assert plain(payoff.head(made, 78)).endswith("worst over everything −615.68")


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("91881.5", "91,881"), ("91600", "<91,612"), ("91612", "≥91,612"), ("91700", "≥91,612"), ("91885.9", "<91,886"),
        ("91886", "≥91,886"), ("99000", "≥91,905"), ("110000", "110,257"), ("60000", "73,505"),
    ],
)  # fmt: skip
def test_the_row_of_the_present_price_is_marked(price: str, expected: str) -> None:
    made = stocked()
    moved = tuple(msgspec.structs.replace(row, fair=px(price)) if row.id == perp().id else row for row in markets())
    made = msgspec.structs.replace(made, engine=msgspec.structs.replace(made.engine, markets=moved))
    assert [row.where for row in payoff.settlements(store(made)) if row.now] == [expected]


def test_without_a_perp_nothing_is_marked_as_now() -> None:
    made = stocked()
    alone = tuple(row for row in markets() if row.id != perp().id)
    made = msgspec.structs.replace(made, engine=msgspec.structs.replace(made.engine, markets=alone))
    assert not any(row.now for row in payoff.settlements(store(made)))


def test_rows_are_known_again_while_the_price_moves() -> None:
    """What the cursor is on stays what it is, though its price is another one."""
    before = shown(*at("73505", "1"), *at("91612", "5", "-3", "-3"), *at("91881", "2"))
    after = shown(*at("73600", "1"), *at("91612", "5", "-3", "-3"), *at("92000", "2"))
    keys = [[(row.group, row.key) for row in payoff.settlements(made)] for made in (before, after)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 4


# -- how they are drawn


def test_nothing_is_at_stake_and_nothing_is_known() -> None:
    assert payoff.settlements(store()) == []
    assert plain(payoff.head(store(), 78)).endswith("worst over everything 0.00")
    blank = Store.begin("/run/hlomm.sock", NOW_S)
    assert payoff.settlements(blank) == []
    assert payoff.row_lines(blank, [], NOW_S, 78) == []
    assert plain(payoff.head(blank, 78)).startswith(" IF SETTLED AT")


def test_the_head_says_what_is_out_of_sight() -> None:
    made = store(stocked())
    assert plain(payoff.head(made, 79, "↓3")).endswith("worst over everything −615.68/1,500  ↓3")
    assert len(plain(payoff.head(made, 79, "↑12 ↓18"))) == 79


def test_rows_fit_and_wider_ones_have_longer_bars() -> None:
    made = store(stocked())
    for width in (78, 118, 200):
        assert all(len(row) <= width for row in rows(made, width))
    assert rows(made, 118)[0].count("█") > rows(made, 78)[0].count("█") > 0
    assert all("│" not in row and len(row) <= 50 for row in rows(made, 50))


def test_the_profile_is_as_old_as_what_the_daemon_said_last() -> None:
    made = store(stocked())
    for later_s, tone in ((3.5, Tone.DIM), (6.5, Tone.STALE)):
        first = payoff.row_lines(made, payoff.settlements(made), NOW_S + later_s, 78)[0]
        assert {span.tone for span in first} == {tone}


def test_a_row_in_full_says_what_it_counts() -> None:
    made = store(stocked())
    full = payoff.whole(made, payoff.settlements(made)[1])
    for part in (
        "BTC-2026-11-21T0600 settles at <91,612: −74.31", "worst combination of resting orders filled",
        "worst of BTC-2026-11-21T0600: −612.08/750 (at 110,257)", "worst over everything: −615.68/1,500",
    ):  # fmt: skip
        assert part in full
    assert payoff.whole(Store.begin("/run/hlomm.sock", NOW_S), payoff.settlements(made)[1]) == ""


def test_text_from_elsewhere_stays_on_its_line() -> None:
    made = shown(*event("a name\nthat \x1b[31m nobody foresaw, and a long one", "1", "-1"))
    assert all(char.isprintable() for row in rows(made) for char in row)
    assert text(payoff.row_lines(made, payoff.settlements(made), NOW_S, 78)).count("\n") == 1


# -- bars


@given(st.integers(-(10**12), 0), st.integers(0, 10**12), st.integers(10, 60), st.data())
def test_bars_of_one_scale_share_an_axis(low: int, high: int, width: int, data: st.DataObject) -> None:
    values = [low, high, 0, data.draw(st.integers(low, high))]
    drawn = [plot.bar(value, low, high, width) for value in values]
    assert len({each.index("│") for each in drawn}) == 1
    assert all(len(each) <= width for each in drawn)
    assert drawn[2].strip() == "│"
    axis = drawn[2].index("│")
    assert len(drawn[0].strip()) == axis + 1, "the lowest reaches the left end"
    assert len(drawn[1]) == (width if high else axis + 1), "the highest reaches the right end"


def test_bars_point_to_their_side_in_halves() -> None:
    assert plot.bar(-10, -10, 10, 9) == "████│"
    assert plot.bar(10, -10, 10, 9) == "    │████"
    assert plot.bar(-4, -10, 10, 9) == "  ▐█│"
    assert plot.bar(4, -10, 10, 9) == "    │█▌"
    assert plot.bar(1, -1000, 1000, 9) == "    │▌", "what is not nothing is seen"
    assert plot.bar(0, 0, 0, 9) == "│"


# -- against the engine


CENT = 1_000_000
LADDER: list[Market] = [
    outcome(),
    outcome(16, strike=rig_px(81_000), comparator=Comparator.ABOVE),
    outcome(20, strike=None, floor=rig_px(79_000), ceiling=rig_px(81_000), klass="priceBucket", question=7),
    outcome(23, strike=None, fallback=True, klass="priceBucket", question=7),
]


Trades = list[tuple[int, Leg, int, int]]
TRADES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(list(Leg)), st.integers(5, 95), st.integers(1, 60)), max_size=6
)


def reckoned(trades: Trades, perp_side: Side | None = None, *, resting: bool) -> EngineReport:
    """What the engine says after these trades, on its own ladder of contracts."""
    rig = Rig(markets=LADDER)
    rig.tell(BookSnapshot(PERP, levels((79_999, 5)), levels((80_001, 5)), rig.ms))
    for number, leg, cents, count in trades:
        rig.buy(count, f"0.{cents:02d}", leg, market=LADDER[number].id)
    if resting:
        rig.want(("0.52", 40), ("0.58", 40))
    if perp_side is not None:
        rig.buy(0.01, 80_000, side=perp_side, market=PERP)
    return report(rig.state)


def by_group(made: EngineReport) -> Iterator[tuple[list[int], list[payoff.Settlement]]]:
    """(every result the engine reckoned, the rows that are shown) of each group."""
    drawn = payoff.settlements(store(msgspec.structs.replace(snapshot(), engine=made)))
    for name, rows_ in groupby(drawn, key=lambda row: row.group):
        listed = [row.loss for row in made.scenarios if payoff._group(row) == name]
        assert listed
        yield listed, list(rows_)
    assert {payoff._group(row) for row in made.scenarios} == {row.group for row in drawn}


@settings(max_examples=40, deadline=None)
@given(TRADES, st.booleans())
def test_no_row_that_is_left_out_would_have_said_anything(trades: Trades, resting: bool) -> None:
    made = reckoned(trades, resting=resting)
    for losses, drawn in by_group(made):
        assert all(min(abs(loss - row.loss) for row in drawn) < CENT for loss in losses)


@settings(max_examples=40, deadline=None)
@given(TRADES, st.sampled_from([None, *Side]), st.booleans())
def test_the_worst_that_is_marked_is_the_worst_there_is(trades: Trades, perp_side: Side | None, resting: bool) -> None:
    made = reckoned(trades, perp_side, resting=resting)
    worst = 0
    for losses, drawn in by_group(made):
        (marked,) = (row for row in drawn if row.worst)
        assert abs(marked.loss - max(losses)) < CENT
        worst += max(marked.loss, 0)
    assert abs(worst - made.worst_loss) < 2 * CENT
