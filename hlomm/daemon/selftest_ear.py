"""What a session tells during `hlomm selftest`, and whoever waits for a word of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import attrs
import trio

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import (
    MARKET_NEWS,
    AmendFailed,
    CancelFailed,
    Input,
    OrderRejected,
    SendLost,
    SendRefused,
)
from hlomm.venues.clock import Clock

NEWS_MAX: Final = 10_000
REFUSALS: Final = (OrderRejected, AmendFailed, CancelFailed, SendLost, SendRefused)

T = TypeVar("T")


class Broken(Exception):  # noqa: N818 - how a test ends, not a failure of ours
    """A step did not come to its end; what is left is cancelled and sold."""


class TurnedDown(Broken):
    """The venue took no part of an order: nothing rests, nothing traded."""


@attrs.define(eq=False)
class Ear:
    """Hears what a session tells, and wakes whoever waits."""

    _clock: Clock
    heard: list[tuple[Input, int]] = attrs.field(factory=list)
    """With the host's monotonic time of each."""
    _news: trio.Event = attrs.field(factory=trio.Event)

    def __call__(self, items: Sequence[Input], received_ns: int) -> None:
        del received_ns
        now_ns = self._clock.read().mono_ns
        self.heard += [(item, now_ns) for item in items if type(item) not in MARKET_NEWS]
        self._news.set()
        self._news = trio.Event()

    def all(self, kind: type[T]) -> list[T]:
        return [item for item, _ in self.heard if isinstance(item, kind)]

    async def until(self, what: Callable[[], T | None], within_s: float, awaited: str) -> T:
        """What is found, as soon as it is; Broken if it does not come."""
        try:
            with trio.fail_after(within_s):
                while (found := what()) is None:
                    if len(self.heard) > NEWS_MAX:
                        raise Broken(f"more than {NEWS_MAX} news of one account in a test")
                    await self._news.wait()
        except trio.TooSlowError:
            raise Broken(f"{awaited} did not come within {within_s:g} s") from None
        await trio.lowlevel.checkpoint()
        return found

    async def answer(
        self, client_id: ClientId, kind: type[T], since: int, within_s: float, awaited: str
    ) -> tuple[T, float]:
        """The first answer of that kind about an order, and when it came in ms; Broken for a refusal."""

        def find() -> tuple[T, float] | None:
            for item, at_ns in self.heard[since:]:
                if isinstance(item, REFUSALS) and client_id in _about(item):
                    kind_of = TurnedDown if isinstance(item, OrderRejected) else Broken
                    raise kind_of(f"refused: {_why(item)}")
                if isinstance(item, kind) and getattr(item, "client_id", None) == client_id:
                    return item, at_ns / 1e6
            return None

        return await self.until(find, within_s, awaited)


def _about(item: Any) -> tuple[ClientId, ...]:
    return item.client_ids if isinstance(item, SendLost | SendRefused) else (item.client_id,)


def _why(item: Any) -> str:
    return str(item.reason) if isinstance(item, SendLost | SendRefused) else f"{item.code}: {item.text}"
