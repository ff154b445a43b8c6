"""A block of toned lines, repainted only when they have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import ClassVar, Final

from textual.content import Content
from textual.dom import DOMNode
from textual.geometry import Region
from textual.style import Style
from textual.widget import Widget

from tui.state import Store
from tui.views.line import Line, Tone, harmless, plain, within, wrapped

_WINDOW_SHARE: Final = 0.9
_FRAME: Final = 6
_FIELD: Final = 2
"""Of the style sheet: how much of the screen a window may take, what it has around its text, and its field."""


@dataclass
class Sight:
    """What every panel looks at: the store, and the clock by which ages are told."""

    store: Store
    """Of the daemon that is shown: another one once the operator goes to another."""
    clock: Callable[[], float]
    stores: tuple[Store, ...] = ()
    """Of all daemons of this terminal, in the order in which they were named."""

    @property
    def several(self) -> bool:
        return len(self.stores) > 1

    def fixed(self) -> Sight:
        """On the daemon that is shown now, whatever is shown later: a question is about the one it was asked of."""
        return replace(self)

    @property
    def now_s(self) -> float:
        return self.clock()


class Panel(Widget):
    """Draws `lines()`. Subclasses say what; the style sheet says how each tone looks."""

    DEFAULT_CLASSES = "figures"
    """Marks what shows the daemon's figures, so that they can fade together when the link is lost."""

    FITTED: ClassVar[bool] = False
    """Whether the height follows the number of lines, within the bounds of the style sheet. (An automatic height would
    do the same, but Textual caches it too well when lines change before the first layout is done.)"""

    def __init__(self, sight: Sight, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.sight = sight
        self._drawn: tuple[Line, ...] = ()
        self._cursor_line: int | None = None
        self._tones: frozenset[str] = frozenset()

    @property
    def store(self) -> Store:
        return self.sight.store

    def lines(self, width: int, height: int) -> Sequence[Line]:
        raise NotImplementedError

    def cursor_line(self) -> int | None:
        """Which of the lines is to be marked as the selected one."""
        return None

    def pull(self) -> None:
        """Look at the store; repaint the lines that have changed, so that a slow connection carries nothing else."""
        size = self.content_size
        if not size.width:
            return
        drawn, cursor_line = self.look(size.width, size.height)
        changed = self._changed(drawn, cursor_line)
        self._drawn, self._cursor_line = drawn, cursor_line
        if self.FITTED:
            self.styles.height = max(len(drawn), 1) + self.gutter.height
        if changed:
            self.refresh(*(Region(0, row, size.width, 1) for row in changed))

    def look(self, width: int, height: int) -> tuple[tuple[Line, ...], int | None]:
        """What is drawn, and which line of it is marked; whatever the store holds, this raises nothing."""
        try:
            return tuple(harmless(each) for each in self.lines(width, height)), self.cursor_line()
        except Exception as error:  # noqa: BLE001 - one picture that fails must not take the kill key with it
            return tuple(wrapped(f"cannot be drawn: {error!r}", width, Tone.ALARM))[: max(height, 1)], None

    def _changed(self, drawn: tuple[Line, ...], cursor_line: int | None) -> list[int]:
        rows = enumerate(zip_longest(self._drawn, drawn))
        moved = () if cursor_line == self._cursor_line else (self._cursor_line, cursor_line)
        return [row for row, (before, after) in rows if before != after or row in moved]

    def on_mount(self) -> None:
        self.call_after_refresh(self.pull)

    def on_resize(self) -> None:
        self.pull()

    @property
    def text(self) -> str:
        """What is on the glass, for tests and for copying."""
        return "\n".join(plain(drawn) for drawn in self._drawn)

    def render(self) -> Content:
        styles: dict[str, Style] = {}  # asked for once per picture: a tone may look otherwise in the next
        return Content("\n").join(self._content(number, drawn, styles) for number, drawn in enumerate(self._drawn))

    def _content(self, number: int, drawn: Line, styles: dict[str, Style]) -> Content:
        def style(name: str) -> Style:
            if name not in styles:
                styles[name] = self._style(name)
            return styles[name]

        content = Content.assemble(*((span.text, style(f"tone--{span.tone}")) for span in drawn))
        under = self._under(number, drawn)
        if under is None:
            return content
        filled = content.pad_right(max(self.content_size.width - content.cell_length, 0))
        return filled.stylize_before(style(under))

    def _under(self, number: int, drawn: Line) -> str | None:
        """What lies under a whole line, where something does."""
        if number == self._cursor_line:
            return "tone--cursor"
        return "tone--bar" if drawn and drawn[0].tone is Tone.HEAD else None

    def _get_component_classes(self) -> frozenset[str]:  # type: ignore[override]  # of the class, says Textual
        """Of twenty tones those that this panel has drawn.

        Textual works out every one of every panel whenever a class of the screen changes, which was two thirds of what
        a terminal took to start.
        """
        return self._tones

    def _style(self, name: str) -> Style:
        """Only what the style sheet says of that name: a partial visual style would drop opaque backgrounds."""
        if name not in self._tones:
            self._tones |= {name}
            drawn_with = DOMNode(classes=name)
            drawn_with._attach(self)  # noqa: SLF001 - as Textual makes its own
            self.app.stylesheet.apply(drawn_with)
            self._component_styles[name] = drawn_with.styles
        styles = self.get_component_styles(name)
        return Style(
            background=styles.background if styles.has_rule("background") else None,
            foreground=styles.color if styles.has_rule("color") else None,
            bold=styles.text_style.bold,
            dim=styles.text_style.dim,
            strike=styles.text_style.strike,
        )


class Said(Panel):
    """What a question says, and later what became of the order. However long: field and keys below it stay in sight."""

    DEFAULT_CLASSES = ""
    FITTED = True
    given = False
    """Whether the order has been given: then there is no field any more."""

    def look(self, width: int, height: int) -> tuple[tuple[Line, ...], int | None]:
        drawn, cursor_line = super().look(width, height)
        return tuple(within(drawn, self._room())), cursor_line

    def _room(self) -> int:
        if not self.is_attached:
            return _FRAME
        top = max((each.region.bottom for each in self.screen.query("TruthBar, Strip")), default=0)
        window = int((self.app.size.height - top) * _WINDOW_SHARE)
        return window - _FRAME - (0 if self.given else _FIELD)
