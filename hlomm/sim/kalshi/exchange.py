"""All shards, all members, and routing between them: the venue without its wire."""

from __future__ import annotations

from typing import Final

from hlomm.domain.units import SCALE
from hlomm.sim.config_kalshi import KalshiRulesConfig
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.contracts import SHARDS, Event, Market, Series
from hlomm.sim.kalshi.engine import Engine
from hlomm.sim.kalshi.events import CashChanged, Lifecycle, LifecycleKind
from hlomm.sim.kalshi.ledger import Ledger
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.kalshi.tape import Tape

CENTI_CENT: Final = SCALE // 10_000


class Exchange:
    """Engines by shard over one ledger and one tape."""

    def __init__(self, rules: KalshiRulesConfig, seed: int) -> None:
        self.rules = rules
        self.tape = Tape(seed)
        self.ledger = Ledger()
        self.engines = {shard: Engine(shard, rules, self.ledger, self.tape) for shard in SHARDS}
        self.accounts: dict[str, Account] = {}
        """By user id."""
        self.series: dict[str, Series] = {}
        self.events: dict[str, Event] = {}
        self.markets: dict[str, Market] = {}
        """Every market that is remembered, on any shard."""

    def open_account(self, name: str, user_id: str, cash: dict[int, int], *, background: bool = False) -> Account:
        """Create a member with cash (1e-8) on the given shards."""
        assert user_id not in self.accounts, "a user id has one account"
        account = self.accounts[user_id] = Account(name=name, user_id=user_id, background=background)
        for shard, amount in cash.items():
            self.ledger.deposit(account, shard, amount)
        return account

    def list_market(self, event: Event, market: Market) -> None:
        """Make a market known, and its event with the first one."""
        assert market.ticker not in self.markets
        self.series[event.series.ticker] = event.series
        self.events[event.ticker] = event
        event.markets.append(market)
        self.markets[market.ticker] = market
        engine = self.engines[market.shard]
        engine.markets[market.ticker] = market
        engine.events[event.ticker] = event
        self.tape.write(Lifecycle(LifecycleKind.CREATED, market.ticker))

    def forget_market(self, market: Market) -> None:
        """Drop a settled market from every record."""
        engine = self.engines[market.shard]
        del self.markets[market.ticker], engine.markets[market.ticker]
        event = self.events[market.event_ticker]
        event.markets.remove(market)
        if not event.markets:
            del self.events[event.ticker], engine.events[event.ticker]

    def engine_of(self, market: Market) -> Engine:
        return self.engines[market.shard]

    def route(self, shard: int | None, ticker: str | None) -> Engine:
        """The engine a request reaches: by number, by ticker where that is -1 or missing, else shard 0."""
        if shard is not None and shard >= 0:
            engine = self.engines.get(shard)
            if engine is None:
                raise Refused(refusals.bad_request("exchange_index"))
            return engine
        if ticker is None:
            return self.engines[0]
        market = self.markets.get(ticker)
        if market is None:
            raise Refused(refusals.MARKET_NOT_FOUND)
        return self.engines[market.shard]

    def transfer(self, account: Account, source: int, destination: int, cash: int) -> None:
        """Move cash between shards; Refused for shards that do not exist or cash that is not free."""
        if source not in self.engines or destination not in self.engines or cash <= 0:
            raise Refused(refusals.bad_request("source_exchange_shard, destination_exchange_shard and amount"))
        if account.free(source) < cash:
            raise Refused(refusals.INSUFFICIENT)
        self.ledger.transfer(account, source, destination, cash)
        self.tape.write(CashChanged(account))

    def audit(self) -> list[str]:
        """Every invariant that does not hold; empty when all is well."""
        faults = self.ledger.audit(self.accounts.values())
        for engine in self.engines.values():
            faults.extend(engine.audit(self.accounts.values()))
        return faults
