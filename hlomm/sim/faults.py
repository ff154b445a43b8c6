"""Switches that make the venue misbehave, each with a counter of how often it did.

A test arms a fault in process or by a control request. A fault either happens a number of times (`count`), lasts for a
while (`for_s`), or goes on until it is cleared; one-shot kinds default to a count of one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_S, seconds_to_ns


class FaultName(StrEnum):
    REPLY_LOST = "reply_lost"
    """An action is carried out, its answer never arrives."""
    REPLY_DELAYED = "reply_delayed"
    """The answer to an action comes `delay_s` late."""
    MODIFY_REORDERED = "modify_reordered"
    """The stream shows the new order of a modify before the cancel of the old one."""
    FILL_BEFORE_REPLY = "fill_before_reply"
    """Fills reach the stream before the answer to the order that caused them."""
    WS_KILLED = "ws_killed"
    """Every websocket ends without a closing handshake, half a frame on the wire."""
    WS_SILENT = "ws_silent"
    """Half open: the connection lives, nothing is sent, pings stay unanswered."""
    WS_STALLED = "ws_stalled"
    """Streams stop; pings and posts are still answered."""
    FRAME_TRUNCATED = "frame_truncated"
    FRAME_DUPLICATED = "frame_duplicated"
    FRAME_OVERSIZED = "frame_oversized"
    FRAME_GARBAGE = "frame_garbage"
    REST_429 = "rest_429"
    REST_500 = "rest_500"
    REST_HTML = "rest_html"
    """A page of the front end instead of JSON, with status 502."""
    REST_SLOW = "rest_slow"
    UNKNOWN_OID = "unknown_oid"
    """`orderStatus` does not know an order for `delay_s` after its fill."""
    FILLS_REPEATED = "fills_repeated"
    """Subscribing to fills also brings old ones again, not marked as a snapshot."""
    NONCE_REFUSED = "nonce_refused"
    AGENT_EXPIRED = "agent_expired"
    MAKERS_WITHDRAWN = "makers_withdrawn"
    """Background makers leave one side (`side`: bid, ask) or both, of the outcomes or of what `market` says."""
    SETTLEMENT_LATE = "settlement_late"
    """A contract settles `delay_s` after it should."""
    SETTLEMENT_VOID = "settlement_void"
    """A contract settles at one half."""
    SETTLEMENT_MISSING = "settlement_missing"
    """Contracts past expiry are not settled."""
    LISTING_LATE = "listing_late"
    """The next contract of a series is listed `delay_s` later than usual."""
    LISTING_MISSING = "listing_missing"
    """What is due is not listed while this is armed."""
    LISTING_RENAMED = "listing_renamed"
    """The next contract comes under a name and a class that no documentation has."""
    QUESTION_HIDDEN = "question_hidden"
    """`outcomeMeta` lists the legs of a question but not the question."""
    DEAD_COIN_CLOSES = "dead_coin_closes"
    """Subscribing to a settled coin closes the socket."""
    SEQUENCE_GAP = "sequence_gap"
    """Kalshi: a numbered frame is lost."""
    BUFFER_OVERFLOW = "buffer_overflow"
    """Kalshi: a subscription ends with error 25."""
    AUTH_REFUSED = "auth_refused"
    """Kalshi: a good signature is answered 401."""
    TRADING_PAUSED = "trading_paused"
    """Kalshi: the crypto shard places and amends nothing, cancels work."""
    EXCHANGE_PAUSED = "exchange_paused"
    """Kalshi: the crypto shard does nothing."""
    MARKET_PAUSED = "market_paused"
    """Kalshi: one market is deactivated for `delay_s`; its activation cancels all orders."""
    PORTFOLIO_LAGGING = "portfolio_lagging"
    """Kalshi: portfolio reads are `delay_s` further behind."""
    LEVELS_CHANGED = "levels_changed"
    """Kalshi: one market gets another price level structure."""
    FEES_CHANGED = "fees_changed"
    """Kalshi: one event gets maker fees."""
    RULES_CHANGED = "rules_changed"
    """Kalshi: the rules text of one market changes."""


_ONE_SHOT: Final = frozenset(
    {
        FaultName.REPLY_LOST,
        FaultName.REPLY_DELAYED,
        FaultName.MODIFY_REORDERED,
        FaultName.FILL_BEFORE_REPLY,
        FaultName.WS_KILLED,
        FaultName.FRAME_TRUNCATED,
        FaultName.FRAME_DUPLICATED,
        FaultName.FRAME_OVERSIZED,
        FaultName.FRAME_GARBAGE,
        FaultName.REST_429,
        FaultName.REST_500,
        FaultName.REST_HTML,
        FaultName.REST_SLOW,
        FaultName.FILLS_REPEATED,
        FaultName.NONCE_REFUSED,
        FaultName.SETTLEMENT_LATE,
        FaultName.SETTLEMENT_VOID,
        FaultName.LISTING_LATE,
        FaultName.LISTING_RENAMED,
        FaultName.SEQUENCE_GAP,
        FaultName.BUFFER_OVERFLOW,
        FaultName.AUTH_REFUSED,
        FaultName.MARKET_PAUSED,
        FaultName.LEVELS_CHANGED,
        FaultName.FEES_CHANGED,
        FaultName.RULES_CHANGED,
    }
)
_SIDES: Final = ("both", "bid", "ask")
_MARKETS: Final = ("outcome", "perp", "all")


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise ConfigError(f"fault.{attribute.name}: expected a number >= 0, was {value!r}")


def _one_of(allowed: tuple[str, ...]) -> Any:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in allowed:
            raise ConfigError(f"fault.{attribute.name}: expected one of {', '.join(allowed)}, was {value!r}")

    return check


@attrs.frozen(kw_only=True)
class FaultArgs:
    """How a fault is to happen. Durations are venue seconds; `path` limits REST faults to one path."""

    count: int | None = attrs.field(default=None, validator=_positive)
    for_s: float | None = attrs.field(default=None, validator=_positive)
    delay_s: float = attrs.field(default=1.0, validator=_positive)
    side: str = attrs.field(default="both", validator=_one_of(_SIDES))
    market: str = attrs.field(default="outcome", validator=_one_of(_MARKETS))
    """Which makers withdraw."""
    path: str = ""


@attrs.define(eq=False)
class _Armed:
    args: FaultArgs
    left: int | None
    until_ns: int | None


_Name = TypeVar("_Name", bound=StrEnum)


class Switchboard(Generic[_Name]):
    """The switches of one venue. `now_ns` is venue time, kept current by the world."""

    def __init__(self, names: type[_Name], one_shot: frozenset[_Name]) -> None:
        self.now_ns = 0
        self.injected: dict[_Name, int] = {}
        self._armed: dict[_Name, _Armed] = {}
        self._names = names
        self._one_shot = one_shot

    def arm(self, name: _Name | str, args: FaultArgs | None = None) -> None:
        """Switch a fault on, replacing what was armed under that name. ConfigError for an unknown name."""
        key = self.named(name)
        given = FaultArgs() if args is None else args
        left = given.count
        if left is None and given.for_s is None and key in self._one_shot:
            left = 1
        until_ns = None if given.for_s is None else self.now_ns + seconds_to_ns(given.for_s)
        self._armed[key] = _Armed(given, left, until_ns)

    def clear(self, name: _Name | str | None = None) -> None:
        """Switch one fault off, or all of them."""
        if name is None:
            self._armed.clear()
        else:
            self._armed.pop(self.named(name), None)

    def active(self, name: _Name) -> FaultArgs | None:
        """The arguments of a fault that would happen now, without making it happen."""
        armed = self._armed.get(name)
        if armed is None:
            return None
        if armed.left == 0 or (armed.until_ns is not None and self.now_ns >= armed.until_ns):
            del self._armed[name]
            return None
        return armed.args

    def take(self, name: _Name) -> FaultArgs | None:
        """Inject: the arguments if the fault happens now, and one more on its counter."""
        args = self.active(name)
        if args is None:
            return None
        armed = self._armed[name]
        if armed.left is not None:
            armed.left -= 1
        self.injected[name] = self.injected.get(name, 0) + 1
        return args

    def take_at(self, name: _Name | str, path: str) -> FaultArgs | None:
        """Inject at a request to `path`, unless the fault is limited to another one."""
        key = self.named(name)
        args = self.active(key)
        return None if args is None or args.path not in {"", path} else self.take(key)

    def armed(self) -> list[str]:
        return [name.value for name in list(self._armed) if self.active(name) is not None]

    def delay_ns(self, name: _Name) -> int:
        """Extra delay a fault asks for now, 0 if it does not happen."""
        args = self.take(name)
        return 0 if args is None else int(args.delay_s * NS_PER_S)

    def named(self, name: _Name | str) -> _Name:
        """This venue's own switch of that name. ConfigError if it has none."""
        try:
            return self._names(name)
        except ValueError:
            raise ConfigError(f"unknown fault {name!r}; known: {', '.join(self._names)}") from None


class Faults(Switchboard[FaultName]):
    """The switchboard of the simulated Hyperliquid."""

    def __init__(self) -> None:
        super().__init__(FaultName, _ONE_SHOT)
