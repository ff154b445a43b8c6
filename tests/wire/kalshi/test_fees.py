"""`fee_vectors.json` through the one fee arithmetic there is, and the curve that a `Market` carries for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hlomm.domain.units import SCALE, Cash
from hlomm.pricing.fees import FillSide, KalshiFill, kalshi_fee, kalshi_fills
from hlomm.venues.kalshi.fees import TAKER, fee_curve
from tests.wire.kalshi.conftest import Shared

MICRO = Decimal("0.000001")


def raw(vector: dict[str, Any], fill: dict[str, Any]) -> Decimal:
    rate, multiplier = Decimal(vector["rate"]), Decimal(vector["multiplier"])
    return kalshi_fee(Decimal(fill["count"]), Decimal(fill["price"]), rate, multiplier).raw


def test_every_vector_to_the_last_digit(shared: Shared) -> None:
    """Fills of one order share the accumulator, so a vector is settled as a whole.

    These vectors rebate a residue of exactly one step; the text of the venue only speaks of more than one.
    """
    vectors = shared.json("fee_vectors.json")["vectors"]
    assert len(vectors) == 14
    fills = 0
    for vector in vectors:
        assert vector["side"] == "buy_yes"
        settled = kalshi_fills(
            [
                KalshiFill(
                    side=FillSide.BUY,
                    price=Decimal(fill["price"]),
                    count=Decimal(fill["count"]),
                    trade_fee=raw(vector, fill),
                )
                for fill in vector["fills"]
            ],
            precision=Decimal(vector["precision"]),
            fee_precision=MICRO,
            rebate_at_step=True,
        )
        for fill, ours in zip(vector["fills"], settled, strict=True):
            name = vector["name"]
            assert raw(vector, fill) == Decimal(fill["model_fee"]), name
            assert ours.trade_fee == Decimal(fill["trade_fee"]), name
            assert ours.rounding_fee == Decimal(fill["rounding_fee"]), name
            assert ours.rebate == Decimal(fill["rebate"]), name
            assert ours.net_fee == Decimal(fill["net_fee"]), name
            assert ours.accumulator_after == Decimal(fill["accumulator_after"]), name
            assert ours.balance_change_incl_rebate == Decimal(fill["balance_change"]), name
            fills += 1
    assert fills == 26


def test_the_curve_of_a_market_is_the_rate_of_the_vectors(shared: Shared) -> None:
    for vector in shared.json("fee_vectors.json")["vectors"]:
        taker = Decimal(vector["rate"]) == TAKER
        kind = "quadratic_with_maker_fees" if vector["name"] == "maker_series_with_maker_fees" else "quadratic"
        curve = fee_curve(kind, Decimal(vector["multiplier"]), Cash(10_000))
        assert curve is not None
        assert Decimal(curve.taker if taker else curve.maker) / SCALE == Decimal(vector["rate"])


def test_an_uneven_multiplier_never_makes_a_fee_too_low() -> None:
    curve = fee_curve("quadratic_with_maker_fees", Decimal("0.3333333333"), Cash(10_000))
    assert curve is not None
    assert Decimal(curve.taker) / SCALE >= TAKER * Decimal("0.3333333333")
    assert Decimal(curve.maker - 1) / SCALE < Decimal("0.0175") * Decimal("0.3333333333")


def test_unknown_types_have_no_curve() -> None:
    for kind, multiplier in [("flat", Decimal(1)), ("", Decimal(1)), ("quadratic", None)]:
        assert fee_curve(kind, multiplier, Cash(1)) is None
    for multiplier in ("NaN", "Infinity", "-0.1", "11"):
        assert fee_curve("quadratic", Decimal(multiplier), Cash(1)) is None
