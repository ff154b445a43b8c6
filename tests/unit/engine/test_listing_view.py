"""`hlomm markets` and `hlomm explain MARKET` over a report of the engine."""

from __future__ import annotations

import json

import msgspec
import pytest

from hlomm.cli import listing, views
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.report import Snapshot, VenueRow
from hlomm.domain.units import Cash, Px
from hlomm.engine.report import report
from tests.support.rig import Rig
from tests.support.values import outcome

DAILY = outcome(15, tau_s=3_600.0, ticker="OUT:BTC-80000-2026-05-10T0600")
LEG = outcome(
    16, tau_s=90_061.0, ticker="OUT:BTC-~79043-2026-05-11T0600", klass="priceBucket", strike=None, ceiling=None
)


def snapshot() -> Snapshot:
    rig = Rig(markets=[DAILY, LEG])
    venue = VenueRow(
        venue=HYPERLIQUID, session="up", data_age_s=0.0, open_orders=0,
        counters={"not_traded.class": 14, "not_traded.underlying": 3, "reconnects": 1},
    )  # fmt: skip
    return Snapshot(
        profile="sim", version="0", pid=1, uptime_s=1.0, armed=Cash(0), engine=report(rig.state), venues=(venue,),
        alerts=(),
    )  # fmt: skip


def test_every_market_is_shown_under_every_name_it_has() -> None:
    document, text = listing.markets(snapshot())
    assert json.loads(json.dumps(document)) == document
    rows = {row["id"]: row for row in document["markets"]}
    assert set(rows) >= {DAILY.id, LEG.id}
    assert rows[DAILY.id]["coins"] == {"YES": "#150", "NO": "#151"}
    assert (rows[DAILY.id]["underlying"], rows[DAILY.id]["terms"], rows[DAILY.id]["period"]) == ("BTC", "80000", "1d")
    assert (rows[LEG.id]["terms"], rows[LEG.id]["strategy"], rows[LEG.id]["bid"]) == ("~79043", None, "not_traded")
    assert rows[DAILY.id]["strategy"] == "puppet"
    first, second = [line for line in text.splitlines() if line.startswith("OUT:")]
    assert first.split()[:5] == [DAILY.ticker, "#150", "#151", "1d", "1h00m"]
    assert second.split()[4] == "1d01h"
    assert second.split()[-2:] == ["-", "not_traded"]


def test_what_was_passed_over_is_counted_by_reason() -> None:
    document, text = listing.markets(snapshot())
    assert document["not_traded"] == {"hyperliquid": {"class": 14, "underlying": 3}}
    assert text.splitlines()[-1] == "hyperliquid: not traded 14 class, 3 underlying"


@pytest.mark.parametrize("name", ["#161", "OUT:BTC-<79043-2026-05-11-NO", "hyperliquid:o16", "btc-~7"])
def test_explain_takes_any_of_the_names(name: str) -> None:
    (row,), _ = views.explain(snapshot(), name)
    assert row["id"] == LEG.id


def test_what_still_trades_is_meant_before_what_has_settled() -> None:
    before = snapshot()
    rows = [msgspec.structs.replace(row, settled=Px(0)) if row.id == DAILY.id else row for row in before.engine.markets]
    after = msgspec.structs.replace(before, engine=msgspec.structs.replace(before.engine, markets=tuple(rows)))
    with pytest.raises(UsageError, match="fits 2 markets"):
        views.explain(before, "OUT:BTC-")
    assert [row["id"] for row in views.explain(after, "OUT:BTC-")[0]] == [LEG.id]
    assert [row["id"] for row in views.explain(after, "OUT:BTC-80000")[0]] == [DAILY.id]


def test_explain_says_what_comes_nearest() -> None:
    with pytest.raises(UsageError, match=r"nearest of .*OUT:BTC-80000-2026-05-10T0600"):
        views.explain(snapshot(), "OUT:BTC-90000-2026-05-10T0600")


def test_a_window_whose_strike_nobody_knows_is_named_and_says_why_it_is_not_traded() -> None:
    window = outcome(17, tau_s=300.0, ticker="OUT:BTC-up5m-2026-05-10T0605", klass="updown-5m", strike=None)
    rig = Rig(markets=[DAILY, window])
    shown = msgspec.structs.replace(snapshot(), engine=report(rig.state))
    (row,), text = views.explain(shown, "OUT:BTC-up5m-2026-05-10")
    assert row["bid"]["guard"] == "not_traded"
    assert row["bid"]["detail"].startswith("its strike is the price at the beginning of its 5m")
    assert "no strategy trades it: its strike is the price at the beginning" in text
    (other,), text = views.explain(snapshot(), LEG.ticker)
    assert other["bid"]["detail"] == ""
    assert "no strategy trades it\n" in text
