"""The program around the screen: how it is left, by key or by signal."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from lamella.cli.explore.screen import ImageScreen
from lamella.cli.explore.squashing import Squasher, SquashScreen
from lamella.operations.analyze import Explored
from lamella.operations.result import Result
from lamella.transport.location import Suggestion

__all__ = ["ExploreApp"]

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class ExploreApp(App[None]):
    """Shows an image; knows, when it ends, what was squashed."""

    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(self, explored: Explored, squasher: Squasher, suggestion: Suggestion) -> None:
        if not os.environ.get("NO_COLOR"):
            os.environ.pop("NO_COLOR", None)  # set to nothing it says nothing: https://no-color.org
        # The terminal's own colours, which its owner can read; and none where NO_COLOR is set.
        super().__init__(ansi_color=True)
        self.results: list[Result] = []
        self.interrupted = False
        """Asked by a signal to end."""
        self.failure: Exception | None = None
        self._main = ImageScreen(explored, squasher, suggestion, self.results)

    def on_mount(self) -> None:
        """Show the image."""
        self.theme = "ansi-dark"
        # What an image is made of stays to the end; the cycle collector would look through all of
        # it whenever a large directory is opened.
        gc.freeze()
        if not self.is_headless:
            self._heed_signals()
        self.push_screen(self._main)

    def on_unmount(self) -> None:
        """Let the collector look again, and let no signal wake a loop that is about to close."""
        gc.unfreeze()
        if not self.is_headless:
            signal.set_wakeup_fd(-1)

    async def action_quit(self) -> None:
        """Leave; a squash that runs is stopped first."""
        self._leave()

    def _leave(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, SquashScreen) and not screen.leave():
                return
        self.exit()

    def _heed_signals(self) -> None:
        """Who is asked to end restores the terminal first."""
        loop = asyncio.get_running_loop()
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._interrupt)

    def _interrupt(self) -> None:
        self.interrupted = True
        self._leave()

    def _handle_exception(self, error: Exception) -> None:
        """Keep it for who called: no traceback for users."""
        if self.is_headless:
            super()._handle_exception(error)
            return
        self.failure = self.failure or error
        self._close_messages_no_wait()
