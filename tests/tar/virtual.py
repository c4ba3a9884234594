"""Streams that are too big to be there."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Virtual"]


class Virtual:
    """Some bytes in a sea of zeros; counts what is read of it."""

    def __init__(self, parts: Sequence[bytes | int]) -> None:
        """Lay out bytes and, as numbers, so many zeros."""
        self.size, self.read, self.calls = 0, 0, 0
        self._parts: list[tuple[int, bytes]] = []
        for part in parts:
            if isinstance(part, bytes):
                self._parts.append((self.size, part))
                self.size += len(part)
            else:
                self.size += part

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from an offset."""
        length = max(0, min(length, self.size - offset))
        self.read += length
        self.calls += 1
        found = bytearray(length)
        for start, part in self._parts:
            low, high = max(start, offset), min(start + len(part), offset + length)
            if low < high:
                found[low - offset : high - offset] = part[low - start : high - start]
        return bytes(found)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from an offset."""
        found = self.read_at(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)
