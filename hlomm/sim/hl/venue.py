"""One simulated Hyperliquid as the wire sees it: the world, its keys, its limits and what it remembers of trades."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import coincurve

from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account
from hlomm.sim.config import SimConfig
from hlomm.sim.events import OutcomeSettled, Trade, Traded
from hlomm.sim.faults import Faults
from hlomm.sim.hl.agents import VALIDITY_MAX_MS, Agent, Agents
from hlomm.sim.hl.candles import Candles
from hlomm.sim.hl.gateway import CHAIN, Gateway
from hlomm.sim.hl.signatures import address_of, keccak
from hlomm.sim.world import Commit, World

_NAMES: Final = ("daemon", "free-1", "free-2", "free-3")
FUNDING: Final = 10_000 * SCALE
SUB_FUNDING: Final = 500 * SCALE
"""Of the sub-account that the first one has: enough for smallest orders."""
"""What each account starts with, in spot and again in perp."""


@attrs.frozen(kw_only=True)
class FundedAccount:
    """Keys of a funded account, as announced to clients."""

    name: str
    address: str
    key: str
    agent_key: str
    agent_address: str
    guardian_key: str
    guardian_address: str
    """A second agent: nonces are counted per signer, so a process beside the first needs a key of its own."""
    sub_address: str
    """The first one's sub-account: it has no key, the master's agents sign for it and name it as the vault."""


def funded_accounts(seed: int) -> list[FundedAccount]:
    """The funded accounts of a seed; the first is the one the daemon trades."""
    return [_funded_account(seed, name) for name in _NAMES]


def _funded_account(seed: int, name: str) -> FundedAccount:
    key, agent, guardian, sub = (
        coincurve.PrivateKey(keccak(f"hlomm-sim/{seed}/{name}/{role}".encode()))
        for role in ("key", "agent", "guardian", "sub")
    )
    return FundedAccount(
        name=name,
        address=address_of(key.public_key),
        key="0x" + key.secret.hex(),
        agent_key="0x" + agent.secret.hex(),
        agent_address=address_of(agent.public_key),
        guardian_key="0x" + guardian.secret.hex(),
        guardian_address=address_of(guardian.public_key),
        sub_address=address_of(sub.public_key) if name == _NAMES[0] else "",
    )


class RecentTrades:
    """The latest public trades of every live book, newest last; those of a settled coin are deleted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._trades: dict[int | None, deque[Trade]] = {}

    def note(self, commit: Commit) -> None:
        for event in commit.events:
            if isinstance(event, Traded):
                trades = self._trades.get(event.trade.outcome)
                if trades is None:
                    trades = self._trades[event.trade.outcome] = deque(maxlen=self._limit)
                trades.append(event.trade)
            elif isinstance(event, OutcomeSettled):
                self._trades.pop(event.outcome, None)

    def of(self, outcome: int | None) -> list[Trade]:
        return list(self._trades.get(outcome, ()))


class Venue:
    """World, gateway and accounts of one seed."""

    def __init__(self, config: SimConfig, seed: int, origin_ns: int, faults: Faults | None = None) -> None:
        self.config = config
        self.seed = seed
        self.chain = CHAIN
        self.trades = RecentTrades(config.buffers.recent_trades)
        self.candles = Candles()
        self.listener: Callable[[Commit], None] | None = None
        """Told of every executed block, after the venue has noted it."""
        self.world = World(config, seed, origin_ns, faults, self._committed)
        self.faults = self.world.faults
        self.exchange = self.world.exchange
        self.agents = Agents()
        self.gateway = Gateway(self.world, self.agents, random.Random(f"{seed}/latency"))
        self.accounts = funded_accounts(seed)
        for keys in self.accounts:
            self._open(keys, origin_ns)
        first = self.accounts[0]
        self.exchange.open_account(first.sub_address, f"{first.name}-sub", spot=SUB_FUNDING, perp=SUB_FUNDING)
        self.agents.sub_accounts[first.sub_address] = first.address
        traded = self.exchange.accounts[self.accounts[0].address]
        traded.volume += config.rules.prior_volume_usd * SCALE

    def account(self, address: str) -> Account | None:
        """A client's account. Agents and background traders have none, as with the venue."""
        account = self.exchange.accounts.get(address.lower())
        return None if account is None or account.background else account

    def _committed(self, commit: Commit) -> None:
        self.trades.note(commit)
        self.candles.note(commit)
        if self.listener is not None:
            self.listener(commit)

    def _open(self, keys: FundedAccount, origin_ns: int) -> None:
        self.exchange.open_account(keys.address, keys.name, spot=FUNDING, perp=FUNDING)
        for address, name in ((keys.agent_address, ""), (keys.guardian_address, "guardian")):
            self.agents.approve(
                Agent(
                    master=keys.address,
                    address=address,
                    name=name,
                    valid_until_ms=origin_ns // 1_000_000 + VALIDITY_MAX_MS,
                )
            )
