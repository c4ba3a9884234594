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

__all__ = ["TextLines", "TextScreen", "wrapped"]

_BESIDE = 6
"""Columns of a window that are not its text's."""
_LEAST = 20


def wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Yield lines that have room; what is wider goes on in the next line."""
    for line in lines:
        yield from chop_cells(line, max(_LEAST, width)) or [""]


def _wrapped_words(lines: Iterable[str], width: int) -> Iterator[str]:
    """Do the same, and break at a blank where there is one in the last third."""
    for line in lines:
        left = line
        while len(parts := chop_cells(left, max(_LEAST, width))) > 1:
            first = parts[0]
            blank = first.rfind(" ", 2 * len(first) // 3)
            end = blank + 1 if blank >= 0 else len(first)
            yield left[:end]
            left = left[end:]
        yield left


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
    """Shows some lines under a title."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Close")]

    def __init__(self, title: str, lines: Iterable[str]) -> None:
        super().__init__()
        self._heading, self._lines = title, list(lines)

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = self._heading
            window.border_subtitle = "Esc: close"
            width = min(110, int(self.app.size.width * 0.96)) - _BESIDE
            yield TextLines(_wrapped_words(self._lines, width))

    def on_mount(self) -> None:
        """Measure the text."""
        for lines in self.query(TextLines):
            lines.renew()
            lines.focus()
