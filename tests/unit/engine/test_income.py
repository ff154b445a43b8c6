"""What venues would pay for quoting: counted with fills, taken back with them, shown apart and in no result."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, POLYMARKET
from hlomm.domain.inputs import BookSnapshot, FillReceived, FillVoided
from hlomm.domain.markets import FeeCurve, Leg, RewardTerms
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash
from hlomm.engine import income
from hlomm.engine.report import pnl
from tests.support.pairs import EXPIRY_NS, RULES
from tests.support.rig import Rig
from tests.support.values import levels, lots, px, usd
from tests.support.venues import polymarket

CRYPTO = FeeCurve(taker=7_000_000, rebate=20_000_000, step=Cash(1_000), up=False)
PM = polymarket(expiry_ns=EXPIRY_NS, settles_ns=EXPIRY_NS, klass="priceBinary", fee=CRYPTO)
TERMS = RewardTerms(min_qty=lots(50), max_spread=px("0.045"), per_day=usd(24))


def desk(**changes: Any) -> Rig:
    return Rig(RULES, markets=(replace(PM, **changes),), venues=(HYPERLIQUID, POLYMARKET))


def fill(**changes: Any) -> Fill:
    values: dict[str, Any] = {
        "key": "t1", "market": PM.id, "leg": Leg.YES, "side": Side.BUY, "px": px("0.5"), "qty": lots(100),
        "fee": Cash(0), "kind": FillKind.TRADE, "maker": True, "client_id": None, "venue_order_id": None,
        "venue_ms": 1, "pending": True,
    }  # fmt: skip
    return Fill(**(values | changes))


def test_a_fill_as_maker_brings_a_fifth_of_its_takers_fee() -> None:
    rig = desk()
    rig.tell(FillReceived(fill()))
    (row,) = income.rows(rig.state)
    assert (row.venue, row.rebates) == (POLYMARKET, usd("0.35"))
    assert pnl(rig.state).rewards == 0, "nothing is paid yet"
    rig.tell(FillReceived(fill()))
    assert income.rows(rig.state) == (row,), "the same fill once more"


def test_a_match_that_fails_brings_nothing() -> None:
    rig = desk()
    rig.tell(FillReceived(fill()), FillVoided(fill(), "FAILED"))
    assert income.rows(rig.state)[0].rebates == 0


@pytest.mark.parametrize(
    ("changes", "market"), [({"maker": False}, {}), ({}, {"fee": FeeCurve(taker=7_000_000)})], ids=["taker", "no pool"]
)
def test_whoever_takes_or_is_promised_nothing_gets_nothing(changes: dict[str, Any], market: dict[str, Any]) -> None:
    rig = desk(**market)
    rig.tell(FillReceived(fill(**changes)))
    assert income.rows(rig.state) == ()


def quoting(rig: Rig, number: float = 100) -> None:
    """Both sides a cent from the mid of a book in which as much of others rests."""
    rig.tell(BookSnapshot(PM.id, levels(("0.49", 100)), levels(("0.51", 100)), rig.ms))
    for request in (rig.resting_bid("0.48", number, market=PM.id), rig.resting_ask("0.52", number, market=PM.id)):
        assert request.live
    rig.wait(2)
    book = levels(("0.49", 100), ("0.48", number)), levels(("0.51", 100), ("0.52", number))
    rig.tell(BookSnapshot(PM.id, *book, rig.ms))


def test_what_rests_earns_its_share_of_the_score() -> None:
    """One cent away scores (3.5 / 4.5)^2, two cents (2.5 / 4.5)^2."""
    rig = desk(rewards=TERMS)
    quoting(rig)
    (row,) = income.rows(rig.state)
    own, others = 2.5**2, 3.5**2
    assert (row.scoring, row.quoted) == (1, 1)
    assert row.share / SCALE == pytest.approx(own / (own + others))
    assert row.per_day == pytest.approx(24 * row.share, abs=100)
    assert pnl(rig.state).rewards == 0


def test_what_is_too_small_or_too_far_scores_nothing() -> None:
    small = desk(rewards=TERMS)
    quoting(small, 40)
    far = desk(rewards=replace(TERMS, max_spread=px("0.015")))
    quoting(far)
    for rig in (small, far):
        (row,) = income.rows(rig.state)
        assert (row.scoring, row.quoted, row.share, row.per_day) == (0, 1, 0, 0)


def test_no_programme_no_row() -> None:
    rig = desk()
    quoting(rig)
    assert income.rows(rig.state) == ()
