"""Surfaces: the marked cell is what was decided on, every other one is what the same functions say there."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from hlomm.domain.look_rows import ROWS, SIGMAS, BandRow, OddsRow
from hlomm.domain.units import SCALE, ceil_to, floor_to
from hlomm.pricing import binary, digital, quoter, terminal
from hlomm.pricing.horizon import p_vol
from hlomm.pricing.quoter import QuoteModel
from hlomm.strategy.base import Charting
from hlomm.strategy.charts import NO_DECISION, NO_MODEL
from tests.support.values import M, lots, outcome, px
from tests.unit.strategy.views import CONFIG, maker, number, view

CAP = lots(400)


def drawn(net: float = 80, **changes: object) -> tuple[BandRow, OddsRow]:
    strategy = maker()
    strategy.decide(view(net=net, **changes))
    found = strategy.surface(M, CAP)
    assert found.band is not None
    assert found.odds is not None
    return found.band, found.odds


def test_it_can_draw() -> None:
    assert isinstance(maker(), Charting)


@pytest.mark.parametrize("model", QuoteModel)
@pytest.mark.parametrize("net", [0, 37, 80, -133, 400, -650])
def test_the_marked_cell_is_the_quote_that_was_decided_on(model: QuoteModel, net: int) -> None:
    strategy = maker(model=model)
    desired = strategy.decide(view(net=net))
    found = strategy.surface(M, CAP)
    assert found.band is not None
    row, column = found.band.at
    place = row * SIGMAS + column
    bid, ask = found.band.bids[place], found.band.asks[place]
    assert desired.bid is not None
    assert desired.ask is not None
    assert bid is not None
    assert ask is not None
    tick = view().market.tick
    assert (floor_to(bid, tick), ceil_to(ask, tick)) == (desired.bid.px, desired.ask.px)
    assert found.band.reservations[place] == round(number(desired, "reservation") * SCALE)
    assert found.band.halves[place] == round(number(desired, "half") * SCALE)
    assert found.band.nets[row] == lots(abs(net)) * (1 if net >= 0 else -1)
    sigma = number(desired, "nu") * p_vol(number(desired, "fair"), 3_600.0)
    assert found.band.sigmas[column] == round(sigma * SCALE)
    assert found.p == desired.fair


def test_every_cell_is_the_quoters_own() -> None:
    strategy = maker()
    desired = strategy.decide(view(net=80))
    found = strategy.surface(M, CAP).band
    assert found is not None
    p, nu = number(desired, "fair"), number(desired, "nu")
    live = nu * p_vol(p, 3_600.0)
    for row in range(ROWS):
        for column in range(SIGMAS):
            sigma = live * 2.0 ** ((column - SIGMAS // 2) / 4)
            floor = max(binary.latency_floor(sigma, CONFIG.reaction_s, CONFIG.pull_ratio), CONFIG.min_half_spread)
            expected = quoter.quote(
                CONFIG.model, p=p, q=found.nets[row] / SCALE, tau_s=3_600.0, sigma_p=sigma, gamma=CONFIG.gamma,
                a=CONFIG.fill_rate, k=CONFIG.fill_decay, lot=CONFIG.lot, horizon_s=CONFIG.holding_s,
                max_half=CONFIG.max_half_spread, floor_half=floor,
            )  # fmt: skip
            place = row * SIGMAS + column
            assert expected.bid is not None
            assert found.bids[place] == pytest.approx(expected.bid * SCALE, abs=1)
            assert found.halves[place] == pytest.approx((expected.half or 0) * SCALE, abs=1)


def test_the_axes_rise_and_fall_and_reach_the_cap() -> None:
    for net in (0, 37, -133, 399, -650):
        band, odds = drawn(net)
        assert all(low < high for low, high in pairwise(band.sigmas))
        assert all(high > low for high, low in pairwise(band.nets))
        reach = lots(max(abs(net), 400))
        assert (max(band.nets), min(band.nets)) == (reach, -reach) or net in (399, -650)
        assert all(high > low for high, low in pairwise(odds.spots))
        assert len(band.nets) == len(odds.spots) == ROWS
        assert len(band.bids) == len(odds.cells) == ROWS * SIGMAS


def test_the_marked_odds_are_the_models() -> None:
    strategy = maker()
    desired = strategy.decide(view(spot="80150"))
    found = strategy.surface(M, CAP).odds
    assert found is not None
    row, column = found.at
    assert found.cells[row * SIGMAS + column] == pytest.approx(number(desired, "model") * SCALE, abs=1)
    assert (found.spots[row], found.sigmas[column]) == (px("80150"), round(number(desired, "expected") * SCALE))


def test_every_odds_cell_is_the_terminal_distributions() -> None:
    band, odds = drawn(spot="80150")
    tau = 3_600.0 / digital.YEAR_S
    for row in (0, 3, ROWS // 2, ROWS - 1):
        for column in range(SIGMAS):
            v = odds.sigmas[column] / SCALE * math.sqrt(tau)
            expected = terminal.odds(odds.spots[row] / SCALE, 80_000.0, v).p_yes
            assert odds.cells[row * SIGMAS + column] == pytest.approx(expected * SCALE, abs=20)
    assert len(band.sigmas) == SIGMAS


def test_a_bucket_is_drawn_as_one() -> None:
    bucket = outcome(strike=None, floor=px("79900"), ceiling=px("80100"), klass="priceBucket")
    strategy = maker(classes=("priceBucket",))
    strategy.decide(view(market=bucket))
    found = strategy.surface(bucket.id, CAP).odds
    assert found is not None
    middle = found.cells[(ROWS // 2) * SIGMAS + SIGMAS // 2]
    assert middle > found.cells[SIGMAS // 2]
    assert middle > found.cells[(ROWS - 1) * SIGMAS + SIGMAS // 2]


def test_where_it_is_pulled_no_side_is_quoted_and_the_width_stays() -> None:
    band, _ = drawn(tau_s=25.0)
    pulled = [place for place, (bid, ask) in enumerate(zip(band.bids, band.asks, strict=True)) if bid is ask is None]
    assert {place % SIGMAS for place in pulled} >= {SIGMAS - 1}
    assert all(band.halves[place] is not None for place in pulled)
    assert band.max_half == px("0.12")


def test_it_is_pulled_where_it_says() -> None:
    strategy = maker()
    strategy.decide(view(tau_s=60.0, spot=None))
    figures = strategy.figures(M)
    assert figures is not None
    below_s = figures.pulled_below_s
    assert maker().decide(view(tau_s=below_s * 1.01, spot=None)).bid is not None
    assert quoter.PULLED in maker().decide(view(tau_s=below_s * 0.99, spot=None)).bid_reason


def test_the_books_price_is_told_as_it_was_blended() -> None:
    """Between two books the underlying moves: what was blended is the book moved with it."""
    strategy = maker(follow_s=10.0)
    strategy.decide(view())
    before = strategy.figures(M)
    desired = strategy.decide(view(at_s=0.5, spot="80100"))
    after = strategy.figures(M)
    assert before is not None
    assert after is not None
    assert before.book_now == px("0.55")
    assert after.book_now is not None
    assert after.book_now > px("0.6")
    low, high = sorted((round(number(desired, "model") * SCALE), after.book_now))
    assert desired.fair is not None
    assert low <= desired.fair <= high


def test_without_a_decision_there_is_nothing_to_draw() -> None:
    strategy = maker()
    assert (strategy.surface(M, CAP).note, strategy.figures(M)) == (NO_DECISION, None)
    strategy.decide(view())
    assert strategy.surface(M, CAP).band is not None
    strategy.decide(view(bids=(), asks=(), spot=None, count=2))
    assert strategy.surface(M, CAP).note == NO_DECISION, "the fair value is gone, and its pictures with it"
    strategy.decide(view(count=3))
    strategy.forget(M)
    assert strategy.surface(M, CAP).band is None


def test_without_a_price_of_the_underlying_there_are_no_odds() -> None:
    strategy = maker()
    strategy.decide(view(spot=None))
    found = strategy.surface(M, CAP)
    assert found.odds is None
    assert found.band is not None
    assert found.note == NO_MODEL


def test_drawing_changes_no_decision() -> None:
    watched, alone = maker(), maker()
    for second in range(30):
        seen = view(at_s=second, tau_s=3_600.0 - second, count=second, spot=80_000 + 7 * second, net=second)
        assert watched.decide(seen) == alone.decide(seen)
        watched.surface(M, CAP)
        watched.figures(M)
