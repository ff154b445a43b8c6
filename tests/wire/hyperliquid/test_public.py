"""Books, touches, trades and marks: what is believed, in YES space, and what is refused."""

from __future__ import annotations

import base64
import json
import random
import zlib
from functools import partial
from itertools import product
from typing import Any

import pytest

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import BboUpdate, BookSnapshot, BookSource, MarkPrice, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.units import parse
from hlomm.venues.hyperliquid.wire import ladder
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from hlomm.venues.hyperliquid.wire.marks import INFLATED_MAX
from hlomm.venues.hyperliquid.wire.public import Marks, Prints
from tests.wire.hyperliquid.tools import book, decoded, frame, kinds, level, levels, refusal, scaled, value

BIDS = levels(("0.45", "100"), ("0.449", "20"), ("0.00001", "5000"))
ASKS = levels(("0.46", "11"), ("0.99999", "7"))


# -- books


def test_yes_book_is_taken_as_it_is() -> None:
    snapshot = value("l2Book", book("#9000", BIDS, ASKS, 17), BookSnapshot)
    assert snapshot == BookSnapshot(
        "hyperliquid:o900",  # type: ignore[arg-type]
        scaled(("0.45", "100"), ("0.449", "20"), ("0.00001", "5000")),
        scaled(("0.46", "11"), ("0.99999", "7")),
        17,
        BookSource.STREAM,
    )


def test_no_book_is_turned_into_the_yes_book() -> None:
    snapshot = value("l2Book", book("#9001", BIDS, ASKS), BookSnapshot)
    assert snapshot.bids == scaled(("0.54", "11"), ("0.00001", "7"))
    assert snapshot.asks == scaled(("0.55", "100"), ("0.551", "20"), ("0.99999", "5000"))


def test_perp_book_has_no_upper_price() -> None:
    snapshot = value("l2Book", book("BTC", [level("118250.0", "0.5")], [level("118251.0", "1.25")]), BookSnapshot)
    assert snapshot.market == "hyperliquid:BTC"
    assert snapshot.bids == scaled(("118250", "0.5"))


def test_fast_books_and_extra_keys_are_accepted() -> None:
    data = book("#9000", BIDS, ASKS, fast=True, spread="0.01")
    assert value("l2Book", data, BookSnapshot).bids[0] == (parse("0.45"), parse("100"))


@pytest.mark.parametrize(("bids", "asks"), [([], ASKS), (BIDS, []), ([], [])])
def test_one_sided_and_empty_books_are_books(bids: list[Any], asks: list[Any]) -> None:
    snapshot = value("l2Book", book("#9000", bids, asks), BookSnapshot)
    assert (len(snapshot.bids), len(snapshot.asks)) == (len(bids), len(asks))


@pytest.mark.parametrize(
    ("bids", "asks", "kind"),
    [
        (levels(("0.46", "1")), ASKS, "l2Book.crossed"),
        (levels(("0.5", "1")), ASKS, "l2Book.crossed"),
        (levels(("0.44", "1"), ("0.45", "1")), ASKS, "l2Book.order"),
        (levels(("0.44", "1"), ("0.44", "1")), ASKS, "l2Book.order"),
        (BIDS, levels(("0.47", "1"), ("0.46", "1")), "l2Book.order"),
        (levels(("0", "1")), ASKS, "l2Book.price"),
        (levels(("-0.1", "1")), ASKS, "l2Book.price"),
        (BIDS, levels(("1", "1")), "l2Book.price"),
        (BIDS, levels(("1.5", "1")), "l2Book.price"),
        (levels(("NaN", "1")), ASKS, "l2Book.price"),
        (levels(("Infinity", "1")), ASKS, "l2Book.price"),
        (levels(("1e-3", "1")), ASKS, "l2Book.price"),
        (levels(("0.123456789", "1")), ASKS, "l2Book.price"),
        (levels((" 0.4", "1")), ASKS, "l2Book.price"),
        (levels(("", "1")), ASKS, "l2Book.price"),
        (levels(("٠.٤", "1")), ASKS, "l2Book.price"),
        (levels(("0.4", "0")), ASKS, "l2Book.size"),
        (levels(("0.4", "-5")), ASKS, "l2Book.size"),
        (levels(("0.4", "nan")), ASKS, "l2Book.size"),
        (levels(("0.4", "1e9")), ASKS, "l2Book.size"),
        (levels(("0.4", "9" * 16)), ASKS, "l2Book.size"),
    ],
)
def test_books_that_cannot_be_are_refused_by_kind(bids: list[Any], asks: list[Any], kind: str) -> None:
    assert refusal("l2Book", book("#9000", bids, asks)) == kind


def test_levels_looked_at_in_one_go_are_what_they_are_one_by_one() -> None:
    """Whatever is wrong with a side, and wherever, and whatever is remembered: the same levels, or the same refusal."""
    rng, refused = random.Random(7), 0
    texts = ("0.4", "0.41", "0.42", "0.43", "1", "0", "-1", "x", "0.123456789", "9" * 15, "99999999999", "100")
    last = dict.fromkeys(product((True, False), (-1, 1)), ladder.UNKNOWN[0])
    for _ in range(20_000):
        outcome, direction = rng.random() < 0.5, rng.choice((-1, 1))
        before = last[outcome, direction]
        good = sorted(rng.sample(range(1, 90), rng.randrange(6)), reverse=rng.random() < 0.5)
        rows = [ladder.LevelRow(f"0.{cents:02d}", f"{rng.randrange(1, 99)}") for cents in good]
        rows += rng.sample(before.rows, rng.randrange(len(before.rows) + 1)) if rng.random() < 0.3 else []
        if rows and rng.random() < 0.5:
            rows[rng.randrange(len(rows))] = ladder.LevelRow(rng.choice(texts), rng.choice(texts))
        found = [
            _ladder(look, rows, direction, outcome=outcome)
            for look in (
                partial(ladder.read_ladder, before=before), partial(ladder.read_ladder, before=ladder.UNKNOWN[0]),
                ladder._by_level,
            )
        ]  # fmt: skip
        assert found[0] == found[1] == found[2], (before, rows)
        if isinstance(found[0], ladder.Ladder):
            last[outcome, direction] = found[0]
        refused += isinstance(found[0], str)
    assert 5_000 < refused < 17_000


def _ladder(look: Any, rows: list[Any], direction: int, *, outcome: bool) -> Any:
    """One side as read, or the kind of the refusal."""
    try:
        return look(rows, direction, outcome=outcome)
    except ProtocolViolation as violation:
        return violation.kind


def test_a_book_is_read_alike_whatever_was_told_before() -> None:
    """Orders come, go and change size from push to push, on both coins of an outcome and on a perp."""
    rng, memory, repeated = random.Random(11), ladder.BookMemory(coins=2), 0
    resting: dict[str, tuple[dict[int, int], dict[int, int]]] = {coin: ({}, {}) for coin in ("#9000", "#9001", "BTC")}
    for number in range(6_000):
        coin = rng.choice(tuple(resting))
        for side, low, high in zip(resting[coin], (1, 50), (49, 99), strict=True):
            for _ in range(rng.choice((0, 0, 0, 1, 2))):
                side[rng.randrange(low, high)] = rng.randrange(3)
        bids, asks = (sorted((px, size) for px, size in side.items() if size) for side in resting[coin])
        rows = [[level(f"0.{px:02d}", f"{size}") for px, size in side[:20]] for side in (bids[::-1], asks)]
        text = json.dumps({"channel": "l2Book", "data": {"coin": coin, "time": number, "levels": rows}})
        if rng.random() < 0.05:
            text = text.replace('"sz": "2"', '"sz": "-2"', 1)
        plain = decode_frame(text)
        assert decode_frame(text, memory) == plain, text
        repeated += plain.frame is not None and len(rows[0]) > 3
    assert repeated > 3_000
    assert len(memory._ladders) == 2


def test_a_side_that_has_not_changed_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = ladder.BookMemory()
    first = decode_frame(frame("l2Book", book("#9000", levels(("0.4", "7"), ("0.39", "2")), ASKS)), memory)
    monkeypatch.setattr(ladder, "parse", lambda text: {"0.395": 39_500_000, "8": 800_000_000}[text])
    rows = levels(("0.4", "7"), ("0.395", "8"), ("0.39", "2"))
    second = decode_frame(frame("l2Book", book("#9000", rows, ASKS)), memory)
    assert isinstance(first.frame, BookSnapshot)
    assert isinstance(second.frame, BookSnapshot)
    assert second.frame.asks is first.frame.asks
    assert second.frame.bids == (first.frame.bids[0], (39_500_000, 800_000_000), first.frame.bids[1])


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {},
        {"coin": "#9000", "time": 1},
        {"coin": "#9000", "time": "1", "levels": [[], []]},
        {"coin": "#9000", "time": 1.5, "levels": [[], []]},
        {"coin": "#9000", "time": -1, "levels": [[], []]},
        {"coin": "#9000", "time": 10**15, "levels": [[], []]},
        {"coin": "", "time": 1, "levels": [[], []]},
        {"coin": "x" * 41, "time": 1, "levels": [[], []]},
        {"coin": "#9000", "time": 1, "levels": [[]]},
        {"coin": "#9000", "time": 1, "levels": [[], [], []]},
        {"coin": "#9000", "time": 1, "levels": [[{"px": 0.4, "sz": "1"}], []]},
        {"coin": "#9000", "time": 1, "levels": [[{"px": "0.4"}], []]},
        {"coin": "#9000", "time": 1, "levels": [[{"px": "0.4" + "0" * 60, "sz": "1"}], []]},
        {"coin": "#9000", "time": 1, "levels": [[None], []]},
        {"coin": "#9000", "time": 1, "levels": [levels(("0.4", "1")) * 201, []]},
    ],
)
def test_books_of_another_shape_are_refused(data: Any) -> None:
    assert refusal("l2Book", data) == "l2Book.schema"


@pytest.mark.parametrize("coin", ["#9002", "#", "#-1", "#09000", "@107", "PURR/USDC", "+9000", "#9000 ", "a:b:c", "é"])
def test_books_of_coins_we_cannot_mean_are_refused(coin: str) -> None:
    assert refusal("l2Book", book(coin, [], [])) == "l2Book.coin"


def test_a_level_with_a_repeated_price_key_is_refused() -> None:
    """The decoder would keep the last of two prices in silence."""
    text = frame("l2Book", book("#9000", BIDS, ASKS)).replace('"px": "0.45"', '"px": "0.2", "px": "0.45"')
    assert kinds(decode_frame(text)) == ["duplicate_keys"]


def test_a_whole_book_told_twice_in_one_frame_is_refused() -> None:
    text = frame("l2Book", book("#9000", BIDS, ASKS))
    doubled = text[:-1] + ", " + text[1:]
    assert kinds(decode_frame(doubled)) == ["duplicate_keys"]


# -- touches


def bbo(coin: str, bid: dict[str, Any] | None, ask: dict[str, Any] | None, time: int = 5) -> dict[str, Any]:
    return {"coin": coin, "time": time, "bbo": [bid, ask]}


def test_touch_of_yes_is_taken_as_it_is() -> None:
    update = value("bbo", bbo("#9000", level("0.45", "30"), level("0.46", "7")), BboUpdate)
    assert (update.bid, update.ask) == scaled(("0.45", "30"), ("0.46", "7"))
    assert (update.market, update.venue_ms) == ("hyperliquid:o900", 5)


def test_touch_of_no_is_mirrored() -> None:
    update = value("bbo", bbo("#9001", level("0.45", "30"), level("0.46", "7")), BboUpdate)
    assert (update.bid, update.ask) == scaled(("0.54", "7"), ("0.55", "30"))


def test_empty_sides_stay_empty_on_both_coins() -> None:
    yes = value("bbo", bbo("#9000", level("0.45"), None), BboUpdate)
    assert yes.bid is not None
    assert yes.ask is None
    no = value("bbo", bbo("#9001", level("0.45"), None), BboUpdate)
    assert no.bid is None
    assert no.ask == (parse("0.55"), parse("100"))
    assert value("bbo", bbo("#9000", None, None), BboUpdate).bid is None


@pytest.mark.parametrize(
    ("bid", "ask", "kind"),
    [
        (level("0.46"), level("0.46"), "bbo.crossed"),
        (level("0.47"), level("0.46"), "bbo.crossed"),
        (level("1"), None, "bbo.price"),
        (level("0"), None, "bbo.price"),
        (None, level("-0.1"), "bbo.price"),
        (level("nan"), None, "bbo.price"),
    ],
)
def test_touches_that_cannot_be_are_refused(bid: Any, ask: Any, kind: str) -> None:
    assert refusal("bbo", bbo("#9000", bid, ask)) == kind


def test_touches_without_size_or_of_another_shape_are_refused() -> None:
    assert refusal("bbo", bbo("#9000", level("0.4", "0"), None)) == "bbo.size"
    assert refusal("bbo", {"coin": "#9000", "time": 1, "bbo": [None]}) == "bbo.schema"
    assert refusal("bbo", {"coin": "#9000", "time": 1, "bbo": None}) == "bbo.schema"
    assert refusal("bbo", bbo("@1", None, None)) == "bbo.coin"


# -- trades


def trade(**fields: Any) -> dict[str, Any]:
    row = {"coin": "#9000", "side": "B", "px": "0.46", "sz": "20.0", "time": 9, "tid": 4, "hash": "0x1", "users": []}
    return {**row, **fields}


def test_yes_trades_become_prints() -> None:
    prints = value("trades", [trade(), trade(side="A", px="0.45", tid=5)], Prints)
    assert prints.trades == (
        TradePrint("hyperliquid:o900", parse("0.46"), parse("20"), Side.BUY, "4", 9),  # type: ignore[arg-type]
        TradePrint("hyperliquid:o900", parse("0.45"), parse("20"), Side.SELL, "5", 9),  # type: ignore[arg-type]
    )


def test_no_trades_are_only_counted() -> None:
    prints = value("trades", [trade(coin="#9001", side="A", px="0.54", tid=6), trade()], Prints)
    assert (len(prints.trades), prints.mirrored) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"px": "0"}, "trades.price"),
        ({"px": "1.0"}, "trades.price"),
        ({"px": "NaN"}, "trades.price"),
        ({"sz": "0"}, "trades.size"),
        ({"sz": "-1"}, "trades.size"),
        ({"side": "S"}, "trades.side"),
        ({"side": ""}, "trades.side"),
        ({"coin": "@5"}, "trades.coin"),
    ],
)
def test_one_bad_trade_does_not_cost_its_neighbours(fields: dict[str, Any], kind: str) -> None:
    result = decoded("trades", [trade(), trade(**fields), trade(tid=8)])
    assert kinds(result) == [kind]
    assert isinstance(result.frame, Prints)
    assert [one.trade_id for one in result.frame.trades] == ["4", "8"]


@pytest.mark.parametrize(
    "data", [None, {}, [1], [{}], [trade(tid="4")], [trade(tid=-1)], [trade(time=None)], [trade(px=1)]]
)
def test_trades_of_another_shape_are_refused(data: Any) -> None:
    assert refusal("trades", data) == "trades.schema"


def test_trades_of_perps_are_prints_too() -> None:
    prints = value("trades", [trade(coin="BTC", px="118250.0", sz="0.001")], Prints)
    assert prints.trades[0].market == "hyperliquid:BTC"


# -- marks


def test_mark_of_a_perp_has_no_stamp_of_the_venue() -> None:
    marks = value("activeAssetCtx", {"coin": "BTC", "ctx": {"markPx": "118250.5", "oraclePx": "1"}}, Marks)
    assert marks.marks == (MarkPrice("hyperliquid:BTC", parse("118250.5"), 0),)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [{"coin": "BTC", "ctx": {}}, {"coin": "BTC", "ctx": {"markPx": None}}])
def test_a_context_without_mark_is_no_mark(data: Any) -> None:
    assert value("activeAssetCtx", data, Marks).marks == ()


@pytest.mark.parametrize("coin", ["#9000", "@107", "PURR/USDC"])
def test_marks_of_what_is_no_perp_are_passed_over(coin: str) -> None:
    assert value("activeAssetCtx", {"coin": coin, "ctx": {"markPx": "0.5"}}, Marks).marks == ()


@pytest.mark.parametrize("mark", ["0", "-1", "nan", "1e5", ""])
def test_marks_that_cannot_be_are_refused(mark: str) -> None:
    assert refusal("activeAssetCtx", {"coin": "BTC", "ctx": {"markPx": mark}}) == "activeAssetCtx.price"


def packed(text: str | bytes) -> str:
    packer = zlib.compressobj(wbits=-15)
    raw = text.encode() if isinstance(text, str) else text
    return base64.b64encode(packer.compress(raw) + packer.flush()).decode()


def test_compressed_marks_keep_the_good_ones() -> None:
    contexts = {"BTC": {"markPx": "1"}, "ETH": {"markPx": "-1"}, "SOL": {"midPx": "3"}, "#10": {"markPx": "0.5"}}
    result = decoded("fastAssetCtxs", packed(json.dumps(contexts)))
    assert kinds(result) == ["fastAssetCtxs.price"]
    assert isinstance(result.frame, Marks)
    assert [mark.market for mark in result.frame.marks] == ["hyperliquid:BTC"]


@pytest.mark.parametrize("payload", ["", "!!!", "AAAA", packed("{}")[:-3], "é"])
def test_payloads_that_do_not_unpack_are_refused(payload: str) -> None:
    assert refusal("fastAssetCtxs", payload) in ("fastAssetCtxs.packing", "fastAssetCtxs.schema")


@pytest.mark.parametrize("text", ["[]", "{", '{"BTC": 1}', '{"BTC": {"markPx": 1}}'])
def test_unpacked_text_of_another_shape_is_refused(text: str) -> None:
    assert refusal("fastAssetCtxs", packed(text)) == "fastAssetCtxs.schema"


def test_a_decompression_bomb_stops_at_the_limit() -> None:
    bomb = packed(b"0" * (INFLATED_MAX + 1))
    assert len(bomb) < 4_000
    assert refusal("fastAssetCtxs", bomb) == "fastAssetCtxs.packing"
