"""Blocks of layers are found by the opener, and taken over when a new layer is packed."""

from __future__ import annotations

import zlib

import pytest

from lamella.errors import ImageError
from lamella.layer.blob import Blob, Bytes, Layer
from lamella.layer.compress import write_packed
from lamella.layer.compression import Compression
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.emit import PlanTar
from lamella.merge.plan import Piece, Plan, Run
from lamella.spec.codec import Codec
from lamella.spec.digest import Digest
from tests.support.far import Far
from tests.support.gzip_members import member, words

PLAIN = words(1_000_000)
PACKED = member(PLAIN)


def packed(blob: Blob, text: str = "gzip", *, damage: bool = False) -> tuple[bytes, int]:
    """Return a layer of the most of another, and how much of that was taken over."""
    layer = Layer(Digest.of(PLAIN), blob, "the layer")
    with LayerOpener(Spool()) as opener:
        tars = dict(enumerate(opener.open([layer], finds_blocks=Codec.GZIP)))
        [blocks] = opener.blocks([layer], Codec.GZIP)
        assert blocks is not None
        if damage:
            content = bytearray(PACKED)
            content[len(content) // 4] ^= 1
            object.__setattr__(blocks, "packed", Bytes(bytes(content)))
        runs: list[Piece] = [b"new" * 100, Run(0, 5000, 400_000), b"x", Run(0, 500_000, 500_000)]
        size = 900_301
        tar = PlanTar(Plan(runs, size, 1, [], [], []), tars, blocks={0: blocks})
        out: list[bytes] = []
        made = write_packed(tar, Compression.parse(text), lambda chunk: out.append(bytes(chunk)))
        stored = b"".join(out)
        want = b"new" * 100 + PLAIN[5000:405_000] + b"x" + PLAIN[500_000:]
        assert zlib.decompress(stored, 31) == want
        return stored, made.spliced


def test_near_and_far_give_the_same_bytes() -> None:
    """What is read once is kept at hand; most of it is not compressed again."""
    near, spliced = packed(Bytes(PACKED))
    assert packed(Far(PACKED)) == (near, spliced)
    assert spliced > 600_000


def test_a_level_asks_for_compressing_all() -> None:
    """Nothing is taken over then."""
    assert packed(Bytes(PACKED), "gzip:5")[1] == 0


def test_blocks_that_changed_are_not_taken_over() -> None:
    """They were checked when they were inflated; they are read once more."""
    with pytest.raises(ImageError, match="the layer: the compressed data changed"):
        packed(Bytes(PACKED), damage=True)
