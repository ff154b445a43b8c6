"""The switchboard behind `POST /sim`: the truth for checks, and faults on demand. Not part of the venue."""

from __future__ import annotations

from typing import Any

from hlomm.sim import control
from hlomm.sim.control import Malformed
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.auth import BadKey
from hlomm.sim.kalshi.contracts import Phase
from hlomm.sim.kalshi.faults import FAULTS
from hlomm.sim.kalshi.grid import count_text, dollars
from hlomm.sim.kalshi.venue import KalshiVenue

Json = dict[str, Any]


class Control:
    """Answers control requests. `counters` of the speaker are added to the state document."""

    def __init__(self, venue: KalshiVenue) -> None:
        self._venue = venue

    def answer(self, request: Any, counters: dict[str, int]) -> Json:
        """Reply to one request; Malformed for anything that is not one."""
        kind = request.get("type") if isinstance(request, dict) else None
        match kind:
            case "state":
                return self.state(counters)
            case "fault":
                return self._fault(request)
            case "clear":
                return control.clear(self._venue.faults, request)
            case "key":
                return self._key(request)
            case _:
                raise Malformed("expected type state, fault, clear or key")

    def state(self, counters: dict[str, int]) -> Json:
        """Everything a check may want to compare with what a client believes."""
        venue, exchange = self._venue, self._venue.exchange
        broken = exchange.audit()
        return {
            "time": exchange.tape.now_ms,
            "seed": venue.seed,
            "conservation_ok": not broken,
            "broken": broken,
            "markets": {
                market.ticker: {"status": market.phase.value, "strike": market.strike, "value": market.value}
                for market in exchange.markets.values()
                if market.phase is not Phase.FINALIZED
            },
            "settled": {
                market.ticker: {"strike": market.strike, "value": market.value, "result": market.result}
                for market in exchange.markets.values()
                if market.phase is Phase.FINALIZED
            },
            "accounts": {a.name: _account(a) for a in exchange.accounts.values() if not a.background},
            "fees": dollars(exchange.ledger.fees, 8),
            "faults": {
                "armed": venue.faults.armed(),
                "injected": {name.value: count for name, count in venue.faults.injected.items()},
            },
            "counters": counters | {"steps": venue.world.steps},
        }

    def _fault(self, request: Json) -> Json:
        name = request.get("name")
        if name not in FAULTS:
            raise Malformed(f"unknown fault {name!r}; known: {', '.join(sorted(FAULTS))}")
        return control.arm(self._venue.faults, request)

    def _key(self, request: Json) -> Json:
        """Register a public key, RSA or Ed25519, for a member."""
        account = self._venue.member(str(request.get("account")))
        if account is None:
            raise Malformed("expected the name of an account")
        try:
            key_id = self._venue.register(account, str(request.get("public_pem")))
        except BadKey as error:
            raise Malformed(f"public_pem: {error}") from error
        return {"account": account.name, "key_id": key_id}


def _account(account: Account) -> Json:
    return {
        "user_id": account.user_id,
        "cash": {str(shard): dollars(cash, 8) for shard, cash in sorted(account.cash.items())},
        "held": {str(shard): dollars(cash, 8) for shard, cash in sorted(account.held.items())},
        "positions": {
            ticker: {
                "lots": count_text(position.lots),
                "cost": dollars(position.cost, 8),
                "realized": dollars(position.realized, 8),
                "fees": dollars(position.fees, 8),
            }
            for ticker, position in account.positions.items()
        },
        "open_orders": len(account.orders()),
        "orders": [
            {
                "order_id": order.order_id,
                "ticker": order.ticker,
                "client_order_id": order.client_id,
                "remaining": count_text(order.lots),
            }
            for order in account.orders()
        ],
    }
