"""Where the parts of a compressed stream lie that can be taken over into another one.

Of gzip these are deflate blocks. A block begins at any bit. It refers to at most 32 KiB before it,
and to nothing before its member. Of zstd they are frames, which refer to nothing before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from isal import isal_zlib

from lamella.spec.codec import Codec

__all__ = ["FIRST", "LEAST_FRAME", "WINDOW", "ReadsAt", "Span", "SpanFinder", "StoredSpans"]

WINDOW = 1 << 15
"""How far back deflate looks. RFC 1951, 3.2.5: distances are at most 32K bytes."""

_LEAST = 1 << 14
"""Plain bytes of a span of gzip at the least, so that there are not many of tiny blocks."""
_MANY = 18
"""From 4 GiB on spans grow with what is before them, by this power of two: a span takes 300 bytes
of memory, and a stream of some megabytes may have blocks for a hundred gigabytes."""
_TINY_BLOCKS, _TINY = 1000, 512
"""So many blocks are looked at in any case. Beyond, they must have this many bytes on average: to
stop at each takes some microseconds, and a stream may have ten million empty ones in 12 MB."""


LEAST_FRAME = 1 << 20
"""Plain bytes of a frame of zstd at the least. Each one begins without anything to refer to:
measured on system files, frames of 1 MiB take a tenth more than a single one, those of zstd:chunked
(each file's content, by 64 KiB) a third more, and to compress at zstd's speed costs little."""
FIRST = 32 << 20
"""Stored bytes of zstd in which the first span must have ended. Most layers are a single frame, of
which nothing can be taken over: they need not be kept in both forms until their end."""


class ReadsAt(Protocol):
    """Stored bytes, readable from any place."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes, fewer only at the end."""


class Span(NamedTuple):
    """Whole blocks behind each other, of one member; or a whole frame."""

    start: int
    """The bit of the stored bytes at which the first one begins."""
    stop: int
    """The bit after the last one."""
    plain: int
    """Where their plain bytes begin."""
    plain_stop: int
    needs: int
    """The plain offset from which on the bytes before must be the same."""
    final: bool
    """It is a single deflate block, which says that it is the last of its member."""
    checksum: int
    """CRC-32 of the stored bytes, but for the last if the span stops within it."""
    rest: int
    """The bits of that one which belong to the span."""


@dataclass(frozen=True, eq=False)
class StoredSpans:
    """What can be taken over of a stored layer."""

    codec: Codec
    packed: ReadsAt
    spans: Sequence[Span]
    where: str
    """What a message calls the layer."""


@dataclass
class SpanFinder:
    """Is told of each block or frame as a stream is unpacked, and makes spans of them."""

    codec: Codec
    """Gzip or zstd."""
    spans: list[Span] = field(default_factory=list)
    gave_up: bool = False
    """There are none: this is one large frame."""
    _packed: bytes = b""
    _base: int = 0  # where the chunk begins
    _last: bytes = b""  # the byte before it
    _member: int = 0  # plain offset of the member's begin
    _start: tuple[int, int] | None = None  # bit and plain offset
    _final: bool = False
    _checksum: int = 0  # since the start,
    _summed: int = 0  # up to this byte
    _blocks: int = 0

    def feed(self, packed: bytes) -> None:
        """Take the next chunk of the stored bytes; all blocks of the one before were told."""
        end = self._base + len(self._packed)
        self._sum(end - 1)  # a block may end within the last byte, which is told only now
        self._last = self._packed[-1:] or self._last
        self._packed, self._base = packed, end
        self.gave_up = self.codec == Codec.ZSTD and not self.spans and end > FIRST

    def begin(self, plain: int) -> None:
        """Note that a member begins at this plain offset."""
        self._member, self._start = plain, None

    def boundary(self, bit: int, plain: int, *, ended: bool) -> bool:
        """Note where a block ends, or a member's first one begins.

        Args:
            bit: in the stored bytes; the chunk has the byte with it.
            plain: offset of the plain bytes.
            ended: the block before was the member's last one.

        Returns:
            Whether it is worth to go on: there may be too many tiny blocks.
        """
        self._blocks += 1
        final = not ended and bool(self._byte(bit >> 3) >> (bit & 7) & 1)
        if self._start is None:
            if not ended:
                self._restart(bit, plain, final=final)
        elif plain - self._start[1] >= max(_LEAST, plain >> _MANY):
            self._add(bit, plain)
            self._restart(bit, plain, final=final)
        elif final:
            self._restart(bit, plain, final=True)
        return self._blocks < _TINY_BLOCKS + plain // _TINY

    def frame(self, plain: int) -> None:
        """Note that a frame begins or ends where the last chunk does, or something to be skipped.

        Args:
            plain: offset of the plain bytes.
        """
        bit = 8 * (self._base + len(self._packed))
        if self._start and plain - self._start[1] >= LEAST_FRAME and not self.gave_up:
            self._add(bit, plain)
        self.begin(plain)
        self._restart(bit, plain, final=False)

    def _byte(self, at: int) -> int:
        return self._packed[at - self._base] if at >= self._base else self._last[0]

    def _restart(self, bit: int, plain: int, *, final: bool) -> None:
        self._start, self._final = (bit, plain), final
        self._checksum, self._summed = 0, bit >> 3

    def _sum(self, stop: int) -> None:
        """Add up the stored bytes of the span so far."""
        if self._start is None or self._summed >= stop:
            return
        if self._summed < self._base:
            self._checksum = isal_zlib.crc32(self._last, self._checksum)
            self._summed = self._base
        if self._summed < stop:
            piece = memoryview(self._packed)[self._summed - self._base : stop - self._base]
            self._checksum = isal_zlib.crc32(piece, self._checksum)
            self._summed = stop

    def _add(self, bit: int, plain: int) -> None:
        start, begin = self._start or (0, 0)
        stop, within = bit >> 3, bit & 7
        self._sum(stop)
        rest = self._byte(stop) & ((1 << within) - 1) if within else 0
        needs = max(self._member, begin - WINDOW)
        self.spans.append(Span(start, bit, begin, plain, needs, self._final, self._checksum, rest))
