"""Zstd streams of which frames were taken over: random sources, random runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.layer import spans
from lamella.spec.codec import Codec
from tests.support.examples import examples
from tests.support.gzip_members import member, words
from tests.support.splices import PLAIN, Piece, frames_of, pieces, source_of, spliced, zstd_sources
from tests.support.zstd_frames import BETWEEN, frame, skippable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture(autouse=True, scope="module")
def small_frames() -> Iterator[None]:
    """Take over frames of any size but tiny ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "LEAST_FRAME", 20_000)
        yield


def by_the_command(packed: bytes) -> bytes:
    """Return what `zstd` reads."""
    return subprocess.run(["zstd", "-dc"], input=packed, check=True, capture_output=True).stdout


@examples(60)
@given(st.data())
def test_a_spliced_stream_says_what_its_pieces_say(data: st.DataObject) -> None:
    """Whatever the sources are; and the same bytes for any number of threads and any chunks."""
    given_ = data.draw(st.lists(zstd_sources(), min_size=1, max_size=2))
    found = data.draw(pieces(given_))
    plain = b"".join(piece.plain for piece in found)
    packed, _ = spliced(found, 1, 1 << 18, Codec.ZSTD)
    assert zstd.decompress(packed) == plain
    assert BETWEEN[3] not in packed  # nothing to be skipped
    assert spliced(found, 2, 100_003, Codec.ZSTD)[0] == packed
    assert spliced(found, 5, len(plain) or 1, Codec.ZSTD)[0] == packed


def test_whole_frames_are_taken_over() -> None:
    """Where a run begins or ends within a frame only that is compressed; `zstd` reads it."""
    parts = [frame(words(50_000, number)) for number in range(12)]
    source = frames_of(b"".join([skippable(b"head"), *parts[:3], *BETWEEN, *parts[3:]]))
    cut = 320_000
    found = [
        Piece(source.plain[1000:cut], source, 1000),
        Piece(b"new"),
        Piece(source.plain[cut:], source, cut),
    ]
    packed, taken = spliced(found, 2, 1 << 18, Codec.ZSTD)
    assert by_the_command(packed) == b"".join(piece.plain for piece in found)
    assert taken == PLAIN - 2 * 50_000  # the first one, and the one with the cut
    assert b"".join(parts[1:6]) in packed  # without what lay between
    assert b"".join(parts[7:11]) in packed


def test_small_frames_are_compressed_together() -> None:
    """As one they are smaller; large ones beside them are taken over."""
    sizes = [3_000] * 100 + [100_000, 19_999, 40_000]
    plain = [words(size, number) for number, size in enumerate(sizes)]
    source = frames_of(b"".join(map(frame, plain)))
    packed, taken = spliced([Piece(b"x"), Piece(source.plain, source)], 2, 1 << 18, Codec.ZSTD)
    assert by_the_command(packed) == b"x" + source.plain
    assert taken == 140_000
    assert packed.count(b"\x28\xb5\x2f\xfd") == 4


def test_one_frame_stays_as_it_was_made() -> None:
    """Of a source that is one frame nothing is taken over: the stream is that of a plain source."""
    plain = words(PLAIN)
    source = frames_of(frame(plain))
    packed, taken = spliced([Piece(plain[:-1024], source)], 2, 1 << 18, Codec.ZSTD)
    assert (packed, taken) == spliced([Piece(plain[:-1024])], 1, 99_999, Codec.ZSTD)
    assert taken == 0


def test_gzip_does_not_get_into_zstd() -> None:
    """Whatever is known of a source, only what has the form of the new layer is taken over."""
    source = source_of(member(words(PLAIN)))
    found = [Piece(source.plain, source)]
    assert spliced(found, 2, 1 << 18, Codec.ZSTD) == spliced(
        [Piece(source.plain)], 1, 999, Codec.ZSTD
    )
