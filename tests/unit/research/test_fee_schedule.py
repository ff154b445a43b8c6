"""Fees by the day of the recording: what is known, the nearest rule where nothing is, and that it is said."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from hlomm.domain.units import SCALE
from hlomm.research.fee_schedule import RULES, FeesOf, schedule
from tests.support.tape import MARKET


def at(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 10**9


def rates(market, day: str, which: FeesOf = FeesOf.RECORDED) -> tuple[int, int, int, int, int]:
    found = schedule(market, at(day), which).rates
    return found.open_maker, found.open_taker, found.close_maker, found.close_taker, found.settle


DEPLOYED = msgspec.structs.replace(MARKET, deployer="0xd", fee_scale=SCALE)


@pytest.mark.parametrize("day", ["2026-05-02", "2026-06-07", "2026-10-02"])
def test_protocol_contracts_were_free(day):
    assert rates(MARKET, day) == (0, 0, 0, 0, 0)
    assert schedule(MARKET, at(day)).known


@pytest.mark.parametrize(("scale", "factor"), [(0, 1), (SCALE // 2, 1.5), (SCALE, 2), (3 * SCALE, 6)])
def test_deployers_contracts_pay_by_their_factor_when_they_reduce(scale, factor):
    market = msgspec.structs.replace(DEPLOYED, fee_scale=scale)
    assert rates(market, "2026-09-12") == (0, 0, 40_000 * factor, 70_000 * factor, 70_000 * factor)


@pytest.mark.parametrize(
    ("market", "day", "away", "charged"),
    [
        (MARKET, "2026-05-01", "1 day away", False),
        (MARKET, "2026-11-20", "49 days away", False),
        (DEPLOYED, "2026-07-01", "73 days away", True),
        (DEPLOYED, "2026-10-10", "1 day away", True),
    ],
)
def test_a_day_of_which_nobody_tells_takes_the_nearest_rule_and_says_so(market, day, away, charged):
    found = schedule(market, at(day))
    assert not found.known
    assert away in found.said
    assert bool(found.rates.settle) is charged


def test_todays_are_those_a_live_session_assumes():
    assert rates(MARKET, "2026-05-10", FeesOf.TODAY) == (0, 0, 40_000, 70_000, 70_000)
    assert "today" in schedule(MARKET, at("2026-05-10"), FeesOf.TODAY).said


def test_the_measured_fills_of_two_accounts_cost_what_the_rule_says():
    """163 tokens settled at 1 cost 0.18582 with a rate of 0.00057, three 0.004032 with 0.0007 and 4 % referral."""
    factor = schedule(DEPLOYED, at("2026-09-12")).rates.settle / 70_000
    assert 163 * 0.00057 * factor == pytest.approx(0.18582)
    assert 3 * 0.0007 * 0.96 * factor == pytest.approx(0.004032)


def test_every_rule_says_where_it_is_from_and_no_two_speak_of_one_day():
    for rule in RULES:
        assert rule.first <= rule.last
        assert rule.source
        for other in RULES:
            if other is not rule and other.listed is rule.listed:
                assert other.last < rule.first or rule.last < other.first
