"""The window that squashes a range: asks what the result is called, and shows how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, ProgressBar, Static

from lamella import api
from lamella.analysis.model import Saving
from lamella.errors import Cancelled, LamellaError
from lamella.operations.result import Result
from lamella.report.text import human_size, printable, summary
from lamella.transport.environment import Environment
from lamella.transport.location import Suggestion

__all__ = ["SquashScreen", "Squasher", "saving_text"]

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


@dataclass(frozen=True)
class Squasher:
    """Squashes layers of the image that is shown."""

    image: str
    platform: str | None
    env: Environment

    def squash(self, saving: Saving, tag: str, output: str, env: Environment) -> Result:
        """Squash a range into an image with this tag, in this place; both may be empty.

        Raises:
            LamellaError: it can't be done, or `env` was cancelled.
        """
        return api.squash(
            self.image,
            tag=[tag] if tag else [],
            layers=[f"{saving.first}-{saving.last}"],
            output=output or None,
            platform=self.platform,
            check=True,
            env=env,
        )


class _Watched:
    """Progress that is polled. Calls come from any thread."""

    def __init__(self) -> None:
        self.name, self.done = "", 0
        self.total: int | None = None
        self.notes: list[str] = []
        self._lock = threading.Lock()

    def phase(self, name: str, total: int | None = None) -> None:
        """A new phase begins."""
        with self._lock:
            self.name, self.done, self.total = name, 0, total

    def advance(self, amount: int) -> None:
        """So many more bytes are done."""
        with self._lock:
            self.done += amount

    def note(self, message: str) -> None:
        """Keep it for the end."""
        self.notes.append(message)

    def debug(self, message: str) -> None:
        """Show nothing: it is for who looks for a fault."""


@dataclass(frozen=True)
class _Attempt:
    env: Environment
    watched: _Watched


class SquashScreen(ModalScreen[None]):
    """Asks for a tag and a destination, squashes and verifies, and shows the result."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "cancel", "Cancel")]

    def __init__(
        self,
        saving: Saving,
        squasher: Squasher,
        done: Callable[[Result], None],
        suggestion: Suggestion,
    ) -> None:
        super().__init__()
        self._saving, self._squasher, self._done = saving, squasher, done
        self._suggestion = suggestion
        self._attempt: _Attempt | None = None
        self._finished = False
        self._leaving = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = "Squash"
            window.border_subtitle = "Tab: next   Esc: cancel"
            yield Static(saving_text(self._saving), markup=False)
            tag, output = (
                Input(getattr(self._suggestion, name), id=name) for name in ("tag", "output")
            )
            tag.border_title = "tag of the new image"
            output.border_title = "destination; empty: where the image is"
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
        if self._attempt is not None or self._finished:
            return
        tag, output = (
            self.query_one(f"#{name}", Input).value.strip() for name in ("tag", "output")
        )
        if output.startswith("docker://") and (tag, output) != self._suggestion:
            tag = "" if tag == self._suggestion.tag else tag  # the repository is another
        watched = _Watched()
        self._attempt = _Attempt(self._squasher.env.apart(watched), watched)
        self._set_busy(busy=True)
        self._squash(tag, output, self._attempt)

    @work(thread=True)
    def _squash(self, tag: str, output: str, attempt: _Attempt) -> None:
        result: Result | None = None
        try:
            result = self._squasher.squash(self._saving, tag, output, attempt.env)
            text = "\n".join(map(printable, [*summary(result), *attempt.watched.notes]))
        except Cancelled:
            text = "stopped; nothing was left behind"
        except (LamellaError, OSError) as error:
            text = printable(" ".join(str(error).splitlines()))
        self.app.call_from_thread(self._ended, result, text)

    def _ended(self, result: Result | None, text: str) -> None:
        self._attempt, self._finished = None, result is not None
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
        if self._attempt is None:
            return
        watched = self._attempt.watched
        word = "stopping" if self._attempt.env.connections.is_cancelled else watched.name
        self.query_one("#state", Static).update(word)
        self.query_one(ProgressBar).update(total=watched.total, progress=watched.done)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Stop what runs; else close the window."""
        if self._attempt is not None:
            self._attempt.env.cancel()
        else:
            self.dismiss()

    def leave(self) -> bool:
        """Whether the app can be left at once; else it ends when what runs has stopped."""
        if self._attempt is None:
            return True
        self._leaving = True
        self._attempt.env.cancel()
        return False
