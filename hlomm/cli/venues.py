"""Which venues a run trades at, where the configuration does not say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hlomm.cli.canary import as_canary, profile_of
from hlomm.daemon.sim_process import read_document
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.settings.load import Layer, Loaded, Tree, load
from hlomm.sim.config import VENUES

OTHERS: Final = tuple(name for name in VENUES if name != HYPERLIQUID)
"""Hyperliquid is always traded."""


def simulated(sim_file: Path | None) -> Layer:
    """A run of simulated venues trades at all there are, and across them: those that a simulator serves, or all."""
    names: Sequence[str] = VENUES
    if sim_file is not None:
        served = read_document(sim_file).venues
        names = [name for name in VENUES if getattr(served, name) is not None]
    return Layer("simulated venues", _tree(names))


def beneath(profile: str, sim_file: Path | None = None, *, canary: bool = False) -> Layer | None:
    """What lies beneath the files of a run of that profile for which no `--venues` are said.

    Whoever looks at a configuration without running it has to read it over the same layer, or says what no run does.
    """
    return simulated(sim_file) if profile == "sim" and not canary else None


def configured(name: str, files: Sequence[Path], sets: Sequence[str]) -> Loaded:
    """The configuration as `hlomm run --profile NAME` takes it, a canary's too; ConfigError if it refuses it."""
    profile = profile_of(name)
    if profile == name:
        return load(profile, files, sets, beneath=beneath(profile))
    alone = chosen_sets(HYPERLIQUID) if profile == "sim" else ()
    return as_canary(load(profile, files, (*alone, *sets)))


def chosen_sets(text: str) -> tuple[str, ...]:
    """The settings that `--venues` stands for; UsageError for a name that is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in VENUES]
    if unknown or HYPERLIQUID not in names:
        what = f"no venue {', '.join(unknown)}" if unknown else f"{HYPERLIQUID} is always one of them"
        raise UsageError(f"--venues {text!r}: {what}; there are: {', '.join(VENUES)}")
    on = {name: str(name in names).lower() for name in OTHERS}
    across = str(len(names) > 1).lower()
    return (*(f"venue.{name}.enabled={value}" for name, value in on.items()), f"strategy.cross_venue.enabled={across}")


def _tree(names: Sequence[str]) -> Tree:
    return {
        "venue": {name: {"enabled": name in names} for name in OTHERS},
        "strategy": {"cross_venue": {"enabled": len(names) > 1}},
    }
