"""The simulator's own flow, of which the settings are the truth, seen through its public books and prints."""

from __future__ import annotations

import numpy as np
import pytest

from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.research.calibrate.intensity import arrivals_of
from hlomm.research.calibrate.probit import nus
from hlomm.research.calibrate.series import Series
from hlomm.sim.config import FlowConfig, ListingConfig, PathConfig, SimConfig
from hlomm.sim.events import Traded
from hlomm.sim.listing import first_origin
from hlomm.sim.world import Commit, World
from tests.unit.store.making import OUTCOME, T0

SECONDS = 900
CONFIG = SimConfig(
    listing=ListingConfig(periods=("3m", "1d")), flow=FlowConfig(informed_per_s=0.0, perp_takers_per_s=0.0),
    path=PathConfig(jumps_per_day=0.0, vol_of_vol=0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def day() -> Series:
    """A quarter of an hour of the contract of a day: noise takers alone, and a vol that stays as configured."""
    world = World(CONFIG, 2, first_origin(CONFIG.listing, T0))
    market = next(one for one in world.exchange.outcomes.values() if one.spec.period == "1d")
    books, prints = [], []

    def commit(block: Commit) -> None:
        bid, ask = (market.book.best_ticks(side) for side in (Side.BUY, Side.SELL))
        if bid is not None and ask is not None:
            books.append((block.time_ns, (bid + ask) / 2e5, (ask - bid) / 2e5))
        prints.extend(
            (block.time_ns, event.trade.ticks / 1e5, int(event.trade.aggressor)) for event in block.events
            if isinstance(event, Traded) and event.trade.outcome == market.number
        )  # fmt: skip

    world.on_commit = commit
    world.advance(world.origin_ns + SECONDS * NS_PER_S)
    book_ns, mid, half = (np.array(column) for column in zip(*books, strict=True))
    print_ns, px, sign = (np.array(column) for column in zip(*prints, strict=True))
    return Series(
        market=OUTCOME, klass="priceBinary", expiry_ns=market.spec.expiry_ns, book_ns=book_ns, mid=mid, half=half,
        print_ns=print_ns, print_px=px, print_sign=sign,
    )  # fmt: skip


def test_arrivals_are_as_many_as_takers_were_configured_to_come(day):
    found = arrivals_of(day)
    flow, p = CONFIG.flow, float(np.median(day.mid))
    # `NoiseTakers`: half of them on each side, put off by what the touch costs in units of their patience.
    spread = flow.tail_spread + (flow.base_spread - flow.tail_spread) * 4.0 * p * (1.0 - p)
    come = 0.5 * flow.noise_per_s * np.mean(np.exp(-day.half / (0.9 * spread)))
    assert len(found.d) / (2.0 * found.book_s.sum()) == pytest.approx(come, rel=0.2)
    assert found.lost == 0
    assert (found.d > 0.0).mean() > 0.95, "takers pay the spread"


def test_makers_who_know_the_vol_make_a_price_whose_nu_is_one(day):
    found = nus([day], 8.0)[0]
    assert found.nu == pytest.approx(1.0, rel=0.15)
    assert found.interval is not None
    assert found.interval[0] < 1.0 < found.interval[1] * 1.1
