"""Subscriptions: which streams a market or an account needs, and their frames (venue sheet sections 1.1 and 3)."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

PING: Final = '{"method":"ping"}'


class Subscription(Struct, frozen=True):
    """One stream. Acknowledgements are matched by kind and coin only, because the echo is normalised."""

    kind: str
    coin: str | None = None
    user: str | None = None
    fast: bool = False

    @property
    def key(self) -> tuple[str, str | None]:
        return self.kind, self.coin

    def fields(self) -> dict[str, str | bool]:
        fields: dict[str, str | bool] = {"type": self.kind}
        if self.coin is not None:
            fields["coin"] = self.coin
        if self.user is not None:
            fields["user"] = self.user
        if self.fast:
            fields["fast"] = True
        return fields


def account_streams(user: str, *, fast_marks: bool) -> tuple[Subscription, ...]:
    """Streams that live as long as the session."""
    streams = (
        Subscription("orderUpdates", user=user),
        Subscription("userFills", user=user),
        Subscription("spotState", user=user),
    )
    return (*streams, *venue_streams(fast_marks=fast_marks))


def venue_streams(*, fast_marks: bool) -> tuple[Subscription, ...]:
    """Streams about no account and no single market."""
    streams = (Subscription("outcomeMetaUpdates"),)
    return (*streams, Subscription("fastAssetCtxs")) if fast_marks else streams


def outcome_streams(yes_coin: str) -> tuple[Subscription, ...]:
    """Only the YES coin: the NO coin shows the same book and repeats every trade (sheet 7.4).

    `fast` l2Book is 5 levels each 0.5 s; the default is 20 levels each 5 s, too slow to quote on.
    """
    return Subscription("l2Book", yes_coin, fast=True), Subscription("bbo", yes_coin), Subscription("trades", yes_coin)


def perp_streams(coin: str, *, trades: bool, marks: bool) -> tuple[Subscription, ...]:
    streams = [Subscription("bbo", coin)]
    if trades:
        streams.append(Subscription("trades", coin))
    if marks:
        streams.append(Subscription("activeAssetCtx", coin))
    return tuple(streams)


def subscribe_frame(subscription: Subscription) -> str:
    return _frame("subscribe", subscription)


def unsubscribe_frame(subscription: Subscription) -> str:
    return _frame("unsubscribe", subscription)


def _frame(method: str, subscription: Subscription) -> str:
    return msgspec.json.encode({"method": method, "subscription": subscription.fields()}).decode()
