"""Layers of which only the headers are kept."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import DigestMismatch, MalformedTar, Unsupported
from lamella.layer.blob import CHUNK, Bytes, Layer
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import NotFetched, Parts, TarHeaders, has_content, keep_headers
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest
from lamella.tar.reader import read_header
from lamella.tar.scan import scan
from tests.support.examples import examples
from tests.support.tars import END, Entry, Raw, entry, folder, layer, link, symlink

BIG = b"content" * CHUNK


def keep(tar: bytes, size: int | None = None) -> TarHeaders:
    """Keep the headers of a tar."""
    return keep_headers(io.BytesIO(tar), Spool(), Digest.of(tar), "app: layer 1", size)


TARS = {
    "empty": layer(),
    "no end": layer("a", end=b""),
    "small files": layer(*[(f"f{i}", b"x" * (i % 1500)) for i in range(300)]),
    "big file": layer(("a", BIG), ("b", b"small"), folder("c/"), ("d", BIG)),
    "links": layer(("a", BIG), link("b", "a"), symlink("c", "a")),
    "long names": layer(*[entry("n" * 250 + str(i), b"y" * 600) for i in range(20)]),
    "GNU long names": layer(
        entry("n" * 250, BIG, format="gnu"), entry("m" * 99 + "/m" * 900, format="gnu")
    ),
    "attributes": layer(entry("a", BIG, xattrs={b"user.x": b"v" * 5000}), ("b", b"b")),
    "long record": layer(entry("a", xattrs={b"user.x": b"v" * 700_000}), ("b", BIG)),
    "bytes after the end": layer(("a", BIG), end=END + b"rest" * 1000),
}


@pytest.mark.parametrize("name", TARS)
@pytest.mark.parametrize("known", [True, False], ids=["size known", "size unknown"])
def test_headers_read_as_in_the_whole_tar(name: str, known: bool) -> None:
    """A scan, and the full headers, are the same as those of the whole tar."""
    tar = TARS[name]
    kept = keep(tar, len(tar) if known else None)
    members = scan(Bytes(tar))
    assert kept.size == len(tar)
    assert scan(kept) == kept.members(0) == members
    assert [read_header(kept, m) for m in members] == [read_header(Bytes(tar), m) for m in members]


sizes = st.integers(0, 5000) | st.sampled_from([0, 511, 512, 513, CHUNK - 1, CHUNK, 2 * CHUNK])
members = st.builds(
    lambda name, size, form, extra: Entry(
        (name or "x").encode() * (40 if extra else 1), content=bytes(size), format=form
    ),
    st.text("abc/", max_size=5),
    sizes,
    st.sampled_from(["gnu", "pax"]),
    st.booleans(),
)


@given(st.lists(members, max_size=30), st.booleans())
@examples(60)
def test_any_tar_is_scanned_alike(entries: list[Entry], known: bool) -> None:
    """Wherever the blocks of a tar fall in the stream's chunks."""
    tar = layer(*entries)
    kept = keep(tar, len(tar) if known else None)
    assert scan(kept) == kept.members(0) == scan(Bytes(tar))


def test_content_is_not_kept() -> None:
    """Of big files next to nothing goes to the spool, of many small ones no more than 2 KB each."""
    kept = keep(TARS["big file"])
    assert _kept(kept) < 16_384
    assert kept.size > 2 * len(BIG)
    assert _kept(keep(layer(*((f"f{i}", bytes(3000)) for i in range(500))))) < 501 * 2048


def _kept(headers: TarHeaders) -> int:
    assert isinstance(headers.kept, Parts)
    return headers.kept.kept.size


def test_reading_content_fails() -> None:
    """Never zeros in the place of what is not there."""
    tar = layer(("a", BIG))
    kept = keep(tar)
    with pytest.raises(Unsupported, match="app: layer 1: only its headers were fetched"):
        kept.read_at(0, len(tar))
    with pytest.raises(Unsupported, match="only its headers"):
        kept.read_into(memoryview(bytearray(10)), 100_000)
    with kept.open() as stream, pytest.raises(Unsupported, match="only its headers"):
        stream.read()


def test_the_tar_is_verified_as_it_passes() -> None:
    """One changed byte in the middle of a file's content is noticed."""
    tar = layer(("a", BIG))
    with pytest.raises(DigestMismatch, match="app: layer 1"):
        keep_headers(
            io.BytesIO(tar[:5000] + b"!" + tar[5001:]), Spool(), Digest.of(tar), "app: layer 1"
        )


@pytest.mark.parametrize("known", [True, False])
def test_damage_shows_when_the_headers_are_read(known: bool) -> None:
    """A layer that is what its digest says but no sound tar is somebody else's to report."""
    tar = layer(("a", b"x" * 3000), Raw(b"no header".ljust(512)), ("b", BIG))
    kept = keep(tar, len(tar) if known else None)
    with pytest.raises(MalformedTar) as whole:
        scan(Bytes(tar))
    with pytest.raises(MalformedTar) as headers:
        kept.members(0)
    assert str(headers.value) == str(whole.value)


def test_layers_open_headers_as_they_are() -> None:
    """They take part where layers are opened: nothing is copied, and nothing is left to check."""
    kept = keep(TARS["big file"])
    one = Layer(Digest.of(TARS["big file"]), kept, "app: layer 1", verified=True)
    with LayerOpener(Spool()) as opener:
        assert opener.open([one]) == [kept]
        opener.check(one)
        opener.verify()
    assert one.compression == "none"
    assert not has_content(one)


def test_what_was_not_fetched_says_so() -> None:
    """A layer that was left where it is has a size and no content."""
    absent = NotFetched("app: layer 2", 10)
    with pytest.raises(Unsupported, match="app: layer 2: its content was not fetched"):
        absent.open()
    assert not has_content(Layer(Digest.of(b""), absent, "app: layer 2"))
    assert has_content(Layer(Digest.of(b""), Bytes(b""), "app: layer 3"))
