"""Which switches of the common board this venue has; the others mean nothing here and cannot be armed over the wire."""

from __future__ import annotations

from typing import Final

from hlomm.sim.faults import FaultName

FAULTS: Final = frozenset(
    {
        FaultName.REPLY_LOST,
        FaultName.REPLY_DELAYED,
        FaultName.WS_KILLED,
        FaultName.WS_SILENT,
        FaultName.WS_STALLED,
        FaultName.FRAME_TRUNCATED,
        FaultName.FRAME_DUPLICATED,
        FaultName.FRAME_OVERSIZED,
        FaultName.FRAME_GARBAGE,
        FaultName.REST_429,
        FaultName.REST_500,
        FaultName.REST_HTML,
        FaultName.REST_SLOW,
        FaultName.MAKERS_WITHDRAWN,
        FaultName.SETTLEMENT_LATE,
        FaultName.SETTLEMENT_MISSING,
        FaultName.LISTING_MISSING,
        FaultName.SEQUENCE_GAP,
        FaultName.BUFFER_OVERFLOW,
        FaultName.AUTH_REFUSED,
        FaultName.TRADING_PAUSED,
        FaultName.EXCHANGE_PAUSED,
        FaultName.MARKET_PAUSED,
        FaultName.PORTFOLIO_LAGGING,
        FaultName.LEVELS_CHANGED,
        FaultName.FEES_CHANGED,
        FaultName.RULES_CHANGED,
    }
)
