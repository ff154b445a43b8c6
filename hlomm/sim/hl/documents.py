"""Answers of `/info` that do not depend on what happens in the market."""

from __future__ import annotations

from typing import Any

from hlomm.domain.units import to_text
from hlomm.sim.coins import PERP_COIN, wire
from hlomm.sim.config import RulesConfig
from hlomm.sim.hl.rows import QUOTE

Json = dict[str, Any]


def meta() -> Json:
    """The perp universe: one coin."""
    tiers = [{"lowerBound": "0.0", "maxLeverage": 40}]
    return {
        "universe": [{"name": PERP_COIN, "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56}],
        "marginTables": [[56, {"description": "tiered 40x", "marginTiers": tiers}]],
        "collateralToken": 0,
    }


def spot_meta() -> Json:
    """The quote token and no spot pairs; outcomes are never listed here."""
    token = {
        "name": QUOTE,
        "szDecimals": 8,
        "weiDecimals": 8,
        "index": 0,
        "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
        "isCanonical": True,
        "evmContract": None,
        "fullName": None,
    }
    return {"tokens": [token], "universe": []}


def user_fees(rules: RulesConfig) -> Json:
    """Base-tier rates for everybody, with the schedule's shape but without its tiers."""
    rates = {
        "cross": to_text(rules.perp_taker),
        "add": to_text(rules.perp_maker),
        "spotCross": to_text(rules.spot_taker),
        "spotAdd": to_text(rules.spot_maker),
    }
    rest = {"tiers": {"vip": [], "mm": []}, "referralDiscount": "0.04", "stakingDiscountTiers": []}
    return {
        "dailyUserVlm": [],
        "feeSchedule": rates | rest,
        "userCrossRate": rates["cross"],
        "userAddRate": rates["add"],
        "userSpotCrossRate": rates["spotCross"],
        "userSpotAddRate": rates["spotAdd"],
        "activeReferralDiscount": wire(rules.referral_discount),
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }
