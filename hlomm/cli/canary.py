"""`hlomm run --canary`: the same program on a sub-account, at sizes that can be lost without a thought."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.faults import ConfigError, UsageError
from hlomm.settings.load import PROFILES, Loaded, with_values

NAME: Final = "canary"
_SIZES: Final = ("max_size", "min_size", "max_notional_usd")
"""Of strategies: contracts, and cash of pairs, of which a contract costs less than 1."""


def state_of(profile: str) -> str:
    """A canary's state directory: it runs beside the account that matters, and their records never meet."""
    return f"{profile}-{NAME}"


def profile_of(name: str) -> str:
    """The profile whose settings the daemon of that name has: a canary's own (see `state_of`), or a profile's."""
    profile = name.removesuffix(f"-{NAME}")
    return profile if profile in PROFILES and profile != "paper" else name


def as_canary(loaded: Loaded) -> Loaded:
    """The configuration with the sub-account for the account, and nothing larger than `canary.size`.

    To be called once the gates are passed: it makes limits smaller, and no limit of the operator's own.
    ConfigError where there is no sub-account, UsageError where there can be none.
    """
    settings, canary = loaded.settings, loaded.settings.canary
    if loaded.profile == "paper":
        raise UsageError("--canary has no meaning in profile paper: there are no accounts of yours at any venue")
    for name in ("polymarket", "kalshi"):
        if getattr(settings.venue, name).enabled:
            raise ConfigError(
                f"venue.{name}.enabled: a canary trades Hyperliquid's sub-account alone — set it to false"
            )
    values: dict[str, Any] = {"venue.hyperliquid.sub_account": True}
    if loaded.profile != "sim":
        if not canary.account:
            raise ConfigError("canary.account is empty: set the address of the sub-account that the canary trades")
        if canary.account.lower() == settings.venue.hyperliquid.account.lower():
            raise ConfigError("canary.account is venue.hyperliquid.account: a canary has a sub-account of its own")
        values["venue.hyperliquid.account"] = canary.account
    bounds = {"max_position": 2 * canary.size, "max_order_notional": canary.size, "max_sets": canary.size}
    for name, bound in bounds.items():
        values[f"limits.{name}"] = min(getattr(settings.limits, name), bound)
    for strategy, section in loaded.tree["strategy"].items():
        for name in _SIZES:
            if name in section:
                values[f"strategy.{strategy}.{name}"] = min(section[name], canary.size)
    if "stock" in loaded.tree["sets"]:
        values["sets.stock"] = min(settings.sets.stock, canary.size)
    return with_values(loaded, values, NAME)
