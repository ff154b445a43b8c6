"""Questions of `hlomm doctor --live` to Polymarket: clock, version, key, balance. It makes no API key."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.checkup import Code, fail, ok, warn
from hlomm.domain.ids import POLYMARKET
from hlomm.domain.units import to_text
from hlomm.venues.checking import COARSE_MS, Expected, Say, clock_check, measure, stream_check
from hlomm.venues.polymarket.parts import Parts
from hlomm.venues.polymarket.rest import VERSION

SHOWN: Final = 160


@attrs.frozen
class PolymarketCheckup:
    """One wallet with the key that signs for it."""

    _parts: Parts

    @property
    def venue(self) -> str:
        return POLYMARKET

    async def ask(self, expected: Expected, say: Say) -> None:
        """One check after the other. VenueUnavailable if the venue stops answering on the way."""
        rest = self._parts.rest
        say(clock_check(POLYMARKET, await measure(rest.server_time, self._parts.clock, COARSE_MS), expected.skew_max_s))
        say(await stream_check(POLYMARKET, f"{self._parts.config.ws_url}/market", self._parts))
        version = await rest.version()
        if version == VERSION:
            say(ok("polymarket version", f"orders of version {version}, as ours"))
        else:
            text = f"the venue takes orders of version {version}, we sign {VERSION}"
            say(fail("polymarket version", Code.ANSWER_ODD, text, "upgrade: every order would be refused"))
        if await self._key(say):
            await self._money(expected, say)
        say(ok("polymarket fees", "told by the venue market by market, and read with each"))

    async def _key(self, say: Say) -> bool:
        """Whether private questions may be asked."""
        rest, config, name = self._parts.rest, self._parts.config, "polymarket key"
        if not await rest.existing_key():
            text = f"{config.key.address} has no API key yet"
            say(warn(name, Code.NOT_ASKED, text, "the first run has the venue make one; look again after it"))
            return False
        refused = await rest.check_key()
        if refused is not None:
            remedy = "check account and signature_type in [venue.polymarket], then hlomm keys rotate polymarket"
            say(fail(name, Code.KEY_REFUSED, f"the venue refuses it: {refused[:SHOWN]}", remedy))
            return False
        if config.session_key:
            say(ok(name, f"{config.key.address} is a delegate of the wallet's owner, its signature is taken"))
        else:
            text = f"{config.key.address} owns the wallet {config.wallet}: whoever has it can withdraw"
            remedy = "keep little there; a deposit wallet knows delegates (session_key)"
            say(warn(name, Code.KEY_CAN_WITHDRAW, text, remedy))
        return True

    async def _money(self, expected: Expected, say: Say) -> None:
        rest, name = self._parts.rest, "polymarket collateral"
        cash = await rest.balance(None)
        said = f"{to_text(cash)} pUSD"
        if not cash:
            say(fail(name, Code.NO_COLLATERAL, said, "deposit; venue.polymarket.account is the wallet that holds it"))
        elif cash < expected.cash:
            text = f"{said}, and limits.max_gross_notional is {to_text(expected.cash)}"
            say(warn(name, Code.COLLATERAL_SHORT, text, "deposit more, or lower the limit"))
        else:
            say(ok(name, said))
        resting = await rest.open_orders()
        if resting and expected.sign:
            text = f"{len(resting)} orders of this key rest; no daemon runs here"
            say(warn("polymarket orders", Code.ORDERS_REST, text, "a start cancels them; or do so at the venue"))
        tier = rest.budget.tier
        say(
            ok(
                "polymarket budget",
                f"{tier.order_rate:g} orders a second is the least tier; the venue tells ours later",
            )
        )
