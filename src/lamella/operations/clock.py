"""How long each phase of a squash took."""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = self._last = time.monotonic()

    def lap(self, phase: str) -> None:
        """Note that a phase has ended."""
        now = time.monotonic()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self.seconds["total"] = now - self._start
        self._last = now
