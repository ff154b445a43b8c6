"""The switchboard behind `POST /sim`: the truth for checks, and faults on demand. Not part of the venue."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.markets import Leg
from hlomm.sim import control
from hlomm.sim.control import Malformed
from hlomm.sim.pm.gamma_rows import market_row
from hlomm.sim.pm.units import WHOLE, cash_text, price_text, size_text
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.pm.wallets import Wallet

Json = dict[str, Any]
_LOTS_MAX: Final = 10**9


class Control:
    """Answers control requests. `counters` of the speaker are added to the state document."""

    def __init__(self, venue: PolymarketVenue) -> None:
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
            case "split" | "merge":
                return self._convert(request, splits=kind == "split")
            case _:
                raise Malformed("expected type state, fault, clear, split or merge")

    def state(self, counters: dict[str, int]) -> Json:
        """Everything a check may want to compare with what a client believes."""
        venue, exchange = self._venue, self._venue.exchange
        broken = venue.world.audit()
        settling = venue.world.settling
        return {
            "time": exchange.tape.now_ms,
            "seed": venue.seed,
            "conservation_ok": not broken,
            "broken": broken,
            "price": f"{venue.world.source.price:.2f}",
            "fees": cash_text(exchange.bank.fees),
            "markets": [market_row(market, with_event=False) for market in exchange.markets.values() if market.open],
            "resolved": {
                market.spec.condition: price_text(market.yes_ticks)
                for market in exchange.markets.values()
                if market.yes_ticks is not None
            },
            "accounts": {wallet.name: self._wallet(wallet) for wallet in self._clients()},
            "faults": {
                "armed": venue.faults.armed(),
                "injected": {name.value: count for name, count in venue.faults.injected.items()},
            },
            "counters": counters
            | {
                "requests": venue.gateway.executed,
                "queue_refused": venue.world.refused,
                "rate_limited": venue.gateway.limiter.refused,
                "heartbeats_lapsed": venue.gateway.heartbeats.fired,
                "trades": exchange.matcher.trades,
                "trades_failed": settling.failed,
                "trades_retried": settling.retried,
                "trades_pending": len(settling),
                "order_ids_forgotten": exchange.forgotten_ids,
                "steps": venue.world.steps,
            },
        }

    def _clients(self) -> list[Wallet]:
        return [wallet for wallet in self._venue.exchange.bank.wallets.values() if not wallet.background]

    def _wallet(self, wallet: Wallet) -> Json:
        exchange = self._venue.exchange
        return {
            "address": wallet.address,
            "cash": cash_text(wallet.cash),
            "out": cash_text(wallet.out),
            "hold": cash_text(wallet.hold),
            "tokens": {
                exchange.markets[number].spec.tokens[leg]: {
                    "total": size_text(holding.total),
                    "out": size_text(holding.out),
                    "hold": size_text(holding.hold),
                }
                for (number, leg), holding in wallet.holdings.items()
                if holding.total and number in exchange.markets
            },
            "orders": [order.new.id for order in exchange.open.values() if order.wallet is wallet],
            "trades": len(self._venue.trades.get(wallet.address, ())),
        }

    def _convert(self, request: Json, *, splits: bool) -> Json:
        """What the owner of a wallet does on the chain, outside of the venue: pairs from cash, or back."""
        wallet = next((one for one in self._clients() if one.name == request.get("account")), None)
        market = self._venue.exchange.by_condition.get(str(request.get("market")))
        lots = request.get("lots")
        if wallet is None or market is None or isinstance(lots, bool) or not isinstance(lots, int):
            raise Malformed("expected account, market and lots (0.01 share each)")
        bank = self._venue.exchange.bank
        have = wallet.free // WHOLE if splits else min(wallet.free_lots(market.number, leg) for leg in Leg)
        if not 0 < lots <= min(have, _LOTS_MAX):
            raise Malformed(f"only {have} lots can be converted")
        (bank.split if splits else bank.merge)(wallet, market.number, lots)
        return self._wallet(wallet)
