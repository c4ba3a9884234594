"""The window that squashes a range: asks what the result is called, and shows how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, ProgressBar, Static

from lamella.analysis.model import Saving
from lamella.errors import LamellaError
from lamella.operations.result import Result
from lamella.progress import Progress
from lamella.report.text import human_size, printable, summary

__all__ = ["SquashScreen", "Work", "saving_text"]

Work = Callable[[Saving, str, str, Progress], Result]
"""Squashes a range: into an image with this tag, in this place; both may be empty."""
_REFRESH_SECONDS = 0.1


def saving_text(saving: Saving) -> str:
    """Say what squashing a range would bring."""
    if saving.first == saving.last:
        return f"layer {saving.first} alone: nothing to squash; mark one more"
    sizes = f"{human_size(saving.before)} → {human_size(saving.after)}"
    saved = "saves" if saving.saved >= 0 else "costs"
    return (
        f"layers {saving.first}-{saving.last} → 1: {sizes}, {saved} {human_size(abs(saving.saved))}"
    )


class _Stopped(KeyboardInterrupt):
    """The user wants no more of it."""


class _Watched:
    """Progress that somebody looks at now and then. Calls come from any thread."""

    def __init__(self) -> None:
        self.name, self.done = "", 0
        self.total: int | None = None
        self.notes: list[str] = []
        self.stop = threading.Event()
        self._lock = threading.Lock()

    def phase(self, name: str, total: int | None = None) -> None:
        """A new phase begins."""
        self._heed()
        with self._lock:
            self.name, self.done, self.total = name, 0, total

    def advance(self, amount: int) -> None:
        """So many more bytes are done."""
        self._heed()
        with self._lock:
            self.done += amount

    def note(self, message: str) -> None:
        """Keep it for the end."""
        self.notes.append(message)

    def debug(self, message: str) -> None:
        """Nobody asked."""

    def _heed(self) -> None:
        if self.stop.is_set():
            raise _Stopped


class SquashScreen(ModalScreen[None]):
    """Asks for a tag and a place, squashes with a proof, and tells what came of it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "cancel", "Cancel")]

    def __init__(
        self, saving: Saving, job: Work, done: Callable[[Result], None], tag: str, output: str
    ) -> None:
        super().__init__()
        self._saving, self._job, self._done = saving, job, done
        self._tag, self._output = tag, output
        self._watched: _Watched | None = None
        self._finished = False
        self._leaving = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = "Squash"
            yield Static(saving_text(self._saving), markup=False)
            tag, output = Input(self._tag, id="tag"), Input(self._output, id="output")
            tag.border_title = "tag of the new image"
            output.border_title = "where it goes; empty: where the image came from"
            yield tag
            yield output
            yield Static("", id="state", markup=False)
            yield ProgressBar(id="bar", show_eta=False)
            with Horizontal(classes="buttons"):
                yield Button("Squash", variant="primary", id="squash", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Hide the bar for now."""
        self.query_one(ProgressBar).display = False
        self.set_interval(_REFRESH_SECONDS, self._look)

    @on(Input.Submitted, "#tag")
    def _next(self) -> None:
        self.query_one("#output", Input).focus()

    @on(Input.Submitted, "#output")
    @on(Button.Pressed, "#squash")
    def _start(self) -> None:
        if self._watched is not None or self._finished:
            return
        tag, output = (
            self.query_one(f"#{name}", Input).value.strip() for name in ("tag", "output")
        )
        self._watched = _Watched()
        self._set_busy(busy=True)
        self._squash(tag, output, self._watched)

    @work(thread=True)
    def _squash(self, tag: str, output: str, watched: _Watched) -> None:
        result: Result | None = None
        try:
            result = self._job(self._saving, tag, output, watched)
            text = "\n".join(map(printable, [*summary(result), *watched.notes]))
        except KeyboardInterrupt:
            text = "stopped; nothing was left behind"
        except (LamellaError, OSError) as error:
            text = printable(" ".join(str(error).splitlines()))
        self.app.call_from_thread(self._ended, result, text)

    def _ended(self, result: Result | None, text: str) -> None:
        self._watched, self._finished = None, result is not None
        self._set_busy(busy=False)
        self.query_one("#state", Static).update(text)
        if self._leaving:
            self.app.exit()
        if result is not None:
            self._done(result)
            self.query_one("#squash", Button).display = False
            close = self.query_one("#cancel", Button)
            close.label = "Close"
            close.focus()

    def _set_busy(self, *, busy: bool) -> None:
        for widget in self.query("Input, #squash"):
            widget.disabled = busy or self._finished
        self.query_one(ProgressBar).display = busy

    def _look(self) -> None:
        """Show how far it is."""
        watched = self._watched
        if watched is None:
            return
        word = "stopping" if watched.stop.is_set() else watched.name
        self.query_one("#state", Static).update(word)
        self.query_one(ProgressBar).update(total=watched.total, progress=watched.done)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Stop what runs; else close the window."""
        if self._watched is not None:
            self._watched.stop.set()
        else:
            self.dismiss()

    def leave(self) -> bool:
        """Whether the app can be left at once; else it ends when what runs has stopped."""
        if self._watched is None:
            return True
        self._leaving = True
        self._watched.stop.set()
        return False
