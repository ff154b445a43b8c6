"""Kalshi's subscriptions when the venue refuses a command: one refusal costs one command, and nothing is had twice."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from hlomm.domain.inputs import BookSnapshot
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.streams import Streams
from hlomm.venues.kalshi.wire import commands, frames
from hlomm.venues.kalshi.wire.frames import ErrorMsg, Snapshot, SnapshotMsg, Subscribed, SubscribedMsg

TOO_MANY = 27
TIMEOUT = 18


@attrs.define(eq=False)
class Talk:
    """A conversation: what was sent, and the venue's part by hand."""

    streams: Streams = attrs.field(factory=lambda: Streams(Counters(), yes_prices=False, now_ms=lambda: 5))
    sent: list[dict[str, Any]] = attrs.field(factory=list)

    def send(self, text: str) -> bool:
        self.sent.append(json.loads(text))
        return True

    def taken(self) -> list[dict[str, Any]]:
        sent, self.sent = self.sent, []
        return sent

    def acknowledge(self) -> None:
        """Every subscription that was asked for."""
        for command in self.taken():
            if command["cmd"] == "subscribe":
                (name,) = command["params"]["channels"]
                message = SubscribedMsg(name, command["id"])  # the number of the command serves as the sid
                self.streams.on_subscribed(Subscribed(id=command["id"], msg=message), self.send)

    def refuse(self, command: dict[str, Any], code: int = TOO_MANY, sid: int = 0) -> None:
        self.streams.on_error(frames.Error(id=command["id"], sid=sid, msg=ErrorMsg(code=code)), self.send)

    def books(self) -> list[dict[str, Any]]:
        """Commands since the last look that concern the books."""
        return [one for one in self.taken() if self.about_books(one)]

    def about_books(self, command: dict[str, Any]) -> bool:
        params = command["params"]
        return commands.BOOKS in params.get("channels", ()) or params.get("sids") == [self.sid]

    @property
    def sid(self) -> int | None:
        return self.streams._channels[commands.BOOKS].sid if commands.BOOKS in self.streams._channels else None

    def whole(self, ticker: str, seq: int) -> list[BookSnapshot]:
        assert self.sid is not None
        message = SnapshotMsg(ticker, [("0.4000", "5.00")], [("0.5000", "5.00")])
        return list(self.streams.books.on_snapshot(Snapshot(sid=self.sid, seq=seq, msg=message)).books)


@pytest.fixture
def talk() -> Talk:
    """A connection that follows A and B."""
    made = Talk()
    made.streams.want("A", made.send)
    made.streams.want("B", made.send)
    made.streams.connected(made.send)
    made.acknowledge()
    made.taken()
    assert made.sid is not None
    assert made.whole("A", 1)
    assert made.whole("B", 2)
    return made


@pytest.mark.parametrize("named", [False, True])
def test_a_refused_addition_leaves_the_subscription_and_is_asked_again_alone(talk: Talk, named: bool) -> None:
    """Subscribed a second time beside the first, every change of a book would count twice."""
    sid = talk.sid
    assert sid is not None
    talk.streams.want("C", talk.send)
    (add,) = talk.books()
    assert (add["params"]["action"], add["params"]["market_tickers"]) == (commands.ADD, ["C"])
    talk.refuse(add, sid=sid if named else 0)
    talk.streams.want("D", talk.send)
    asked = talk.books()
    assert [one["cmd"] for one in asked] == ["update_subscription"] * 2
    assert [one["params"]["market_tickers"] for one in asked] == [["D"], ["C"]], "what was refused costs no other"
    assert talk.sid == sid
    talk.refuse(asked[1])
    talk.streams.again(talk.send)
    assert [one["params"]["market_tickers"] for one in talk.books() if one["params"]["action"] == commands.ADD] == [
        ["C"]
    ]


def test_a_snapshot_that_never_comes_is_asked_for_again(talk: Talk) -> None:
    folded = talk.streams.books.count(9)
    assert folded.stale == ("A", "B")
    talk.streams.fold(folded, talk.send)
    (asked,) = talk.books()
    assert asked["params"]["action"] == commands.SNAPSHOT
    talk.refuse(asked, code=TIMEOUT)
    assert talk.whole("A", 10)
    talk.taken()
    talk.streams.again(talk.send)
    (again,) = talk.books()
    assert (again["params"]["action"], again["params"]["market_tickers"]) == (commands.SNAPSHOT, ["B"])
    assert talk.whole("B", 11)
    talk.streams.again(talk.send)
    assert talk.books() == []


def test_a_refused_removal_is_asked_for_again(talk: Talk) -> None:
    talk.streams.unwant("B", talk.send)
    (remove,) = talk.books()
    talk.refuse(remove)
    talk.streams.again(talk.send)
    (again,) = talk.books()
    assert (again["params"]["action"], again["params"]["market_tickers"]) == (commands.DELETE, ["B"])


def test_one_market_that_the_venue_does_not_take_does_not_keep_out_the_others() -> None:
    talk = Talk()
    for ticker in ("dead", "A", "B"):
        talk.streams.want(ticker, talk.send)
    talk.streams.connected(talk.send)
    followed: dict[str, list[str]] = {commands.BOOKS: [], commands.TRADES: []}
    for _ in range(6):
        while talk.sent:
            for one in talk.taken():
                answer(talk, one, followed)
        talk.streams.again(talk.send)
    assert {name: sorted(tickers) for name, tickers in followed.items()} == {
        commands.BOOKS: ["A", "B"], commands.TRADES: ["A", "B"],
    }  # fmt: skip


def answer(talk: Talk, command: dict[str, Any], followed: dict[str, list[str]]) -> None:
    """As a venue would that takes no command with the market `dead` in it."""
    params, number = command["params"], command["id"]
    tickers = params.get("market_tickers", [])
    if command["cmd"] == "subscribe":
        (name,) = params["channels"]
        if "dead" not in tickers:
            talk.streams.on_subscribed(Subscribed(id=number, msg=SubscribedMsg(name, number)), talk.send)
    else:
        (sid,) = params["sids"]
        name = talk.streams.channel_of(sid) or ""
    if "dead" in tickers:
        talk.refuse(command)
    elif name in followed and params.get("action", commands.ADD) == commands.ADD:
        followed[name] += tickers


def test_a_subscription_that_the_venue_does_not_know_is_made_anew(talk: Talk) -> None:
    talk.streams.want("C", talk.send)
    (add,) = talk.books()
    talk.refuse(add, code=frames.UNKNOWN_SID)
    (made,) = [one for one in talk.taken() if commands.BOOKS in one["params"].get("channels", ())]
    assert made["params"]["market_tickers"] == ["A", "B", "C"]
