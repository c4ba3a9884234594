"""Progress on stderr: a bar on a terminal, plain lines in a log, nothing when asked for nothing."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from lamella.cli.failures import in_options
from lamella.cli.terminal import line, tell
from lamella.report.text import human_size

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as RichProgress
    from rich.progress import Task, TaskID

__all__ = ["Reporter", "make_reporter"]

_QUIET_SECONDS = 1.0  # what is over before that needs no progress
_LOG_SECONDS = 10.0


class Reporter(AbstractContextManager["Reporter"]):
    """Says notes and, where asked for, debug lines; shows no progress."""

    def __init__(self, *, quiet: bool = False, verbose: int = 0) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the display."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A new phase begins."""

    def advance(self, amount: int) -> None:
        """So many more bytes are done."""

    def note(self, message: str) -> None:
        """Print a line, unless quiet."""
        if not self._quiet:
            self._line(in_options(message))

    def debug(self, message: str) -> None:
        """Print a line if asked to be verbose."""
        if self._verbose:
            self._line(in_options(message))

    def _line(self, message: str) -> None:
        tell(message)


class PlainReporter(Reporter):
    """One line a phase, and one every ten seconds."""

    def __init__(self, *, quiet: bool, verbose: int, at_once: bool) -> None:
        super().__init__(quiet=quiet, verbose=verbose)
        self._delay = 0.0 if at_once else _QUIET_SECONDS
        self._name, self._done = "", 0
        self._total: int | None = None
        self._told = 0.0
        self._lock = threading.Lock()

    def phase(self, name: str, total: int | None = None) -> None:
        """Print its name and size."""
        with self._lock:
            self._name, self._done = name, 0
            self._total = total
            self._told = now = time.monotonic()
            if now - self._started >= self._delay:
                self._line(name)

    def advance(self, amount: int) -> None:
        """Print how far it is, now and then."""
        with self._lock:
            self._done += amount
            now = time.monotonic()
            if now - self._told < _LOG_SECONDS:
                return
            self._told = now
            share = f" of {human_size(self._total)}" if self._total else ""
            self._line(f"{self._name}: {human_size(self._done)}{share}")


class BarReporter(Reporter):
    """A bar for each phase, drawn by Rich."""

    def __init__(self, *, quiet: bool, verbose: int) -> None:
        super().__init__(quiet=quiet, verbose=verbose)
        self._rich: RichProgress | None = None
        self._task: TaskID | None = None
        self._lock = threading.Lock()

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        if self._rich is not None:
            self._rich.stop()

    def phase(self, name: str, total: int | None = None) -> None:
        """Start a new bar in the place of the old one."""
        with self._lock:
            if self._rich is None:
                self._rich = _make_bar()
            if self._task is not None:
                self._rich.remove_task(self._task)
            self._task = self._rich.add_task(line(name), total=total)

    def advance(self, amount: int) -> None:
        """Move the bar."""
        if self._rich is not None and self._task is not None:
            self._rich.advance(self._task, amount)

    def _line(self, message: str) -> None:
        if self._rich is not None:
            self._rich.console.print(line(message), markup=False, highlight=False)
        else:
            super()._line(message)


def _make_bar() -> RichProgress:
    # Rich takes a tenth of a second to import: not before it is needed.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class IfKnown(ProgressColumn):
        """A column for work of which it is known how much it is, once some of it is done."""

        def __init__(self, column: ProgressColumn) -> None:
            super().__init__()
            self._column = column

        def render(self, task: Task) -> RenderableType:
            is_known = task.total is not None and task.completed
            return self._column.render(task) if is_known else Text("")

    figures = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        *map(IfKnown, figures),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar


def make_reporter(mode: str, *, quiet: bool, verbose: int) -> Reporter:
    """Choose how progress is shown.

    Args:
        mode: ``auto``, ``plain`` or ``none``.
        quiet: say nothing but errors.
        verbose: how much to say; 1 and more: debug lines.
    """
    if quiet or mode == "none":
        return Reporter(quiet=quiet, verbose=verbose)
    if mode == "plain":
        return PlainReporter(quiet=quiet, verbose=verbose, at_once=True)
    if sys.stderr.isatty():
        return BarReporter(quiet=quiet, verbose=verbose)
    return PlainReporter(quiet=quiet, verbose=verbose, at_once=False)
