"""The tar of a gzip layer that is kept in its stored form alone."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lamella.layer.blob import CHUNK, FileRange
from lamella.layer.compression import PlainReader
from lamella.layer.protocols import Kept
from lamella.spec.codec import Codec

__all__ = ["Rewound"]

_TIMES = 4
"""It is begun: once for the new layer, and for whoever looks into files before or after that."""


class Rewound:
    """Inflates the tar once more, front to back, as it is asked for.

    Most is asked for in the order in which it lies there. Who goes back has it begin anew; who does
    so often gets it from the whole tar, which takes room.

    Args:
        stored: a file that nobody else can change; it was verified.
        where: what messages call the layer.
        whole: unpacks all of it.
    """

    def __init__(self, stored: FileRange, where: str, whole: Callable[[], Kept]) -> None:
        self._stored, self._where, self._whole = stored, where, whole
        self._plain = self._begin()
        self._at, self._chunk = 0, b""
        self._begun = 1
        self._turn = threading.Lock()

    def _begin(self) -> PlainReader:
        return PlainReader(self._stored.open(), Codec.GZIP, self._where)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`; return how many bytes were read, 0 only at the end."""
        with self._turn:
            if offset < self._at:
                if self._begun == _TIMES:
                    return self._whole().read_into(buffer, offset)
                self._plain.close()
                self._plain, self._begun = self._begin(), self._begun + 1
                self._at, self._chunk = 0, b""
            while offset >= self._at + len(self._chunk):
                self._at += len(self._chunk)
                self._chunk = self._plain.read(CHUNK)
                if not self._chunk:
                    return 0
            start = offset - self._at
            piece = self._chunk[start : start + len(buffer)]
            buffer[: len(piece)] = piece
            return len(piece)
