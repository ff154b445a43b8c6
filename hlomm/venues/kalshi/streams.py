"""Subscriptions of one connection and the books that come over them (venue sheet section 10). Pure.

One subscription carries the books of all followed markets, another their trades; markets are added to and taken from
them. Nothing is added before the acknowledgement told the subscription's number. A subscription that the venue ended is
asked for anew, with all its markets. A command that is refused leaves its subscription as it is: a second one beside it
would bring every change twice. What it was to bring about is asked for again with the next ping, of one market at a
time, so that one which the venue does not take costs no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec

from hlomm.domain.ids import MarketId, kalshi_market
from hlomm.domain.inputs import BookSnapshot, Input
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.books import Books, Folded
from hlomm.venues.kalshi.wire import commands
from hlomm.venues.kalshi.wire.frames import UNKNOWN_SID, Error, Ok, Subscribed

SendText = Callable[[str], bool]

MARKETS_MAX: Final = 500
PER_MARKET: Final = (commands.BOOKS, commands.TRADES)
_ALWAYS: Final = (*commands.ACCOUNT, commands.LIFECYCLE)
_SUBSCRIBE: Final = "subscribe"


@attrs.define(eq=False)
class _Channel:
    sid: int | None = None
    asked: int | None = None
    """Number of the command that asked for it and is not answered."""
    tickers: dict[str, None] = attrs.field(factory=dict)
    """As asked for."""


@attrs.frozen
class _Command:
    """What was asked of a channel."""

    name: str
    action: str
    tickers: tuple[str, ...]


@attrs.define(eq=False)
class Streams:
    """Wanted markets over the life of the session, subscriptions of the current connection."""

    counters: Counters
    yes_prices: bool
    now_ms: Callable[[], int]
    """Venue time, for what comes without a stamp of its own."""
    groups: bool = False
    """Whether news of order groups is asked for."""
    wanted: dict[str, None] = attrs.field(factory=dict)
    books: Books = attrs.field(init=False)
    pings: set[int] = attrs.field(factory=set)
    _channels: dict[str, _Channel] = attrs.field(factory=dict)
    _by_sid: dict[int, str] = attrs.field(factory=dict)
    _asked: BoundedMap[int, _Command] = attrs.field(factory=lambda: BoundedMap(1_024))
    _alone: dict[str, None] = attrs.field(factory=dict)
    """Markets of refused commands: each is asked for by itself from then on."""
    _next: int = 0
    _stamps: dict[MarketId, int] = attrs.field(factory=dict)
    """Stamp of the last book told: later ones are never older, or they would be taken for stale."""

    def __attrs_post_init__(self) -> None:
        self.books = Books(yes_prices=self.yes_prices)

    # -- life of a connection

    @property
    def always(self) -> tuple[str, ...]:
        """Channels that do not depend on markets."""
        return (*_ALWAYS, commands.GROUPS) if self.groups else _ALWAYS

    def connected(self, send: SendText) -> None:
        """Ask for the account's channels on a new connection, and for the wanted markets."""
        self._channels, self._by_sid = {}, {}
        self._asked = BoundedMap(1_024)
        self.pings.clear()
        self._alone.clear()
        self.books = Books(yes_prices=self.yes_prices)
        self.books.follow(list(self.wanted))
        for name in self.always:
            self._subscribe(name, (), send)
        self.sync(send)

    def account_acknowledged(self) -> bool:
        return all(name in self._channels and self._channels[name].sid is not None for name in self.always)

    def missing(self) -> list[str]:
        return [name for name in self.always if name not in self._channels or self._channels[name].sid is None]

    def ping(self) -> str:
        """A command that changes nothing; its answer shows that the venue listens."""
        self._next += 1
        self.pings.add(self._next)
        return commands.list_subscriptions(self._next)

    # -- wishes

    def want(self, ticker: str, send: SendText) -> None:
        if ticker in self.wanted:
            return
        if len(self.wanted) >= MARKETS_MAX:
            self.counters.add("subscribe_over_limit")
            return
        self.wanted[ticker] = None
        self.books.follow([ticker])
        self.sync(send)

    def unwant(self, ticker: str, send: SendText) -> None:
        self.wanted.pop(ticker, None)
        self._alone.pop(ticker, None)
        self.books.drop(ticker)
        self._stamps.pop(kalshi_market(ticker), None)
        self.sync(send)

    def sync(self, send: SendText) -> None:
        """Bring the subscriptions in line with what is wanted, as far as is possible now."""
        if not all(name in self._channels for name in self.always):
            return  # no connection has asked for anything yet
        for name in PER_MARKET:
            channel = self._channels.get(name)
            if channel is None:
                if self.wanted:
                    self._subscribe(name, self._first(), send)
            elif channel.sid is not None:
                added = [one for one in self.wanted if one not in channel.tickers]
                gone = [one for one in channel.tickers if one not in self.wanted]
                together = [one for one in added if one not in self._alone]
                for tickers in (together, *([one] for one in added if one in self._alone)):
                    if self._change(name, channel.sid, commands.ADD, tickers, send):
                        channel.tickers |= dict.fromkeys(tickers)
                if self._change(name, channel.sid, commands.DELETE, gone, send):
                    for one in gone:
                        del channel.tickers[one]

    def again(self, send: SendText) -> None:
        """Ask once more for what was refused, or never came: markets, and snapshots of books that are not whole."""
        self.sync(send)
        channel = self._channels.get(commands.BOOKS)
        if channel is not None and channel.sid is not None:
            stale = [one for one, book in self.books.books.items() if book.stale and one in channel.tickers]
            self._change(commands.BOOKS, channel.sid, commands.SNAPSHOT, stale, send)

    def _first(self) -> tuple[str, ...]:
        """Markets to begin a subscription with: one at a time, in turn, once all together were refused."""
        together = tuple(one for one in self.wanted if one not in self._alone)
        return together or (list(self.wanted)[self._next % len(self.wanted)],)

    def _subscribe(self, name: str, tickers: tuple[str, ...], send: SendText) -> None:
        number = self._number(name, _SUBSCRIBE, tickers)
        if send(commands.subscribe(number, [name], tickers, yes_prices=self.yes_prices)):
            self._channels[name] = _Channel(asked=number, tickers=dict.fromkeys(tickers))

    def _change(self, name: str, sid: int, action: str, tickers: list[str], send: SendText) -> bool:
        """Whether there was anything to ask, and it was."""
        return bool(tickers) and send(commands.update(self._number(name, action, tuple(tickers)), sid, action, tickers))

    def _number(self, name: str, action: str, tickers: tuple[str, ...]) -> int:
        self._next += 1
        self._asked.put(self._next, _Command(name, action, tickers))
        return self._next

    # -- frames

    def on_subscribed(self, frame: Subscribed, send: SendText) -> None:
        channel = self._channels.get(frame.msg.channel)
        if channel is None:
            self.counters.add("unexpected_acks")
            return
        if channel.sid is not None:
            self._by_sid.pop(channel.sid, None)
        channel.sid, channel.asked = frame.msg.sid, None
        self._by_sid[frame.msg.sid] = frame.msg.channel
        self.sync(send)

    def on_ok(self, frame: Ok) -> bool:
        """Whether it answers a ping."""
        if frame.id in self.pings:
            self.pings.discard(frame.id)
            return True
        return False

    def on_error(self, frame: Error, send: SendText) -> list[Input]:
        """A refused command, or a subscription that the venue has ended."""
        self.counters.add(f"channel_error.{frame.msg.code}")
        asked = self._asked.get(frame.id)
        name = self._by_sid.get(frame.sid) or (None if asked is None else asked.name)
        if name is None:
            return []
        if not (frame.terminal or frame.msg.code == UNKNOWN_SID):
            self._not_done(frame.id, asked)
            return []
        channel = self._channels.pop(name, None)
        if channel is not None and channel.sid is not None:
            self._by_sid.pop(channel.sid, None)
        self.counters.add("resubscribed")
        lost = self.books.distrust("ended") if name == commands.BOOKS else Folded()
        if name == commands.BOOKS:
            self.books = Books(yes_prices=self.yes_prices)
            self.books.follow(list(self.wanted))
        if name in self.always:
            self._subscribe(name, (), send)
        self.sync(send)
        return self._told(lost)

    def _not_done(self, number: int, asked: _Command | None) -> None:
        """A command was refused; what it was for is wanted still (see `again`)."""
        channel = None if asked is None else self._channels.get(asked.name)
        if asked is None or channel is None or asked.name not in PER_MARKET:
            return
        if asked.action == _SUBSCRIBE and channel.asked == number:
            del self._channels[asked.name]
        elif asked.action == commands.ADD:
            for one in asked.tickers:
                channel.tickers.pop(one, None)
        elif asked.action == commands.DELETE:
            channel.tickers |= dict.fromkeys(asked.tickers)
        if asked.action in (_SUBSCRIBE, commands.ADD):
            self._alone |= {one: None for one in asked.tickers if one in self.wanted}

    def counts_for_books(self, sid: int) -> bool:
        return self._by_sid.get(sid) == commands.BOOKS

    def channel_of(self, sid: int) -> str | None:
        return self._by_sid.get(sid)

    def fold(self, folded: Folded, send: SendText) -> list[Input]:
        """The inputs of what a frame did to the books; asks for snapshots of those that can no longer be trusted."""
        if folded.stale:
            self.counters.add(f"books_stale.{folded.why}", len(folded.stale))
            channel = self._channels.get(commands.BOOKS)
            if channel is not None and channel.sid is not None:
                tickers = [one for one in folded.stale if one in channel.tickers]
                self._change(commands.BOOKS, channel.sid, commands.SNAPSHOT, tickers, send)
        return self._told(folded)

    def _told(self, folded: Folded) -> list[Input]:
        """Whole books, and those that nobody may act on: told as empty until their snapshot comes."""
        spoilt = [BookSnapshot(kalshi_market(ticker), (), (), 0) for ticker in folded.stale]
        return [self.stamped(book) for book in (*folded.books, *spoilt)]

    def stamped(self, book: BookSnapshot) -> BookSnapshot:
        """The book with a stamp that is no older than that of the last one told."""
        stamp = max(self._stamps.get(book.market, 0), book.venue_ms or self.now_ms())
        self._stamps[book.market] = stamp
        return msgspec.structs.replace(book, venue_ms=stamp)


def ticker_of(market: MarketId) -> str:
    return market.partition(":")[2]
