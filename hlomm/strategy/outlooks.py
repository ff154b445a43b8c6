"""What is expected of each underlying, kept once and fed by every market on it (models in `hlomm.pricing.expected`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, to_float
from hlomm.domain.view import MarketView
from hlomm.pricing.expected import ExpectedVol, Outlook, contract_of
from hlomm.pricing.fair import Estimate
from hlomm.pricing.premium import VolPremium
from hlomm.pricing.rolling import RollingTwoScale
from hlomm.strategy.signals import UnderlyingVol

_BPS: Final = 1e-4


class RealisedKind(StrEnum):
    """Estimators of the underlying's vol."""

    EWMA = "ewma"
    TWO_SCALE = "two_scale"
    """Subtracts the noise of the quotes (QUANT 3.3)."""


Realised = UnderlyingVol | RollingTwoScale


@attrs.frozen(kw_only=True)
class OutlookRules:
    """Human units; meanings in config/default.toml."""

    vol_annual: float
    vol_prior_s: float
    vol_halflife_s: float
    sample_s: float
    basis_bps: float
    vol_error: float
    max_underlying_age_s: float
    realised: RealisedKind = RealisedKind.EWMA


@attrs.frozen
class Underlying:
    """What is kept per underlying: every market on it feeds both."""

    realised: Realised
    expected: ExpectedVol


class Outlooks:
    def __init__(self, rules: OutlookRules) -> None:
        self._rules = rules
        self._known: dict[str, Underlying] = {}

    def observe(self, view: MarketView) -> Underlying:
        """Take the underlying's price of a view in."""
        known = self._known.get(view.market.underlying)
        if known is None:
            known = self._known[view.market.underlying] = self._new()
        spot = spot_of(view)
        if spot is not None:
            known.realised.update(view.mono_ns / NS_PER_S, spot)
        return known

    def annual(self, underlying: str) -> float:
        """Realised vol so far, the prior before anything was seen. Nothing is taken in."""
        known = self._known.get(underlying)
        return self._rules.vol_annual if known is None else known.realised.annual

    def _new(self) -> Underlying:
        r = self._rules
        realised: Realised
        if r.realised is RealisedKind.TWO_SCALE:
            realised = RollingTwoScale(
                prior=r.vol_annual, prior_s=r.vol_prior_s, window_s=2.0 * r.vol_halflife_s, grid_s=r.sample_s
            )
        else:
            realised = UnderlyingVol.with_prior(
                annual=r.vol_annual, prior_s=r.vol_prior_s, halflife_s=r.vol_halflife_s, grid_s=r.sample_s
            )
        return Underlying(realised, expected_vol(r.vol_annual, r.basis_bps, VolPremium(sd0=r.vol_error)))

    def outlook(self, view: MarketView, underlying: Underlying) -> Outlook | None:
        """The digital with the expected vol; None without a fresh underlying, or terms to price."""
        spot, contract, tau_s = spot_of(view), contract_of(view.market), view.tau_ns / NS_PER_S
        if spot is None or contract is None or view.underlying_age_ns > self._rules.max_underlying_age_s * NS_PER_S:
            return None
        moving_s = moving_time_s(view.market, tau_s)
        if moving_s is None:
            return None
        return underlying.expected.outlook(
            view.mono_ns / NS_PER_S, sigma=underlying.realised.annual, tau_s=moving_s, spot=spot, contract=contract
        )

    @staticmethod
    def learn(view: MarketView, underlying: Underlying, outlook: Outlook, said: Estimate) -> None:
        """Let a book's price move the premium. After the value is made: it must not already contain the book."""
        underlying.expected.learn(view.mono_ns / NS_PER_S, outlook, said)


def expected_vol(vol_annual: float, basis_bps: float, premium: VolPremium) -> ExpectedVol:
    """The structure of a strategy's settings with a premium."""
    # One figure for the prior and for what vol returns to: before anything was seen they are the same statement.
    return ExpectedVol(long_run=vol_annual, noise=basis_bps * _BPS, premium=premium)


def moving_time_s(market: Market, tau_s: float) -> float | None:
    """Time left to a point settlement that moves as this contract does.

    The mean over a window has two thirds of it less variance (QUANT 4.4), so until the window begins it is a digital
    that ends so much earlier. From then on its value hangs on prints that are already made, which a view does not
    carry: None.
    """
    if not market.averaging_s:
        return tau_s
    return tau_s - 2.0 / 3.0 * market.averaging_s if tau_s > market.averaging_s else None


def spot_of(view: MarketView) -> float | None:
    """The perp's mid where there is one (the mark follows it within seconds), else the mark; None for no price."""
    if view.underlying_mid2 is not None:
        spot = view.underlying_mid2 / (2 * SCALE)
    else:
        spot = 0.0 if view.underlying_px is None else to_float(view.underlying_px)
    return spot if spot > 0.0 else None
