"""`hlomm doctor --live`: what only the venues can say, asked of each that is configured.

First whether it can be reached at all, without a key; then, with the keys of a run, everything else. One venue that is
silent keeps nobody from asking the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import msgspec
import trio

from hlomm.assembly.checkups import probes
from hlomm.assembly.numbers import scaled
from hlomm.daemon.desks import Desk, Keys, enabled, live_desk, simulated_desks
from hlomm.daemon.sim_process import SimDocument
from hlomm.domain.checkup import Check, Code, Status, fail, warn
from hlomm.domain.faults import ConfigError, VenueRefused, VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, VenueId
from hlomm.domain.units import Cash
from hlomm.rundir.lock import account_lock_path, holder
from hlomm.settings.charge import HyperliquidCharge, VenueCharge
from hlomm.settings.load import Loaded
from hlomm.settings.venues import Hyperliquid, Kalshi, Polymarket
from hlomm.venues.checking import Expected, reach
from hlomm.venues.clock import Clock
from hlomm.venues.http_client import HttpLimits
from hlomm.venues.transport import Transport

VENUE_S: Final = 60.0
"""For all questions to one venue; each has a deadline of its own below it."""
NAME: Final = "live"


@attrs.frozen(kw_only=True)
class Asking:
    """Whom to ask, and with what."""

    loaded: Loaded
    keys: Mapping[VenueId, Keys]
    """Those that could be opened."""
    document: SimDocument | None
    """Of the simulator, in profile sim."""


async def ask(asking: Asking) -> list[Check]:
    settings = asking.loaded.settings
    found: list[Check] = []
    if asking.loaded.profile == "sim":
        if asking.document is None:
            text = "profile sim has no venue of its own outside of a run"
            return [warn(NAME, Code.NOT_ASKED, text, "`hlomm sim --json > FILE` serves some: add --sim FILE")]
        clock = Clock(asking.document.clock.map())
        for desk in simulated_desks(settings, asking.document, clock):
            found += await _venue(desk.venue, _section(desk.charged), desk, asking)
        return found
    for name in enabled(settings):
        section: Hyperliquid | Polymarket | Kalshi = getattr(settings.venue, name)
        if asking.loaded.profile == "paper":
            found += await _venue(name, section, None, asking)  # it only listens: nothing to ask of an account
            continue
        try:
            desk = live_desk(name, settings, asking.keys, Clock())
        except ConfigError as error:
            found += await _venue(name, section, None, asking)
            text = f"nothing could be asked of the account: {error}"
            found.append(warn(f"{name} account", Code.NOT_ASKED, text, "mend what is said of its key or section above"))
        else:
            found += await _venue(name, section, desk, asking)
    return found


def _section(charge: VenueCharge) -> Hyperliquid | Polymarket | Kalshi:
    if isinstance(charge, HyperliquidCharge):
        return msgspec.structs.replace(charge.section, rest=charge.rest, ws=charge.ws)
    return charge.section


async def _venue(
    name: str, section: Hyperliquid | Polymarket | Kalshi, desk: Desk | None, asking: Asking
) -> list[Check]:
    limits = HttpLimits(request_s=section.request_s)
    found = [await reach(name, probe, Transport(), limits) for probe in probes(section)]
    if desk is None or desk.checkup is None or any(check.status is Status.FAIL for check in found):
        return found
    try:
        with trio.fail_after(VENUE_S):
            await desk.checkup().ask(_expected(asking.loaded, desk), found.append)
    except VenueUnavailable as error:
        text = f"it stopped answering: {error}"
        found.append(fail(name, Code.ANSWER_ODD, text, f"see the status page of {name}, then look again"))
    except VenueRefused as error:
        found.append(fail(f"{name} key", Code.KEY_REFUSED, str(error), f"hlomm keys rotate {name}"))
    except ConfigError as error:
        found.append(fail(f"{name} account", Code.CONFIG_INVALID, str(error), f"mend [venue.{name}]"))
    except trio.TooSlowError:
        text = f"its answers took more than {VENUE_S:g} s"
        found.append(fail(name, Code.UNREACHABLE, text, "check the network, then look again"))
    return found


def _expected(loaded: Loaded, desk: Desk) -> Expected:
    settings, charge = loaded.settings, desk.charged
    # Whoever runs holds the account, and signs with its keys: nonces of two would meet.
    runs = holder(account_lock_path(charge.venue, charge.place(loaded.profile), charge.account)) is not None
    return Expected(
        skew_max_s=settings.limits.max_clock_skew_s, cash=Cash(scaled(settings.limits.max_gross_notional)),
        margin=desk.venue == HYPERLIQUID and settings.hedge.enabled, reserve=settings.budget.reserve,
        slow_below=settings.budget.slow_below, sign=not runs,
    )  # fmt: skip
