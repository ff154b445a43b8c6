"""The surfaces are the quoter's and the model's own numbers: held against every decision of a whole run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import attrs
import polars as pl
import pytest

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.inputs import Input
from hlomm.domain.outputs import Output
from hlomm.domain.times import NS_PER_S, Now
from hlomm.domain.units import SCALE
from hlomm.domain.view import Desired
from hlomm.engine.core import Engine
from hlomm.engine.quoting import view_of
from hlomm.pricing import horizon
from hlomm.research.replay import replay
from hlomm.research.report.gather import Gathered
from hlomm.research.report.source import Source
from hlomm.research.report.surfaces import (
    Moment,
    band,
    band_axes,
    chosen_market,
    in_cents,
    inefficiency,
    moments,
    odds,
    odds_axes,
)
from hlomm.research.report.tables import Table
from hlomm.strategy.avellaneda import AvellanedaConfig
from hlomm.strategy.outlooks import spot_of


@attrs.define(eq=False)
class Decision:
    """What one decision saw, and the numbers that it left behind."""

    moment: Moment
    facts: dict[str, float | str]


@attrs.define(eq=False)
class Witness:
    """Notes every decision in the turn in which it was made."""

    found: list[Decision] = attrs.field(factory=list)
    _known: dict[MarketId, Desired] = attrs.field(factory=dict)

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        """Nothing is decided here."""

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        for market_id, market in engine.state.markets.items():
            desired = market.desired
            if desired is None or self._known.get(market_id) is desired:
                continue
            self._known[market_id] = desired
            facts, view = dict(desired.facts), view_of(engine.state, market)
            spot, p, nu, tau_s = spot_of(view), facts.get("fair"), facts.get("nu"), view.tau_ns / NS_PER_S
            if spot is None or not isinstance(p, float) or not isinstance(nu, float) or not tau_s:
                continue
            vol, premium = _number(facts["vol"]), _number(facts["premium"])
            moment = Moment(
                wall_ns=now.wall_ns, market=market_id, ticker=market.market.ticker, strategy=StrategyId("avellaneda"),
                tau_s=tau_s, fair=p, q=view.net / SCALE, spot=spot, realised_vol=vol, premium=premium,
                sigma_p=nu * horizon.p_vol(p, tau_s),
                own_bid=None, own_ask=None,
            )  # fmt: skip
            self.found.append(Decision(moment, facts))


def _number(fact: float | str) -> float | None:
    return fact if isinstance(fact, float) else None


@pytest.fixture(scope="module")
def decisions(journal: Path) -> list[Decision]:
    witness = Witness()
    assert replay(journal, onlooker=witness).identical
    return witness.found


def test_the_band_is_the_quote_of_every_decision(gathered: Gathered, decisions: list[Decision]) -> None:
    compared = 0
    for decision in decisions:
        moment, facts = decision.moment, decision.facts
        assert moment.sigma_p is not None
        if moment.market not in gathered.markets:
            continue
        made = band(gathered, moment, sigmas=[moment.sigma_p], qs=[moment.q])
        assert made is not None
        reservation, half = facts["reservation"], facts["half"]
        if isinstance(reservation, str) or isinstance(half, str):
            continue
        for cell, wanted in ((made.bid[0][0], reservation - half), (made.ask[0][0], reservation + half)):
            if cell is not None:
                assert cell == wanted
                compared += 1
    assert compared > 200


def test_p_yes_is_the_model_of_every_decision(gathered: Gathered, decisions: list[Decision]) -> None:
    compared = 0
    for decision in decisions:
        moment, model = decision.moment, decision.facts["model"]
        if isinstance(model, str) or moment.realised_vol is None or moment.market not in gathered.markets:
            continue
        made = odds(gathered, moment, sigmas=[moment.realised_vol], spots=[moment.spot])
        assert made is not None
        assert made.p[0][0] == pytest.approx(model, rel=1e-9, abs=1e-12)
        compared += 1
    assert compared > 200


def test_axes_reach_around_what_was_recorded(gathered: Gathered) -> None:
    market = chosen_market(gathered)
    chosen = moments(gathered, market, 12)
    assert 2 <= len(chosen) <= 12
    assert {moment.market for moment in chosen} == {market}
    fills = gathered.tables["fills"].group_by("market").len().sort("len")
    assert market == fills.filter(pl.col("market").is_in(list(gathered.markets)))["market"][-1], "the most traded one"
    sigmas, qs = band_axes(gathered, chosen)
    vols, spots = odds_axes(gathered, chosen)
    for moment in chosen:
        assert moment.sigma_p is not None
        assert sigmas[0] < moment.sigma_p < sigmas[-1]
        assert qs[0] <= moment.q <= qs[-1]
        assert spots[0] < moment.spot < spots[-1]
        assert moment.realised_vol is not None
        assert vols[0] < moment.realised_vol < vols[-1]
    made = band(gathered, chosen[0], sigmas=sigmas, qs=qs)
    assert made is not None
    assert made.x[0] == pytest.approx(100 * sigmas[0] * math.sqrt(60)) == in_cents(sigmas[0])
    pairs = [
        (bid, ask)
        for row, other in zip(made.bid, made.ask, strict=True)
        for bid, ask in zip(row, other, strict=True)
        if bid is not None and ask is not None
    ]
    assert len(pairs) > 100
    assert all(0 < bid < ask < 1 for bid, ask in pairs)
    column = [row[0] for row in made.bid if row[0] is not None]
    assert column == sorted(column, reverse=True), "the more is held, the less is bid"


def test_settings_are_those_in_force_then(gathered: Gathered) -> None:
    (moment,) = moments(gathered, chosen_market(gathered), 1)
    ((name, known),) = gathered.configs.items()
    config = known[0].config
    assert isinstance(config, AvellanedaConfig)
    wide = attrs.evolve(known[0], config=attrs.evolve(config, min_half_spread=0.04))
    later, at_once = (
        attrs.evolve(gathered, configs={name: [known[0], attrs.evolve(wide, wall_ns=wall_ns)]})
        for wall_ns in (moment.wall_ns + 1, moment.wall_ns)
    )
    assert moment.sigma_p is not None
    before, unchanged, after = (
        band(one, moment, sigmas=[moment.sigma_p], qs=[0.0]) for one in (gathered, later, at_once)
    )
    assert before == unchanged
    assert after is not None
    assert after.bid[0][0] == pytest.approx(moment.fair - 0.04)


def test_inefficiency_by_hand(gathered: Gathered) -> None:
    table = Table("standings")
    for second, venue, market, deviation in (
        (0, "kalshi", "kalshi:a", 0.02), (0, "kalshi", "kalshi:b", -0.06), (5, "polymarket", "polymarket:a", 0.01),
        (12, "kalshi", "kalshi:a", 0.0),
    ):  # fmt: skip
        table.add(second * NS_PER_S, "event", venue, market, deviation, 0.02)
    made = inefficiency(attrs.evolve(gathered, tables={**gathered.tables, "standings": table.frame(Source.SIM)}))
    assert made is not None
    assert made.venues == ["kalshi", "polymarket"]
    assert made.x == [0, 10 * NS_PER_S]
    assert made.z == [[pytest.approx(2.0), 0.0], [pytest.approx(0.5), None]]
    assert made.peak[0][0] == pytest.approx(3.0)


def test_a_single_venue_has_no_inefficiency(gathered: Gathered) -> None:
    empty = Table("standings").frame(Source.SIM)
    assert inefficiency(attrs.evolve(gathered, tables={**gathered.tables, "standings": empty})) is None
