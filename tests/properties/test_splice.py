"""Spliced gzip streams: random sources, random runs."""

from __future__ import annotations

import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from tests.support.examples import examples
from tests.support.gzip_members import MAKERS, member, words
from tests.support.splices import PLAIN, Piece, pieces, source_of, sources, spliced


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


@pytest.mark.parametrize("arrives", [1, 2, 61])
@pytest.mark.parametrize("maker", ["zlib 6", "zlib, fixed", "zlib-ng 9"])
def test_blocks_are_found_wherever_the_stream_is_cut(maker: str, arrives: int) -> None:
    """A block may end within the last byte that came; what is told of it is the same."""
    packed = b"".join(member(words(70_000, n), maker, 20_000) for n in range(2))
    spans = source_of(packed, arrives=arrives).blocks.spans
    assert spans == source_of(packed).blocks.spans
    for span in spans:
        assert span.checksum == zlib.crc32(packed[span.start >> 3 : span.stop >> 3])


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
