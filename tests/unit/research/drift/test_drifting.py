"""Every cause by itself: what is known to differ is what the difference is put down to, and the parts are the whole."""

from __future__ import annotations

import json

import attrs
import msgspec
import pytest

from hlomm.cli.drift import drift_command
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.fills import FillKind
from hlomm.domain.inputs import FillReceived, StopRequested
from hlomm.domain.orders import direction, yes_px
from hlomm.domain.units import SCALE, Cash, Px
from hlomm.journal.codec import InputRecord, TurnRecord
from hlomm.research.drift.delays import Delays
from hlomm.research.drift.drifting import drift, shares
from hlomm.research.drift.result import PARTS
from hlomm.research.drift.section import section
from hlomm.research.drift.watching import Path, Quotes
from tests.replay.journals import Run, write
from tests.unit.research.drift.making import lived, recording, run, settings

SLOW = Delays(entry_ns=900_000_000, answer_ns=500_000_000)


@pytest.fixture(scope="module")
def tape():
    return recording()


@pytest.fixture(scope="module")
def as_model(tape):
    return lived(tape)


@pytest.fixture(scope="module")
def slow(tape, tmp_path_factory):
    """A run on a slower line, and what is found of it."""
    folder = run(tmp_path_factory.mktemp("slow"), lived(tape, SLOW))
    return folder, drift(folder)


@pytest.fixture(scope="module")
def same(as_model, tmp_path_factory):
    return drift(run(tmp_path_factory.mktemp("same"), as_model))


def parts(one):
    return {name: getattr(one, name) for name in PARTS}


def adds_up(found):
    for one in found.markets:
        assert one.model + sum(parts(one).values()) == one.live
        assert one.residual == 0
    sums = found.sums()
    assert sums["live"] + found.elsewhere == found.total


def test_a_run_that_was_the_model_has_no_gap(same):
    found = same
    (one,) = found.markets
    assert found.sound
    assert one.fills[0] > 5
    assert len(set(one.fills)) == 1
    assert parts(one) == dict.fromkeys(PARTS, 0)
    assert one.gap == 0
    assert one.live == found.total
    assert one.queue_models["back"] == (one.live, one.fills[3])
    assert one.queue_models["front"][1] >= one.queue_models["power"][1] >= one.fills[3]
    assert one.quotes.equal == pytest.approx(1.0, abs=1e-6)
    assert one.fair_same == pytest.approx(1.0)
    adds_up(found)


def test_a_run_that_was_killed_between_two_inputs_has_its_result(tmp_path, as_model):
    """Its last record is a turn of the timer: no input comes at or after the end of it."""
    stop = next(at for at, one in enumerate(as_model) if isinstance(getattr(one, "item", None), StopRequested))
    last = max(
        at for at in range(1, stop)
        if isinstance(as_model[at], TurnRecord) and isinstance(as_model[at - 1], TurnRecord)
    )  # fmt: skip
    found = drift(run(tmp_path, as_model[: last + 1]))
    (one,) = found.markets
    assert found.sound
    assert one.live != 0
    assert found.total != 0
    adds_up(found)
    assert abs(found.elsewhere) < SCALE  # careful marks against mids, and nothing else was traded


def test_a_slower_line_is_latency_and_nothing_else(same, slow):
    _, found = slow
    (one,) = found.markets
    assert found.measured is not None
    assert found.measured.entry_ns == pytest.approx(SLOW.entry_ns, abs=1_000_000)
    assert found.measured.answer_ns == pytest.approx(SLOW.answer_ns, abs=1_000_000)
    assert one.model == same.markets[0].model
    assert one.gap != 0
    assert parts(one) == dict.fromkeys(PARTS, 0) | {"latency": one.gap}
    adds_up(found)


def test_a_fill_that_the_venue_kept_is_the_queue(tmp_path, as_model):
    kept = next(
        record for record in as_model
        if isinstance(record, InputRecord) and isinstance(record.item, FillReceived)
    )  # fmt: skip
    fill = kept.item.fill
    changed = msgspec.structs.replace(kept, item=msgspec.structs.replace(kept.item, fill=without(fill)))
    found = drift(run(tmp_path, as_model, lambda record: changed if record is kept else record))
    (one,) = found.markets
    lost = direction(fill.leg, fill.side) * fill.qty * (one.mark - yes_px(fill.leg, fill.px))
    assert parts(one) == dict.fromkeys(PARTS, 0) | {"queue": one.gap}
    assert one.gap == pytest.approx(-lost / SCALE, abs=1)
    assert one.fills[3] == one.fills[2] - 1
    assert one.residual == 0


def without(fill):
    """The same fill as a conversion: nothing traded."""
    return msgspec.structs.replace(fill, kind=FillKind.MERGE)


def test_fees_booked_are_fees(tmp_path, as_model):
    fee = Cash(SCALE // 50)

    def dearer(record):
        if not isinstance(record, InputRecord) or not isinstance(record.item, FillReceived):
            return record
        if record.item.fill.kind is not FillKind.TRADE:
            return record
        fill = msgspec.structs.replace(record.item.fill, fee=fee)
        return msgspec.structs.replace(record, item=msgspec.structs.replace(record.item, fill=fill))

    (one,) = drift(run(tmp_path, as_model, dearer)).markets
    assert parts(one) == dict.fromkeys(PARTS, 0) | {"fees": one.gap}
    assert one.gap == -fee * one.fills[3]


def test_orders_that_the_model_would_not_have_sent_are_signals_or_others(tmp_path, tape):
    # The run quoted wider than its journal says it was told to: its fair values are the same, its orders are not.
    wider = lived(tape, loaded=settings("strategy.avellaneda.min_half_spread=0.03"))
    first = wider[0]
    changed = msgspec.structs.replace(
        first, item=msgspec.structs.replace(first.item, config=settings().engine_json())
    )  # fmt: skip
    found = drift(run(tmp_path, wider, lambda record: changed if record is first else record))
    (one,) = found.markets
    assert not found.sound
    assert one.others != 0 or one.signals != 0
    assert one.queue == one.fees == 0
    assert one.quotes.equal < 0.9
    assert one.residual == 0


def test_a_market_that_had_not_settled_is_valued_at_its_last_mid(tmp_path, tape):
    found = drift(run(tmp_path, lived(attrs.evolve(tape, settled=None))))
    (one,) = found.markets
    books = [event.item for event in tape.events if hasattr(event.item, "bids")]
    assert one.mark == (books[-1].bids[0][0] + books[-1].asks[0][0]) // 2
    assert one.settled is None
    assert one.gap == 0
    assert "valued at their last mid" in " ".join(found.told)


@pytest.mark.parametrize(("seed", "hostility"), [(0, 0.05), (4, 0.05), (4, 0.5), (7, 0.5)])
def test_the_parts_are_the_whole_in_any_weather(tmp_path, seed, hostility):
    write(tmp_path, Run().weather(seed, 400, hostility=hostility).records)
    found = drift(tmp_path)
    assert found.sound
    assert any(one.gap for one in found.markets)
    adds_up(found)
    json.dumps(found.document())
    assert found.text()


def test_the_document_and_the_table_say_the_same(slow, capsys):
    folder, found = slow
    assert drift_command(folder, as_json=True) is ExitCode.CLEAN
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(json.dumps(found.document())), "the same journal, the same findings"
    assert document["latency_ns"]["measured"]["entry_ns"] == pytest.approx(SLOW.entry_ns, abs=1_000_000)
    (row,) = document["markets"]
    assert row["residual"] == 0
    assert document["sum"]["gap"] == pytest.approx(sum(row[part] for part in PARTS))
    text = found.text()
    assert "900 + 500 ms measured" in text
    assert row["ticker"] in text


def test_the_section_of_a_page_has_every_part_of_every_market(slow):
    _, found = slow
    made = section(found)
    rows = {row[0]: row for row in made.tables[0].rows}
    assert list(rows) == [found.markets[0].ticker, "sum"]
    assert len(rows["sum"]) == len(made.tables[0].head) == len(PARTS) + 3
    assert rows["sum"][1:] == rows[found.markets[0].ticker][1:]
    assert len(made.tables[1].rows[0]) == len(made.tables[1].head)
    assert found.fill_model in made.text


def test_a_run_that_traded_nothing_is_refused(tmp_path, as_model):
    with pytest.raises(UsageError, match="nothing was traded"):
        drift(run(tmp_path, as_model[:12]))


def quoted(*steps):
    quotes = Quotes()
    for ns, side, px in steps:
        quotes.paths[side].note(ns, px)
    return quotes


def test_shares_are_of_time_and_sides():
    live = quoted((0, 1, Px(40)), (0, -1, Px(60)), (50, -1, None))
    model = quoted((0, 1, Px(40)), (25, 1, Px(38)), (0, -1, Px(60)))
    found = shares(live, model, 0, 100)
    assert found.equal == pytest.approx((25 + 50) / 200)
    assert found.differ == pytest.approx(75 / 200)
    assert found.only_model == pytest.approx(50 / 200)
    assert found.apart == pytest.approx(2 * 75 / 150 / SCALE)


def test_a_path_holds_from_each_moment_to_the_next():
    path = Path()
    for ns, value in ((10, Px(1)), (20, Px(1)), (30, Px(2)), (30, Px(3)), (40, None)):
        path.note(ns, value)
    assert [path.at(ns) for ns in (5, 10, 29, 30, 45)] == [None, 1, 1, 3, None]
    assert path.times == [10, 30, 40]
