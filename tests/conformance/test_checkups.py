"""What `hlomm doctor --live` asks each venue, over memory streams: the sound one, and what each can say is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from hlomm.domain.checkup import Check, Code, Status
from hlomm.domain.secret import Secret
from hlomm.domain.times import NS_PER_MS, Now
from hlomm.domain.units import Cash, parse
from hlomm.sim.config import RulesConfig, SimConfig
from hlomm.sim.faults import FaultName
from hlomm.sim.harness import read_host
from hlomm.sim.harness_town import SimulatedTown, simulated_town
from hlomm.venues.checking import COARSE_MS, Expected, Skew, clock_check, measure
from hlomm.venues.clock import Clock
from hlomm.venues.curve import Key
from hlomm.venues.http_client import HttpLimits
from hlomm.venues.polymarket.auth import l1_headers
from hlomm.venues.polymarket.contracts import Contracts
from hlomm.venues.transport import Transport
from tests.daemon.town import NAMES, desks_of

PLAIN = Expected(skew_max_s=3, cash=Cash(parse("100")), margin=True, reserve=10, slow_below=20)


async def looked(
    town: SimulatedTown, name: str, expected: Expected = PLAIN, *sets: str, off_ms: int = 0
) -> list[Check]:
    def read() -> Now:
        now = read_host()
        return Now(now.mono_ns, now.wall_ns - off_ms * NS_PER_MS)

    desk = next(one for one in desks_of(town, Clock(town.hyperliquid.clock_map, read), *sets) if one.venue == name)
    found: list[Check] = []
    await desk.checkup().ask(expected, found.append)
    return found


def worries(found: list[Check]) -> dict[Code, Status]:
    assert all(check.next for check in found if check.status is not Status.OK)
    return {check.code: check.status for check in found if check.status is not Status.OK}


async def make_api_key(town: SimulatedTown) -> None:
    """As the first run does."""
    key = Key.parse(Secret(town.polymarket.accounts[0].key))
    seconds = town.polymarket.clock.now_ns() // 1_000_000_000
    async with Transport(connect=town.polymarket.connect).http("http://polymarket.invalid:80", HttpLimits()) as client:
        answer = await client.request("POST", "/auth/api-key", b"", l1_headers(key, Contracts().chain_id, seconds))
    assert answer.status == 200


@pytest.mark.parametrize("name", NAMES)
async def test_a_sound_venue(autojump_clock: Any, name: str) -> None:
    async with simulated_town(seed=7) as town:
        if name == "polymarket":
            assert worries(await looked(town, name)) == {Code.NOT_ASKED: Status.WARN}
            assert worries(await looked(town, name)) == {Code.NOT_ASKED: Status.WARN}, "asking makes no key"
            await make_api_key(town)
        found = await looked(town, name)
    expected = {Code.KEY_CAN_WITHDRAW: Status.WARN} if name == "polymarket" else {}
    assert worries(found) == expected
    asked = {check.name.removeprefix(f"{name} ").partition(" ")[0] for check in found}
    assert {"clock", "stream", "key", "collateral", "fees", "budget"} <= asked


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("off_ms", "status"), [(600, Status.WARN), (-600, Status.WARN), (-8_000, Status.FAIL)])
async def test_a_clock_that_is_off(autojump_clock: Any, name: str, off_ms: int, status: Status) -> None:
    """Also where the venue tells whole seconds only."""
    async with simulated_town(seed=7) as town:
        found = await looked(town, name, off_ms=off_ms)
    (clock,) = (check for check in found if check.name.endswith("clock"))
    assert (clock.code, clock.status) == (Code.CLOCK_SKEW, status)
    told = int(clock.text.partition(" ms")[0])
    assert abs(told - off_ms) < 150


CASES: dict[str, tuple[str, Callable[[SimulatedTown], None], dict[str, Any], tuple[str, ...], set[Code]]] = {
    "much is at stake": (
        "hyperliquid", lambda town: None, {"cash": Cash(parse("1000000"))}, (), {Code.COLLATERAL_SHORT},
    ),
    "few actions": ("hyperliquid", lambda town: None, {"slow_below": 10**9}, (), {Code.BUDGET_LOW}),
    "another currency": (
        "hyperliquid", lambda town: None, {}, ("venue.hyperliquid.quote_token='USDH'",), {Code.COLLATERAL_TOKEN},
    ),
    "key refused": ("kalshi", lambda town: town.kalshi.faults.arm(FaultName.AUTH_REFUSED), {}, (), {Code.KEY_REFUSED}),
    "shard paused": (
        "kalshi", lambda town: town.kalshi.faults.arm(FaultName.TRADING_PAUSED), {}, (), {Code.VENUE_PAUSED},
    ),
    "much at stake": ("kalshi", lambda town: None, {"cash": Cash(parse("1000000"))}, (), {Code.COLLATERAL_SHORT}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_what_a_venue_says_of_an_account(autojump_clock: Any, case: str) -> None:
    name, harm, expected, sets, codes = CASES[case]
    async with simulated_town(seed=7) as town:
        harm(town)
        found = await looked(town, name, attrs.evolve(PLAIN, **expected), *sets)
    assert set(worries(found)) == codes


async def test_an_agent_that_expires_soon_or_was_revoked(autojump_clock: Any) -> None:
    async with simulated_town(seed=7) as town:
        venue, address = town.hyperliquid.venue, town.hyperliquid.accounts[0].guardian_address
        venue.agents.end(address, venue.exchange.tape.now_ms + 7 * 86_400_000)
        assert worries(await looked(town, "hyperliquid")) == {Code.AGENT_EXPIRES_SOON: Status.WARN}
        venue.agents.end(address, None)
        assert worries(await looked(town, "hyperliquid")) == {Code.AGENT_UNKNOWN: Status.FAIL}


async def test_fees_below_the_model_are_a_word_and_none_above_it_passes(autojump_clock: Any) -> None:
    for taker, status in ((60_000, Status.WARN), (80_000, Status.FAIL)):
        async with simulated_town(seed=7, config=SimConfig(rules=RulesConfig(spot_taker=taker))) as town:
            assert worries(await looked(town, "hyperliquid")) == {Code.FEES_DIFFER: status}


# -- clocks


def ticking(offset_ms: float, step_ms: int, way_ms: float) -> tuple[Callable[[], Now], Callable[[], Any]]:
    """A host clock that moves only while somebody asks, and a venue whose clock is so far off."""
    moments = [1_000_000_000_000.0]

    def read() -> Now:
        return Now(round(moments[0] * 1e6), round(moments[0] * 1e6))

    async def ask() -> int:
        moments[0] += way_ms
        told = int(moments[0] + offset_ms)
        moments[0] += way_ms + 37
        return told - told % step_ms

    return read, ask


@pytest.mark.parametrize("step_ms", [1, COARSE_MS])
@pytest.mark.parametrize("offset_ms", [-4_000, -200, -10, 0, 40, 700])
async def test_the_truth_lies_in_what_was_measured(autojump_clock: Any, offset_ms: int, step_ms: int) -> None:
    read, ask = ticking(offset_ms, step_ms, way_ms=30)
    skew = await measure(ask, Clock(read=read), step_ms)
    assert skew.least <= offset_ms <= skew.most
    assert skew.give <= (60 if step_ms == 1 else 120)


def judged() -> Iterator[tuple[Skew, float, Code, Status]]:
    yield Skew(-20, 60, 80), 3, Code.FINE, Status.OK
    yield Skew(151, 160, 9), 3, Code.CLOCK_SKEW, Status.WARN
    yield Skew(-4_000, -3_900, 100), 3, Code.CLOCK_SKEW, Status.FAIL
    yield Skew(-400, 400, 800), 3, Code.CLOCK_UNSURE, Status.WARN


@pytest.mark.parametrize(("skew", "limit_s", "code", "status"), judged())
def test_an_alert_above_150_ms(skew: Skew, limit_s: float, code: Code, status: Status) -> None:
    check = clock_check("venue", skew, limit_s)
    assert (check.code, check.status) == (code, status)
