"""Spliced gzip streams: random sources, random runs."""

from __future__ import annotations

import io
import subprocess
import zlib
from itertools import accumulate, pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from lamella.layer.blob import Bytes
from lamella.layer.compress import open_packer
from lamella.layer.compression import Compression
from lamella.layer.deflate_spans import GzipBlocks, SpanFinder
from lamella.layer.inflate import BlockReader
from lamella.layer.splice import Taken
from lamella.spec.codec import Codec
from tests.support.examples import examples
from tests.support.gzip_members import HEADERS, MAKERS, member, words

PLAIN = 600_000


class Source(NamedTuple):
    """A gzip stream, and what it says."""

    plain: bytes
    blocks: GzipBlocks


def source_of(packed: bytes, step: int = 1 << 18) -> Source:
    """Inflate a stream block by block."""
    finder = SpanFinder()
    reader = BlockReader(io.BytesIO(packed), finder)
    parts = []
    buffer = bytearray(step)
    while got := reader.readinto(buffer):
        parts.append(bytes(buffer[:got]))
    reader.close()
    return Source(b"".join(parts), GzipBlocks(Bytes(packed), finder.spans, "a layer"))


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
    made = source_of(packed, draw(st.sampled_from([1 << 18, 4097])))
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


def spliced(found: list[Piece], workers: int, step: int) -> tuple[bytes, int]:
    """Return the new stream, and how many bytes were taken over."""
    starts = accumulate((len(piece.plain) for piece in found), initial=0)
    runs = [
        Taken(start, len(piece.plain), piece.source.blocks, piece.offset)
        for start, piece in zip(starts, found, strict=False)
        if piece.source is not None
    ]
    plain = b"".join(piece.plain for piece in found)
    out: list[bytes] = []
    with open_packer(Compression(Codec.GZIP), out.append, workers, runs) as packer:
        for at in range(0, len(plain), step):
            packer.write(plain[at : at + step])
        packer.finish()
    return b"".join(out), packer.spliced


def check(packed: bytes, plain: bytes) -> None:
    """One member, nothing behind it, read alike by two libraries."""
    for library in (zlib, isal_zlib):
        inflate = library.decompressobj(31)
        assert inflate.decompress(packed) == plain
        assert inflate.eof
        assert inflate.unused_data == b""


@examples(60)
@given(st.data())
def test_a_spliced_stream_says_what_its_pieces_say(data: st.DataObject) -> None:
    """Whatever the sources are; and the same bytes for any number of threads and any chunks."""
    given_ = data.draw(st.lists(sources(), min_size=1, max_size=2))
    found = data.draw(pieces(given_))
    plain = b"".join(piece.plain for piece in found)
    packed, _ = spliced(found, 1, 1 << 18)
    check(packed, plain)
    assert spliced(found, 2, 100_003)[0] == packed
    assert spliced(found, 5, len(plain) or 1)[0] == packed


def test_long_runs_are_taken_over() -> None:
    """Of each only the head, the tail and what is too short is compressed; gzip reads it."""
    for maker in MAKERS:
        if maker.startswith(("isal", "zlib-ng")):
            continue  # their blocks may be longer than these runs
        source = source_of(member(words(PLAIN), maker))
        cut = 300_000
        found = [
            Piece(source.plain[1000:cut], source, 1000),
            Piece(b"new"),
            Piece(source.plain[cut:], source, cut),
        ]
        packed, taken = spliced(found, 2, 1 << 18)
        plain = b"".join(piece.plain for piece in found)
        check(packed, plain)
        assert taken > PLAIN * 0.55, maker
        subprocess.run(["gzip", "-t"], input=packed, check=True)


def test_members_are_taken_over_whole() -> None:
    """The first block of a member needs nothing before it; the last one is last no longer."""
    source = source_of(b"".join(member(words(100_000, n), "zlib 6") for n in range(6)))
    found = [Piece(b"x"), Piece(source.plain, source)]
    packed, taken = spliced(found, 2, 1 << 18)
    check(packed, b"x" + source.plain)
    assert taken == len(source.plain)
