"""JSON objects about the perp: its context, an account's position and margin, funding (venue sheet 2 and 8)."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import LEVERAGE_MAX, Account
from hlomm.sim.coins import PERP_COIN, PERP_GRID, wire
from hlomm.sim.events import FundingRow, Liquidated
from hlomm.sim.exchange import Exchange
from hlomm.sim.funding import FundingPoint
from hlomm.sim.hl.rows import levels, mid

Json = dict[str, Any]

_AGO: Final = "0.0"
"""Volumes of the day are not kept."""


def perp_ctx(exchange: Exchange) -> Json:
    """The perp's asset context; `funding` is the hourly rate that would be charged now."""
    perp = exchange.perp
    mark = wire(perp.mark_ticks * PERP_GRID.tick)
    middle = mid(perp, Leg.YES)
    bids, asks = levels(perp, Leg.YES, 1)
    held = sum(account.perp.lots for account in exchange.accounts.values() if account.perp.lots > 0)
    return {
        "funding": wire(exchange.funding.rate),
        "openInterest": wire(held * PERP_GRID.lot),
        "prevDayPx": mark,
        "dayNtlVlm": _AGO,
        "premium": wire(exchange.funding.premium),
        "oraclePx": mark,
        "markPx": mark,
        "midPx": None if middle is None else wire(middle),
        "impactPxs": [bids[0]["px"], asks[0]["px"]] if bids and asks else None,
        "dayBaseVlm": _AGO,
    }


def funding_point(point: FundingPoint) -> Json:
    """One hour of `fundingHistory`."""
    return {
        "coin": PERP_COIN,
        "fundingRate": wire(point.rate),
        "premium": wire(point.premium),
        "time": point.time_ms,
    }


def funding_row(row: FundingRow) -> Json:
    """One payment as the streams show it; `usdc` is negative when the account paid."""
    return {
        "time": row.time_ms,
        "coin": PERP_COIN,
        "usdc": wire(row.usdc),
        "szi": wire(row.lots * PERP_GRID.lot),
        "fundingRate": wire(row.rate),
    }


def funding_delta(row: FundingRow) -> Json:
    """One payment as `userFunding` lists it."""
    delta = funding_row(row)
    time_ms = delta.pop("time")
    return {"time": time_ms, "hash": row.hash, "delta": {"type": "funding", "nSamples": None} | delta}


def liquidation(event: Liquidated) -> Json:
    """A forced closing as the account's own stream shows it."""
    return {
        "lid": event.number,
        "liquidator": event.backstop,
        "liquidated_user": event.account.address,
        "liquidated_ntl_pos": wire(event.notional),
        "liquidated_account_value": wire(event.equity),
    }


def clearinghouse(exchange: Exchange, account: Account, time_ms: int) -> Json:
    """The perp account. Summary figures at the mark; withdrawable is what no margin binds."""
    position, mark = account.perp, exchange.perp.mark_ticks
    value = position.value(mark)
    summary = {
        "accountValue": wire(value),
        "totalNtlPos": wire(abs(position.lots) * mark * PERP_GRID.cash),
        "totalRawUsd": wire(position.raw),
        "totalMarginUsed": wire(position.used(mark)),
    }
    free = max(min(exchange.perp.margin_free(account), position.raw if position.lots >= 0 else value), 0)
    return {
        "marginSummary": summary,
        "crossMarginSummary": dict(summary),
        "crossMaintenanceMarginUsed": wire(position.maintenance(mark)),
        "withdrawable": wire(free),
        "assetPositions": [] if position.lots == 0 else [_position(account, mark)],
        "time": time_ms,
    }


def _position(account: Account, mark: int) -> Json:
    position = account.perp
    value = abs(position.lots) * mark * PERP_GRID.cash
    unrealised = position.lots * mark * PERP_GRID.cash - position.entry
    used, limit = position.used(mark), position.liquidation_px()
    return {
        "type": "oneWay",
        "position": {
            "coin": PERP_COIN,
            "szi": wire(position.lots * PERP_GRID.lot),
            "entryPx": wire(abs(position.entry) * PERP_GRID.tick // (abs(position.lots) * PERP_GRID.cash)),
            "positionValue": wire(value),
            "unrealizedPnl": wire(unrealised),
            "returnOnEquity": wire(unrealised * SCALE // used) if used else "0.0",
            "liquidationPx": None if limit is None else wire(limit),
            "marginUsed": wire(used),
            "maxLeverage": LEVERAGE_MAX,
            "leverage": {"type": "cross", "value": position.leverage},
            "cumFunding": {
                "allTime": wire(position.paid),
                "sinceOpen": wire(position.paid_open),
                "sinceChange": wire(position.paid_change),
            },
        },
    }
