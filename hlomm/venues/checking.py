"""What `hlomm doctor --live` asks of any venue: can it be reached, and how far is its clock from ours.

Questions only: nothing here places, cancels or changes anything, and no answer is repeated that could hold a secret.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

import attrs
import trio

from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.units import Cash
from hlomm.venues.clock import Clock
from hlomm.venues.http_client import SHOWN, HttpLimits, bad_certificate, unconnected
from hlomm.venues.transport import Address, Transport
from hlomm.venues.websocket import WebSocketLimits

ALERT_MS: Final = 150
"""A clock farther off than this is worth a word (the limit beyond which nothing is quoted is the operator's)."""
SAMPLES: Final = 3
FINE_SAMPLES: Final = 12
FINE_PAUSE_S: Final = 0.09
"""Of a clock told in whole seconds: a dozen looks over a second bracket the moment at which it turns."""
COARSE_MS: Final = 1_000
OPEN_S: Final = 8.0


@attrs.frozen(kw_only=True)
class Expected:
    """What the operator's configuration expects of a venue."""

    skew_max_s: float
    """Beyond it the engine quotes nothing there."""
    cash: Cash
    """What the limits allow to be spent at once."""
    margin: bool = False
    """Perps are to be traded as hedges."""
    reserve: int = 0
    """Actions that are kept for cancels."""
    slow_below: int = 0
    """Fewer than these left, and quoting is slowed."""
    sign: bool = True
    """Whether a signed question may be asked: not while a daemon signs with the same key."""


Say = Callable[[Check], None]


class Checkup(Protocol):
    """The questions of one venue, asked with the keys of a run."""

    @property
    def venue(self) -> str: ...

    async def ask(self, expected: Expected, say: Say) -> None:
        """One check after the other. VenueUnavailable if the venue stops answering on the way."""


# -- reach


@attrs.frozen
class Probe:
    """One address, and a public question that it answers."""

    what: str
    url: str
    method: str = "GET"
    path: str = "/"
    body: bytes = b""


async def reach(name: str, probe: Probe, transport: Transport, limits: HttpLimits) -> Check:
    """Connect, check the certificate, ask, and take no redirect."""
    label = f"{name} {probe.what}"
    try:
        address = Address.of(probe.url)
    except ValueError as error:
        return fail(label, Code.CONFIG_INVALID, str(error), f"mend the address in [venue.{name}]")
    refused = await _refused(label, address, transport, limits.connect_s)
    if refused is not None:
        return refused
    try:
        async with transport.http(probe.url, limits) as client:
            answer = await client.request(probe.method, probe.path, probe.body)
    except VenueUnavailable as error:
        return fail(label, Code.UNREACHABLE, f"{probe.url}: {error}", _status_page(name))
    if answer.redirect is not None:
        text = f"{probe.url} answers {answer.said}; nothing signed was sent"
        return fail(label, Code.REDIRECTED, text, f"is a login page or proxy in between? check [venue.{name}]")
    if answer.status == 429:
        text = f"{probe.url} was asked too often from this address (HTTP 429)"
        return fail(label, Code.ANSWER_ODD, text, "wait a minute; what else here asks it?")
    if answer.status != 200:
        return fail(label, Code.ANSWER_ODD, f"{probe.url} answers HTTP {answer.status}", _status_page(name))
    return ok(label, f"{probe.url} answers{', its certificate is good' if address.tls else ''}")


async def _refused(label: str, address: Address, transport: Transport, within_s: float) -> Check | None:
    """What keeps a connection from being made; None if nothing does."""
    where = f"{address.host}:{address.port}"
    try:
        with trio.fail_after(within_s):
            stream = await transport.connect(address.host, address.port, address.tls)
    except trio.TooSlowError:
        text = f"no connection to {where} in {within_s:g} s"
        return fail(label, Code.UNREACHABLE, text, "check network, firewall and address")
    except (OSError, ssl.SSLError, trio.BrokenResourceError) as error:
        return _unconnected(label, where, error)
    with trio.move_on_after(1, shield=True):
        await trio.aclose_forcefully(stream)
    return None


def _unconnected(label: str, where: str, error: BaseException) -> Check:
    text = unconnected(where, error)
    if bad_certificate(error) is not None:
        return fail(label, Code.CERTIFICATE_BAD, text, "check the address and the host's clock; never switch it off")
    return fail(label, Code.UNREACHABLE, text, "check network, firewall and address")


class _Way(Protocol):
    """What a session's parts have of the way to its venue."""

    @property
    def transport(self) -> Transport: ...

    @property
    def clock(self) -> Clock: ...


async def stream_check(name: str, url: str, way: _Way, headers: Sequence[tuple[str, str]] = ()) -> Check:
    """Open the websocket and leave it."""
    label = f"{name} stream"
    try:
        limits = WebSocketLimits(open_s=OPEN_S)
        now_ns = partial(_mono_ns, way.clock)
        async with way.transport.websocket(url, lambda _frame, _at: None, now_ns, limits, headers):
            await trio.lowlevel.checkpoint()
    except (VenueUnavailable, ValueError) as error:
        remedy = f"check venue.{name}.ws, and that nothing in between keeps websockets out"
        return fail(label, Code.STREAM_UNREACHABLE, f"{url}: {str(error)[:SHOWN]}", remedy)
    return ok(label, f"{url} opens")


def _mono_ns(clock: Clock) -> int:
    return clock.read().mono_ns


def _status_page(name: str) -> str:
    return f"see the status page of {name}, then [venue.{name}]; nothing trades there until it answers"


# -- clocks


@attrs.frozen
class Skew:
    """The venue's clock minus ours lies between the two, in ms."""

    least: float
    most: float
    round_trip_ms: float

    @property
    def middle(self) -> float:
        return (self.least + self.most) / 2

    @property
    def give(self) -> float:
        return (self.most - self.least) / 2


async def measure(ask: Callable[[], Awaitable[int]], clock: Clock, step_ms: int) -> Skew:
    """Compare clocks. `ask` returns the venue's time in ms, cut to whole `step_ms`.

    The answer was made between question and arrival, and the cut hides up to one step: each sample leaves an interval,
    and the truth lies in all of them. VenueUnavailable as `ask`.
    """
    least, most, fastest = float("-inf"), float("inf"), float("inf")
    for _ in range(FINE_SAMPLES if step_ms >= COARSE_MS else SAMPLES):
        began = clock.now()
        told = await ask()
        ended = clock.now()
        least = max(least, told - ended.wall_ns / 1e6)
        most = min(most, told + step_ms - began.wall_ns / 1e6)
        fastest = min(fastest, (ended.mono_ns - began.mono_ns) / 1e6)
        if step_ms >= COARSE_MS:
            await trio.sleep(FINE_PAUSE_S)
    return Skew(min(least, most), max(least, most), fastest)


def clock_check(name: str, skew: Skew, limit_s: float) -> Check:
    label = f"{name} clock"
    said = f"{skew.middle:+.0f} ms from ours, give or take {skew.give:.0f} (round trip {skew.round_trip_ms:.0f} ms)"
    remedy = "let chrony or ntpd keep the host's clock (chronyc tracking)"
    if min(abs(skew.least), abs(skew.most)) > ALERT_MS and skew.least * skew.most > 0:
        if abs(skew.middle) > limit_s * 1_000:
            text = f"{said}: beyond limits.max_clock_skew_s ({limit_s:g} s), nothing would be quoted"
            return fail(label, Code.CLOCK_SKEW, text, remedy)
        return warn(label, Code.CLOCK_SKEW, f"{said}: more than {ALERT_MS} ms", remedy)
    if max(abs(skew.least), abs(skew.most)) > ALERT_MS and skew.give > ALERT_MS:
        text = f"{said}: too unsure to say whether it is within {ALERT_MS} ms"
        return warn(label, Code.CLOCK_UNSURE, text, "look again when the network is quieter")
    return ok(label, said)
