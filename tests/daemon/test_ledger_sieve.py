"""What the ledger is spared: thousands of books a second that led to nothing; and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hlomm.daemon.ledger import Ledger
from hlomm.daemon.ledger_fold import Fold, Hole
from hlomm.daemon.ledger_sieve import Passed, sift
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import (
    MARKET_NEWS,
    BookSnapshot,
    BookSource,
    MarkPrice,
    OperatorAction,
    OperatorCommand,
)
from hlomm.domain.outputs import Alert, AlertLevel
from hlomm.domain.times import Now
from hlomm.domain.units import Px
from hlomm.journal.codec import InputRecord, NoteRecord, Record, TurnRecord
from hlomm.rundir.ledger_schema import connect
from hlomm.settings.paths import StatePaths

MARKET = MarketId("hyperliquid:o1")
NOW = Now(1, 1_790_000_000_000_000_000)
BOOK = BookSnapshot(MARKET, (), (), 1, BookSource.STREAM)
MARK = MarkPrice(MARKET, Px(1), 1)
COMMAND = OperatorCommand(action=OperatorAction.PAUSE, actor="uid 0", reason="drill", target="x")
SAID = Alert(level=AlertLevel.INFO, code="code", text="text")


def turn(first: int, *items: object, says: tuple[Alert, ...] = ()) -> list[Record]:
    """Inputs and the decision on them, numbered from `first`."""
    inputs: list[Record] = [InputRecord(first + n, NOW, item) for n, item in enumerate(items)]  # type: ignore[arg-type]
    return [*inputs, TurnRecord(first + len(items), NOW, 0, says)]


def numbers(records: list[Record]) -> list[object]:
    return [(one.first, one.seq) if isinstance(one, Passed) else one.seq for one in sift(records)]


@pytest.mark.parametrize(
    ("records", "left"),
    [
        (turn(5, BOOK, MARK, BOOK), [(5, 8)]),
        (turn(5), [(5, 5)]),
        (turn(5, BOOK, BOOK, says=(SAID,)), [(5, 6), 7]),
        (turn(5, COMMAND), [5, 6]),
        (turn(5, BOOK, COMMAND), [(5, 5), 6, 7]),
        ([NoteRecord(5, NOW, "note")], [5]),
        ([*turn(5, BOOK)[:1], NoteRecord(6, NOW, "the engine failed")], [(5, 5), 6]),
    ],
)
def test_only_news_of_markets_and_silent_decisions_on_them_are_passed_over(
    records: list[Record], left: list[object]
) -> None:
    assert numbers(records) == left


@pytest.fixture
def ledger(tmp_path: object) -> Ledger:
    paths = StatePaths(tmp_path)  # type: ignore[arg-type]
    paths.prepare()
    return Ledger(paths, 1, lambda _alert: None)


def test_a_flood_of_books_waits_as_one(ledger: Ledger) -> None:
    for number in range(10_000):
        ledger.tap(turn(1 + 2 * number, BOOK))
    ledger.tap(turn(20_001, COMMAND))
    ledger.tap(turn(20_003, BOOK))
    assert ledger.queue_row().peak == 3
    assert ledger.dropped == 0


@pytest.fixture
def fold(tmp_path: object) -> Iterator[Fold]:
    connection = connect(tmp_path / "ledger.sqlite")  # type: ignore[operator]
    yield Fold(connection)
    connection.close()


def test_what_was_passed_over_counts_and_a_hole_is_still_a_hole(fold: Fold) -> None:
    assert fold.apply([(1, Passed(1, 50))], gaps=False) == 50
    assert fold.apply([(1, Passed(40, 60))], gaps=False) == 10, "half of it was known from the journal"
    assert fold.apply([(1, Passed(30, 60))], gaps=False) == 0
    with pytest.raises(Hole, match="record 61 of run 1 is missing"):
        fold.apply([(1, Passed(62, 70))], gaps=False)
    assert fold.position == (1, 60)


def test_no_row_is_made_of_what_is_passed_over(fold: Fold) -> None:
    assert not MARKET_NEWS & fold._inputs.keys()
