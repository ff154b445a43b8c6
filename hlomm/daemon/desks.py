"""The accounts of a run: a desk for each venue that is enabled, with what trades the account and what guards it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final, TypeVar

import attrs
import msgspec
import structlog

from hlomm.assembly.checkups import checkup
from hlomm.assembly.venues import hyperliquid_session, kalshi_session, polymarket_session
from hlomm.daemon.sim_process import SimDocument
from hlomm.domain.carried import CarriedBooks
from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, VenueId
from hlomm.domain.secret import Secret
from hlomm.rundir.lock import account_lock, signer_lock
from hlomm.settings.charge import HyperliquidCharge, KalshiCharge, PolymarketCharge, VenueCharge
from hlomm.settings.schema import Settings
from hlomm.settings.venues import Kalshi, Polymarket
from hlomm.venues.checking import Checkup
from hlomm.venues.clock import Clock
from hlomm.venues.curve import Key
from hlomm.venues.polymarket.auth import ApiKey
from hlomm.venues.protocol import VenueSession
from hlomm.venues.transport import Transport

PATIENCE_S: Final = 1.0
PATIENT: Final = ("request_s", "post_s", "pong_s", "silence_s")
"""Deadlines that wait for the host's sockets and scheduler, whatever the pace of venue time."""

Section = TypeVar("Section", bound=msgspec.Struct)
MakeSession = Callable[[CarriedBooks | None], VenueSession]
"""Given the account's books as its last run left them."""
MakeCheckup = Callable[[], Checkup]
_log = structlog.get_logger("hlomm")


@attrs.frozen(kw_only=True)
class Keys:
    """What signs at one venue."""

    key: Secret
    guardian: Secret | None = None
    """The guardian's own, where the venue knows such a thing; None: it shares the daemon's."""
    api_key: ApiKey | None = None
    """Of Polymarket, if it was imported; None: the venue is asked for it."""


@attrs.frozen(kw_only=True)
class Desk:
    """One account at one venue."""

    books: str
    """Whose books these are: another simulator, or another network, has others."""
    session: MakeSession
    charge: VenueCharge | None
    """What guards it; None for an account that is nowhere but in this process."""
    checkup: MakeCheckup | None = None
    """What asks the venue how it all stands; None where there is nobody to ask."""
    signer: str = ""
    """Address of the key that signs for it, where two processes must not share one: they would draw the same nonces."""
    venue: VenueId = attrs.field()

    @property
    def charged(self) -> VenueCharge:
        """Its charge, of an account that is at a venue."""
        assert self.charge is not None, "an account in this process has none"
        return self.charge

    @venue.default
    def _of_its_charge(self) -> VenueId:
        assert self.charge is not None, "a desk without a charge says where it is"
        return self.charge.venue


@attrs.frozen(kw_only=True)
class Local:
    """Accounts that are kept in this process, and the time they live in."""

    clock: Clock
    desks: tuple[Desk, ...]
    seed: int | None
    """Of the simulator whose data they hear."""
    fill_model: str
    """Tag of what fills their orders."""


@contextmanager
def held(desks: Sequence[Desk], profile: str) -> Iterator[None]:
    """Hold the lock of every account, or of none: AnotherInstance if one of them has a daemon."""
    with ExitStack() as locks:
        for desk in desks:
            charge = desk.charge
            if charge is not None:
                locks.callback(account_lock(charge.venue, charge.place(profile), charge.account).release)
            if desk.signer:
                locks.callback(signer_lock(desk.venue, desk.signer).release)
        yield


def enabled(settings: Settings) -> tuple[str, ...]:
    """Venues that this configuration trades at, the one that always is first."""
    others = {POLYMARKET: settings.venue.polymarket.enabled, KALSHI: settings.venue.kalshi.enabled}
    return (HYPERLIQUID, *(name for name, wanted in others.items() if wanted))


def patient(section: Section, speed: float) -> Section:
    """Deadlines of the transport, none shorter than `PATIENCE_S` of the host.

    Venue time may run faster, but not the host's sockets and scheduler: five seconds at twenty times the pace are a
    quarter of one, and any other load on the machine would pass for a venue that is down.
    """
    least = PATIENCE_S * speed
    given = {name: getattr(section, name) for name in PATIENT if name in section.__struct_fields__}
    return msgspec.structs.replace(section, **{name: max(value, least) for name, value in given.items()})


def _since(carried: CarriedBooks | None) -> int | None:
    """From when on (venue time) fills may be missing in the books."""
    return None if carried is None else carried.fills_from_ms


def _polymarket(
    section: Polymarket, settings: Settings, keys: Keys, clock: Clock, way: Transport | None = None
) -> MakeSession:
    return lambda carried: polymarket_session(
        section,
        clock,
        limits=settings.limits,
        key=keys.key,
        api_key=keys.api_key,
        transport=way,
        fills_from_ms=_since(carried),
    )


def _kalshi(
    section: Kalshi, settings: Settings, key: Secret, clock: Clock, way: Transport | None = None
) -> MakeSession:
    return lambda carried: kalshi_session(
        section, clock, limits=settings.limits, key=key, transport=way, fills_from_ms=_since(carried)
    )


# -- simulated venues


def simulated_desks(
    settings: Settings, document: SimDocument, clock: Clock, ways: Mapping[str, Transport] | None = None
) -> list[Desk]:
    """A desk for every enabled venue; ConfigError where the simulator does not serve it.

    `ways` lead to venues that are not on the network.
    """
    found = []
    for name in enabled(settings):
        if getattr(document.venues, name) is None:
            raise ConfigError(f"the simulator serves no {name}: start it with --venues {','.join(enabled(settings))}")
        found.append(_SIMULATED[name](settings, document, clock, (ways or {}).get(name)))
    return found


def _simulated(document: SimDocument, place: str, account: str) -> str:
    """A new simulator is a new venue, whatever address it has: its beginning tells it from an earlier one."""
    return f"simulated|{place}|{account}|{document.clock.host_origin_ns}"


def _simulated_hyperliquid(settings: Settings, document: SimDocument, clock: Clock, way: Transport | None) -> Desk:
    venue = document.venues.hyperliquid
    assert venue is not None
    account, section = venue.accounts[0], settings.venue.hyperliquid
    address = account.sub_address if section.sub_account else account.address
    if not address:
        raise ConfigError(
            "this simulator has no sub-account: start a newer one, or leave venue.hyperliquid.sub_account"
        )
    charge = HyperliquidCharge(section=section, rest=venue.rest, ws=venue.ws, account=address, key=account.guardian_key)
    return Desk(
        books=_simulated(document, venue.rest, address),
        session=lambda carried: hyperliquid_session(
            patient(section, clock.map.speed), clock, limits=settings.limits, key=account.agent_key, rest=venue.rest,
            ws=venue.ws, account=address, transport=way, fills_from_ms=_since(carried),
        ),
        charge=charge, checkup=partial(checkup, charge, account.agent_key, clock, way),
    )  # fmt: skip


def _simulated_polymarket(settings: Settings, document: SimDocument, clock: Clock, way: Transport | None) -> Desk:
    venue = document.venues.polymarket
    assert venue is not None
    account = venue.accounts[0]
    section = msgspec.structs.replace(
        settings.venue.polymarket, clob=venue.rest, gamma=venue.gamma, ws=venue.ws, account=account.funder,
        signature_type=account.signature_type,
    )  # fmt: skip
    return Desk(
        books=_simulated(document, venue.rest, account.funder),
        session=_polymarket(patient(section, clock.map.speed), settings, Keys(key=account.key), clock, way),
        charge=(charge := PolymarketCharge(section=section, key=account.key)),
        checkup=partial(checkup, charge, account.key, clock, way),
    )


def _simulated_kalshi(settings: Settings, document: SimDocument, clock: Clock, way: Transport | None) -> Desk:
    venue = document.venues.kalshi
    assert venue is not None
    account = venue.accounts[0]
    section = msgspec.structs.replace(
        settings.venue.kalshi, rest=venue.rest, ws=venue.ws, account=account.name, key_id=account.key_id
    )
    return Desk(
        books=_simulated(document, venue.rest, account.name),
        session=_kalshi(patient(section, clock.map.speed), settings, account.private_key_pem, clock, way),
        charge=(charge := KalshiCharge(section=section, key=account.private_key_pem)),
        checkup=partial(checkup, charge, account.private_key_pem, clock, way),
    )


# -- live venues


def live_desks(settings: Settings, keys: Mapping[VenueId, Keys], clock: Clock) -> list[Desk]:
    """A desk for every enabled venue; ConfigError where its account or key is missing."""
    return [live_desk(name, settings, keys, clock) for name in enabled(settings)]


def live_desk(name: str, settings: Settings, keys: Mapping[VenueId, Keys], clock: Clock) -> Desk:
    """As `live_desks`, of one venue."""
    return _LIVE[name](settings, keys, clock)


def _live_hyperliquid(settings: Settings, keys: Mapping[VenueId, Keys], clock: Clock) -> Desk:
    section = settings.venue.hyperliquid
    _need("venue.hyperliquid", {"account": section.account})
    found = _key_of(keys, HYPERLIQUID, "HL_OMM_AGENT_KEY")
    charge = HyperliquidCharge(
        section=section, rest=section.rest, ws=section.ws, account=section.account, key=_guardian_key(settings, found)
    )
    return Desk(
        books=f"{section.chain}|{section.rest}|{section.account.lower()}",
        signer=Key.parse(found.key).address,
        session=lambda carried: hyperliquid_session(
            section, clock, limits=settings.limits, key=found.key, fills_from_ms=_since(carried)
        ),
        charge=charge,
        checkup=partial(checkup, charge, found.key, clock),
    )


def _guardian_key(settings: Settings, found: Keys) -> Secret:
    """The guardian's own key, or the one that the daemon has.

    Sharing is safe only because it acts when the daemon is dead: before, both would draw nonces of one signer.
    """
    if found.guardian is None and settings.guardian.enabled:
        _log.warning(
            "guardian shares the daemon's key", next="approve a second agent: venue.hyperliquid.guardian_key_file"
        )
    return found.key if found.guardian is None else found.guardian


def _live_polymarket(settings: Settings, keys: Mapping[VenueId, Keys], clock: Clock) -> Desk:
    section = settings.venue.polymarket
    if not section.clob:
        raise ConfigError("venue.polymarket.clob is empty: Polymarket has no test network, set enabled = false")
    _need("venue.polymarket", {"account": section.account})
    found = _key_of(keys, POLYMARKET, "HL_OMM_POLYMARKET_KEY")
    return Desk(
        books=f"polygon|{section.account.lower()}",
        session=_polymarket(section, settings, found, clock),
        charge=(charge := PolymarketCharge(section=section, key=found.key, api_key=found.api_key)),
        checkup=partial(checkup, charge, found.key, clock),
    )


def _live_kalshi(settings: Settings, keys: Mapping[VenueId, Keys], clock: Clock) -> Desk:
    section = settings.venue.kalshi
    _need("venue.kalshi", {"rest": section.rest, "key_id": section.key_id, "account": section.account})
    key = _key_of(keys, KALSHI, "HL_OMM_KALSHI_KEY").key
    charge = KalshiCharge(section=section, key=key)
    return Desk(
        books=f"{charge.place('live')}|{section.account}",
        session=_kalshi(section, settings, key, clock),
        charge=charge,
        checkup=partial(checkup, charge, key, clock),
    )


def _need(section: str, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        if not value:
            raise ConfigError(f"{section}.{name} is empty: set it, see its comment in config/default.toml")


def _key_of(keys: Mapping[VenueId, Keys], venue: VenueId, variable: str) -> Keys:
    if venue not in keys:
        raise ConfigError(
            f"no key for {venue}: `hlomm keys import {venue}`, name its file in venue.{venue}.key_file, or put it into "
            f"{variable}"
        )
    return keys[venue]


Simulated = Callable[[Settings, SimDocument, Clock, Transport | None], Desk]
Live = Callable[[Settings, Mapping[VenueId, Keys], Clock], Desk]
_SIMULATED: Final[dict[str, Simulated]] = {
    HYPERLIQUID: _simulated_hyperliquid, POLYMARKET: _simulated_polymarket, KALSHI: _simulated_kalshi,
}  # fmt: skip
_LIVE: Final[dict[str, Live]] = {
    HYPERLIQUID: _live_hyperliquid, POLYMARKET: _live_polymarket, KALSHI: _live_kalshi,
}  # fmt: skip
