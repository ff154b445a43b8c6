"""Who asks, and what only they may see: API keys, balances, own orders and trades (venue sheet 4 and 7)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from hlomm.domain.markets import Leg
from hlomm.sim.pm import chain, refusals, rows
from hlomm.sim.pm.chain import BadSignature
from hlomm.sim.pm.faults import PmFault
from hlomm.sim.pm.keys import ApiKey
from hlomm.sim.pm.public import page
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.units import LOT_BASE
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.pm.wallets import Wallet

Json = dict[str, Any]
Headers = Mapping[str, str]
Query = Mapping[str, str]

_ORDERS_PAGE: Final = 100
_ALLOWANCE: Final = str(2**256 - 1)
_SPENDERS: Final = (chain.EXCHANGE, chain.NEG_RISK_EXCHANGE)


class Private:
    """Answers for those who sign. Headers come with lower-case names."""

    def __init__(self, venue: PolymarketVenue) -> None:
        self._venue = venue
        self._exchange = venue.exchange

    # -- L1: wallet signature

    def key_request(self, method: str, path: str, headers: Headers) -> Json | None:
        """Create or derive an API key; None for another route."""
        routes = {("POST", "/auth/api-key"): True, ("GET", "/auth/derive-api-key"): False}
        creates = routes.get((method, path))
        if creates is None:
            return None
        address, nonce = self._wallet_owner(headers)
        keys = self._venue.keys
        key = keys.create(address, nonce) if creates else keys.derive(address, nonce)
        if key is None:
            raise Refused(refusals.NOT_CREATED if creates else refusals.NOT_DERIVED)
        return {"apiKey": key.id, "secret": key.secret, "passphrase": key.passphrase}

    @staticmethod
    def _wallet_owner(headers: Headers) -> tuple[str, int]:
        address, nonce = headers.get("poly_address", ""), headers.get("poly_nonce", "0")
        timestamp, signature = headers.get("poly_timestamp", ""), headers.get("poly_signature", "")
        try:
            if not timestamp.isdecimal() or not nonce.isdecimal():
                raise Refused(refusals.INVALID_L1, 401)
            signer = chain.auth_signer(address, timestamp, int(nonce), signature)
        except BadSignature:
            raise Refused(refusals.INVALID_L1, 401) from None
        if signer != address.lower():
            raise Refused(refusals.INVALID_L1, 401)
        return signer, int(nonce)

    # -- L2: HMAC

    def authenticate(self, method: str, path: str, body: bytes, headers: Headers) -> ApiKey:
        """The key behind a private request; Refused with 401. The query is not part of what is signed."""
        key = self._venue.keys.find(headers.get("poly_api_key", ""))
        if key is None or self._venue.faults.take(PmFault.KEY_REVOKED) is not None:
            raise Refused(refusals.INVALID_KEY, 401)
        timestamp = headers.get("poly_timestamp", "")
        expected = chain.request_signature(key.secret, timestamp, method, path, body)
        given = headers.get("poly_signature", "")
        genuine = hmac.compare_digest(expected.encode(), given.encode()) and timestamp.isdecimal()
        known = (
            key.passphrase == headers.get("poly_passphrase") and key.address == headers.get("poly_address", "").lower()
        )
        if not genuine or not known:
            raise Refused(refusals.INVALID_KEY, 401)
        return key

    def answer(self, method: str, path: str, query: Query, body: Any, key: ApiKey) -> Any:
        """The value of a private route that does not reach the engine; KeyError for a route that is none."""
        match method, path.strip("/").split("/"):
            case "GET", ["auth", "api-keys"]:
                return {"apiKeys": self._venue.keys.of(key.address)}
            case "DELETE", ["auth", "api-key"]:
                self._venue.keys.delete(key)
                return "OK"
            case "GET", ["auth", "ban-status", "closed-only"]:
                return {"closed_only": False}
            case "GET", ["balance-allowance"]:
                return self._balance(query, key)
            case "GET", ["balance-allowance", "update"]:
                if self._venue.faults.take(PmFault.BALANCE_STALE) is None:
                    self._wallet(query, key).refresh()
                return ""
            case "GET", ["data", "order", order_id]:
                return self._order(order_id, key)
            case "GET", ["data", "orders"]:
                return self._orders(query, key)
            case "GET", ["data", "trades"]:
                return self._trades(query, key)
            case "POST", ["v1", "heartbeats"]:
                return {"heartbeat_id": self._heartbeat(body, key)}
            case "GET", ["v1", "user", "rate-limit-tier"]:
                return {"tier": "Standard"}
            case "GET", ["notifications"]:
                return []
        raise KeyError(path)

    # -- balances

    def _wallet(self, query: Query, key: ApiKey) -> Wallet:
        """The wallet of a signature type; a type that the key has no wallet for shows an empty one."""
        kind = query.get("signature_type", "0")
        for wallet in self._venue.wallets_of(key.address):
            if str(wallet.signature_type) == kind:
                return wallet
        return Wallet(address=key.address, name="")

    def _balance(self, query: Query, key: ApiKey) -> Json:
        wallet = self._wallet(query, key)
        match query.get("asset_type"):
            case "COLLATERAL":
                balance = wallet.cash - wallet.unseen
            case "CONDITIONAL":
                found = self._exchange.by_token.get(query.get("token_id", ""))
                if found is None:
                    raise Refused(refusals.INVALID_TOKEN)
                market, leg = found
                holding = wallet.holdings.get((market.number, leg))
                balance = 0 if holding is None else (holding.total - holding.unseen) * LOT_BASE
            case _:
                raise Refused("invalid asset_type")
        return {"balance": str(balance), "allowances": dict.fromkeys(_SPENDERS, _ALLOWANCE)}

    # -- orders and trades

    def _order(self, order_id: str, key: ApiKey) -> Json | None:
        order = self._exchange.open.get(order_id)
        if order is None or order.new.owner != key.id:
            return None
        return rows.open_order(self._exchange.markets[order.new.number], order)

    def _orders(self, query: Query, key: ApiKey) -> Json:
        found = []
        for order in self._exchange.orders_of(key.id):
            market = self._exchange.markets[order.new.number]
            if _matches(query, order.new.id, market.spec.condition, (market.spec.tokens[order.new.leg],)):
                found.append(rows.open_order(market, order))
        return page(found, query.get("next_cursor", ""), _ORDERS_PAGE)

    def _trades(self, query: Query, key: ApiKey) -> Json:
        after, before = (_seconds(query, name) for name in ("after", "before"))
        found = []
        for trade in self._venue.trades_of(key.address):
            market = self._exchange.markets.get(trade.number)
            second = trade.match_ms // 1000
            if market is None or (after is not None and second < after) or (before is not None and second > before):
                continue
            tokens = tuple(market.spec.tokens[leg] for leg in Leg)
            if _matches(query, trade.id, market.spec.condition, tokens):
                found.append(rows.trade_row(market, trade, key.id))
        return page(found, query.get("next_cursor", ""), _ORDERS_PAGE)

    def _heartbeat(self, body: Any, key: ApiKey) -> str:
        said = body.get("heartbeat_id") if isinstance(body, dict) else None
        if said is not None and not isinstance(said, str):
            raise Refused(refusals.INVALID_PAYLOAD)
        beats = self._venue.gateway.heartbeats
        if self._venue.faults.take(PmFault.HEARTBEAT_LOST) is not None:
            raise beats.spoiled(key.id)
        return beats.beat(key.id, said or "", self._exchange.tape.now_ns)


def _matches(query: Query, own_id: str, condition: str, tokens: tuple[str, ...]) -> bool:
    if query.get("id") not in {None, "", own_id} or query.get("market") not in {None, "", condition}:
        return False
    return query.get("asset_id") in {None, "", *tokens}


def _seconds(query: Query, name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdecimal():
        raise Refused(refusals.INVALID_PAYLOAD)
    return int(text)
