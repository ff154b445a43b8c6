"""Queue position: the vectors, and what every model must respect."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.queues import QueueModel, QueuePosition

PROPERTY = settings.get_profile("pricing")
MODELS = {
    "back": QueueModel.BACK,
    "front": QueueModel.FRONT,
    "power": QueueModel.POWER,
    "power3": QueueModel.POWER3,
    "log": QueueModel.LOG,
    "log2": QueueModel.LOG2,
}


def order(model, level, remaining=10.0, lot=1.0, n=2.0):
    return QueuePosition(model=model, level_qty=level, remaining=remaining, lot=lot, n=n)


@pytest.mark.quant("fill_models", "queue")
def test_queue(case, check):
    given_ = case.given
    position = order(
        MODELS[given_["model"]], given_["level_qty"], given_["order_qty"], given_["lot"], given_["n"] or 2.0
    )
    rows = []
    for event in given_["events"]:
        if event["type"] == "trade":
            fill = position.trade(event["qty"])
        else:
            position.depth(event["qty"])
            fill = 0.0
        rows.append({"front": position.front, "fill": fill, "remaining": position.remaining})
    check({"rows": rows})


EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=30)


@PROPERTY
@given(st.sampled_from(QueueModel), st.integers(0, 500), st.integers(1, 50), EVENTS)
def test_fills_are_whole_lots_paid_for_by_prints_and_the_queue_fits_its_level(model, level, qty, events):
    position = order(model, float(level), float(qty))
    traded = filled = 0.0
    for is_trade, size in events:
        if is_trade:
            fill = position.trade(float(size))
            traded += size
            filled += fill
            assert fill <= size + 0.5
            assert fill == math.floor(fill) >= 0.0
        else:
            position.depth(float(size))
            assert position.front <= size
        assert math.isfinite(position.front)
        assert position.remaining == pytest.approx(qty - filled)
    assert filled <= min(traded, qty) + 0.5


@PROPERTY
@given(st.integers(1, 500), EVENTS, st.sampled_from([QueueModel.POWER, QueueModel.POWER3, QueueModel.LOG]))
def test_the_cautious_model_is_never_ahead_of_the_others_nor_they_of_the_bold_one(level, events, model):
    cautious, middle, bold = (order(kind, float(level), 1e9) for kind in (QueueModel.BACK, model, QueueModel.FRONT))
    for is_trade, size in events:
        for position in (cautious, middle, bold):
            if is_trade:
                position.trade(float(size))
            else:
                position.depth(float(size))
        if cautious.remaining < 1e9 or middle.remaining < 1e9 or bold.remaining < 1e9:
            return  # after a fill the queues are no longer the same order's
        assert bold.front - 1e-9 <= middle.front <= cautious.front + 1e-9


def test_a_level_that_grows_puts_newcomers_behind_us():
    position = order(QueueModel.POWER, 100.0)
    position.depth(500.0)
    assert position.front == 100.0


@pytest.mark.parametrize("model", list(QueueModel))
def test_cancels_alone_never_owe_us_a_fill(model):
    """More can vanish than stood ahead; the rest was behind us, and one lot traded fills one lot."""
    position = order(model, 100.0)
    position.depth(300.0)
    position.depth(0.0)
    assert position.front == 0.0
    assert position.trade(1.0) == 1.0


def test_a_print_explains_the_depth_it_took():
    position = order(QueueModel.FRONT, 100.0)
    position.trade(30.0)
    position.depth(70.0)
    assert position.front == 70.0


@pytest.mark.parametrize("model", list(QueueModel))
def test_an_empty_level_divides_by_nothing(model):
    position = order(model, 0.0)
    position.depth(0.0)
    position.depth(5.0)
    position.depth(0.0)
    assert position.front == 0.0


def test_huge_books_do_not_overflow_the_power_model():
    position = order(QueueModel.POWER, 1e200, n=3.0)
    position.depth(2e200)
    position.depth(1.5e200)
    assert math.isfinite(position.front)
