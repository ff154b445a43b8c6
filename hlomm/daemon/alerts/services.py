"""The services that messages are sent to: each its URL, its queue, its failures, by way of `apprise`.

Theory of operation. Every service has a task that sends what waits for it, oldest first, in a thread that it waits for
so long and no longer: one that hangs holds up nobody else, and costs a thread until it lets go. What fails is tried
again after a pause, up to an age; what does not find room, or gets too old, is counted, and the next message that gets
through says so. A URL is a secret: it is shown to the library and to nobody else, and the library's log goes nowhere.
"""

from __future__ import annotations

import logging
import random
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import apprise
import attrs
import structlog
import trio
from apprise.manager_plugins import NotificationManager

from hlomm.daemon.alerts.message import Health, Message
from hlomm.daemon.alerts.why import HANGS, UNKNOWN, about_the_message, why_not
from hlomm.domain.faults import ConfigError
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.secret import Secret
from hlomm.venues.pacing import backoff_s

_log = structlog.get_logger("hlomm.alerts")

QUEUE_MAX: Final = 100
"""Messages that wait for one service; then the oldest one goes."""
HANGING_MAX: Final = 3
"""Threads that one service may keep; while it keeps them all nothing is sent there."""
REFUSED_MAX: Final = 3
"""A message that is refused so often, and not because of who or where we are, makes room for the next."""
PAUSE_BASE_S: Final = 2.0
PAUSE_CAP_S: Final = 120.0
LATE_S: Final = 60.0
"""A message that was sent that long after it was made says so."""
_KINDS: Final = {
    AlertLevel.INFO: apprise.NotifyType.INFO, AlertLevel.WARNING: apprise.NotifyType.WARNING,
    AlertLevel.CRITICAL: apprise.NotifyType.FAILURE,
}  # fmt: skip
_LIBRARIES: Final = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "charset_normalizer")

Send = Callable[[Message], str]
"""Blocks, and returns why the message was not taken; empty if it was."""


@attrs.define(eq=False)
class Service:
    number: int
    scheme: str
    send: Send
    send_s: float
    keep_s: float
    _queue: deque[tuple[float, Message]] = attrs.field(factory=deque)
    """Each with the time at which it was made."""
    _news: trio.Event = attrs.field(factory=trio.Event)
    _threads: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(HANGING_MAX))
    _failures: int = 0
    _failing_since_s: float = 0.0
    _why: str = ""
    _sent: int = 0
    _lost: int = 0
    _refused: int = 0
    """How often the message that is next was refused for what it is."""
    _untold: int = 0
    """Of the lost ones, those that no message has told of."""

    def put(self, message: Message) -> None:
        """Queue it. A newer one of a kind that says how things stand takes the older one's place."""
        for place, (_, waiting) in enumerate(self._queue):
            if waiting.code == message.code == "digest":
                del self._queue[place]
                break
        if len(self._queue) >= QUEUE_MAX:
            self._drop(*self._queue[0])
        self._queue.append((trio.current_time(), message))
        self._news.set()

    def health(self) -> Health:
        failing_s = trio.current_time() - self._failing_since_s if self._failures else 0.0
        return Health(
            number=self.number, scheme=self.scheme, why=self._why, failing_s=failing_s, waiting=len(self._queue),
            sent=self._sent, lost=self._lost,
        )  # fmt: skip

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            while not self._queue:
                self._news = trio.Event()
                await self._news.wait()
            await self._next()

    async def drain(self, within_s: float) -> None:
        """Send what waits, as far as that goes at the first attempt: the process ends."""
        with trio.move_on_after(within_s):
            while self._queue and not await self._next(patient=False):
                pass

    async def _next(self, *, patient: bool = True) -> str:
        made_s, message = self._queue[0]
        if trio.current_time() - made_s > self.keep_s:
            self._drop(made_s, message)
            return ""
        why = await self.attempt(self._dressed(made_s, message))
        if not why:
            self._done(made_s, message)
            return ""
        if not self._failures:
            self._failing_since_s = trio.current_time()
            _log.warning("alert service fails", service=self.number, scheme=self.scheme, why=why)
        self._why, self._failures = why, self._failures + 1
        if about_the_message(why):
            self._refused += 1
            if self._refused >= REFUSED_MAX:
                self._drop(made_s, message)
        if patient:
            pause_s = backoff_s(
                self._failures - 1, base_s=PAUSE_BASE_S, cap_s=PAUSE_CAP_S, jitter=random.random()  # noqa: S311
            )  # fmt: skip
            await trio.sleep(pause_s)
        return why

    async def attempt(self, message: Message) -> str:
        """Try once; why it failed, empty if it did not."""
        with trio.move_on_after(self.send_s):
            return await trio.to_thread.run_sync(self.send, message, abandon_on_cancel=True, limiter=self._threads)
        return HANGS

    def _done(self, made_s: float, message: Message) -> None:
        self._leave(made_s, message)
        if self._failures:
            _log.info("alert service takes messages again", service=self.number, scheme=self.scheme, lost=self._untold)
        self._failures, self._why, self._untold, self._sent = 0, "", 0, self._sent + 1

    def _dressed(self, made_s: float, message: Message) -> Message:
        late_s = trio.current_time() - made_s
        late = f"[{late_s / 60:.0f} min late] " if late_s >= LATE_S else ""
        lost = f" (lost while this service failed: {self._untold})" if self._untold else ""
        return attrs.evolve(message, body=f"{late}{message.body}{lost}")

    def _leave(self, made_s: float, message: Message) -> None:
        self._refused = 0
        if self._queue and self._queue[0] == (made_s, message):  # else it has lost its place meanwhile
            self._queue.popleft()

    def _drop(self, made_s: float, message: Message) -> None:
        self._leave(made_s, message)
        self._lost += 1
        self._untold += 1


# -- the library


def services(urls: Sequence[Secret], *, send_s: float, keep_s: float) -> list[Service]:
    """One for each URL; ConfigError, with its number and nothing of itself, for one that cannot be used."""
    _hush()
    asset = apprise.AppriseAsset(app_id="hlomm", app_desc="hlomm", service_timeout=0, storage_mode="memory")
    asset.async_mode = False  # in our thread, not in a pool of its own that the end of the process waits for
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python, about what some plugin imports
        return [_service(number, url, asset, send_s=send_s, keep_s=keep_s) for number, url in enumerate(urls, 1)]


def _service(number: int, url: Secret, asset: apprise.AppriseAsset, *, send_s: float, keep_s: float) -> Service:
    plugin = apprise.Apprise.instantiate(url.reveal(), asset=asset)
    if plugin is None:
        word = url.reveal().partition("://")[0].lower()
        known = word in NotificationManager()  # type: ignore[no-untyped-call]
        about = f"{word}:// wants more, or other things" if known else "no scheme that is known"
        raise ConfigError(f"alert URL {number}: {about} — see https://appriseit.com/services for how it is written")
    if not plugin.verify_certificate:
        raise ConfigError(
            f"alert URL {number} ({plugin.schema}): verify=no would send to whoever answers — take it out; an "
            "authority of your own goes into REQUESTS_CA_BUNDLE"
        )
    plugin.redirects = False  # a message goes where its owner said and nowhere else
    manager = apprise.Apprise(asset=asset)
    manager.add(plugin)
    return Service(number, str(plugin.schema), partial(_notify, manager), send_s, keep_s)


def _notify(manager: apprise.Apprise, message: Message) -> str:
    kind = apprise.NotifyType.SUCCESS if message.over else _KINDS[message.level]
    try:
        result = manager.notify(
            body=message.body, title=message.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT,
            log_level=logging.DEBUG,
        )  # fmt: skip
    except Exception:  # noqa: BLE001 - whatever a service raises may hold its URL: not even its text is told
        return UNKNOWN
    log = "\n".join(entry.message for one in result.results for entry in one.logs())
    return "" if result else why_not(log)


def _hush() -> None:
    """What the libraries log holds hosts, paths and tokens: it is kept for `why_not`, and goes nowhere."""
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    logging.getLogger("apprise").setLevel(logging.DEBUG)
