"""Paths that are marked to be left out of the next squash, and the window that lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from lamella.cli.explore.lines import Lines
from lamella.cli.explore.texts import shown
from lamella.report.leaving import exclude_patterns
from lamella.report.text import count_of, human_size

__all__ = ["LeftOut", "LeftOutScreen"]

Sizes = Mapping[int, int]
"""Live bytes by layer, counted from 1."""


class LeftOut:
    """Which paths are marked; none of them is in another one."""

    def __init__(self, live: Callable[[bytes], Sizes]) -> None:
        """Mark nothing yet.

        Args:
            live: returns what the image shows of a path.
        """
        self._live = live
        self._sizes: dict[bytes, Sizes] = {}

    def __len__(self) -> int:
        """Return how many are marked."""
        return len(self._sizes)

    def __iter__(self) -> Iterator[bytes]:
        """Yield those that are marked, in order."""
        yield from sorted(self._sizes)

    def above(self, path: bytes) -> bytes | None:
        """Return the marked path that a path is, or is in; None: it stays."""
        while path and self._sizes:
            if path in self._sizes:
                return path
            path = path.rpartition(b"/")[0]
        return None

    def toggle(self, path: bytes) -> str:
        """Mark a path, or unmark it; return why that can't be, or nothing."""
        above = self.above(path)
        if above == path:
            del self._sizes[path]
            return ""
        if above is not None:
            return f"/{shown(above)} is left out with all in it; unmark that"
        sizes = self._live(path)
        if not sizes:
            return f"the image does not show /{shown(path)}; a squash removes its bytes"
        for below in [one for one in self._sizes if one.startswith(path + b"/")]:
            del self._sizes[below]
        self._sizes[path] = sizes
        return ""

    def size(self, path: bytes) -> int:
        """Return the live bytes of one that is marked."""
        return sum(self._sizes[path].values())

    def layers(self, path: bytes) -> list[int]:
        """Return which layers have them."""
        return [*self._sizes[path]]

    @property
    def total(self) -> int:
        """The live bytes of all."""
        return sum(map(self.size, self._sizes))

    @property
    def first(self) -> int:
        """The lowest layer that has any of them; there are some."""
        return min(layer for sizes in self._sizes.values() for layer in sizes)

    @property
    def last(self) -> int:
        """The highest layer that has any of them; there are some."""
        return max(layer for sizes in self._sizes.values() for layer in sizes)

    @property
    def patterns(self) -> list[str]:
        """What `--exclude` is given."""
        return exclude_patterns(self._sizes)

    def text(self) -> str:
        """Say how many there are, and how big."""
        return f"{count_of(len(self), 'path')} left out, {human_size(self.total)}"

    def told(self, first: int) -> list[str]:
        """Say what a squash from a layer on leaves out, and what ships all the same."""
        if not self._sizes:
            return []
        kept: dict[int, int] = {}
        for sizes in self._sizes.values():
            for layer, size in sizes.items():
                if layer < first:
                    kept[layer] = kept.get(layer, 0) + size
        gone = self.total - sum(kept.values())
        lines = [f"leaves out {count_of(len(self), 'path')}: {human_size(gone)} less"]
        if kept:
            still = human_size(sum(kept.values()))
            layers = ", ".join(map(str, sorted(kept)))
            which = f"layer {layers} is" if len(kept) == 1 else f"layers {layers} are"
            lines.append(f"{which} kept, with {still} of these files: mark from layer {min(kept)}")
        return lines


class _LeftOutList(Lines):
    """Marked paths, each with its bytes and its layers."""

    def __init__(self, marks: LeftOut) -> None:
        super().__init__()
        self._marks = marks

    @property
    def chosen(self) -> bytes:
        """What the cursor is on."""
        chosen: bytes = [*self._marks][self.cursor]
        return chosen

    def length(self) -> int:
        """Return how many lines there are."""
        return len(self._marks)

    def draw(self, index: int, width: int) -> Text:
        """Draw a path."""
        del width
        path = [*self._marks][index]
        layers = ", ".join(map(str, self._marks.layers(path)))
        return Text(f"{human_size(self._marks.size(path)):>8}  {layers:<12} /{shown(path)}")


class LeftOutScreen(ModalScreen[bytes | None]):
    """What is marked; returns the path that is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,E", "dismiss", "Close"),
        Binding("e", "unmark", "Unmark"),
    ]

    def __init__(self, marks: LeftOut) -> None:
        super().__init__()
        self._marks = marks

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = "Left out"
            window.border_subtitle = "e: unmark   Enter: go there   Esc: close"
            yield Static("", id="state", markup=False)
            yield Static("    live  in layers    path", markup=False)
            yield _LeftOutList(self._marks)

    def on_mount(self) -> None:
        """Measure the list."""
        self._show()
        self.query_one(_LeftOutList).focus()

    def _show(self) -> None:
        self.query_one("#state", Static).update(
            self._marks.text() if self._marks else "Nothing is marked: e marks a file in the tree."
        )
        self.query_one(_LeftOutList).renew()

    def action_unmark(self) -> None:
        """Keep the path that the cursor is on."""
        if self._marks:
            self._marks.toggle(self.query_one(_LeftOutList).chosen)
            self._show()

    @on(Lines.Chosen)
    def _go(self, event: Lines.Chosen) -> None:
        event.stop()
        if self._marks:
            self.dismiss(self.query_one(_LeftOutList).chosen)
