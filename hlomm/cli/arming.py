"""The gates before real money: a live profile, limits written by the operator, and the notional typed out."""

from __future__ import annotations

from hlomm.assembly.numbers import scaled
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.units import Cash, to_text
from hlomm.settings.load import UNREAL, Loaded, default_limits


def check_arming(loaded: Loaded, arm: float | None) -> Cash:
    """The armed notional; 0 in simulation and on paper. Refuses a live profile whose limits are merely the defaults."""
    if loaded.profile in UNREAL:
        if arm is not None:
            raise UsageError(f"--arm has no meaning in profile {loaded.profile}: nothing there is real")
        return Cash(0)
    limits = loaded.settings.limits
    unset = default_limits(loaded)
    if unset:
        raise ConfigError(
            f"profile {loaded.profile} trades for real: write your own [limits] first ({', '.join(unset)} are defaults)"
        )
    if arm is None or arm != limits.max_gross_notional:
        amount = to_text(scaled(limits.max_gross_notional))
        raise UsageError(
            f"profile {loaded.profile} trades for real: confirm with --arm {amount} (exactly limits.max_gross_notional)"
        )
    return Cash(scaled(arm))
