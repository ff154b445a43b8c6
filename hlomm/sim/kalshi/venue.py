"""The simulated Kalshi as the wire sees it: world, members with their keys, budgets, and the portfolio's read side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from hlomm.domain.units import SCALE
from hlomm.sim.config import SimConfig
from hlomm.sim.faults import Faults
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.auth import Keys, private_pem, public_key, seeded_key, seeded_uuid
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD
from hlomm.sim.kalshi.events import Traded
from hlomm.sim.kalshi.limits import Budget
from hlomm.sim.kalshi.listing import Neighbour
from hlomm.sim.kalshi.portfolio import Portfolio
from hlomm.sim.kalshi.world import Commit, World
from hlomm.sim.path import PricePath

API: Final = "/trade-api/v2"
WS_PATH: Final = "/trade-api/ws/v2"
_NAMES: Final = ("daemon", "free-1", "free-2", "free-3")
_TRADES_KEPT: Final = 2_000


@attrs.frozen(kw_only=True)
class FundedAccount:
    """Credentials of a funded account, as announced to clients."""

    name: str
    user_id: str
    key_id: str
    private_key_pem: str
    """Ed25519, PKCS#8."""


def funded_accounts(seed: int) -> list[FundedAccount]:
    """The funded accounts of a seed; the first is the one the daemon trades."""
    return [
        FundedAccount(
            name=name,
            user_id=seeded_uuid(seed, f"user/{name}"),
            key_id=seeded_uuid(seed, f"key/{name}"),
            private_key_pem=private_pem(seeded_key(seed, name)),
        )
        for name in _NAMES
    ]


@attrs.frozen
class PastTrade:
    """A public trade as it is remembered."""

    time_ns: int
    trade: Traded


class KalshiVenue:
    """World, keys and memory of one seed. `path` and `neighbour` come from the other venues of the process."""

    def __init__(
        self,
        config: SimConfig,
        seed: int,
        origin_ns: int,
        path: PricePath | None = None,
        faults: Faults | None = None,
        neighbour: Neighbour | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self.rules = config.kalshi.rules
        self.listener: Callable[[Commit], None] | None = None
        """Told of every executed step, after the venue has noted it."""
        self.trades: deque[PastTrade] = deque(maxlen=_TRADES_KEPT)
        self._portfolio: Portfolio | None = None
        self.world = World(config, seed, origin_ns, path, faults, self._committed, neighbour)
        self.faults = self.world.faults
        self.exchange = self.world.exchange
        self.portfolio = self._portfolio = Portfolio(self.exchange, self.faults, seed, lag_s=self.rules.portfolio_lag_s)
        self.keys = Keys(self.rules.clock_tolerance_s)
        self.budgets: dict[str, Budget] = {}
        self.accounts = funded_accounts(seed)
        self._more_keys = 0
        for keys in self.accounts:
            self._open(keys, origin_ns)

    def _open(self, keys: FundedAccount, origin_ns: int) -> None:
        cash = self.rules.deposit_usd * SCALE
        account = self.exchange.open_account(keys.name, keys.user_id, {0: cash, CRYPTO_SHARD: cash})
        self.keys.add(keys.key_id, seeded_key(self.seed, keys.name).public_key(), account)
        self.portfolio.open(account, origin_ns)

    def member(self, name: str) -> Account | None:
        """A client's account by its name."""
        return next((a for a in self.exchange.accounts.values() if a.name == name and not a.background), None)

    def register(self, account: Account, pem: str) -> str:
        """Add a public key for a member; returns its key id. BadKey for what is none."""
        key = public_key(pem)
        self._more_keys += 1
        key_id = seeded_uuid(self.seed, f"registered/{self._more_keys}")
        self.keys.add(key_id, key, account)
        return key_id

    def budget(self, account: Account) -> Budget:
        budget = self.budgets.get(account.user_id)
        if budget is None:
            budget = self.budgets[account.user_id] = Budget.of(self.rules)
        return budget

    def document(self, rest: str, ws: str) -> dict[str, Any]:
        """What a client needs to attach, given `http://host:port` and `ws://host:port`."""
        return {
            "rest": rest + API,
            "ws": ws + WS_PATH,
            "accounts": [attrs.asdict(account) for account in self.accounts],
        }

    def open_interest(self, ticker: str) -> int:
        """Contracts held on either side, in lots."""
        return self.exchange.ledger.pairs.get(ticker, 0)

    def _committed(self, commit: Commit) -> None:
        for event in commit.events:
            if isinstance(event, Traded):
                self.trades.append(PastTrade(commit.time_ns, event))
        if self._portfolio is not None:
            self._portfolio.note(commit)
        if self.listener is not None:
            self.listener(commit)
