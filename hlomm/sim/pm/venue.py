"""One simulated Polymarket as the wire sees it: the world, its keys, and what it remembers of trades."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hlomm.sim.config import SimConfig
from hlomm.sim.path import PricePath
from hlomm.sim.pm.events import TradeChanged
from hlomm.sim.pm.faults import PmFaults
from hlomm.sim.pm.gateway import Gateway
from hlomm.sim.pm.keys import ApiKeys, funded_accounts
from hlomm.sim.pm.listing import Mirror
from hlomm.sim.pm.orders import Trade, TradeStatus
from hlomm.sim.pm.units import CASH
from hlomm.sim.pm.wallets import Wallet
from hlomm.sim.pm.world import Commit, World


class PolymarketVenue:
    """World, gateway, keys and accounts of one seed. `path` is the one the other venues live on."""

    def __init__(
        self,
        config: SimConfig,
        seed: int,
        origin_ns: int,
        path: PricePath,
        *,
        faults: PmFaults | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self.listener: Callable[[Commit], None] | None = None
        """Told of every step, after the venue has noted it."""
        self.trades: dict[str, deque[Trade]] = {}
        """Trades by wallet, oldest first."""
        self.world = World(config, seed, origin_ns, path, faults=faults, mirror=mirror, on_commit=self._committed)
        self.exchange = self.world.exchange
        self.faults = self.world.faults
        self.keys = ApiKeys(seed)
        self.gateway = Gateway(self.world)
        self.world.before_requests = self.gateway.on_step
        self.accounts = funded_accounts(seed)
        for account in self.accounts:
            wallet = Wallet(
                address=account.funder.lower(),
                name=account.name,
                signer=account.address.lower(),
                signature_type=account.signature_type,
            )
            self.exchange.bank.open(wallet, config.polymarket.deposit_usd * CASH)

    def wallets_of(self, signer: str) -> list[Wallet]:
        """Wallets that a key may trade for."""
        return [wallet for wallet in self.exchange.bank.wallets.values() if wallet.signer == signer]

    def trades_of(self, signer: str) -> list[Trade]:
        """Trades of a key's wallets, newest first."""
        found = [trade for wallet in self.wallets_of(signer) for trade in self.trades.get(wallet.address, ())]
        return sorted(found, key=lambda trade: (trade.match_ms, trade.id), reverse=True)

    def _committed(self, commit: Commit) -> None:
        for event in commit.events:
            if isinstance(event, TradeChanged) and event.status is TradeStatus.MATCHED:
                parties = {event.trade.taker.wallet.address: event.trade.taker.wallet}
                parties |= {fill.order.wallet.address: fill.order.wallet for fill in event.trade.makers}
                for address, wallet in parties.items():
                    if not wallet.background:
                        kept = self.trades.setdefault(address, deque(maxlen=self.config.polymarket.trades_kept))
                        kept.append(event.trade)
        if self.listener is not None:
            self.listener(commit)
