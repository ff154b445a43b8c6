"""All strategies by name. A new strategy is a new line here and a section in the configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hlomm.strategy.avellaneda import Avellaneda, AvellanedaConfig
from hlomm.strategy.base import Strategy
from hlomm.strategy.btc_parity import BtcParity, BtcParityConfig
from hlomm.strategy.complete_set import CompleteSet, CompleteSetConfig
from hlomm.strategy.cross_venue import CrossVenue, CrossVenueConfig
from hlomm.strategy.strike_ladder import StrikeLadder, StrikeLadderConfig

STRATEGIES: Final[dict[str, tuple[type, Callable[[Any], Strategy]]]] = {
    "avellaneda": (AvellanedaConfig, Avellaneda),
    "btc_parity": (BtcParityConfig, BtcParity),
    "complete_set": (CompleteSetConfig, CompleteSet),
    "cross_venue": (CrossVenueConfig, CrossVenue),
    "strike_ladder": (StrikeLadderConfig, StrikeLadder),
}
"""Name to (configuration class, constructor)."""
