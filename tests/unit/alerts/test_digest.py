"""How it stands in five lines, what fills were, and which rows of a snapshot are news."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.daemon.alerts.digest import balance, digest, fills_line, lasted
from hlomm.daemon.alerts.news import Newsreader
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.report import FillRow, Snapshot
from tests.tui.examples import DANGER, FILLS, SESSION, SETTLED, VENUE, cash, fill, snapshot

TRADES = tuple(row for row in FILLS if row.kind == "trade")


def test_everything_that_a_digest_is_for_stands_in_it() -> None:
    there = msgspec.structs.replace(snapshot(max_drawdown=cash("87.90"), worst_loss=cash("97.36")), armed=cash("500"))
    message = digest(there, TRADES[:1], 2, msgspec.structs.replace(there.engine.pnl, total=cash("40")))
    assert message.title == "hlomm sim, armed 500: running"
    state, pnl, inventory, fills, risk = message.body.split("\n")
    assert state == "running, up 1 h 2 min; normal"
    assert pnl == (
        "PnL +41.82, +1.82 since the last = spread captured +58.20, inventory -9.31, settlement -4.02, fees -3.05, "
        "rewards 0.00 (realised +46.99, unrealised -2.12)"
    )
    assert inventory.startswith("inventory ")
    assert inventory.endswith("gross 1180.40 of 3000.00, worst settlement -97.36")
    for row in there.engine.positions:
        assert row.settled is not None or row.yes == row.no or row.ticker in inventory
    assert fills.startswith("fills 143; since the last 1: ")
    assert fills.endswith("(2 more are not told); volume 5777.46")
    assert risk == (
        "drawdown 12.10 of 150.00, at most 87.90; equity 10214.37; hyperliquid live 4 orders; guardian disabled"
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"state": "halted", "reason": "kill by me"}, "halted (kill by me), up 1 h 2 min"),
        ({"ladder": "warning", "ladder_reasons": ("a", "b", "c")}, "running, up 1 h 2 min; warning: a; b"),
    ],
)  # fmt: skip
def test_a_state_says_why(changes: dict[str, object], line: str) -> None:
    assert digest(snapshot(**changes), (), 0, None).body.split("\n")[0] == line


def test_the_first_digest_of_a_run_compares_with_nothing() -> None:
    assert "since the last =" not in digest(snapshot(), (), 0, None).body.split("\n")[1]


def test_nothing_held_is_flat() -> None:
    assert digest(snapshot(positions=()), (), 0, None).body.split("\n")[2].startswith("inventory flat; ")


def row(side: Side, leg: Leg, qty: str, market: str = "hyperliquid:o1") -> FillRow:
    return fill(1, side, leg, qty, "0.4", None, market=MarketId(market), ticker=market)


def test_the_balance_of_fills_is_in_contracts_of_yes() -> None:
    rows = (
        row(Side.BUY, Leg.YES, "10"), row(Side.SELL, Leg.YES, "4"), row(Side.BUY, Leg.NO, "3.5"),
        row(Side.SELL, Leg.NO, "1"), row(Side.BUY, Leg.YES, "0.2", "hyperliquid:BTC"),
    )  # fmt: skip
    assert balance(rows) == "5: 2 for YES 11, 2 for NO 7.5, balance +3.5"
    assert balance(()) == "0: 0 for YES 0, 0 for NO 0, balance 0"
    line = fills_line(rows[:1], 0)
    assert line.endswith("the last: bought 10 YES hyperliquid:o1 for 0.4, fee 0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h 0 min"), (180_100, "2 d 2 h")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert lasted(seconds) == text


# -- what is new


def seen(*alerts: object, fills: tuple[FillRow, ...] = (), count: int = 0, pid: int = 1) -> Snapshot:
    there = snapshot(alerts=alerts, recent_fills=fills, fills=count)
    return msgspec.structs.replace(there, pid=pid)


def test_rows_are_news_once_in_whatever_window_they_are_told() -> None:
    reader = Newsreader()
    first, second, third, fourth = (row(Side.BUY, Leg.YES, str(n)) for n in range(1, 5))
    assert reader.read(seen(SETTLED, fills=(first,), count=1)).alerts == (), "of a time when nobody looked"
    news = reader.read(seen(SETTLED, SESSION, fills=(first, second), count=2))
    assert (news.alerts, news.fills, news.fills_missed) == ((SESSION,), (second,), 0)
    later = msgspec.structs.replace(second, markouts=(None, None))
    news = reader.read(seen(SESSION, DANGER, SESSION, fills=(later, third), count=9))
    assert (news.alerts, news.fills, news.fills_missed) == ((DANGER, SESSION), (third,), 6), "the same again is news"
    again = reader.read(seen(SESSION, DANGER, SESSION, fills=(later, third), count=9))
    assert (again.alerts, again.fills, again.fills_missed) == ((), (), 0)
    another = reader.read(seen(DANGER, fills=(fourth,), count=1, pid=2))
    assert (another.alerts, another.fills, another.fills_missed) == ((DANGER,), (fourth,), 0), "of the next daemon all"


def test_settlements_are_no_fills_and_a_venue_more_is_no_news() -> None:
    reader = Newsreader()
    reader.read(seen())
    news = reader.read(msgspec.structs.replace(seen(fills=FILLS, count=len(TRADES)), venues=(VENUE, VENUE)))
    assert (news.fills, news.fills_missed) == (TRADES, 0)
