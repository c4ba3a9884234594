"""The window that saves a file, or a directory as a tar: it asks where, and before it replaces."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from lamella.errors import LamellaError
from lamella.files import write_all
from lamella.report.text import human_size, printable
from lamella.transport.file.atomic import AtomicFile, writing

__all__ = ["SaveScreen"]


class SaveScreen(ModalScreen[None]):
    """Asks for a file name, and writes there."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    def __init__(self, what: str, name: str, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._what, self._name, self._chunks = what, name, chunks
        self._warned = ""
        self._stop = threading.Event()
        self._busy = self._finished = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(classes="window wide") as window:
            window.border_title = "Save"
            window.border_subtitle = "Tab: next   Esc: cancel"
            yield Static(self._what, markup=False)
            where = Input(self._name, id="where")
            where.border_title = "file name"
            yield where
            yield Static("", id="state", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Save", variant="primary", id="save", compact=True)
                yield Button("Cancel", id="cancel", compact=True)

    @on(Input.Submitted, "#where")
    @on(Button.Pressed, "#save")
    def _start(self) -> None:
        if self._busy or self._finished:
            return
        where = self.query_one("#where", Input).value.strip()
        if not where:
            self._say("expected a file name, got nothing")
        elif Path(where).is_dir():
            self._say(f"{where} is a directory; add a file name")
        elif Path(where).exists() and self._warned != where:
            self._warned = where
            self._say(f"{where} exists; press Enter again to replace it")
        else:
            self._busy = True
            self._say("writing")
            self._write(where)

    def _say(self, text: str) -> None:
        self.query_one("#state", Static).update(printable(text))

    @work(thread=True)
    def _write(self, where: str) -> None:
        written = 0
        try:
            with AtomicFile(Path(where)) as out:
                for chunk in takewhile(lambda _: not self._stop.is_set(), self._chunks):
                    with writing(where):
                        write_all(out.file, chunk)
                    written += len(chunk)
                if self._stop.is_set():
                    return
                out.commit()
            text, finished = f"{where}: {human_size(written)} written", True
        except (LamellaError, OSError) as error:
            text, finished = " ".join(str(error).splitlines()), False
        self.app.call_from_thread(self._ended, text, finished=finished)

    def _ended(self, text: str, *, finished: bool) -> None:
        self._busy = False
        self._say(text if finished else f"{text}; Esc closes this window")
        self._finished = True
        self.query_one("#save", Button).display = False
        close = self.query_one("#cancel", Button)
        close.label = "Close"
        close.focus()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Stop writing, of which nothing is left then; close the window."""
        self._stop.set()
        self.dismiss()
