"""The daemon from start to stop: the promise, end to end. Rung: stateful async, against the real simulator."""

from __future__ import annotations

import json

import trio

from hlomm.domain.exits import ExitCode
from hlomm.domain.units import parse
from hlomm.research.replay import replay


async def test_quotes_fills_settles_and_stops_clean(rig, autojump_clock):
    async with rig(seed=7) as r:
        await r.quoting()
        await r.until(lambda: r.engine.state.portfolio.settlements >= 1 and r.engine.state.portfolio.fills > 0, 150)
        result = await r.stop()
        assert result.exit_code is ExitCode.CLEAN
        assert result.summary["venue_open_orders"] == 0
        assert r.resting_at_venue() == 0
        assert result.summary["invariant_breaks"] == 0
        assert result.summary["fills"] > 0
        assert result.summary["halt"]["state"] == "stopped"
        json.dumps(result.summary)  # a document, not a bag of objects
    proof = replay(r.paths.journal)
    assert proof.identical
    assert proof.corrupt is None
    assert proof.torn_bytes == 0
    assert proof.outputs > 0


async def test_belief_equals_the_exchange_after_stop(rig, autojump_clock):
    async with rig(seed=11) as r:
        await r.quoting()
        await r.until(lambda: r.engine.state.portfolio.fills >= 5, 120)
        await r.stop()
        assert parse(r.truth["quote"]) == r.engine.state.portfolio.cash
        assert r.tokens_at_venue() == believed_tokens(r)


def believed_tokens(r) -> dict[str, int]:
    """Tokens in the engine's books, by the venue's coin name."""
    held = {}
    for market, position in r.engine.state.portfolio.positions.items():
        outcome = market.rpartition(":o")[2]
        for side, qty in ((0, position.yes), (1, position.no)):
            if qty:
                held[f"#{outcome}{side}"] = qty
    return held


async def test_first_quote_within_three_seconds(rig, autojump_clock):
    async with rig(seed=3) as r:
        started = trio.current_time()
        await r.quoting()
        assert trio.current_time() - started < 3.0


async def test_two_runs_on_one_state_directory_keep_two_journals(rig, autojump_clock):
    async with rig(seed=3) as r:
        await r.quoting()
        await r.stop()
        async with rig(sim=r.sim, state=r.paths.root) as again:
            await again.quoting()
            result = await again.stop()
        assert result.exit_code is ExitCode.CLEAN
        runs = {path.name.split("-")[0] for path in r.paths.journal.iterdir()}
        assert len(runs) == 2
        for path in sorted(r.paths.journal.iterdir()):
            assert replay(path).identical
