"""How far layers are that are sent in the background."""

from __future__ import annotations

import threading

from lamella.progress import Progress

__all__ = ["Sent"]


class Sent:
    """Counts bytes that are sent while other work is shown, and shows them once that is done.

    It is used from several threads.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._done = self._total = 0
        self._shown = False

    def expect(self, size: int) -> None:
        """So many more bytes are to be sent, or need not be: both end in `advance`."""
        with self._lock:
            self._total += size

    def advance(self, amount: int) -> None:
        """So many more bytes are done."""
        with self._lock:
            self._done += amount
            shown = self._shown
        if shown:
            self._progress.advance(amount)

    def show(self) -> None:
        """Show what is left from now on, if anything is."""
        with self._lock:
            left = self._total - self._done
            if left <= 0:
                return
            self._shown = True
            self._progress.phase("send layers", left)
