"""Markets as journals keep them: fields by place, so what older programs wrote still reads."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.markets import Comparator, Market
from tests.support.values import outcome, px

FIELDS_OF_THE_FIRST_JOURNALS = 14


def test_a_market_written_before_there_were_questions_reads_as_a_plain_binary() -> None:
    row = msgspec.to_builtins(outcome())[:FIELDS_OF_THE_FIRST_JOURNALS]
    market = msgspec.json.decode(msgspec.json.encode(row), type=Market)
    assert market == outcome()
    assert (market.question, market.floor, market.ceiling, market.fallback) == (None, None, None, False)
    assert (market.comparator, market.averaging_s, market.fee_scale) == (Comparator.AT_LEAST, 0, 0)


@pytest.mark.parametrize(
    "market",
    [
        outcome(question=40, floor=px(79_043), ceiling=px(82_270), strike=None),
        outcome(question=40, fallback=True, strike=None),
        outcome(comparator=Comparator.ABOVE, averaging_s=60, deployer="out", fee_scale=10**8),
    ],
)
def test_what_a_question_or_a_deployer_adds_survives(market: Market) -> None:
    assert msgspec.json.decode(msgspec.json.encode(market), type=Market) == market
