"""A layer is read alike, and refused alike, whether its blocks are looked for or not."""

from __future__ import annotations

import gzip
import os
import threading
import zlib
from typing import BinaryIO

import pytest

from lamella.errors import ImageError
from lamella.layer import spans
from lamella.layer.blob import Bytes, Layer
from lamella.layer.partial.sieve import sieves
from lamella.layer.spool import Spool
from lamella.layer.unpack import find_blocks, unpack
from lamella.spec.codec import Codec
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from tests.support.far import Far
from tests.support.gzip_members import member, member_for_isal, words
from tests.support.tars import layer
from tests.support.zstd_frames import frame, skippable

TAR = layer(("a", words(300_000)), "b")
PACKED = member(TAR)
BY_ISAL = member_for_isal(TAR)


def stored(tar: bytes, packed: bytes, *, far: bool, described: bool = True) -> Layer:
    """Return a layer, here or far away."""
    want = Descriptor("", Digest.of(packed), len(packed)) if described else None
    return Layer(Digest.of(tar), Far(packed) if far else Bytes(packed), "there", want)


def unpacked(one: Layer, *, sifted: bool, finds_blocks: Codec | None) -> tuple[bytes | str, bool]:
    """Return a layer's tar, or why there is none; and whether anything can be taken over."""
    sieve = sieves([one])[0] if sifted else None
    try:
        tar, blocks = unpack(one, Spool(), threading.Event(), sieve, finds_blocks=finds_blocks)
    except ImageError as error:
        return f"{type(error).__name__}: {error}", False
    return tar.read_at(0, tar.size), blocks is not None


@pytest.mark.parametrize("sifted", [False, True])
@pytest.mark.parametrize("far", [False, True])
def test_what_isal_alone_reads_is_read(far: bool, sifted: bool) -> None:
    """Codes that are not complete: nothing is taken over of such a layer."""
    with pytest.raises(zlib.error, match="invalid literal/lengths set"):
        zlib.decompress(BY_ISAL, 31)
    tar = TAR + b"\0"
    one = stored(tar, BY_ISAL, far=far)
    assert unpacked(one, sifted=sifted, finds_blocks=Codec.GZIP) == (tar, False)
    assert find_blocks(one, Codec.GZIP, threading.Event()) is None
    sound = stored(TAR, PACKED, far=far)
    assert unpacked(sound, sifted=sifted, finds_blocks=Codec.GZIP) == (TAR, True)


DAMAGED = {
    "cut off": PACKED[:-9],
    "cut off early": PACKED[:5],
    "a bit": PACKED[:5000] + bytes([PACKED[5000] ^ 4]) + PACKED[5001:],
    "type of a block": PACKED[:10] + b"\7" + PACKED[11:],
    "method": PACKED[:2] + b"\7" + PACKED[3:],
    "checksum": PACKED[:-5] + b"x" + PACKED[-4:],
    "length": PACKED[:-1] + b"x",
    "garbage behind": PACKED + b"garbage",
    "another member is cut off": PACKED + PACKED[:50],
    "another tar": gzip.compress(TAR + bytes(512)),
    "no tar": gzip.compress(b"x" * 9000),
    "not gzip": TAR[:9000],
    "nothing": b"",
}


FRAMES = frame(TAR[:200_000]) + skippable(b"x") + frame(TAR[200_000:], "checked")
DAMAGED_FRAMES = {
    "cut off": FRAMES[:-9],
    "cut off between": FRAMES[: len(frame(TAR[:200_000])) + 5],
    "a bit": FRAMES[:5000] + bytes([FRAMES[5000] ^ 4]) + FRAMES[5001:],
    "checksum": FRAMES[:-1] + bytes([FRAMES[-1] ^ 1]),
    "garbage behind": FRAMES + b"garbage",
    "a dictionary": FRAMES + b"\x28\xb5\x2f\xfd\x21\7\0\1\0\0",
    "another tar": FRAMES + frame(bytes(512)),
    "not zstd": PACKED[:9000],
}


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("name", DAMAGED_FRAMES)
def test_damaged_frames_give_the_same_error(name: str, far: bool) -> None:
    """As if none were to be taken over."""
    one = stored(TAR, DAMAGED_FRAMES[name], far=far)
    for sifted in (False, True):
        before = unpacked(one, sifted=sifted, finds_blocks=None)
        assert isinstance(before[0], str)
        assert unpacked(one, sifted=sifted, finds_blocks=Codec.ZSTD) == before


class Watched(Spool):
    """A spool that knows its files."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[BinaryIO] = []

    def file(self) -> BinaryIO:
        """Return a new file."""
        self.files.append(super().file())
        return self.files[-1]

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return sum(os.fstat(file.fileno()).st_size for file in self.files)


def test_one_large_frame_is_not_kept_in_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be taken over of it, so what comes from far away is not kept compressed."""
    tar = layer(("a", words(3_000_000)))
    packed = frame(tar)
    for first, kept in ((len(packed), len(packed)), (len(packed) // 4, 0)):
        monkeypatch.setattr(spans, "FIRST", first)
        spool, one = Watched(), stored(tar, packed, far=True)
        found = unpack(one, spool, threading.Event(), finds_blocks=Codec.ZSTD)
        assert spool.size == len(tar) + kept
        assert (found.blocks is None) == (kept == 0)
        near = stored(tar, packed, far=False)
        assert (find_blocks(near, Codec.ZSTD, threading.Event()) is None) == (kept == 0)


def test_content_can_be_inflated_again_instead_of_kept() -> None:
    """In any order: front to back it takes no room, and who goes back often gets the whole tar."""
    tar = layer("d/", *((f"d/{n}", words(200_000, n)) for n in range(8)))
    packed = member(tar)
    spool, one = Watched(), stored(tar, packed, far=True)
    saved = unpack(
        one, spool, threading.Event(), sieves([one])[0], finds_blocks=Codec.GZIP, saves_room=True
    ).tar
    little = len(packed) + 20_000
    for start in (0, 900_000, 100, 900_000):
        assert saved.read_at(start, 700_000) == tar[start : start + 700_000]
        assert spool.size < little
    for start in (0, 0, 1_500_000, 3, 900_000):
        assert saved.read_at(start, len(tar)) == tar[start:]
    assert len(packed) + len(tar) < spool.size < little + len(tar)


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("name", DAMAGED)
def test_damage_gives_the_same_error(name: str, far: bool, described: bool) -> None:
    """As if nothing were to be taken over, also where the descriptor is another's."""
    one = stored(TAR, DAMAGED[name], far=far)
    if not described:
        one = Layer(one.diff_id, one.blob, "there", Descriptor("", Digest.of(b"x"), 1))
    for sifted in (False, True):
        before = unpacked(one, sifted=sifted, finds_blocks=None)
        assert isinstance(before[0], str)
        assert unpacked(one, sifted=sifted, finds_blocks=Codec.GZIP) == before


def test_blocks_are_found_of_what_was_unpacked_already() -> None:
    """Those that would have been found then; of what is no more what it was, an error says so."""
    one = stored(TAR, PACKED, far=False, described=False)
    found = find_blocks(one, Codec.GZIP, threading.Event())
    at_once = unpack(one, Spool(), threading.Event(), finds_blocks=Codec.GZIP).blocks
    assert found is not None
    assert at_once is not None
    assert list(found.spans) == list(at_once.spans)
    changed = Layer(one.diff_id, Bytes(gzip.compress(TAR + bytes(512))), "there")
    with pytest.raises(ImageError, match="there"):
        find_blocks(changed, Codec.GZIP, threading.Event())
    assert find_blocks(stored(TAR, PACKED, far=True), Codec.GZIP, threading.Event()) is None
