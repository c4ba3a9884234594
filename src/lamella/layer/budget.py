"""Memory that several threads share."""

from __future__ import annotations

import threading

__all__ = ["Budget"]


class Budget:
    """So many bytes for all; who wants more than is left waits.

    One who holds some must not wait for more, and must give it back whatever happens: the others
    would wait without end.

    Args:
        limit: bytes for all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.reset()

    def reset(self) -> None:
        """Forget who holds what."""
        self._held, self._changed = 0, threading.Condition()

    def take(self, size: int) -> int:
        """Wait until there are so many bytes, or none are held; return how many."""
        with self._changed:
            while self._held and self._held + size > self._limit:
                self._changed.wait()
            self._held += size
        return size

    def give(self, size: int) -> None:
        """Give bytes back."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()
