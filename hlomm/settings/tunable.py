"""Which settings an operator may change while the daemon trades, and to what.

Parameters of strategies alone, and of those only what a strategy reads anew at every decision. Limits, breakers and
everything else that holds a strategy back stay as they were configured. A value is held against the same bounds and the
same contradictions as one in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.inspect import FloatType, IntType, type_info

from hlomm.domain.faults import ConfigError
from hlomm.settings.contradictions import contradictions
from hlomm.settings.load import toml_value
from hlomm.settings.schema import EngineSettings

TUNABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "avellaneda": (
        "gamma", "fill_rate", "fill_decay", "holding_s", "min_half_spread", "max_half_spread", "pull_ratio",
        "reaction_s", "kelly_fraction", "max_size", "min_size", "requote_share",
    ),
    "btc_parity": (
        "min_edge", "doubt", "hedge_cost", "min_tau_s", "kelly_fraction", "max_stake", "max_size", "min_size",
    ),
    "complete_set": ("min_edge", "max_size", "min_size", "max_stake", "min_tau_s"),
    "cross_venue": (
        "min_edge_bps", "max_notional_usd", "max_size", "min_size", "basis_weight", "fill_probability", "unwind_cost",
        "min_tau_s", "kelly_fraction",
    ),
}  # fmt: skip
"""By strategy. One that is added here must have `retune` (see `hlomm.strategy.base`)."""


def section_key(key: str) -> tuple[str, str]:
    """(strategy, name) of a dotted key; ConfigError for one that cannot be tuned."""
    head, _, rest = key.partition(".")
    strategy, _, name = rest.partition(".")
    if head != "strategy" or name not in TUNABLE.get(strategy, ()):
        there = ", ".join(f"strategy.{strategy}.{other}" for other in TUNABLE.get(strategy, ()))
        known = there or ", ".join(f"strategy.{each}" for each in TUNABLE)
        raise ConfigError(f"{key} cannot be tuned while the daemon runs; there are: {known}")
    return strategy, name


def bounds(settings: EngineSettings, key: str) -> str:
    """`at least 0, below 1e+12`."""
    kind = type_info(_field_type(settings, *section_key(key)))
    assert isinstance(kind, FloatType | IntType), f"{key} is no number"
    low = f"above {kind.gt:g}" if kind.gt is not None else f"at least {kind.ge:g}"
    return f"{low}, below {kind.lt:g}" if kind.lt is not None else f"{low}, at most {kind.le:g}"


def checked(settings: EngineSettings, wanted: Mapping[str, str]) -> dict[str, float]:
    """The values that the texts say, by key, fit for these settings and one another.

    ConfigError names keys, values and bounds; then none of them is.
    """
    values = {key: _number(settings, key, text) for key, text in wanted.items()}
    for key, value in values.items():
        settings = with_value(settings, key, value)
    wrong = [f"{other} {what}" for other, what in contradictions(settings)]
    if wrong:
        asked = ", ".join(f"{key} = {text}" for key, text in wanted.items())
        within = "; ".join(bounds(settings, key) for key in wanted)
        raise ConfigError(f"{asked} is refused: {'; '.join(wrong)} (within {within})")
    return values


def _number(settings: EngineSettings, key: str, text: str) -> float:
    strategy, name = section_key(key)
    try:
        return float(msgspec.convert(toml_value(text), _field_type(settings, strategy, name)))
    except msgspec.ValidationError:
        raise ConfigError(f"{key} = {text} is refused: a number, {bounds(settings, key)}") from None


def with_value(settings: EngineSettings, key: str, value: float) -> EngineSettings:
    """The settings with another value of one key, unchecked."""
    strategy, name = section_key(key)
    section = msgspec.structs.replace(getattr(settings.strategy, strategy), **{name: value})
    return msgspec.structs.replace(settings, strategy=msgspec.structs.replace(settings.strategy, **{strategy: section}))


def value_of(settings: EngineSettings, key: str) -> float:
    strategy, name = section_key(key)
    return float(getattr(getattr(settings.strategy, strategy), name))


def _field_type(settings: EngineSettings, strategy: str, name: str) -> Any:
    fields = msgspec.structs.fields(type(getattr(settings.strategy, strategy)))
    return next(field.type for field in fields if field.name == name)
