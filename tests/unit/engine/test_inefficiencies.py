"""How far venues stand apart: sampled on a grid, of every venue the closest contract, bounded, deciding nothing."""

from __future__ import annotations

import pytest

from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET
from hlomm.domain.inputs import BookSnapshot, MarketListed, MarketSettled
from hlomm.domain.markets import FeeCurve, Market
from hlomm.domain.units import SCALE, Cash
from hlomm.engine import inefficiencies
from hlomm.engine.inefficiencies import CELLS, EVENTS_MAX, LOOKBACK_S, SAMPLE_NS, SAMPLE_S
from tests.support.pairs import EXPIRY_NS, RULES
from tests.support.rig import Rig
from tests.support.values import levels, lots, px
from tests.support.venues import hyperliquid, kalshi, polymarket

HL = hyperliquid(expiry_ns=EXPIRY_NS)
KS = kalshi(expiry_ns=EXPIRY_NS, fee=FeeCurve(taker=7_000_000, step=Cash(100)))
PM = polymarket(expiry_ns=EXPIRY_NS, settles_ns=EXPIRY_NS)
STEP_S = float(SAMPLE_S)


def desk(*markets: Market) -> Rig:
    return Rig(RULES, markets=markets or (HL, KS, PM), venues=(HYPERLIQUID, POLYMARKET, KALSHI))


def heard(rig: Rig, **mids: str) -> None:
    """Two cents wide, around these."""
    names = {"hl": HL.id, "ks": KS.id, "pm": PM.id}
    for name, mid in mids.items():
        middle = px(mid)
        book = (((middle - px("0.01"), lots(100)),), ((middle + px("0.01"), lots(100)),))
        rig.tell(BookSnapshot(names[name], *book, rig.ms))


def sampled(rig: Rig, steps: int, **mids: str) -> None:
    for _ in range(steps):
        heard(rig, **mids)
        rig.wait(STEP_S)
        heard(rig, **mids)


def test_every_venue_is_held_against_the_others() -> None:
    rig = desk()
    sampled(rig, 4, hl="0.50", ks="0.51", pm="0.58")
    ((event,), deviations) = inefficiencies.rows(rig.state)
    rows = {row.market: row for row in event.standings}
    assert set(rows) == {HL.id, KS.id, PM.id}
    assert rows[PM.id].deviation == px("0.075")
    assert rows[HL.id].deviation == px("-0.045")
    assert rows[PM.id].threshold is not None
    assert rows[PM.id].threshold < px("0.075")
    assert rows[PM.id].beyond == SCALE
    assert (deviations[0].market, deviations[0].ticker) == (HL.id, HL.ticker)
    assert {row.market for row in deviations} >= {PM.id}
    assert all(rig.ms - 60_000 <= row.wall_ms <= rig.ms for row in deviations)


def test_what_taking_costs_is_in_the_threshold() -> None:
    """Kalshi's .07 of p (1 - p) at 0.52 and 0.50: 1.75 cents on the dearer side, beside both half-spreads."""
    rig = desk(HL, KS)
    sampled(rig, 3, hl="0.50", ks="0.51")
    ((event,), _) = inefficiencies.rows(rig.state)
    thresholds = {row.market: row.threshold for row in event.standings}
    assert thresholds[HL.id] == thresholds[KS.id] == pytest.approx(px("0.0375"), abs=px("0.0005"))


def test_the_grid_is_one_of_time_not_of_events() -> None:
    rig = desk(HL, KS)
    heard(rig, hl="0.50", ks="0.51")
    before = rig.state.standings.samples
    for _ in range(50):
        heard(rig, hl="0.52", ks="0.51")
        heard(rig, hl="0.50", ks="0.51")
    assert rig.state.standings.samples == before, "no time has passed"
    sampled(rig, 4, hl="0.50", ks="0.51")
    assert rig.state.standings.samples == before + 4
    assert rig.state.standings.next_ns % SAMPLE_NS == 0


def test_of_every_venue_the_closest_contract() -> None:
    far = kalshi("KXBTCD-26NOV2012-T91040.99", strike=px("91040.99"), expiry_ns=EXPIRY_NS)
    rig = desk(far, HL, KS)
    sampled(rig, 2, hl="0.50", ks="0.51")
    ((event,), _) = inefficiencies.rows(rig.state)
    assert {row.market for row in event.standings} == {HL.id, KS.id}


def test_a_closer_contract_takes_the_place_of_one_that_was_there_first() -> None:
    far = kalshi("KXBTCD-26NOV2012-T91040.99", strike=px("91040.99"), expiry_ns=EXPIRY_NS)
    rig = desk(HL, far)
    sampled(rig, 2, hl="0.50")
    event = rig.state.standings.by_market[HL.id]
    assert far.id in event.members
    rig.tell(MarketListed(KS))
    sampled(rig, 2, hl="0.50", ks="0.51")
    assert rig.state.standings.by_market[HL.id] is event, "what was known of the event goes on"
    assert list(event.members) == [HL.id, KS.id]
    assert far.id not in rig.state.standings.by_market


def test_an_event_ends_with_its_links() -> None:
    rig = desk(HL, KS)
    sampled(rig, 2, hl="0.50", ks="0.51")
    rig.tell(MarketSettled(KS.id, px(1), "price"))
    sampled(rig, 1, hl="0.50")
    assert inefficiencies.rows(rig.state)[0] == ()
    assert rig.state.standings.by_market == {}


def test_old_one_sided_and_missing_books_say_nothing() -> None:
    rig = desk()
    sampled(rig, 2, hl="0.50", ks="0.51", pm="0.52")
    rig.tell(BookSnapshot(PM.id, levels(("0.50", 100)), (), rig.ms))
    sampled(rig, 3, hl="0.50", ks="0.51")
    ((event,), _) = inefficiencies.rows(rig.state)
    known = {row.market: row.deviation is not None for row in event.standings}
    assert known == {HL.id: True, KS.id: True, PM.id: False}
    for _ in range(6):
        rig.wait(STEP_S)
    assert all(row.deviation is None for row in inefficiencies.rows(rig.state)[0][0].standings), "all are stale"


def test_the_heat_map_has_the_lookback_in_equal_cells() -> None:
    rig = desk(HL, KS)
    sampled(rig, round(LOOKBACK_S / STEP_S) + 20, hl="0.50", ks="0.52")
    ((event,), _) = inefficiencies.rows(rig.state)
    for row in event.standings:
        assert len(row.heat) == CELLS
        assert row.known_s == pytest.approx(LOOKBACK_S, abs=STEP_S)
        assert row.threshold is not None
        assert set(row.heat) == {round(100 * px("0.02") / row.threshold)}
    assert len(rig.state.standings.by_market[HL.id].view._venues[HL.id].spans) <= LOOKBACK_S / STEP_S + 2


def test_events_have_a_bound_and_the_rest_is_counted() -> None:
    spaced = range(EVENTS_MAX + 3)
    ladder = [hyperliquid(100 + n, strike=px(91_000 + 1_000 * n), expiry_ns=EXPIRY_NS) for n in spaced]
    far = [kalshi(f"KXBTCD-26NOV2012-T{n}", strike=px(91_000 + 1_000 * n), expiry_ns=EXPIRY_NS) for n in spaced]
    rig = desk(*ladder, *far)
    rig.wait(STEP_S)
    assert len(inefficiencies.rows(rig.state)[0]) == EVENTS_MAX
    assert rig.state.standings.overflow > 0


def test_a_view_decides_nothing() -> None:
    """The digest, which has every decision in it, is the same whether or not it samples."""
    digests = []
    for every_ns in (SAMPLE_NS, 10**18):
        rig = desk(HL, KS)
        rig.state.standings.next_ns = 0 if every_ns == SAMPLE_NS else every_ns
        sampled(rig, 4, hl="0.50", ks="0.70")
        digests.append((rig.engine.digest(), bool(rig.state.standings.by_market)))
    assert digests[0] == (digests[1][0], True)
