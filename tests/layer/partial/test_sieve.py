"""Compressed layers that will be merged: what is kept of them, and what else can still be read."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Sequence
from typing import BinaryIO

import pytest
from fastcrc import crc64

from lamella.errors import DigestMismatch
from lamella.layer.blob import CHUNK, Bytes, Layer, iter_chunks
from lamella.layer.opener import LayerOpener, digest_of
from lamella.layer.partial.sieve import Sifted, sieves
from lamella.layer.protocols import HasChecksums, LayerTar
from lamella.layer.spool import Spool
from lamella.merge.changeset import read_changeset
from lamella.operations.merge_layers import prepare
from lamella.progress import SILENT
from lamella.selection import Selection
from lamella.spec.digest import Digest
from lamella.tar.scan import scan
from tests.support.images import image
from tests.support.squashing import merge, stream_of
from tests.support.tars import END, Spec, entry, layer, link, opaque, symlink, whiteout

BIG = random.Random(1).randbytes(3 * CHUNK + 77)
OLD = b"what is replaced" * 400


class CountingSpool(Spool):
    """Counts what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def write(self, file: BinaryIO, chunk: bytes | memoryview) -> None:
        """Append to a spooled file."""
        self.written += len(chunk)
        super().write(file, chunk)


def packed(tar: bytes) -> Layer:
    """Return a compressed layer."""
    return Layer(Digest.of(tar), Bytes(gzip.compress(tar, 1)), "there")


def sift(opener: LayerOpener, packed_layers: Sequence[Layer]) -> list[LayerTar]:
    """Unpack layers that will be merged, each when all newer ones are known."""
    through = sieves(packed_layers)
    for one, sieve in list(zip(packed_layers, through, strict=True))[::-1]:
        opener.open([one], [sieve])
    return opener.open(packed_layers)


def kept_of(*tars: bytes) -> int:
    """Return how many bytes go to the spool."""
    spool = CountingSpool()
    with LayerOpener(spool) as opener:
        sift(opener, [packed(tar) for tar in tars])
    return spool.written


REPLACED: dict[str, list[Spec]] = {
    "by a file": [("d/a", b"new")],
    "by a file of another form": [entry("./d//a", b"new", format="gnu")],
    "by a symlink": [symlink("d/a", "b")],
    "by a hard link": [("d/b", b"new"), link("d/a", "d/b")],
    "deleted": [whiteout("d/a")],
    "deleted with its directory": [whiteout("d")],
    "hidden": ["d/", opaque("d")],
    "hidden with all": [opaque("")],
    "its directory is a file": ["d"],
    "its directory is a symlink": [symlink("d", "e"), "e/", "d/a"],
}


@pytest.mark.parametrize("name", REPLACED)
def test_nothing_is_kept_of_what_is_replaced(name: str) -> None:
    """Of a file that a newer layer puts something else in the place of: its headers alone."""
    lower, upper = layer("d/", ("d/a", OLD)), layer(*REPLACED[name])
    assert kept_of(lower, upper) == len(lower) + len(upper) - (len(OLD) + 511) // 512 * 512


def test_at_the_top() -> None:
    """What hides all hides also what is in no directory."""
    lower, upper = layer(("a", bytes(8192))), layer(opaque(""))
    assert kept_of(lower, upper) == len(lower) + len(upper) - 8192


STAYS: dict[str, list[Spec]] = {
    "other files": ["d/", "d/b", "e/", "d/aa", whiteout("d/b"), whiteout("a"), opaque("e")],
    "a directory that is said again": ["d/"],
    "a leftover": [".wh..wh.plnk/d", ".wh..wh.aufs"],
}


@pytest.mark.parametrize("name", STAYS)
def test_all_is_kept_that_stays(name: str) -> None:
    """Files beside those that a newer layer changes."""
    lower, upper = layer("d/", ("d/a", OLD)), layer(*STAYS[name])
    assert kept_of(lower, upper) == len(lower) + len(upper)


def test_a_layer_takes_nothing_from_itself_or_newer_ones() -> None:
    """Its own whiteouts concern older layers, and so do those of an older one."""
    older = layer(whiteout("a"), whiteout("d"), opaque(""))
    tars = older, layer(whiteout("a"), whiteout("d"), ("a", OLD), ("d/a", OLD))
    assert kept_of(*tars) == sum(map(len, tars))


LIVES_ON = {
    "a hard link of its own layer": [
        layer(("a", OLD), link("b", "a")),
        layer("x"),
        layer(("a", b"new")),
    ],
    "a hard link of a newer layer, under a deleted name": [
        layer(("a", OLD)),
        layer(link("b", "a")),
        layer(whiteout("a")),
    ],
    "a file behind a symlink": [
        layer("d/", symlink("s", "d"), ("s/a", OLD)),
        layer("s"),
    ],
    "a file whose directory comes again": [
        layer("d/", ("d/a", OLD), ("e", OLD)),
        layer(whiteout("d"), "d/", link("d/a", "e")),
        layer(whiteout("e")),
    ],
}


@pytest.mark.parametrize("name", LIVES_ON)
def test_what_lives_on_is_unpacked_again(name: str) -> None:
    """A name that is gone is no file that is gone: the merged layer has it, whole."""
    tars = LIVES_ON[name]
    source = image(*tars, stored={i: gzip.compress(tar) for i, tar in enumerate(tars)})
    spool = CountingSpool()
    with LayerOpener(spool) as opener:
        sift(opener, source.layers)
        before = spool.written
        assert before < sum(map(len, tars)), "something was left out"
        ready = prepare(source, Selection((range(len(tars)),)), opener, SILENT)
        assert stream_of(ready.merged(range(len(tars)))) == merge(*tars)
        opener.verify()
        assert spool.written - before == len(tars[0]), "the layer that it is in, once"


def test_the_whole_is_there_after_all() -> None:
    """Whoever reads all of it, or a part that was left out, gets what the tar has."""
    tars = layer(("a", BIG), "b", ("c", BIG), end=END + b"rest"), layer("a", whiteout("c"))
    with LayerOpener(Spool()) as opener:
        tar, upper = sift(opener, [packed(tar) for tar in tars])
        assert isinstance(tar, Sifted)
        assert (tar.size, digest_of(tar)) == (len(tars[0]), Digest.of(tars[0]))
        with tar.open() as stream:
            assert b"".join(iter_chunks(stream)) == tars[0]
        assert tar.read_at(1000, len(BIG)) == tars[0][1000 : 1000 + len(BIG)]
        assert upper.read_at(0, upper.size) == tars[1]


SIZES = [0, 1, 511, 512, 513, 70_000, CHUNK - 512, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3]


@pytest.mark.parametrize("seed", range(6))
def test_any_tar_is_known_as_if_it_were_scanned(seed: int) -> None:
    """Members, headers, checksums and content, wherever they fall in the stream's chunks."""
    chance = random.Random(seed)
    entries = [
        entry(f"d/{i:03d}" * chance.choice([1, 1, 40]), BIG[:size], format=form)
        for i, (size, form) in enumerate(
            (chance.choice(SIZES), chance.choice(["pax", "gnu"])) for _ in range(60)
        )
    ]
    gone = chance.sample(entries, 30)
    lower, upper = layer(*entries), layer(*(entry(e.name, b"new") for e in gone))
    with LayerOpener(Spool()) as opener:
        tar, _ = sift(opener, [packed(lower), packed(upper)])
        assert isinstance(tar, Sifted)
        assert isinstance(tar, HasChecksums)
        members = scan(Bytes(lower), 3)
        assert tar.members(3) == scan(tar, 3) == members
        for member in members:
            content = lower[member.data : member.data + member.size]
            head = lower[member.start : member.data]
            assert tar.read_at(member.start, member.head) == head
            if content:
                assert tar.content_checksum(member.data) == crc64.go_iso(content)
            assert tar.content_checksum(member.start) is None
        for member in members[::-1]:
            content = lower[member.data : member.data + member.size]
            assert tar.read_at(member.data, member.size) == content


ODD = {
    "nothing": layer(),
    "no end": layer("a", end=b""),
    "long record": layer(entry("a", xattrs={b"user.x": b"v" * 700_000}), ("b", BIG)),
    "long record at the end of a chunk": layer(
        ("a", BIG[: CHUNK - 2048]), entry("b" * 250, xattrs={b"user.x": b"v" * 5000}), "c"
    ),
    "much after the end": layer("a", end=END + BIG * 20),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tars_are_read_alike(name: str) -> None:
    """Whatever is in them, a scan finds the same, and all bytes are there."""
    with LayerOpener(Spool()) as opener:
        [tar] = sift(opener, [packed(ODD[name])])
        assert read_changeset(tar, 2).entries == scan(Bytes(ODD[name]), 2)
        assert digest_of(tar) == Digest.of(ODD[name])


def test_what_follows_the_end_is_not_kept_in_memory() -> None:
    """However much it is."""
    one = packed(layer("a", end=END + bytes(64 << 20)))
    with LayerOpener(Spool()) as opener:
        tracemalloc.start()
        try:
            sift(opener, [one])
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


def test_a_broken_tar_is_left_to_who_scans_it() -> None:
    """All of it can be read, but nothing is said of its files."""
    lower = layer(("a", OLD), "b")[: -1024 - 512] + b"x" * 512
    with LayerOpener(Spool()) as opener:
        tar, _ = sift(opener, [packed(lower), packed(layer("a"))])
        assert not isinstance(tar, HasChecksums)
        assert digest_of(tar) == Digest.of(lower)


def test_wrong_layer_is_found_out() -> None:
    """It is compared with its diff_id as one that is kept as a whole."""
    wrong = Layer(Digest.of(b"x"), Bytes(gzip.compress(layer("a"))), "there")
    with LayerOpener(Spool()) as opener, pytest.raises(DigestMismatch, match=r"^there"):
        opener.open([wrong], sieves([wrong]))


def test_layers_without_checksums_are_kept_as_a_whole() -> None:
    """Beside a plain layer, or where one is there twice."""
    one, plain = packed(layer("a")), Layer(Digest.of(layer("a")), Bytes(layer("a")), "there")
    assert sieves([one, plain]) == sieves([one, one]) == [None, None]
