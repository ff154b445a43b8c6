"""What fills were worth a little later, held against the definition in `pricing.markout`."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import MarketSettled
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, direction, yes_px
from hlomm.domain.report import FillRow
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.engine import markouts as module
from hlomm.engine.attribution import Attribution
from hlomm.engine.markouts import Markouts
from hlomm.engine.report import report
from hlomm.pricing.markout import Aggressor, Print, markouts
from tests.support.rig import Rig
from tests.support.values import M, levels, px

CENT = SCALE // 100


def row(at_s: float, leg: Leg = Leg.YES, side: Side = Side.BUY, price: int = 50 * CENT, **changes: object) -> FillRow:
    values = {
        "wall_ms": int(at_s * 1000), "market": M, "ticker": "m", "leg": leg, "side": side, "px": Px(price),
        "qty": Qty(10 * SCALE), "fee": Cash(0), "kind": "trade", "maker": True,
    } | changes  # fmt: skip
    return FillRow(**values)  # type: ignore[arg-type]


class Feed:
    """Fills and references in the engine's order: what is due is settled before anything moves."""

    def __init__(self, kept: int = 200) -> None:
        self.recent: deque[FillRow] = deque(maxlen=kept)
        self.made = Markouts(self.recent)
        self.attribution = Attribution()

    def at(self, at_s: float) -> int:
        now_ns = round(at_s * NS_PER_S)
        self.made.settle(self.attribution, now_ns - 1)
        return now_ns

    def fill(self, fill: FillRow, at_s: float) -> None:
        self.made.note(fill, self.at(at_s))

    def mid(self, ref2: int, at_s: float) -> None:
        now_ns = self.at(at_s)
        self.attribution.moved(M, ref2, 0)
        self.made.settle(self.attribution, now_ns)


TIMES = st.integers(0, 900).map(lambda tenths: tenths / 10)
FILL = st.tuples(
    TIMES, st.just("fill"), st.tuples(st.sampled_from(Leg), st.sampled_from(Side), st.integers(1, 99), st.booleans())
)
MID = st.tuples(TIMES, st.just("mid"), st.integers(2 * CENT, 198 * CENT))


@settings(max_examples=150, deadline=None)
@given(st.lists(FILL | MID, min_size=1, max_size=40))
def test_they_are_the_markouts_of_pricing_to_the_unit(events: list) -> None:
    feed, mids, prints = Feed(), [(0.0, CENT * 100)], []
    feed.mid(CENT * 100, 0.0)
    for at_s, kind, what in sorted(events, key=lambda event: (event[0], event[1])):
        if kind == "mid":
            if at_s == mids[-1][0]:
                continue  # one mid per time is what both are made for
            feed.mid(what, at_s)
            mids.append((at_s, what))
        else:
            leg, side, cents, maker = what
            fill = row(at_s, leg, side, cents * CENT, maker=maker)
            feed.fill(fill, at_s)
            prints.append((at_s, fill))
    end_s = max(at_s for at_s, *_ in events) + 100.0
    feed.mid(CENT * 100, end_s)
    mids.append((end_s, CENT * 100))
    times, values = zip(*mids, strict=True)
    wanted = markouts(
        [
            Print(at_s, Aggressor(-direction(fill.leg, fill.side)), 2.0 * yes_px(fill.leg, fill.px))
            for at_s, fill in prints
        ],
        times, [float(value) for value in values], MARKOUT_S,
    )  # fmt: skip
    for one, (made, quality) in enumerate(zip(feed.recent, wanted, strict=True)):
        exact = [None if markout is None else markout.maker for markout in quality.markouts]
        assert made.markouts == tuple(None if value is None else int(value // 2) for value in exact), one
    makers = [quality for (_, fill), quality in zip(prints, wanted, strict=True) if fill.maker]
    for place, total in enumerate(feed.made.rows()):
        assert total.fills == len(makers)
        if makers:
            mean2 = sum(int(quality.markouts[place].maker) for quality in makers)  # type: ignore[union-attr]
            assert total.mean == mean2 // (2 * len(makers))


def test_the_last_reference_at_the_moment_counts_and_none_after_it() -> None:
    feed = Feed()
    feed.mid(100 * CENT, 0)
    feed.fill(row(0, price=49 * CENT), 0)
    feed.mid(104 * CENT, 1)  # at that very moment
    feed.mid(90 * CENT, 5.000000001)
    assert feed.recent[0].markouts == (3 * CENT, 3 * CENT, None, None)


def test_a_market_that_has_settled_gives_no_figure() -> None:
    feed = Feed()
    feed.mid(100 * CENT, 0)
    feed.fill(row(0), 0)
    feed.mid(100 * CENT, 2)
    feed.at(3)
    feed.attribution.settled(M, SCALE)
    feed.at(100)
    assert feed.recent[0].markouts == (0, None, None, None)
    feed.attribution.forget(M)
    feed.fill(row(100), 100)
    feed.at(200)
    assert feed.recent[1].markouts == (None,) * 4, "nor does one that is forgotten"
    assert [total.fills for total in feed.made.rows()] == [1, 0, 0, 0]


def test_what_is_no_trade_of_an_outcome_has_none_and_keeps_its_place() -> None:
    feed = Feed()
    feed.mid(100 * CENT, 0)
    feed.fill(row(0, kind="settlement"), 0)
    feed.fill(row(0, market=MarketId("hyperliquid:BTC")), 0)
    feed.fill(row(0, price=49 * CENT), 0)
    feed.mid(100 * CENT, 61)
    assert [each.markouts for each in feed.recent] == [(), (), (CENT,) * 4]


def test_rows_that_are_no_longer_kept_still_count() -> None:
    feed = Feed(kept=2)
    feed.mid(100 * CENT, 0)
    for number in range(5):
        feed.fill(row(0, price=(50 - number) * CENT), 0)
    feed.mid(100 * CENT, 2)
    assert [each.markouts[0] for each in feed.recent] == [3 * CENT, 4 * CENT]
    assert (feed.made.rows()[0].mean, feed.made.rows()[0].fills) == (2 * CENT, 5)


def test_what_waits_is_bounded_and_what_it_costs_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    feed = Feed()
    feed.mid(100 * CENT, 0)
    for _ in range(5):
        feed.fill(row(0), 0)
    feed.mid(100 * CENT, 100)
    assert feed.made.dropped == 2 * len(MARKOUT_S)
    assert [each.markouts[0] for each in feed.recent] == [None, None, 0, 0, 0]


def test_the_engine_makes_them_from_the_books_of_others() -> None:
    rig = Rig()
    order = rig.resting_bid("0.52", 100)
    rig.filled(order, 40)
    rig.wait(0.9)
    rig.book(levels(("0.56", 500)), levels(("0.60", 500)))
    rig.wait(0.2)
    rig.tell(MarketSettled(M, Px(SCALE), "price:1"))
    rig.wait(61)
    fill = next(each for each in report(rig.state).recent_fills if each.kind == "trade")
    assert fill.markouts == (px("0.06"), None, None, None)
    assert [(each.horizon_s, each.mean, each.fills) for each in report(rig.state).markouts] == [
        (1, px("0.06"), 1), (5, None, 0), (30, None, 0), (60, None, 0),
    ]  # fmt: skip
