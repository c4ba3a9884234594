"""The archive that an engine sends, as it comes."""

from __future__ import annotations

from collections.abc import Iterator

from lamella.transport.engine.load_body import read_answer

__all__ = ["ByteStream"]

_LONGEST_WORDS = 1 << 16


class ByteStream:
    """An answer that is read once, forward."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._tail = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        parts: list[memoryview] = []
        while size:
            part = self._rest[:size] if self._rest else self._next()
            if not part:
                break
            part, self._rest = part[:size], (self._rest or part)[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def last_words(self) -> str:
        """What an engine says, as JSON, where it can't go on with an archive."""
        end = self._tail + self.read(_LONGEST_WORDS)
        at = end.rfind(b'{"errorDetail"')
        return read_answer(end[at:])[1] if at >= 0 else ""

    def _next(self) -> memoryview:
        chunk = next(self._chunks, b"")
        if chunk:
            self._tail = chunk
        return memoryview(chunk)
