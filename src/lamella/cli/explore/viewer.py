"""The window that shows a file's content: text, or bytes in hex, as far as the user scrolls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from lamella.cli.explore.lines import Lines
from lamella.cli.explore.windows import wrapped
from lamella.errors import LamellaError
from lamella.report.text import human_size, printable
from lamella.tar.entry import path_text

__all__ = ["ViewScreen", "hex_line", "is_text"]

MOST = 4 << 20
"""Bytes of a file that are shown; the rest is there for who saves it."""
_AHEAD = 200
"""Lines below the screen that are read before anybody scrolls there."""
_LONGEST = 1 << 18
"""Bytes of a line that is shown before its end is read."""
_BYTES = 16
_BESIDE = 5
_HEX_COLUMNS = 78
_BAR = 60
"""Where the letters of a line in hex begin: with a bar."""


def is_text(start: bytes) -> bool:
    """Whether a file that begins so is text: UTF-8 without NUL."""
    if b"\0" in start:
        return False
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


def hex_line(row: bytes, at: int) -> str:
    """Return sixteen bytes, or the last ones, as `hexdump -C` shows those at an offset."""
    digits = f"{row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}"
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - ASCII
    return f"{at:08x}  {digits}  |{letters}|"


def _unbarred(line: str) -> str:
    return line[:_BAR] + line[_BAR + 1 : -1]


class _Content(Lines):
    """What of a file has been read, as text or in hex."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()
        self.lines: list[str] = []
        self.hexed = False
        self._done = 0
        """Bytes of which there are lines."""
        self._complete = False

    def length(self) -> int:
        """Return how many lines there are."""
        return -(-len(self.data) // _BYTES) if self.hexed else len(self.lines)

    def draw(self, index: int, width: int) -> Text:
        """Draw a line."""
        if self.hexed:
            at = index * _BYTES
            line = hex_line(bytes(self.data[at : at + _BYTES]), at)
            # Without its bars a line has room in 80 columns, beside borders and the scrollbar.
            return Text(line if width >= _HEX_COLUMNS else _unbarred(line), no_wrap=True)
        return Text(self.lines[index], no_wrap=True)

    def take(self, chunk: bytes, *, last: bool) -> None:
        """Add what was read."""
        first = not self.data
        self.data += chunk
        if first:
            self.hexed = not is_text(chunk)
        self._complete = last or len(self.data) - self._done > _LONGEST
        if not self.hexed:
            self.lay()

    def lay(self) -> None:
        """Make lines of what is complete."""
        end = len(self.data) if self._complete else self.data.rfind(b"\n") + 1
        if end <= self._done:
            return
        text = path_text(bytes(self.data[self._done : end]))
        self._done = end
        rows = (printable(row.expandtabs()) for row in text.removesuffix("\n").split("\n"))
        self.lines += wrapped(rows, self.app.size.width - _BESIDE)


class ViewScreen(ModalScreen[None]):
    """Shows a file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "dismiss", "Close"),
        Binding("t", "turn", "Text or hex"),
    ]

    def __init__(self, title: str, size: int, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._heading, self._whole, self._chunks = title, size, chunks
        self._ended = False
        self._reading = threading.Lock()

    def compose(self) -> ComposeResult:
        """Lay it out."""
        self._content = _Content()
        self._content.border_title = self._heading
        yield self._content
        self._state = Static("reading", id="viewed", markup=False)
        yield self._state

    def on_mount(self) -> None:
        """Read the first part."""
        self._content.focus()
        self._read_on()

    @on(Lines.Moved)
    def _moved(self) -> None:
        self._show_state()
        if self._content.cursor + self._content.size.height + _AHEAD > self._content.length():
            self._read_on()

    @work(thread=True, group="read")
    def _read_on(self) -> None:
        if self._ended or not self._reading.acquire(blocking=False):
            return
        try:
            chunk = next(self._chunks, b"")
            full = len(self._content.data) + len(chunk) >= MOST
            last = full or not chunk or len(self._content.data) + len(chunk) >= self._whole
            self.app.call_from_thread(self._take, chunk, last=last)
        except LamellaError as error:
            self._ended = True
            self.app.call_from_thread(self._state.update, printable(str(error)))
        finally:
            self._reading.release()

    def _take(self, chunk: bytes, *, last: bool) -> None:
        self._ended = last
        self._content.take(chunk, last=last)
        self._content.renew()
        self._show_state()
        if not last and self._content.length() < self._content.size.height:
            self.call_later(self._read_on)

    def _show_state(self) -> None:
        read = len(self._content.data)
        kind = "hex" if self._content.hexed else "text"
        if self._ended and read < self._whole:
            amount = f"the first {human_size(read)} of {human_size(self._whole)}; x saves all of it"
        else:
            amount = human_size(self._whole)
        self._state.update(f"{kind}, {amount}   t: text or hex   Esc: close")

    def action_turn(self) -> None:
        """Show text in hex, or the other way round."""
        self._content.hexed = not self._content.hexed
        if not self._content.hexed:
            self._content.lay()
        self._content.cursor = 0
        self._content.renew()
        self._show_state()
