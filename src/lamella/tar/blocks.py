"""Header blocks of a tar, read again in the order of the stream."""

from __future__ import annotations

from lamella.tar.entry import ReadAt, window_of
from lamella.tar.header import BLOCK

__all__ = ["HeaderBlocks"]

_LEAST, _MOST = 2048, 1 << 16
"""Bytes that are read at once: twice as many each time that the next header is near, as it is
where members are small."""
_NEAR = 4096


class HeaderBlocks:
    """Reads one block after the other; one system call serves many where members are small."""

    def __init__(self, source: ReadAt) -> None:
        self._read = window_of(source)
        self._window, self._base, self._length = b"", 0, _LEAST // 2

    def at(self, start: int) -> bytes:
        """Return the block that begins at an offset."""
        i = start - self._base
        if i < 0 or i + BLOCK > len(self._window):
            is_near = 0 <= i - len(self._window) < _NEAR
            self._length = min(2 * self._length, _MOST) if is_near else _LEAST
            self._window, self._base, i = self._read(start, self._length), start, 0
        return self._window[i : i + BLOCK]
