"""The tree of files: directories are looked into when they are opened."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding, BindingType

from lamella.analysis.browse import (
    BY_CHANGE,
    EVERYTHING,
    ORDERS,
    Filter,
    Order,
    Row,
    SearchResult,
    View,
)
from lamella.cli.explore.leaving import LeftOut
from lamella.cli.explore.lines import Lines
from lamella.cli.explore.texts import row_text

__all__ = ["FileTree", "FoundList"]


_KEYS = (
    "e Exclude  v View  x Save  y Copy  d Details  o Sort: {order}",
    "e Exclude  v View  x Save  y Copy  o Sort: {order}",
    "e Exclude  v View  x Save  y Copy  o Sort",
    "e Exclude  v View  x Save  y Copy",
)
"""What can be done with a row: as many words as there is room for."""
_CORNERS = 6
"""Columns of a border that have no text: at each end a corner, a line and a blank."""


class _FileLine(NamedTuple):
    depth: int
    folder: bytes
    row: Row

    @property
    def path(self) -> bytes:
        return self.row.path(self.folder)


class FileTree(Lines):
    """What a layer did to each directory and file; or the files of the image."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "open", show=False),
        Binding("left,h", "close", show=False),
    ]

    def __init__(self, marks: LeftOut) -> None:
        super().__init__(id="files")
        self._marks = marks
        self._lines: list[_FileLine] = []
        self._open: set[bytes] = set()
        self._view: View | None = None
        self._wanted, self._image = EVERYTHING, False
        self.order: Order = BY_CHANGE
        """In which its rows come."""

    @property
    def at_hand(self) -> tuple[bytes, Row] | None:
        """The row that the cursor is on, after the directory that it is in."""
        if not self._lines:
            return None
        line = self._lines[self.cursor]
        return line.folder, line.row

    def keys_text(self, before: str) -> str:
        """Return what can be done with a row, in as many words as the border has room for."""
        room = self.outer_size.width - _CORNERS
        texts = [before + keys.format(order=self.order.name) for keys in _KEYS]
        return next((text for text in texts if len(text) <= room), texts[-1])

    def sort(self) -> None:
        """Take the next order."""
        path = self.path
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self._lines = self._below(b"", 0)
        self.cursor = self._find(path)
        self.renew()

    @property
    def path(self) -> bytes:
        """What the cursor is on."""
        return self._lines[self.cursor].path if self._lines else b""

    def show(self, view: View, wanted: Filter, *, image: bool) -> None:
        """Show another view, with the same directories open and the cursor on the same path."""
        path = self.path
        self._view, self._wanted, self._image = view, wanted, image
        self._lines = self._below(b"", 0)
        self.cursor = self._find(path)
        self.renew()

    def reveal(self, path: bytes) -> None:
        """Open the directories that a path is in, and go to it."""
        folder = path
        while folder := folder.rpartition(b"/")[0]:
            self._open.add(folder)
        self._lines = self._below(b"", 0)
        self.renew()
        self.cursor = self._find(path)

    def _find(self, path: bytes) -> int:
        return next((i for i, line in enumerate(self._lines) if line.path == path), 0)

    def _below(self, folder: bytes, depth: int) -> list[_FileLine]:
        """Return the lines of what is in a directory, and in those open in it."""
        lines = []
        for row in self._view.rows(folder, self._wanted, self.order) if self._view else ():
            line = _FileLine(depth, folder, row)
            lines.append(line)
            if row.directory and self._open and line.path in self._open:
                lines += self._below(line.path, depth + 1)
        return lines

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self._lines)

    def draw(self, index: int, width: int) -> Text:
        """Draw a row, as far in as it is deep."""
        line = self._lines[index]
        arrow = "  "
        if line.row.directory:
            arrow = "▾ " if line.path in self._open else "▸ "
        indent = "  " * line.depth + arrow
        out = self._marks.above(line.path) is not None
        return row_text(indent, line.row.name, line.row, width, image=self._image, left_out=out)

    def action_open(self) -> None:
        """Open a directory; in one that is open go to the first row."""
        if not self._lines:
            return
        line = self._lines[self.cursor]
        if not line.row.directory:
            return
        if line.path in self._open:
            self.cursor += 1
            return
        self._open.add(line.path)
        at = self.cursor + 1
        self._lines[at:at] = self._below(line.path, line.depth + 1)
        self.renew()

    def action_close(self) -> None:
        """Close a directory; from what isn't an open one go to the directory it is in."""
        if not self._lines:
            return
        line = self._lines[self.cursor]
        if not (line.row.directory and line.path in self._open):
            if line.folder:
                self.cursor = self._find(line.folder)
            return
        self._open.discard(line.path)
        end = self.cursor + 1
        while end < len(self._lines) and self._lines[end].depth > line.depth:
            end += 1
        del self._lines[self.cursor + 1 : end]
        self.renew()

    def action_choose(self) -> None:
        """Open a directory, or close it."""
        if self._lines and self.path in self._open:
            self.action_close()
        else:
            self.action_open()


class FoundList(Lines):
    """What a search found, with whole paths."""

    BORDER_SUBTITLE = _KEYS[-1]

    def __init__(self, marks: LeftOut) -> None:
        super().__init__(id="found")
        self._marks = marks
        self._rows: list[tuple[bytes, Row]] = []
        self._image = False

    @property
    def at_hand(self) -> tuple[bytes, Row] | None:
        """The row that the cursor is on, after the directory that it is in."""
        return self._rows[self.cursor] if self._rows else None

    @property
    def path(self) -> bytes:
        """What the cursor is on."""
        if not self._rows:
            return b""
        folder, row = self._rows[self.cursor]
        return row.path(folder)

    def show(self, found: SearchResult, *, image: bool) -> None:
        """Show what was found."""
        self._rows, self._image = found.rows, image
        self.cursor = 0
        self.renew()

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self._rows)

    def draw(self, index: int, width: int) -> Text:
        """Draw a row."""
        folder, row = self._rows[index]
        path = row.path(folder)
        out = self._marks.above(path) is not None
        return row_text("", path, row, width, image=self._image, left_out=out)
