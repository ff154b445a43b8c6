"""Questions of `hlomm doctor --live` to Kalshi: clock, state of the shard, key, balance, fees, budgets. Reads only."""

from __future__ import annotations

from typing import Final

import attrs
import trio

from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import KALSHI, is_ours
from hlomm.domain.units import to_text
from hlomm.venues.checking import COARSE_MS, Expected, Say, clock_check, measure, stream_check
from hlomm.venues.kalshi.fees import TAKER, fee_curve
from hlomm.venues.kalshi.parts import Parts
from hlomm.venues.kalshi.wire.account import RESTING

SHOWN: Final = 160
ROTATE: Final = "make a new API key at the venue, then hlomm keys rotate kalshi"


@attrs.frozen
class KalshiCheckup:
    """One member with its API key."""

    _parts: Parts

    @property
    def venue(self) -> str:
        return KALSHI

    async def ask(self, expected: Expected, say: Say) -> None:
        """One check after the other. VenueUnavailable if the venue stops answering on the way."""
        await self._clock(expected, say)
        status = await self._parts.rest.status()
        shard = self._parts.config.shard
        if status.exchange and status.trading:
            say(ok("kalshi state", f"shard {shard} trades"))
        else:
            paused = "trading" if status.exchange else "exchange"
            text = f"the {paused} of shard {shard} is paused"
            say(warn("kalshi state", Code.VENUE_PAUSED, text, "wait: a run starts quoting there by itself"))
        refused = await self._parts.rest.check_access()
        if refused is not None:
            text = f"HTTP {refused.status} for a signed question: {refused.text[:SHOWN]}"
            say(fail("kalshi key", Code.KEY_REFUSED, text, f"clock or key? {ROTATE}; check venue.kalshi.key_id"))
            return
        say(
            ok(
                "kalshi key",
                "its signature is taken; scopes are not told: make it without write::transfer at the venue",
            )
        )
        url = self._parts.config.ws_url
        say(await stream_check(KALSHI, url, self._parts, await self._parts.rest.upgrade_headers(url)))
        await self._money(expected, say)
        await self._terms(say)

    async def _clock(self, expected: Expected, say: Say) -> None:
        rest = self._parts.rest

        async def told_ms() -> int:
            await rest.status()
            if rest.dates.told_ms is None:
                raise VenueUnavailable("answers carry no Date")
            return rest.dates.told_ms

        try:
            skew = await measure(told_ms, self._parts.clock, COARSE_MS)
        except VenueUnavailable as error:
            await trio.lowlevel.checkpoint()
            text = f"not told: {error}"
            say(warn("kalshi clock", Code.CLOCK_UNSURE, text, "is a proxy in between? signatures carry the time"))
            return
        say(clock_check(KALSHI, skew, expected.skew_max_s))

    async def _money(self, expected: Expected, say: Say) -> None:
        rest, shard = self._parts.rest, self._parts.config.shard
        balance = await rest.balance()
        there = balance.shards.get(shard, 0) if balance.shards else balance.total
        said = f"{to_text(there)} USD on shard {shard}"
        if not there:
            text = f"{said}, {to_text(balance.total)} in all"
            say(fail("kalshi collateral", Code.NO_COLLATERAL, text, "deposit, or move it to that shard"))
        elif there < expected.cash:
            text = f"{said}, and limits.max_gross_notional is {to_text(expected.cash)}"
            say(warn("kalshi collateral", Code.COLLATERAL_SHORT, text, "deposit more, or lower the limit"))
        else:
            say(ok("kalshi collateral", said))
        resting = await rest.list_orders(status=RESTING)
        if resting and expected.sign:
            ours = sum(is_ours(row.client_id) for row in resting)
            text = f"{len(resting)} orders rest, {ours} of them of earlier runs; no daemon runs here"
            say(warn("kalshi orders", Code.ORDERS_REST, text, "a start cancels its own; cancel others at the venue"))

    async def _terms(self, say: Say) -> None:
        rest, config = self._parts.rest, self._parts.config
        for ticker in config.series:
            say(await self._fees(ticker))
        await rest.learn_limits()
        budgets = rest.budgets
        say(ok("kalshi budget", f"tier {budgets.tier}: {budgets.writes_per_min} write tokens a minute"))

    async def _fees(self, ticker: str) -> Check:
        name, series = f"kalshi fees {ticker}", await self._parts.rest.series(ticker)
        if series is None:
            return warn(
                name, Code.ANSWER_ODD, f"the venue has no series {ticker}", "take it out of venue.kalshi.series"
            )
        said = f"{series.fee_type or 'no type'}, multiplier {series.fee_multiplier}"
        curve = fee_curve(series.fee_type, series.fee_multiplier, self._parts.config.fee_precision)
        if curve is None:
            text = f"{said}: not a fee that the model knows, its markets are not traded"
            return fail(name, Code.FEES_DIFFER, text, "compare with the venue's schedule; hlomm/venues/kalshi/fees.py")
        if series.fee_multiplier != 1:
            text = f"{said}: takers pay {TAKER * (series.fee_multiplier or 0)} P(1-P), the plain schedule has {TAKER}"
            return warn(
                name, Code.FEES_DIFFER, text, "nothing: a run reckons with it; recordings of other days may not"
            )
        return ok(name, f"{said}, as in the model")
