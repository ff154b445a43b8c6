"""The engine's way to the configuration when an operator changes a setting."""

from __future__ import annotations

from collections.abc import Mapping

from hlomm.domain.ids import StrategyId
from hlomm.engine.tunables import Retune
from hlomm.settings.schema import EngineSettings
from hlomm.settings.tunable import checked, section_key, value_of, with_value


class Tuning:
    """See `hlomm.engine.tunables.Tuner`."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings

    def weigh(self, tuned: Mapping[str, float], wanted: Mapping[str, str]) -> dict[str, Retune]:
        now = self._settings
        for key, value in tuned.items():
            now = with_value(now, key, value)
        return {key: self._change(now, key, value) for key, value in checked(now, wanted).items()}

    def _change(self, now: EngineSettings, key: str, value: float) -> Retune:
        strategy, name = section_key(key)
        return Retune(
            strategy=StrategyId(strategy), name=name, value=value, was=value_of(now, key),
            configured=value_of(self._settings, key),
        )  # fmt: skip
