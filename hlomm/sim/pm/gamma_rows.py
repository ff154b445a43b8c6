"""Rows of Gamma and of the Data API: markets, events, resolutions, positions (venue sheet 13)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import to_text
from hlomm.sim.pm.market import Family, Market
from hlomm.sim.pm.naming import iso
from hlomm.sim.pm.public import indicative
from hlomm.sim.pm.units import CASH, WHOLE

Json = dict[str, Any]

_TAGS: Final = [
    {"id": "235", "label": "Bitcoin", "slug": "bitcoin"},
    {"id": "21", "label": "Crypto", "slug": "crypto"},
]
_UPDOWN_TAG: Final = {"id": "102127", "label": "Up or Down", "slug": "up-or-down"}


def market_row(market: Market, *, with_event: bool) -> Json:
    """A market as Gamma has it; outcomes, prices and token ids are JSON inside of a string."""
    spec = market.spec
    bid, ask = market.best(Leg.YES, Side.BUY), market.best(Leg.YES, Side.SELL)
    prices = [f"{indicative(market, leg):g}" for leg in Leg]
    row: Json = {
        "id": str(spec.number),
        "question": spec.question,
        "conditionId": spec.condition,
        "slug": spec.slug,
        "resolutionSource": spec.source if spec.family is Family.UPDOWN else "",
        "endDate": iso(spec.end_ns),
        "liquidity": "0",
        "startDate": iso(spec.listed_ns),
        "image": "",
        "icon": "",
        "description": spec.description,
        "outcomes": _text(list(spec.outcomes)),
        "outcomePrices": _text(prices),
        "volume": f"{market.volume_cash / CASH:.6f}",
        "active": True,
        "closed": not market.open,
        "marketMakerAddress": "",
        "createdAt": iso(spec.listed_ns),
        "updatedAt": iso(spec.listed_ns),
        "new": False,
        "featured": False,
        "archived": False,
        "restricted": True,
        "groupItemThreshold": "0",
        "questionID": spec.question_id,
        "enableOrderBook": market.open,
        "orderPriceMinTickSize": market.tick / WHOLE,
        "orderMinSize": market.min_lots // 100,
        "volumeNum": market.volume_cash / CASH,
        "liquidityNum": 0.0,
        "endDateIso": iso(spec.end_ns)[:10],
        "startDateIso": iso(spec.listed_ns)[:10],
        "hasReviewedDates": True,
        "clobTokenIds": _text(list(spec.tokens)),
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "acceptingOrders": market.accepting,
        "negRisk": False,
        "ready": False,
        "funded": False,
        "acceptingOrdersTimestamp": iso(spec.listed_ns),
        "cyom": False,
        "pagerDutyNotificationEnabled": False,
        "approved": True,
        "rewardsMinSize": 50,
        "rewardsMaxSpread": 4.5,
        "spread": ((WHOLE if ask is None else ask) - (bid or 0)) / WHOLE,
        "bestBid": (bid or 0) / WHOLE,
        "bestAsk": (WHOLE if ask is None else ask) / WHOLE,
        "automaticallyActive": True,
        "clearBookOnStart": spec.family is Family.ABOVE,
        "manualActivation": False,
        "negRiskOther": False,
        "umaResolutionStatuses": "[]",
        "pendingDeployment": False,
        "deploying": False,
        "rfqEnabled": False,
        "secondsDelay": 0,
        "holdingRewardsEnabled": False,
        "feesEnabled": market.fee_rate > 0,
        "requiresTranslation": False,
        "feeType": "crypto_fees" if market.fee_rate else None,
    }
    if market.fee_rate:
        row["feeSchedule"] = {
            "rate": market.fee_rate / 10**8,
            "exponent": market.fee_exponent,
            "takerOnly": True,
            "rebateRate": market.rebate_rate,
        }
    if spec.family is Family.UPDOWN:
        row["eventStartTime"] = iso(spec.start_ns)
    else:
        row["groupItemTitle"] = spec.group_title
    if market.last_ticks is not None:
        row["lastTradePrice"] = market.last_ticks / WHOLE
    if market.resolved_ms is not None:
        row["umaResolutionStatus"] = "resolved"
        row["closedTime"] = iso(market.resolved_ms * 1_000_000).replace("T", " ").replace("Z", "+00")
    if with_event:
        row["events"] = [_event_head([market])]
    return row


def event_row(markets: list[Market]) -> Json:
    return _event_head(markets) | {
        "markets": [market_row(market, with_event=False) for market in markets],
        "tags": tags_of(markets[0]),
    }


def _event_head(markets: list[Market]) -> Json:
    spec = markets[0].spec
    closed = not any(market.open for market in markets)
    row: Json = {
        "id": str(100_000 + spec.number),
        "ticker": spec.event_slug,
        "slug": spec.event_slug,
        "title": spec.event_title,
        "description": spec.description,
        "startDate": iso(spec.listed_ns),
        "creationDate": iso(spec.listed_ns),
        "endDate": iso(spec.end_ns),
        "image": "",
        "icon": "",
        "active": True,
        "closed": closed,
        "archived": False,
        "new": False,
        "featured": False,
        "restricted": True,
        "liquidity": 0.0,
        "volume": sum(market.volume_cash for market in markets) / CASH,
        "openInterest": 0,
        "createdAt": iso(spec.listed_ns),
        "updatedAt": iso(spec.listed_ns),
        "enableOrderBook": True,
        "negRisk": False,
        "commentCount": 0,
        "cyom": False,
        "showAllOutcomes": True,
        "showMarketImages": True,
        "enableNegRisk": False,
        "automaticallyActive": True,
        "seriesSlug": spec.series_slug,
        "negRiskAugmented": False,
        "pendingDeployment": False,
        "deploying": False,
        "requiresTranslation": False,
    }
    if spec.family is Family.UPDOWN:
        row |= {"resolutionSource": spec.source, "startTime": iso(spec.start_ns)}
        market = markets[0]
        if market.final is not None and market.beat is not None:
            row["eventMetadata"] = {
                "priceToBeat": float(to_text(market.beat)),
                "finalPrice": float(to_text(market.final)),
            }
    return row


def resolution_row(market: Market) -> Json:
    """A row of `/v2/resolutions`; "69" stands for a price that is not set."""
    row: Json = {
        "question_id": market.spec.question_id,
        "condition_id": market.spec.condition,
        "status": "posed" if market.yes_ticks is None else "resolved",
        "extended_review": False,
        "was_disputed": False,
        "new_version_q": True,
        "proposed_price": "69",
        "reproposed_price": "69",
        "price": "69",
        "last_update_timestamp": str((market.resolved_ms or market.spec.listed_ns // 1_000_000) // 1000),
    }
    if market.yes_ticks is not None:
        row["price"] = row["proposed_price"] = f"{market.yes_ticks / WHOLE:g}"
    return row


def position_row(user: str, market: Market, leg: Leg, lots: int) -> Json:
    price, size = indicative(market, leg), lots / 100
    other = Leg(1 - leg)
    return {
        "proxyWallet": user,
        "asset": market.spec.tokens[leg],
        "conditionId": market.spec.condition,
        "size": size,
        "avgPrice": 0.0,
        "initialValue": 0.0,
        "currentValue": size * price,
        "cashPnl": 0.0,
        "percentPnl": 0.0,
        "totalBought": size,
        "realizedPnl": 0.0,
        "percentRealizedPnl": 0.0,
        "curPrice": price,
        "redeemable": market.yes_ticks is not None,
        "mergeable": False,
        "title": market.spec.question,
        "slug": market.spec.slug,
        "icon": "",
        "eventSlug": market.spec.event_slug,
        "outcome": market.spec.outcomes[leg],
        "outcomeIndex": int(leg),
        "oppositeOutcome": market.spec.outcomes[other],
        "oppositeAsset": market.spec.tokens[other],
        "endDate": iso(market.spec.end_ns),
        "negativeRisk": False,
    }


def tags_of(market: Market) -> list[Json]:
    return [*_TAGS, _UPDOWN_TAG] if market.spec.family is Family.UPDOWN else list(_TAGS)


def _text(values: list[str]) -> str:
    return msgspec.json.encode(values).decode().replace('","', '", "')
