"""Windows that show text: of any length, wrapped, drawn as far as it is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.cells import chop_cells
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from lamella.cli.explore.lines import Lines
from lamella.report.details import Line

__all__ = ["TextLines", "TextScreen", "wrapped"]

_BESIDE = 6
"""Columns of a window that are not its text's."""
_LEAST = 20


def wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yield lines that have room; what is wider goes on in the next line."""
    for line in lines:
        yield from chop_cells(line, max(_LEAST, width)) or [""]


def _wrapped_words(lines: Iterable[Line], width: int) -> Iterator[str]:
    """Do the same below where the value of a line begins; break at a blank in the last third."""
    width = max(_LEAST, width)
    for line in lines:
        start, left = "", line.text
        indent = " " * min(line.indent, width // 2)
        while len(parts := chop_cells(left, width - len(start))) > 1:
            first = parts[0]
            blank = first.rfind(" ", 2 * len(first) // 3)
            end = blank + 1 if blank >= 0 else len(first)
            yield start + left[:end]
            start, left = indent, left[end:]
        yield start + left


class TextLines(Lines):
    """Lines of safe text."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        super().__init__()
        self.lines = list(lines)

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self.lines)

    def draw(self, index: int, width: int) -> Text:
        """Draw a line."""
        del width
        return Text(self.lines[index], no_wrap=True)


class TextScreen(ModalScreen[None]):
    """Shows some lines under a title; values that are hidden in them can be shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close"),
        Binding("r", "reveal", show=False),
    ]

    def __init__(self, title: str, lines: Iterable[Line], revealed: Iterable[Line] = ()) -> None:
        super().__init__()
        self._heading, self._lines, self._other = title, list(lines), list(revealed)
        if self._other == self._lines:
            self._other = []
        self._revealed = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        self._window = Vertical(classes="window wide")
        with self._window:
            self._window.border_title = self._heading
            self._text = TextLines()
            yield self._text

    def on_mount(self) -> None:
        """Measure the text."""
        self._show("show")
        self._text.focus()

    def _show(self, verb: str) -> None:
        width = min(110, int(self.app.size.width * 0.96)) - _BESIDE
        self._text.lines = list(_wrapped_words(self._lines, width))
        self._text.renew()
        reveal = f"r: {verb} hidden values   " if self._other else ""
        self._window.border_subtitle = f"{reveal}Esc: close"

    def action_reveal(self) -> None:
        """Show the hidden values, or hide them again."""
        if self._other:
            self._lines, self._other = self._other, self._lines
            self._revealed = not self._revealed
            self._show("hide" if self._revealed else "show")
