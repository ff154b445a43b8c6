"""Questions of `hlomm doctor --live` to Hyperliquid: clock, keys and what they may do, account, fees, budgets.

Nothing but `/info`, and one signed no-op where no daemon signs with the same key: it moves nothing.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.domain.ids import HYPERLIQUID, is_ours
from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import to_fixed, to_text
from hlomm.venues.checking import Expected, Say, clock_check, measure, stream_check
from hlomm.venues.hyperliquid.fees import BASE_MAKER, BASE_TAKER
from hlomm.venues.hyperliquid.parts import Parts
from hlomm.venues.hyperliquid.wire.account import Balances
from hlomm.venues.hyperliquid.wire.errors import REFUSES_US, error_code
from hlomm.venues.hyperliquid.wire.standing import AGENT, MISSING, Agent, Role

SOON_MS: Final = 14 * 86_400_000
STANDARD_MODES: Final = frozenset({"disabled", "default"})
"""Outcomes are paid from the spot balance and hedges from the perp's: what the program was written for."""
SHOWN: Final = 160


@attrs.frozen
class HyperliquidCheckup:
    """One account with the agent that trades it and, if it has one, the guardian's."""

    _parts: Parts
    _guardian: Parts | None = None

    @property
    def venue(self) -> str:
        return HYPERLIQUID

    async def ask(self, expected: Expected, say: Say) -> None:
        """One check after the other. VenueUnavailable if the venue stops answering on the way."""
        rest = self._parts.rest
        say(clock_check(HYPERLIQUID, await measure(rest.server_time, self._parts.clock, 1), expected.skew_max_s))
        say(await stream_check(HYPERLIQUID, self._parts.config.ws_url, self._parts))
        special = (await rest.status()).special
        if special:
            remedy = "see its status page; start when it is over"
            say(warn("hyperliquid state", Code.VENUE_PAUSED, f"the venue says: {special[:SHOWN]}", remedy))
        account = await rest.role(self._parts.config.account)
        known = self._account(account)
        say(known)
        agents = await rest.agents()
        say(await self._key("hyperliquid key", self._parts, account, agents, sign=expected.sign))
        if self._guardian is not None:
            say(await self._key("hyperliquid guardian key", self._guardian, account, agents, sign=expected.sign))
        if known.code is Code.ACCOUNT_UNKNOWN:
            return
        say(self._mode(await rest.mode()))
        await self._money(expected, say)
        await self._terms(expected, say)

    # -- who

    def _account(self, role: Role) -> Check:
        address, name = self._parts.config.account, "hyperliquid account"
        if role.word == MISSING:
            text = f"the venue knows no account {address} on {self._parts.config.chain.value}"
            return fail(name, Code.ACCOUNT_UNKNOWN, text, "check venue.hyperliquid.account and chain; deposit once")
        if role.word == AGENT:
            text = f"{address} is an agent of {role.of}: questions about it are answered with nothing"
            return fail(name, Code.ACCOUNT_UNKNOWN, text, f"set venue.hyperliquid.account to {role.of}")
        return ok(name, f"{address} is known ({role.word})")

    async def _key(self, name: str, parts: Parts, account: Role, agents: tuple[Agent, ...], *, sign: bool) -> Check:
        ours, address = parts.config.agent_key.address.lower(), parts.config.account
        approve = "approve a new API wallet at the venue, then hlomm keys rotate hyperliquid"
        if ours == address:
            text = f"{ours} is the account's own key: it can withdraw everything"
            return warn(name, Code.KEY_CAN_WITHDRAW, text, "approve an API wallet and import its key instead")
        role = await parts.rest.role(ours)
        if role.word != AGENT:
            said = "has never been approved, or was revoked" if role.word == MISSING else f"is itself a {role.word}"
            return fail(name, Code.AGENT_UNKNOWN, f"{ours} {said}: it cannot sign for {address}", approve)
        if role.of not in (address, account.of):
            text = f"{ours} is an agent of {role.of}, not of {address}"
            return fail(
                name, Code.AGENT_OF_OTHER_ACCOUNT, text, "import the right key, or mend venue.hyperliquid.account"
            )
        listed = next((one for one in agents if one.address == ours), None)
        late = _expiry(name, listed, parts.clock.wall_ms(), approve)
        if late is not None and late.code is Code.AGENT_EXPIRED:
            return late
        refused = await self._refused(name, parts, ours, approve) if sign else None
        if refused is not None:
            return refused
        if late is not None:
            return late
        return ok(name, f"{ours} may trade for {address} and cannot withdraw; {_until(listed)}; {_signed(sign)}")

    async def _refused(self, name: str, parts: Parts, ours: str, approve: str) -> Check | None:
        refusal = await parts.direct.check_signer()
        if refusal is None:
            return None
        text = f"a signed no-op was refused: {refusal[:SHOWN]}"
        if error_code(refusal) not in REFUSES_US:
            return warn(name, Code.KEY_REFUSED, text, "look again; if it stays, a first order would be refused as well")
        if ours in refusal.lower():
            return fail(name, Code.AGENT_EXPIRED, f"{text} — expired, or replaced by another of its name", approve)
        chain = parts.config.chain.value
        text = f"{text} — the signature is for {chain}, and this is another network"
        return fail(name, Code.KEY_OTHER_NETWORK, text, "venue.hyperliquid.chain and rest must be of one network")

    # -- what it has

    def _mode(self, mode: str) -> Check:
        name = "hyperliquid mode"
        if mode in STANDARD_MODES:
            return ok(name, f"standard ({mode}): outcomes from spot, hedges from perp")
        text = f"{mode}: balances of spot and perp are not told apart, and actions are capped by the day"
        return warn(name, Code.ACCOUNT_MODE, text, "switch the account to standard mode at the venue")

    async def _money(self, expected: Expected, say: Say) -> None:
        rest, wanted = self._parts.rest, self._parts.config.quote_token
        meta = await rest.outcome_meta()
        tokens = sorted({spec.quote_token for spec in meta.specs if spec.quote_token})
        say(_collateral(await rest.balances(), wanted, tokens, expected))
        if expected.margin and not (await rest.perp_account()).raw:
            text = "nothing is in the perp wallet, and hedges are to be traded"
            remedy = "move collateral from spot to perp, or hedge.enabled = false"
            say(warn("hyperliquid margin", Code.NO_COLLATERAL, text, remedy))
        resting = await rest.open_orders()
        if resting and expected.sign:
            ours = sum(is_ours(order.client_id) for order in resting)
            text = f"{len(resting)} orders rest, {ours} of them of earlier runs; no daemon runs here"
            remedy = "a start cancels its own; cancel others at the venue, or let one program trade this account"
            say(warn("hyperliquid orders", Code.ORDERS_REST, text, remedy))

    # -- on what terms

    async def _terms(self, expected: Expected, say: Say) -> None:
        fees, name = await self._parts.rest.user_fees(), "hyperliquid fees"
        said = f"closing costs {_percent(fees.spot_maker)} as maker, {_percent(fees.spot_taker)} as taker"
        model = f"{_percent(BASE_MAKER)} and {_percent(BASE_TAKER)}"
        if fees.spot_maker > BASE_MAKER or fees.spot_taker > BASE_TAKER:
            text = f"{said}; the model of backtests has {model}: they promise too much"
            remedy = "a run reckons with the venue's; mend hlomm/venues/hyperliquid/fees.py before trusting a backtest"
            say(fail(name, Code.FEES_DIFFER, text, remedy))
        elif fees.spot_maker < BASE_MAKER or fees.spot_taker < BASE_TAKER:
            text = f"{said}; the model of backtests has {model}"
            say(warn(name, Code.FEES_DIFFER, text, "nothing: backtests are on the careful side"))
        else:
            say(ok(name, f"{said}, as in the model"))
        limit = await self._parts.rest.rate_limit()
        left, name = limit.cap - limit.used, "hyperliquid budget"
        said = f"{left} actions are left of {limit.cap}"
        if left <= expected.reserve:
            remedy = "trade by hand for volume, or use an account that has some: a dollar traded is an action"
            say(fail(name, Code.BUDGET_LOW, f"{said}: no more than the reserve for cancels", remedy))
        elif left <= expected.slow_below:
            say(warn(name, Code.BUDGET_LOW, f"{said}: quoting would be slowed", "widen [quotes], or trade volume"))
        else:
            say(ok(name, said))


def _expiry(name: str, listed: Agent | None, now_ms: int, approve: str) -> Check | None:
    if listed is None or listed.until_ms is None:
        return None
    left_ms = listed.until_ms - now_ms
    who = f"agent {listed.name!r} {listed.address}"
    if left_ms <= 0:
        return fail(name, Code.AGENT_EXPIRED, f"{who} expired on {_day(listed.until_ms)}", approve)
    if left_ms < SOON_MS:
        return warn(name, Code.AGENT_EXPIRES_SOON, f"{who} expires on {_day(listed.until_ms)}", approve)
    return None


def _until(listed: Agent | None) -> str:
    if listed is None or listed.until_ms is None:
        return "the venue tells no expiry of the unnamed agent (at most 180 days)"
    return f"until {_day(listed.until_ms)}"


def _signed(sign: bool) -> str:  # noqa: FBT001 - a word for it
    return "its signature is taken" if sign else "its signature was not tried: a daemon signs with it"


def _collateral(balances: Balances, wanted: str | None, tokens: list[str], expected: Expected) -> Check:
    name = "hyperliquid collateral"
    held = ", ".join(f"{to_text(amount)} {token}" for token, amount in balances.cash.items() if amount) or "nothing"
    if wanted is not None and tokens and wanted not in tokens:
        text = f"listed outcomes settle in {', '.join(tokens)}, and venue.hyperliquid.quote_token is {wanted}"
        return fail(name, Code.COLLATERAL_TOKEN, text, "set it to theirs")
    token = wanted or (tokens[0] if tokens else "")
    there = balances.cash.get(token, 0)
    if not there and any(balances.cash.values()):
        text = f"the account holds {held}, and no {token}"
        return fail(name, Code.COLLATERAL_TOKEN, text, f"change it to {token} at the venue")
    if not there:
        return fail(name, Code.NO_COLLATERAL, f"no {token} in spot", "deposit, or move it from perp to spot")
    if there < expected.cash:
        text = f"{to_text(there)} {token} in spot, and limits.max_gross_notional is {to_text(expected.cash)}"
        return warn(name, Code.COLLATERAL_SHORT, text, "deposit more, or lower the limit")
    return ok(name, f"{held} in spot; {token} pays for outcomes")


def _percent(rate: int) -> str:
    return f"{to_fixed(rate * 100, 4)} %"


def _day(wall_ms: int) -> str:
    return utc_day(wall_ms * NS_PER_MS)
