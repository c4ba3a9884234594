"""Progress of many images on stderr: lines for those under way, and how many are done."""

from __future__ import annotations

import sys
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from lamella.cli.failures import in_options
from lamella.cli.terminal import line, say, tell
from lamella.progress import SILENT, Progress
from lamella.report.text import count_of, human_size

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from lamella.report.batch import Totals

__all__ = ["Board", "make_board"]


class Board(AbstractContextManager["Board"]):
    """Says notes and results; shows no progress. A `fleet.local.Watch`."""

    def __init__(self, *, quiet: bool = False, verbose: int = 0) -> None:
        self._quiet, self._verbose = quiet, verbose

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the display."""

    def begin(self, source: str) -> Progress:
        """Return what is told of one image: its notes, if asked to be verbose."""
        return _OneImage(self, source) if self._verbose else SILENT

    def end(self, source: str) -> None:
        """The image is over."""

    def count(self, totals: Totals, of: int) -> None:
        """So many images are done."""

    def result(self, text: str) -> None:
        """Print the line of an image, to standard output."""
        say(text)

    def note(self, message: str) -> None:
        """Print a line to standard error, unless quiet."""
        if not self._quiet:
            self._line(in_options(message))

    def _line(self, message: str) -> None:
        tell(message)


class _OneImage:
    """Progress of one image of many; a `progress.Progress`."""

    def __init__(self, board: Board, name: str) -> None:
        self._board, self._name = board, name

    def phase(self, name: str, total: int | None = None) -> None:
        """Say nothing: others are under way at the same time."""

    def advance(self, amount: int) -> None:
        """Say nothing."""

    def note(self, message: str) -> None:
        """Print a line."""
        self._board.note(f"{self._name}: {message}")

    def debug(self, message: str) -> None:
        """Print a line."""
        self._board.note(f"{self._name}: {message}")


class BarBoard(Board):
    """A bar for all images, and a line for each that is under way, drawn by Rich."""

    def __init__(self, *, quiet: bool, verbose: int) -> None:
        super().__init__(quiet=quiet, verbose=verbose)
        self._rich = _make_bars()
        self._all = self._rich.add_task("images", total=None)
        self._lines: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __exit__(self, *error: object) -> None:
        """Take the bars away."""
        self._rich.stop()

    def begin(self, source: str) -> Progress:
        """Show a line for the image."""
        with self._lock:
            self._lines[source] = self._rich.add_task(line(source), total=None)
        return super().begin(source)

    def end(self, source: str) -> None:
        """Take its line away."""
        with self._lock:
            self._rich.remove_task(self._lines.pop(source))

    def count(self, totals: Totals, of: int) -> None:
        """Move the bar of all images."""
        failed = f", {totals.states['failed']} failed" if totals.failed else ""
        told = f"images, {human_size(totals.saved)} saved{failed}"
        self._rich.update(self._all, total=of, completed=totals.images, description=told)

    def result(self, text: str) -> None:
        """Print above the bars, if standard output is the same terminal."""
        if sys.stdout is not None and sys.stdout.isatty():
            self._line(text)
        else:
            super().result(text)

    def _line(self, message: str) -> None:
        self._rich.console.print(line(message), markup=False, highlight=False)


class PlainBoard(Board):
    """One line every so many images, for logs."""

    _EVERY = 100

    def count(self, totals: Totals, of: int) -> None:
        """Print how far it is, now and then."""
        if totals.images % self._EVERY == 0:
            done = f"{totals.images} of {count_of(of, 'image')}"
            self.note(f"{done} done, {human_size(totals.saved)} saved")


def _make_bars() -> RichProgress:
    # Rich takes a tenth of a second to import: not before it is needed.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bars.start()
    return bars


def make_board(mode: str, *, quiet: bool, verbose: int) -> Board:
    """Choose how progress is shown; see `cli.progress.make_reporter`."""
    if quiet or mode == "none":
        return Board(quiet=quiet, verbose=verbose)
    if mode == "plain" or not sys.stderr.isatty():
        return PlainBoard(quiet=quiet, verbose=verbose)
    return BarBoard(quiet=quiet, verbose=verbose)
