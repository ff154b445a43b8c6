"""JSON objects of the wire, made from what the exchange holds. Numbers are decimal strings, times unix ms."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.accounts import Account
from hlomm.sim.board import QuestionSpec, Settled
from hlomm.sim.coins import OUTCOME_GRID, PERP_COIN, PERP_GRID, WHOLE, outcome_coin, outcome_token, wire
from hlomm.sim.events import FillRow, Trade, mirrored
from hlomm.sim.exchange import Exchange
from hlomm.sim.market import Market
from hlomm.sim.orders import OrderRow
from hlomm.sim.outcome_market import OutcomeSpec

Json = dict[str, Any]

_LETTER: Final = {Side.BUY: "B", Side.SELL: "A"}
QUOTE: Final = "USDC"


# -- market data


def levels(market: Market, leg: Leg, depth: int) -> list[list[Json]]:
    """Bids and asks in the view of a coin, best first."""
    grid = market.grid
    sides = []
    for side in (Side.BUY, Side.SELL):
        book_side = Side(-side) if leg is Leg.NO else side
        rows = market.book.depth(book_side, depth)
        sides.append(
            [
                {"px": wire(_view(ticks, leg) * grid.tick), "sz": wire(lots * grid.lot), "n": count}
                for ticks, lots, count in rows
            ]
        )
    return sides


def _view(ticks: int, leg: Leg) -> int:
    return WHOLE - ticks if leg is Leg.NO else ticks


def l2_book(market: Market, leg: Leg, coin: str, time_ms: int, depth: int = 20) -> Json:
    return {"coin": coin, "time": time_ms, "levels": levels(market, leg, depth)}


def bbo(market: Market, leg: Leg, coin: str, time_ms: int) -> Json:
    bids, asks = levels(market, leg, 1)
    return {"coin": coin, "time": time_ms, "bbo": [bids[0] if bids else None, asks[0] if asks else None]}


def trade_row(trade: Trade, leg: Leg) -> Json:
    """A print on one coin; on the other it is the mirror image with another trade id."""
    ticks, aggressor, buyer, seller, tid = mirrored(trade, leg)
    grid = PERP_GRID if trade.outcome is None else OUTCOME_GRID
    return {
        "coin": PERP_COIN if trade.outcome is None else outcome_coin(trade.outcome, leg),
        "side": _LETTER[aggressor],
        "px": wire(ticks * grid.tick),
        "sz": wire(trade.lots * grid.lot),
        "time": trade.time_ms,
        "hash": trade.hash,
        "tid": tid,
        "users": [buyer, seller],
    }


def mid(market: Market, leg: Leg) -> int | None:
    """Mid in 1e-8 of the coin; the last trade when a side is empty, None before the first."""
    bid, ask = market.book.best_ticks(Side.BUY), market.book.best_ticks(Side.SELL)
    if bid is None or ask is None:
        if market.last_ticks is None:
            return None
        return _view(market.last_ticks, leg) * market.grid.tick
    return (_view(bid, leg) + _view(ask, leg)) * market.grid.tick // 2


def all_mids(exchange: Exchange) -> dict[str, str]:
    mids = {PERP_COIN: mid(exchange.perp, Leg.YES)}
    for market in exchange.outcomes.values():
        for leg in Leg:
            mids[outcome_coin(market.number, leg)] = mid(market, leg)
    return {coin: wire(px) for coin, px in mids.items() if px is not None}


def outcome_ctx(exchange: Exchange, outcome: int, leg: Leg) -> Json:
    """The context of an outcome coin; its mark is the mid where there is one."""
    market = exchange.outcomes[outcome]
    middle = mid(market, leg)
    supply = wire(exchange.ledger.supply(outcome, leg) * OUTCOME_GRID.lot)
    return {
        "dayNtlVlm": wire(market.day_volume),
        "prevDayPx": "0.5",
        "markPx": "0.5" if middle is None else wire(middle),
        "midPx": None if middle is None else wire(middle),
        "circulatingSupply": supply,
        "coin": outcome_coin(outcome, leg),
        "totalSupply": supply,
        "dayBaseVlm": "0.0",
    }


def outcome_row(spec: OutcomeSpec) -> Json:
    row: Json = {
        "outcome": spec.outcome,
        "name": spec.name,
        "description": spec.description,
        "sideSpecs": [{"name": name} for name in spec.side_names],
        "quoteToken": spec.quote_token,
    }
    if spec.deployer is not None:
        row |= {"venue": spec.deployer.venue, "deployer": spec.deployer.address}
        row["deployerFeeScale"] = wire(spec.deployer.fee_scale)
    return row


def question_row(spec: QuestionSpec) -> Json:
    return {
        "question": spec.question,
        "name": spec.name,
        "description": spec.description,
        "fallbackOutcome": spec.fallback,
        "namedOutcomes": list(spec.named),
        "settledNamedOutcomes": list(spec.settled_named),
    }


def settled_row(settled: Settled) -> Json:
    row = {"spec": outcome_row(settled.spec), "settleFraction": wire(settled.fraction), "details": settled.details}
    return row if settled.question is None else row | {"question": question_row(settled.question)}


# -- orders and fills


def order_row(row: OrderRow) -> Json:
    """The short form of `openOrders` and `orderUpdates`."""
    grid = row.target.grid
    short: Json = {
        "coin": row.target.coin,
        "side": _LETTER[row.side],
        "limitPx": wire(row.ticks * grid.tick),
        "sz": wire(row.lots * grid.lot),
        "oid": row.oid,
        "timestamp": row.placed_ms,
        "origSz": wire(row.lots_original * grid.lot),
    }
    if row.cloid is not None:
        short["cloid"] = row.cloid
    if row.reduce_only:
        short["reduceOnly"] = True
    return short


def frontend_row(row: OrderRow) -> Json:
    """The long form of `frontendOpenOrders`, `orderStatus` and `historicalOrders`."""
    return order_row(row) | {
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": row.reduce_only,
        "orderType": "Limit",
        "tif": row.tif.value,
        "cloid": row.cloid,
    }


def status_row(row: OrderRow) -> Json:
    return {"order": frontend_row(row), "status": row.status.value, "statusTimestamp": row.status_ms}


def update_row(row: OrderRow) -> Json:
    return {"order": order_row(row), "status": row.status.value, "statusTimestamp": row.status_ms}


def fill_row(row: FillRow) -> Json:
    grid = row.target.grid
    fill: Json = {
        "coin": row.target.coin,
        "px": wire(row.px),
        "sz": wire(row.lots * grid.lot),
        "side": _LETTER[row.side],
        "time": row.time_ms,
        "startPosition": wire(row.start_lots * grid.lot),
        "dir": row.dir.value,
        "closedPnl": wire(row.closed_pnl),
        "hash": row.hash,
        "oid": row.oid,
        "crossed": row.crossed,
        "fee": wire(row.fee),
        "tid": row.tid,
    }
    if row.cloid is not None:
        fill["cloid"] = row.cloid
    if row.liquidation is not None:
        how = row.liquidation
        mark = wire(how.mark_ticks * PERP_GRID.tick)
        fill["liquidation"] = {"liquidatedUser": how.user, "markPx": mark, "method": how.method}
    return fill | {"feeToken": QUOTE, "twapId": None}


# -- accounts


def spot_state(account: Account) -> Json:
    """Spot balances: the quote token with its index, outcome tokens without one."""
    balances: list[Json] = [
        {
            "coin": QUOTE,
            "token": 0,
            "total": wire(account.quote),
            "hold": wire(account.quote_hold),
            "entryNtl": "0.0",
        }
    ]
    for (outcome, leg), balance in account.tokens.items():
        if balance.total:
            balances.append(
                {
                    "coin": outcome_token(outcome, leg),
                    "total": wire(balance.total * OUTCOME_GRID.lot),
                    "hold": wire(balance.hold * OUTCOME_GRID.lot),
                    "entryNtl": wire(balance.entry),
                }
            )
    return {"balances": balances}
