"""Gzip is read block by block as it is read otherwise."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import MalformedImage
from lamella.layer.compression import open_plain
from lamella.layer.inflate import can_find_blocks
from lamella.layer.spans import SpanFinder
from lamella.spec.codec import Codec
from tests.support.gzip_members import HEADERS, MAKERS, member, words

SOUND = gzip.compress(b"hello", mtime=0)


def read(packed: bytes, finder: SpanFinder | None) -> bytes | None:
    """Return the plain bytes, None if the data are damaged."""
    reader = open_plain(io.BytesIO(packed), Codec.GZIP, "a layer", finder)
    try:
        return reader.read(1 << 22)
    except MalformedImage:
        return None
    finally:
        reader.close()


def test_the_library_is_there() -> None:
    """It is in the wheel of zlib-ng, on each platform; else nothing would be taken over."""
    assert can_find_blocks(Codec.GZIP)


@pytest.mark.parametrize(
    "packed",
    [
        *(member(words(90_000), maker, 30_000) for maker in MAKERS),
        *(member(b"hi", header=header) * 3 for header in range(len(HEADERS))),
        SOUND + bytes(10),
        SOUND + bytes(300_000) + SOUND,
        SOUND + b"garbage",
        SOUND + bytes(5) + b"x",
        SOUND + b"\x1f",
        SOUND + SOUND[:9],
        SOUND[:2] + b"\7" + SOUND[3:],
        SOUND[:3] + b"\2" + SOUND[4:10] + b"ab" + SOUND[10:],
        SOUND[:3] + b"\x08" + SOUND[4:10] + b"n" * 300_000 + b"\0" + SOUND[10:],
        SOUND[:-5] + b"x" + SOUND[-4:],
        SOUND[:-1] + b"x",
        SOUND[:-3],
        SOUND[:12],
        SOUND[:10] + b"\7" + SOUND[11:],
        b"",
    ],
)
def test_it_reads_what_the_other_reader_reads(packed: bytes) -> None:
    """The same bytes, or damage to both: headers, members, padding, garbage, wrong sums."""
    assert read(packed, SpanFinder(Codec.GZIP)) == read(packed, None)


@given(st.data())
def test_damage_is_found_alike(data: st.DataObject) -> None:
    """Whichever bytes are others, or missing. isal alone takes codes that are not complete."""
    packed = bytearray(member(words(3000), data.draw(st.sampled_from(sorted(MAKERS))), 900))
    for _ in range(data.draw(st.integers(1, 3))):
        # Bytes 3 to 9 may turn reserved flags and the header's checksum on together.
        packed[data.draw(st.integers(10, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = bytes(packed[: data.draw(st.integers(0, len(packed)))])
    for damaged in (bytes(packed), cut):
        found = read(damaged, SpanFinder(Codec.GZIP))
        assert found == read(damaged, None) or (found is None and not is_sound(damaged))


def is_sound(packed: bytes) -> bool:
    """Whether zlib reads a single member to its end."""
    inflate = zlib.decompressobj(31)
    try:
        inflate.decompress(packed)
    except zlib.error:
        return False
    return inflate.eof


def test_spans_are_told_where_they_are() -> None:
    """Their bytes have their checksum; chunks of 256 KiB that end within blocks change nothing."""
    plain = words(3_000_000)
    packed = member(plain, "zlib 1") + member(plain, "zlib 0")
    finder = SpanFinder(Codec.GZIP)
    assert len(read(packed, finder) or b"") == 1 << 22
    assert len(packed) > 1 << 20
    assert len(finder.spans) > 20
    for span in finder.spans:
        assert zlib.crc32(packed[span.start >> 3 : span.stop >> 3]) == span.checksum
        assert span.plain_stop - span.plain >= 1 << 14


def test_tiny_blocks_are_not_counted_for_ever() -> None:
    """A stream of empty blocks is read in large steps soon; it says the same."""
    empty = b"\0\0\0\xff\xff" * 200_000
    body = b"\x1f\x8b\x08\0\0\0\0\0\0\3" + empty + zlib.compress(b"end", wbits=-15)
    packed = body + zlib.crc32(b"end").to_bytes(4, "little") + (3).to_bytes(4, "little")

    class Counting(SpanFinder):
        told = 0

        def boundary(self, bit: int, plain: int, *, ended: bool) -> bool:
            Counting.told += 1
            return super().boundary(bit, plain, ended=ended)

    assert read(packed, Counting(Codec.GZIP)) == b"end"
    assert Counting.told <= 1001
