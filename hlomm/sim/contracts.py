"""What each kind of series lists when its turn comes (venue sheet 7.2 and 7.3), and the faults of naming."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import Final, TypeVar

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px
from hlomm.sim.board import QuestionSpec
from hlomm.sim.coins import PERP_COIN, PERP_GRID, round_significant
from hlomm.sim.config import ListingConfig
from hlomm.sim.naming import describe_binary, describe_bucket, describe_template
from hlomm.sim.outcome_market import Deployer, OutcomeSpec

DEPLOYER: Final = "0x08e9c89f46dccee91bdb85c6532eb93a4c335efe"
FIGURES: Final = 5
"""Significant figures of targets and thresholds."""
_BASIS: Final = 10_000
_DAILY_WIDTH_BP: Final = 200
_UNIT_S: Final = {"m": 60, "h": 3600, "d": 86_400}
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])", re.ASCII)


class Kind(StrEnum):
    """What a series consists of."""

    BINARY = "binary"
    BUCKET = "bucket"
    TEMPLATE = "template"


def period_ns(period: str) -> int:
    """Length of `3m`, `15m`, `1d`, ...; ConfigError for anything else."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise ConfigError(f"sim.listing.periods: expected a period such as 3m, 1h or 1d, was {period!r}")
    return int(match[1]) * _UNIT_S[match[2]] * NS_PER_S


def rounded(price: int) -> Px:
    """A price in 1e-8 to five significant figures."""
    return Px(round_significant(price, FIGURES))


def thresholds(reference: Px, width_bp: int) -> tuple[Px, Px]:
    """The two prices that separate the buckets: the reference less and plus a share, to five figures."""
    return rounded(reference * (_BASIS - width_bp) // _BASIS), rounded(reference * (_BASIS + width_bp) // _BASIS)


def usual_width_bp(period: str) -> int:
    """Distance of the thresholds by which each bucket of a period is worth quoting."""
    return max(round(_DAILY_WIDTH_BP * math.sqrt(period_ns(period) / (86_400 * NS_PER_S))), 1)


def binary(config: ListingConfig, number: int, expiry_ns: int, target: Px, period: str) -> OutcomeSpec:
    """A protocol binary."""
    return OutcomeSpec(
        outcome=number,
        underlying=PERP_COIN,
        expiry_ns=expiry_ns,
        target=target,
        period=period,
        quote_token=config.quote_token,
        description=describe_binary(PERP_COIN, expiry_ns, target, period),
    )


def template(config: ListingConfig, number: int, expiry_ns: int, target: Px, period: str) -> OutcomeSpec:
    """A deployer's binary: average of the mark strictly above the threshold."""
    return OutcomeSpec(
        outcome=number,
        underlying=PERP_COIN,
        expiry_ns=expiry_ns,
        target=target,
        period=period,
        quote_token=config.quote_token,
        description=describe_template(PERP_COIN, expiry_ns, target, config.template_average_s),
        name="template:binaryPrice",
        side_names=("template:Yes", "template:No"),
        strict=True,
        average_s=config.template_average_s,
        deployer=Deployer(address=DEPLOYER, venue=config.template_venue, fee_scale=config.template_fee_scale),
    )


def bucket(
    config: ListingConfig, question: int, number: int, expiry_ns: int, reference: Px, period: str
) -> tuple[QuestionSpec, list[OutcomeSpec]]:
    """A price bucket question: the fallback takes the first number, the legs follow from the lowest prices up."""
    low, high = thresholds(reference, config.bucket_width_bp or usual_width_bp(period))
    base = binary(config, number, expiry_ns, Px(0), period)
    base = attrs.evolve(base, question=question, name="Recurring Named Outcome")
    bands = ((Px(0), low), (low, high), (high, None))
    legs = [
        attrs.evolve(base, outcome=number + 1 + index, target=floor, below=below, description=f"index:{index}")
        for index, (floor, below) in enumerate(bands)
    ]
    fallback = attrs.evolve(base, name="Recurring Fallback", description="other", fallback=True, below=Px(0))
    spec = QuestionSpec(
        question=question,
        description=describe_bucket(PERP_COIN, expiry_ns, (low, high), period),
        fallback=number,
        named=tuple(leg.outcome for leg in legs),
        expiry_ns=expiry_ns,
        period=period,
    )
    return spec, [fallback, *legs]


_Spec = TypeVar("_Spec", OutcomeSpec, QuestionSpec)


def renamed(spec: _Spec) -> _Spec:
    """The same contract under words that nobody has documented."""
    description = spec.description.replace("class:price", "class:level").replace("index:", "rank:")
    return attrs.evolve(spec, name=f"{spec.name} II", description=description)


def target_of(ticks: int) -> Px:
    """Strike or reference of the next contract: the settlement price to five significant figures."""
    return rounded(ticks * PERP_GRID.tick)
