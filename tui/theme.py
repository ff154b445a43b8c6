"""Two sets of colours: one for terminals with many, one that borrows the sixteen of the terminal itself.

Without colours at all (NO_COLOR, a monochrome TERM) bold, dim and strike remain, and every state has its word.
"""

from __future__ import annotations

from typing import Final

from textual.theme import BUILTIN_THEMES, Theme

VARIABLES: Final = {
    "ours": "#5fd7ff",
    "gain": "#87d787",
    "loss": "#ffaf5f",
    "alarm": "#ff5f5f",
    "quiet": "#8a8f98",
    "head": "#afafd7",
    "head-bar": "#1e2430",
    "cursor-bar": "#303a4d",
    "heat0": "#5f6a7a",
    "heat1": "#6f8fb0",
    "heat2": "#7fb7c7",
    "heat3": "#d7d787",
    "heat4": "#ffd75f",
    "state-text": "#ffffff",
    "state-quoting": "#1f5f3f",
    "state-halted": "#af0000",
    "state-flattening": "#af5f00",
    "state-waiting": "#3a4a6b",
    "state-no-link": "#870087",
}
"""Our own names for colours; used for themes that do not define them, too."""

_SIXTEEN: Final = BUILTIN_THEMES["ansi-dark"].variables | {
    "ours": "ansi_bright_cyan",
    "gain": "ansi_green",
    "loss": "ansi_yellow",
    "alarm": "ansi_bright_red",
    "quiet": "ansi_white",
    "head": "ansi_bright_blue",
    "head-bar": "ansi_default",
    "cursor-bar": "ansi_blue",
    "heat0": "ansi_white",
    "heat1": "ansi_blue",
    "heat2": "ansi_cyan",
    "heat3": "ansi_yellow",
    "heat4": "ansi_bright_yellow",
    "state-text": "ansi_bright_white",
    "state-quoting": "ansi_green",
    "state-halted": "ansi_red",
    "state-flattening": "ansi_red",
    "state-waiting": "ansi_blue",
    "state-no-link": "ansi_magenta",
}

MANY: Final = Theme(
    name="hlomm",
    primary="#5f87d7",
    secondary="#5fafaf",
    accent="#5fd7ff",
    foreground="#d7dae0",
    background="#0f1218",
    surface="#161b24",
    panel="#1e2430",
    success="#87d787",
    warning="#ffaf5f",
    error="#ff5f5f",
    dark=True,
    variables=VARIABLES,
)
SIXTEEN: Final = Theme(
    name="hlomm-16",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_bright_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    dark=True,
    variables=_SIXTEEN,
)


def theme_for(color_system: str | None) -> str:
    """Name of the theme for what the terminal can show."""
    return MANY.name if color_system in ("truecolor", "256") else SIXTEEN.name
