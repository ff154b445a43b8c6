"""How the simulated Polymarket may misbehave; each kind with a counter of how often it did."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hlomm.sim.faults import Switchboard


class PmFault(StrEnum):
    REPLY_LOST = "reply_lost"
    """An order or cancel is carried out, its answer never arrives."""
    REPLY_DELAYED = "reply_delayed"
    """The answer comes `delay_s` late."""
    WS_FROZEN = "ws_frozen"
    """The socket stays open and answers PING, but nothing else is sent."""
    WS_SILENT = "ws_silent"
    """Nothing is sent at all."""
    WS_KILLED = "ws_killed"
    """Every websocket ends in the middle of a frame."""
    DELTA_LOST = "delta_lost"
    """A `price_change` frame is not sent."""
    FRAME_DUPLICATED = "frame_duplicated"
    FRAME_REORDERED = "frame_reordered"
    """A frame comes after the one that should follow it."""
    FRAME_EMPTY = "frame_empty"
    """An empty array precedes a frame."""
    FRAME_GARBAGE = "frame_garbage"
    TRADE_FAILED = "trade_failed"
    """A trade between others than background traders fails for good after it was matched."""
    TRADE_STUCK = "trade_stuck"
    """A trade is mined `delay_s` later than usual."""
    RESTART = "restart"
    """The engine restarts: 425 for `restart_s`, then post-only mode."""
    CANCEL_ONLY = "cancel_only"
    TRADING_DISABLED = "trading_disabled"
    REST_425 = "rest_425"
    REST_429 = "rest_429"
    REST_500 = "rest_500"
    REST_HTML = "rest_html"
    """A page of the front end instead of JSON, with status 502."""
    REST_SLOW = "rest_slow"
    KEY_REVOKED = "key_revoked"
    """Private requests are refused with 401."""
    HEARTBEAT_LOST = "heartbeat_lost"
    """A heartbeat is refused as if its id were wrong."""
    DATA_LAGS = "data_lags"
    """The Data API shows what was `delay_s` ago."""
    GAMMA_LAGS = "gamma_lags"
    """Gamma does not know markets younger than `delay_s`."""
    HYDRATION_GAP = "hydration_gap"
    """The CLOB does not know markets younger than `delay_s`, though Gamma lists them."""
    BALANCE_STALE = "balance_stale"
    """The cached balance is not refreshed, neither by itself nor on request."""
    MAKERS_WITHDRAWN = "makers_withdrawn"
    """Background makers leave one side (`side`: bid, ask) or both."""
    RESOLUTION_LATE = "resolution_late"
    """A market resolves `delay_s` later than usual."""
    RESOLUTION_VOID = "resolution_void"
    """A market resolves at one half."""
    RESOLVED_UNTOLD = "resolved_untold"
    """No `market_resolved` frame is sent."""
    FEE_CHANGED = "fee_changed"
    """The taker fee of every open market doubles."""
    TICK_CHANGED = "tick_changed"
    """Every open market gets the fine tick."""
    MINIMUM_CHANGED = "minimum_changed"
    """The minimum size of every open market doubles."""
    RULES_CHANGED = "rules_changed"
    """A sentence is added to the rules of every open market."""


ONE_SHOT: Final = frozenset(PmFault) - {
    PmFault.WS_FROZEN,
    PmFault.WS_SILENT,
    PmFault.CANCEL_ONLY,
    PmFault.TRADING_DISABLED,
    PmFault.KEY_REVOKED,
    PmFault.DATA_LAGS,
    PmFault.GAMMA_LAGS,
    PmFault.HYDRATION_GAP,
    PmFault.BALANCE_STALE,
    PmFault.MAKERS_WITHDRAWN,
}


class PmFaults(Switchboard[PmFault]):
    """The switchboard of the simulated Polymarket."""

    def __init__(self) -> None:
        super().__init__(PmFault, ONE_SHOT)
