"""A list of any length, of which only what is on the screen is ever drawn."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

__all__ = ["Lines"]

_TWICE = 2


class Lines(ScrollView, can_focus=True):
    """Lines with a cursor, moved by keys and mouse."""

    DEFAULT_CSS = "Lines { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "jump(0)", show=False),
        Binding("end,G", "jump(-1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    cursor = reactive(0, repaint=False)
    """The line that the cursor is on."""

    _chosen_by_click = False

    class _About(Message):
        """Something about the line that the cursor is on."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> Lines:
            """The list."""
            return self.lines

    class Moved(_About):
        """The cursor is on another line."""

    class Chosen(_About):
        """Enter was pressed, or a line was clicked that the cursor was on."""

    @abstractmethod
    def length(self) -> int:
        """Return how many lines there are."""

    @abstractmethod
    def draw(self, index: int, width: int) -> Text:
        """Return one line, in so many columns."""

    def renew(self) -> None:
        """Show lines that have changed."""
        self.virtual_size = Size(0, self.length())
        self.cursor = self.validate_cursor(self.cursor)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a line of the screen."""
        width, index = self.scrollable_content_region.width, self.scroll_offset.y + y
        if index >= self.length():
            return Strip.blank(width)
        text = self.draw(index, width)
        text.truncate(width, overflow="ellipsis", pad=True)
        if index == self.cursor:
            text.stylize("reverse" if self.has_focus else "underline")
        return Strip(text.render(self.app.console), width)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a line."""
        return max(0, min(cursor, self.length() - 1))

    def watch_cursor(self) -> None:
        """Keep the cursor in sight, and tell that it moved."""
        self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved(self))

    def action_move(self, by: int) -> None:
        """Go up or down."""
        self.cursor += by

    def action_page(self, by: int) -> None:
        """Go up or down by what is on the screen."""
        self.cursor += by * max(1, self.scrollable_content_region.height - 1)

    def action_jump(self, to: int) -> None:
        """Go to the first line, or the last (-1)."""
        self.cursor = to if to >= 0 else self.length() - 1

    def action_choose(self) -> None:
        """Tell that a line was chosen."""
        if self.length():
            self.post_message(self.Chosen(self))

    def on_click(self, event: Click) -> None:
        """Go to a line; one that the cursor is on, or that is clicked twice, is chosen."""
        offset = event.get_content_offset(self)
        index = self.scroll_offset.y + offset.y if offset else self.length()
        if index >= self.length():
            return
        again, self.cursor = index == self.cursor, index
        if event.chain == 1:
            self._chosen_by_click = again
        if again and (event.chain == 1 or (event.chain == _TWICE and not self._chosen_by_click)):
            self.action_choose()
