"""Random sources, random runs of them, and the stream that is spliced of those."""

from __future__ import annotations

import io
from contextlib import closing
from itertools import accumulate, pairwise
from typing import NamedTuple

from hypothesis import strategies as st

from lamella.layer.blob import Bytes
from lamella.layer.compress import open_packer
from lamella.layer.compression import Compression, open_plain
from lamella.layer.inflate import BlockReader
from lamella.layer.spans import SpanFinder, StoredSpans
from lamella.layer.splice import Taken
from lamella.spec.codec import Codec
from tests.support.gzip_members import HEADERS, MAKERS, member, words
from tests.support.zstd_frames import BETWEEN, frame, skippable
from tests.support.zstd_frames import MAKERS as MAKERS_OF_FRAMES

__all__ = [
    "PLAIN",
    "Piece",
    "Source",
    "frames_of",
    "pieces",
    "source_of",
    "sources",
    "spliced",
    "zstd_sources",
]

PLAIN = 600_000
"""Bytes of a source."""


class Source(NamedTuple):
    """A gzip stream, and what it says."""

    plain: bytes
    blocks: StoredSpans


class _Slow(io.BytesIO):
    """Gives at most so many bytes at a time, as a network does."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._most, size) if size and size > 0 else self._most)


def source_of(packed: bytes, step: int = 1 << 18, arrives: int = 1 << 18) -> Source:
    """Inflate a stream block by block.

    Args:
        packed: the stream.
        step: bytes that are asked for at a time.
        arrives: bytes of the stream that come at a time.
    """
    finder = SpanFinder(Codec.GZIP)
    reader = BlockReader(_Slow(packed, arrives), finder)
    parts = []
    buffer = bytearray(step)
    while got := reader.readinto(buffer):
        parts.append(bytes(buffer[:got]))
    reader.close()
    return Source(b"".join(parts), StoredSpans(Codec.GZIP, Bytes(packed), finder.spans, "a layer"))


def frames_of(packed: bytes, step: int = 1 << 18) -> Source:
    """Unpack a zstd stream frame by frame."""
    finder = SpanFinder(Codec.ZSTD)
    parts = []
    with closing(open_plain(io.BytesIO(packed), Codec.ZSTD, "a layer", finder)) as reader:
        while chunk := reader.read(step):
            parts.append(chunk)
    found = StoredSpans(Codec.ZSTD, Bytes(packed), finder.spans, "a layer")
    return Source(b"".join(parts), found)


@st.composite
def zstd_sources(draw: st.DrawFn) -> Source:
    """Frames, each made in its own way, and between them what says nothing."""
    plain = words(PLAIN, draw(st.integers(1, 3)))
    cuts = draw(st.lists(st.integers(0, PLAIN), max_size=9))
    packed = draw(st.sampled_from([b"", skippable(b"first")]))
    for start, stop in pairwise(sorted({0, PLAIN, *cuts})):
        packed += frame(plain[start:stop], draw(st.sampled_from(sorted(MAKERS_OF_FRAMES))))
        packed += b"".join(draw(st.lists(st.sampled_from(BETWEEN), max_size=2)))
    made = frames_of(packed, draw(st.sampled_from([1 << 18, 4097])))
    assert made.plain == plain
    return made


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """Members behind each other, each made in its own way, with zeros after some."""
    plain = words(PLAIN, draw(st.integers(1, 3)))
    cuts = draw(st.lists(st.integers(0, PLAIN), max_size=4))
    bounds = sorted({0, PLAIN, *cuts})
    packed = b""
    for start, stop in pairwise(bounds):
        step = draw(st.sampled_from([0, 0, 7_000, 70_000, 200_000]))
        maker = draw(st.sampled_from(sorted(MAKERS)))
        header = draw(st.integers(0, len(HEADERS) - 1))
        packed += member(plain[start:stop], maker, step, header)
        packed += bytes(draw(st.sampled_from([0, 0, 1, 512])))
    arrives = draw(st.sampled_from([1 << 18, 61, 997]))
    made = source_of(packed, draw(st.sampled_from([1 << 18, 4097])), arrives)
    assert made.plain == plain
    return made


class Piece(NamedTuple):
    """What is put into the new stream."""

    plain: bytes
    source: Source | None = None
    offset: int = 0


@st.composite
def pieces(draw: st.DrawFn, given_: list[Source]) -> list[Piece]:
    """Literal bytes and runs; a run may go on where the one before ended."""
    found: list[Piece] = []
    for _ in range(draw(st.integers(0, 6))):
        if draw(st.booleans()):
            found.append(Piece(words(draw(st.integers(0, 70_000)), 9)))
            continue
        source = draw(st.sampled_from(given_))
        start = draw(st.integers(0, PLAIN))
        if found and found[-1].source is source and draw(st.booleans()):
            start = found[-1].offset + len(found[-1].plain)
        stop = min(PLAIN, start + draw(st.sampled_from([100, 90_000, 250_000, PLAIN])))
        found.append(Piece(source.plain[start:stop], source, start))
    return found


def spliced(
    found: list[Piece], workers: int, step: int, codec: Codec = Codec.GZIP
) -> tuple[bytes, int]:
    """Return the new stream, and how many bytes were taken over."""
    starts = accumulate((len(piece.plain) for piece in found), initial=0)
    runs = [
        Taken(start, len(piece.plain), piece.source.blocks, piece.offset)
        for start, piece in zip(starts, found, strict=False)
        if piece.source is not None
    ]
    plain = b"".join(piece.plain for piece in found)
    out: list[bytes] = []
    with open_packer(Compression(codec), out.append, workers, runs) as packer:
        for at in range(0, len(plain), step):
            packer.write(plain[at : at + step])
        packer.finish()
    return b"".join(out), packer.spliced
