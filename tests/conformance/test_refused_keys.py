"""A key that the venue no longer takes, never took, or takes elsewhere: the session ends with 5 and what to do."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.domain.exits import exit_code_of
from hlomm.domain.faults import VenueRefused
from hlomm.domain.secret import Secret
from hlomm.settings.load import load
from hlomm.sim.faults import FaultName
from hlomm.sim.harness import read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Transport

STRANGER = "0x" + "5a" * 32


@pytest.mark.parametrize("case", ["expired", "never approved", "another network"])
async def test_a_key_that_is_refused_says_what_to_do(autojump_clock: Any, case: str) -> None:
    async with simulated_hyperliquid(seed=5) as sim:
        if case == "expired":
            sim.faults.arm(FaultName.AGENT_EXPIRED)
        account = sim.accounts[0]
        key = STRANGER if case == "never approved" else account.agent_key
        chain = "mainnet" if case == "another network" else "testnet"
        settings = load("sim", (), (f"venue.hyperliquid.chain={chain}",), environ={}).settings
        session = hyperliquid_session(
            settings.venue.hyperliquid, Clock(sim.clock_map, read_host), limits=settings.limits, key=Secret(key),
            rest=sim.rest, ws=sim.ws, account=account.address, transport=Transport(connect=sim.connect),
        )  # fmt: skip
        told: list[Any] = []
        with pytest.raises(VenueRefused) as refused, trio.fail_after(60):
            await session.run(lambda items, at: told.extend(items))
        assert exit_code_of(refused.value) == 5
        assert "hlomm keys rotate hyperliquid" in str(refused.value)
        assert key[2:] not in str(refused.value)
        truth: Any = sim.state()["accounts"]
        assert truth[account.name]["open_orders"] == 0
