"""The window that squashes a range: asks what the result is called, and shows how far it is."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, ProgressBar, Static

from lamella import api
from lamella.analysis.model import Analysis, Saving
from lamella.cli.explore.leaving import LeftOut
from lamella.errors import Cancelled, LamellaError
from lamella.operations.result import Result
from lamella.report.analyze import best_savings
from lamella.report.text import human_size, printable, summary
from lamella.transport.environment import Environment
from lamella.transport.location import Suggestion

__all__ = ["SquashScreen", "Squasher", "layers_to_squash", "saving_text"]

_REFRESH_SECONDS = 0.1


def _ends_text(saving: Saving) -> str:
    first, last = saving.first, saving.last
    return str(first) if first == last else f"{first}-{last}"


def saving_text(saving: Saving) -> str:
    """Say what squashing a range would bring."""
    if saving.first == saving.last:
        return f"layer {saving.first} alone: nothing to squash; mark one more"
    sizes = f"{human_size(saving.before)} → {human_size(saving.after)}"
    saved = "saves" if saving.saved >= 0 else "costs"
    return (
        f"layers {saving.first}-{saving.last} → 1: {sizes}, {saved} {human_size(abs(saving.saved))}"
    )


def layers_to_squash(
    analysis: Analysis, marked: tuple[int, int] | None, marks: LeftOut
) -> tuple[int, int] | None:
    """Return the first and the last layer to squash; None: nothing would come of it.

    If there is something to leave out, one layer is enough, and if none is marked the best range is
    taken; it goes up to the highest layer that would bring a path back.
    """
    if not marks:
        return marked if marked and marked[0] < marked[1] else None
    best = best_savings(analysis)
    ends = marked or ((best[0].first, best[0].last) if best else (marks.first, marks.last))
    return ends[0], max(ends[1], marks.last)


@dataclass(frozen=True)
class Squasher:
    """Squashes layers of the image that is shown."""

    image: str
    platform: str | None
    env: Environment

    def squash(
        self, saving: Saving, tag: str, output: str, exclude: Sequence[str], env: Environment
    ) -> Result:
        """Squash a range into an image with this tag, in this place; both may be empty.

        Args:
            saving: the range.
            tag: what the result is called.
            output: where it goes.
            exclude: patterns of what is left out.
            env: is told of the progress.

        Raises:
            LamellaError: it can't be done, or `env` was cancelled.
        """
        return api.squash(
            self.image,
            tag=[tag] if tag else [],
            layers=[_ends_text(saving)],
            output=output or None,
            platform=self.platform,
            exclude=exclude,
            check=True,
            env=env,
        )

    def command(self, saving: Saving, tag: str, output: str, exclude: Sequence[str]) -> str:
        """Return what to type for the same; the arguments are those of `squash`."""
        options = {"--platform": self.platform, "-t": tag, "-o": output}
        words = [
            *("lamella", "squash", self.image, "--layers", _ends_text(saving)),
            *(word for pattern in exclude for word in ("--exclude", pattern)),
            *(word for name, value in options.items() if value for word in (name, value)),
        ]
        return printable(shlex.join([*words, "--verify"]))


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
        marks: LeftOut,
    ) -> None:
        super().__init__()
        self._saving, self._squasher, self._done = saving, squasher, done
        self._suggestion, self._marks = suggestion, marks
        self._attempt: _Attempt | None = None
        self._finished = False
        self._leaving = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = "Squash"
            window.border_subtitle = "Tab: next   Esc: cancel"
            yield Static("\n".join(self._about()), markup=False)
            tag, output = (
                Input(getattr(self._suggestion, name), id=name) for name in ("tag", "output")
            )
            tag.border_title = "tag of the new image"
            output.border_title = "destination; empty: where the image is"
            yield tag
            yield output
            yield Static(self._command(self._suggestion), id="command", markup=False)
            yield Static("", id="state", markup=False)
            yield ProgressBar(id="bar", show_eta=False)
            with Horizontal(classes="buttons"):
                yield Button("Squash", variant="primary", id="squash", compact=True)
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Copy command", id="copy", compact=True)

    def _about(self) -> list[str]:
        """Say what will be done."""
        if self._saving.first == self._saving.last:
            first = f"layer {self._saving.first} is written again"
        else:
            first = saving_text(self._saving)
        return [first, *self._marks.told(self._saving.first)]

    def _named(self) -> Suggestion:
        """Return what the result is to be called, and where it goes."""
        tag, output = (
            self.query_one(f"#{name}", Input).value.strip() for name in ("tag", "output")
        )
        if output.startswith("docker://") and (tag, output) != self._suggestion:
            tag = "" if tag == self._suggestion.tag else tag  # the repository is another
        return Suggestion(tag, output)

    def _command(self, named: Suggestion) -> str:
        return self._squasher.command(self._saving, *named, self._marks.patterns)

    @on(Input.Changed)
    def _renamed(self) -> None:
        self.query_one("#command", Static).update(self._command(self._named()))

    @on(Button.Pressed, "#copy")
    def _copy(self) -> None:
        self.app.copy_to_clipboard(self._command(self._named()))
        self.notify("copied the command", timeout=2)

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
        watched = _Watched()
        self._attempt = _Attempt(self._squasher.env.apart(watched), watched)
        self._set_busy(busy=True)
        self._squash(self._named(), self._attempt)

    @work(thread=True)
    def _squash(self, named: Suggestion, attempt: _Attempt) -> None:
        result: Result | None = None
        exclude = self._marks.patterns
        try:
            result = self._squasher.squash(self._saving, *named, exclude, attempt.env)
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
