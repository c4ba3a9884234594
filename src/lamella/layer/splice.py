"""Takes over compressed parts of layers into a new stream: gzip into gzip, zstd into zstd.

Frames of zstd that lie whole in a run of bytes which a merged layer takes from one source are
copied as they are. Of gzip deflate blocks are copied, bit for bit.

A block may be copied where the 32 KiB before it are the same as in its source. So of a run of bytes
that a merged layer takes from one source, the head, up to the first block that begins 32 KiB after
the run's beginning, is compressed anew, and so is the tail, behind the last block that is whole.

Blocks begin at any bit. The new stream is brought to the same one of the eight by blocks of
nothing; then whole bytes are copied, and a stored block of nothing ends at a byte again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from isal import isal_zlib

from lamella.errors import ImageError
from lamella.layer.blob import CHUNK
from lamella.layer.spans import Span, StoredSpans
from lamella.spec.codec import Codec

__all__ = ["Copy", "HasRuns", "Taken", "choose"]

_PAYS = 1 << 15
"""Plain bytes that are copied at the least. A cut costs up to 30 bytes and the start of two Huffman
tables. Measured on system files of which a tenth or a third is gone: from 0 to 128 KiB time and
size are within a twentieth and 0.04 %, at 32 KiB the time is least; at 1 MiB it is half as much
again, or twice."""

_STORED = b"\0\0\xff\xff"
"""RFC 1951, 3.2.4: the length of a stored block of nothing."""


class Taken(NamedTuple):
    """Bytes of a new layer that are those of a compressed one."""

    start: int
    """In the new layer's tar."""
    length: int
    blocks: StoredSpans
    offset: int
    """In the other layer's tar."""


@runtime_checkable
class HasRuns(Protocol):
    """A new layer of which it is known where its bytes come from."""

    def runs(self) -> Iterable[Taken]:
        """Return what comes from layers with blocks that can be taken over, in order."""


@dataclass(frozen=True)
class Copy:
    """A part of a new layer that is taken over: spans whose plain bytes are behind each other."""

    start: int
    """In the new layer's tar."""
    stop: int
    blocks: StoredSpans
    first: int
    """Of the spans."""
    last: int
    """One behind the last of the spans."""

    def write_to(self, write: Callable[[bytes], object]) -> None:
        """Write the blocks, from the begin of a byte to the end of another; or the frames.

        Raises:
            ImageError: they are not what they were.
        """
        for row in self._rows():
            head, held = _to_phase(row[0].start % 8)
            write(head)
            _copy(self.blocks, row, held, write)
            if self.blocks.codec == Codec.GZIP:
                write(_to_byte(row[-1].rest, row[-1].stop % 8))

    def _rows(self) -> Iterator[list[Span]]:
        """Return spans that lie behind each other, one ending at the bit where another begins."""
        row: list[Span] = []
        for span in self.blocks.spans[self.first : self.last]:
            if row and row[-1].stop != span.start:
                yield row
                row = []
            row.append(span)
        yield row


def choose(runs: Iterable[Taken]) -> Iterator[Copy]:
    """Yield what is worth to be taken over, in order."""
    for run in _joined(runs):
        spans, end = run.blocks.spans, run.offset + run.length
        first = bisect_left(spans, run.offset, key=lambda span: span.needs)
        while first < len(spans) and spans[first].plain_stop <= end:
            last = first + 1
            while (
                last < len(spans)
                and spans[last].plain == spans[last - 1].plain_stop
                and spans[last].plain_stop <= end
            ):
                last += 1
            start, stop = spans[first].plain, spans[last - 1].plain_stop
            if start >= run.offset and stop - start >= _PAYS:
                shift = run.start - run.offset
                yield Copy(start + shift, stop + shift, run.blocks, first, last)
            first = last


def _joined(runs: Iterable[Taken]) -> Iterator[Taken]:
    """Yield runs, those as one that go on where another ends."""
    open_run: Taken | None = None
    for run in runs:
        if (
            open_run is not None
            and run.blocks is open_run.blocks
            and run.start == open_run.start + open_run.length
            and run.offset == open_run.offset + open_run.length
        ):
            open_run = open_run._replace(length=open_run.length + run.length)
            continue
        if open_run is not None:
            yield open_run
        open_run = run
    if open_run is not None:
        yield open_run


def _copy(
    blocks: StoredSpans, row: Sequence[Span], held: int, write: Callable[[bytes], object]
) -> None:
    """Write the whole bytes of spans, one after the other; `held` are the bits before the first."""
    at, stop = row[0].start >> 3, row[-1].stop >> 3
    number = checksum = 0
    while at < stop and (packed := blocks.packed.read_at(at, min(CHUNK, stop - at))):
        view, base, end = memoryview(packed), at, at + len(packed)
        others: dict[int, int] = {}
        while at < end:
            span = row[number]
            upto = min(end, span.stop >> 3)
            checksum = isal_zlib.crc32(view[at - base : upto - base], checksum)
            if at == span.start >> 3 and (span.final or not number):
                others[at - base] = _begin(packed[at - base], span, None if number else held)
            at = upto
            if at == span.stop >> 3:
                if checksum != span.checksum:
                    raise _changed(blocks)
                number, checksum = number + 1, 0
        write(_with(packed, others) if others else packed)
    if at < stop:
        raise _changed(blocks)


def _changed(blocks: StoredSpans) -> ImageError:
    return ImageError(f"{blocks.where}: the compressed data changed while they were read")


def _with(packed: bytes, others: Mapping[int, int]) -> bytes:
    """Return bytes of which some are others."""
    changed = bytearray(packed)
    for at, byte in others.items():
        changed[at] = byte
    return bytes(changed)


def _begin(byte: int, span: Span, held: int | None) -> int:
    """Return a span's first byte: none of its blocks is the last one of the new stream.

    Args:
        byte: as it is.
        span: begins in it.
        held: the bits before the span; None: as they are.
    """
    within = span.start & 7
    if span.final:
        byte &= ~(1 << within)
    return byte if held is None else byte >> within << within | held


class _Bits:
    """Bits, the first one lowest."""

    def __init__(self) -> None:
        self.value = self.length = 0

    def put(self, value: int, length: int) -> None:
        self.value |= value << self.length
        self.length += length


def _odd() -> _Bits:
    """Return a block of nothing of 99 bits: RFC 1951, 3.2.7.

    Its codes are complete, as some readers want them: 254, 255 and 256, the end, of the lengths 1,
    2 and 2; two distances of length 1.
    """
    bits = _Bits()
    bits.put(0b100, 3)  # not the last; dynamic
    for count, length in ((0, 5), (1, 5), (14, 4)):  # 257 literals, 2 distances, 18 lengths
        bits.put(count, length)
    # The lengths' own code: 18 (zeros) has 1 bit, 1 and 2 have 2 bits.
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
    for symbol in order:
        bits.put({18: 1, 2: 2, 1: 2}.get(symbol, 0), 3)
    one, two = 0b01, 0b11  # 10 and 11, the highest bit first
    for zeros in (138, 116):
        bits.put(0, 1)
        bits.put(zeros - 11, 7)
    for symbol in (one, two, two, one, one):
        bits.put(symbol, 2)
    bits.put(0b11, 2)  # the end
    return bits


_ODD = _odd()
_FIXED, _FIXED_LENGTH = 0b010, 10
"""A block of nothing with fixed codes: RFC 1951, 3.2.6."""


def _to_phase(phase: int) -> tuple[bytes, int]:
    """Return blocks of nothing up to a bit of a byte: whole bytes, and the bits of that one."""
    bits = _Bits()
    if phase % 2:
        bits.put(_ODD.value, _ODD.length)
    while bits.length % 8 != phase:
        bits.put(_FIXED, _FIXED_LENGTH)
    whole = bits.length // 8
    return (bits.value & (1 << 8 * whole) - 1).to_bytes(whole, "little"), bits.value >> 8 * whole


def _to_byte(held: int, within: int) -> bytes:
    """Return what follows some bits of a byte: a stored block of nothing, which ends at a byte."""
    return held.to_bytes(1 if within <= 5 else 2, "little") + _STORED  # noqa: PLR2004 - three bits
