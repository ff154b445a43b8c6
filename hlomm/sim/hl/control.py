"""The switchboard behind `POST /sim`: the truth for checks, and faults on demand. Not part of the venue."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.units import SCALE
from hlomm.sim import control
from hlomm.sim.accounts import Account
from hlomm.sim.coins import OUTCOME_GRID, PERP_GRID, outcome_coin, wire
from hlomm.sim.control import Malformed
from hlomm.sim.hl import rows
from hlomm.sim.hl.venue import Venue

Json = dict[str, Any]

_VOLUME_MAX_USD: Final = 10**12


class Control:
    """Answers control requests. `counters` of the speaker are added to the state document."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def answer(self, request: Any, counters: dict[str, int]) -> Json:
        """Reply to one request; Malformed for anything that is not one."""
        kind = request.get("type") if isinstance(request, dict) else None
        match kind:
            case "state":
                return self.state(counters)
            case "fault":
                return control.arm(self._venue.faults, request)
            case "clear":
                return control.clear(self._venue.faults, request)
            case "volume":
                return self._volume(request)
            case "agent":
                return self._agent(request)
            case _:
                raise Malformed("expected type state, fault, clear, volume or agent")

    def state(self, counters: dict[str, int]) -> Json:
        """Everything a check may want to compare with what a client believes."""
        venue, exchange = self._venue, self._venue.exchange
        broken = exchange.audit()
        return {
            "time": exchange.tape.now_ms,
            "seed": venue.seed,
            "conservation_ok": not broken,
            "broken": broken,
            "mark": wire(exchange.perp.mark_ticks * PERP_GRID.tick),
            "outcomes": [rows.outcome_row(market.spec) for market in exchange.outcomes.values()],
            "questions": [rows.question_row(spec) for spec in exchange.questions.values()],
            "settled": [rows.settled_row(settled) for settled in exchange.settled.values()],
            "accounts": {account.name: self._account(account) for account in self._clients()},
            "faults": {
                "armed": venue.faults.armed(),
                "injected": {name.value: count for name, count in venue.faults.injected.items()},
            },
            "counters": counters | {"actions": venue.gateway.executed, "blocks": venue.world.blocks},
        }

    def _clients(self) -> list[Account]:
        return [account for account in self._venue.exchange.accounts.values() if not account.background]

    def _account(self, account: Account) -> Json:
        exchange = self._venue.exchange
        blotter = exchange.tape.blotter_of(account)
        return {
            "address": account.address,
            "quote": wire(account.quote),
            "hold": wire(account.quote_hold),
            "tokens": {
                outcome_coin(outcome, leg): {
                    "total": wire(balance.total * OUTCOME_GRID.lot),
                    "hold": wire(balance.hold * OUTCOME_GRID.lot),
                    "entry": wire(balance.entry),
                }
                for (outcome, leg), balance in account.tokens.items()
                if balance.total
            },
            "open_orders": len(blotter.open),
            "orders": [
                {"oid": order.oid, "coin": order.target.coin, "cloid": order.cloid} for order in blotter.open.values()
            ],
            "fills": len(blotter.fills),
            "perp": {
                "raw": wire(account.perp.raw),
                "szi": wire(account.perp.lots * PERP_GRID.lot),
                "value": wire(account.perp.value(exchange.perp.mark_ticks)),
            },
            "volume": wire(account.volume),
            "requests": self._venue.gateway.budgets.used(account),
        }

    def _volume(self, request: Json) -> Json:
        """Give a client's account a past: the venue grants its dead-man, and actions, by what was traded."""
        name, usd = request.get("account"), request.get("usd")
        account = next((account for account in self._clients() if account.name == name), None)
        if account is None or isinstance(usd, bool) or not isinstance(usd, int) or not 0 <= usd <= _VOLUME_MAX_USD:
            raise Malformed(f"expected the name of an account and usd from 0 to {_VOLUME_MAX_USD}")
        account.volume = usd * SCALE
        return {"account": name, "volume": wire(account.volume)}

    def _agent(self, request: Json) -> Json:
        """Let an approval end at another time, as on the venue's own page; `until_ms` null revokes it."""
        address, until_ms = str(request.get("address", "")).lower(), request.get("until_ms")
        known = self._venue.agents.get(address) is not None
        if not known or isinstance(until_ms, bool) or not (until_ms is None or isinstance(until_ms, int)):
            raise Malformed("expected the address of an agent, and until_ms in milliseconds or null")
        self._venue.agents.end(address, until_ms)
        return {"address": address, "until_ms": until_ms}
