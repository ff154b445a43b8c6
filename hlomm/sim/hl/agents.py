"""Which key may act for which account."""

from __future__ import annotations

from typing import Final

import attrs

AGENTS_MAX: Final = 4
VALIDITY_MAX_MS: Final = 180 * 86_400_000


@attrs.frozen(kw_only=True)
class Agent:
    """An approved API wallet. The unnamed one has an empty name."""

    master: str
    address: str
    name: str
    valid_until_ms: int


class Agents:
    """Approvals by agent address; approving a name again replaces the key that had it."""

    def __init__(self) -> None:
        self._by_address: dict[str, Agent] = {}
        self.sub_accounts: dict[str, str] = {}
        """Their masters."""

    def approve(self, agent: Agent) -> bool:
        """Register; False when the master already has as many agents as the venue allows."""
        mine = self.of(agent.master)
        for old in mine:
            if old.name == agent.name:
                del self._by_address[old.address]
                break
        else:
            if len(mine) >= AGENTS_MAX:
                return False
        self._by_address[agent.address] = agent
        return True

    def master_of(self, address: str, now_ms: int) -> str | None:
        """The account an agent may act for now, None if it may not."""
        agent = self._by_address.get(address)
        return agent.master if agent is not None and now_ms < agent.valid_until_ms else None

    def get(self, address: str) -> Agent | None:
        return self._by_address.get(address)

    def end(self, address: str, until_ms: int | None) -> None:
        """The validity of an agent as its owner changes it; None revokes it. KeyError for a stranger."""
        agent = self._by_address.pop(address)
        if until_ms is not None:
            self._by_address[address] = attrs.evolve(agent, valid_until_ms=until_ms)

    def of(self, master: str) -> list[Agent]:
        return [agent for agent in self._by_address.values() if agent.master == master]
