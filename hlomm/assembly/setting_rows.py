"""The settings of the strategies of a run, each with its origin, for people."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hlomm.domain.desk_rows import SettingRow
from hlomm.settings.load import Loaded
from hlomm.settings.tunable import TUNABLE, bounds


def setting_rows(loaded: Loaded) -> tuple[SettingRow, ...]:
    """Of the strategies that are enabled, in the order of the configuration."""
    rows = []
    for strategy, section in msgspec.structs.asdict(loaded.settings.strategy).items():
        values = msgspec.structs.asdict(section)
        if values.pop("enabled"):
            rows += [_row(loaded, strategy, name, value) for name, value in values.items()]
    return tuple(rows)


def _row(loaded: Loaded, strategy: str, name: str, value: object) -> SettingRow:
    key = f"strategy.{strategy}.{name}"
    return SettingRow(
        key=key, value=_said(value), origin=_origin(loaded.origins, key),
        bounds=bounds(loaded.settings, key) if name in TUNABLE.get(strategy, ()) else "",
    )  # fmt: skip


def _said(value: object) -> str:
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _origin(origins: Mapping[str, str], key: str) -> str:
    """The layer's name; `--set` and the environment name the key themselves, which is said beside it."""
    layer = origins.get(key, "")
    return next((word for word in ("--set", "environment") if layer.startswith(word)), layer)
