"""Layers taken apart, read as the tar they were."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import DigestMismatch, ImageError, MalformedImage, Unsupported
from lamella.layer.blob import Bytes, Layer
from lamella.layer.opener import LayerOpener, digest_of
from lamella.layer.partial.listings import ListingCache
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.merge.changeset import read_changeset
from lamella.spec.digest import Digest
from lamella.tar.entry import Member
from lamella.tar.scan import scan
from lamella.transport.engine.store.files_below import FilesBelow
from lamella.transport.engine.store.tar_split import ListedSplit, SplitLayer, SplitTar, read_split
from tests.support.examples import examples
from tests.support.splits import pack, take_apart, unpack
from tests.support.tars import END, entry, folder, layer, link, symlink, whiteout

BIG = bytes(range(256)) * 3000

TARS = {
    "nothing": b"",
    "empty": layer(),
    "no end": layer(("a", b"a"), end=b""),
    "small files": layer(*[(f"d{i % 90}/f{i}", b"x" * (i % 1500)) for i in range(900)]),
    "big file": layer(("a", BIG), ("b", b"small"), folder("c/"), ("c/d", BIG)),
    "links": layer("e/", ("e/a", BIG), link("b", "e/a"), symlink("c", "e"), whiteout("gone")),
    "names": layer((b"caf\xe9/\xff", b"1"), ("\N{SNOWMAN}/x", b"2"), ("n" * 200, b"3")),
    "spelling": layer(("./a", b"1"), ("/b", b"2"), ("c//d", b"3"), ("e/../f", b"4")),
    "GNU long names": layer(entry("m" * 120 + "/" + "n" * 120, BIG, format="gnu")),
    "escaped names": layer(('a "quoted"/b\\c', b"1"), ("d\n/<e>&", b"2")),
    "attributes": layer(entry("a", BIG, xattrs={b"user.x": b"v" * 5000}), ("b", b"b")),
    "long record": layer(entry("a", xattrs={b"user.x": b"v" * 700_000}), ("b", BIG)),
    "bytes after the end": layer(("a", BIG), end=END + b"rest" * 1000),
}
PLAIN = TARS["big file"]


def opened(place: SplitLayer) -> SplitTar:
    """Read a layer's tar-split file."""
    return read_split(place, Spool(), FilesBelow())


@pytest.mark.parametrize("name", TARS)
def test_it_is_the_tar_that_it_was(name: str, tmp_path: Path) -> None:
    """Byte for byte, whether it is read at once, as a stream or as a layer that is checked."""
    tar = opened(take_apart(TARS[name], tmp_path))
    assert isinstance(tar, LayerTar)
    assert tar.read_at(0, tar.size) == TARS[name]
    with tar.open() as stream:
        assert stream.read() == TARS[name]
    with LayerOpener(Spool()) as opener:
        opener.open([Layer(digest_of(Bytes(TARS[name])), tar, "layer")])
        opener.verify()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SplitTar:
    """A tar of many pieces."""
    return opened(take_apart(TARS["small files"], tmp_path_factory.mktemp("split")))


@examples(200)
@given(data=st.data())
def test_any_part_of_it(data: st.DataObject, small: SplitTar) -> None:
    """From any place, of any length."""
    whole = TARS["small files"]
    start = data.draw(st.integers(0, len(whole) + 10))
    length = data.draw(st.integers(0, len(whole)))
    assert small.read_at(start, length) == whole[start : start + length]
    buffer = bytearray(length)
    got = small.read_into(memoryview(buffer), start)
    assert buffer[:got] == whole[start : start + length]


@pytest.mark.parametrize("name", TARS)
def test_headers_alone_touch_no_file(name: str, tmp_path: Path) -> None:
    """A layer can be indexed without its content."""
    tar = opened(take_apart(TARS[name], tmp_path, with_content=False))
    assert scan(tar) == scan(Bytes(TARS[name]))


def open_files(below: Path) -> int:
    """Count those of a folder."""
    listed = (path for path in Path("/proc/self/fd").iterdir() if path.is_symlink())
    return sum(path.readlink().is_relative_to(below) for path in listed)


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """A few folders stay open while it is read, however many there are, and none afterwards."""
    tar = opened(take_apart(layer(*[(f"a/{i}/b/c", b"x") for i in range(500)]), tmp_path))
    digest_of(tar)
    assert 0 < open_files(tmp_path) < 70
    del tar
    assert open_files(tmp_path) == 0


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    """Neither content nor times change, that of the last access included."""
    place = take_apart(TARS["small files"], tmp_path)
    everything = [tmp_path, *tmp_path.rglob("*")]
    for path in everything:
        os.utime(path, (1, 2))
    before = {path: path.lstat() for path in everything if path.is_file() or path.is_dir()}
    names = sorted(path for path in tmp_path.rglob("*"))
    for path in (path for path in everything if path.is_dir()):
        os.utime(path, (1, 2))  # listing them was an access
    tar = opened(place)
    with LayerOpener(Spool()) as opener:
        opener.open([Layer(place.diff_id, tar, "layer")])
        opener.verify()
    for path, then in before.items():
        now = path.lstat()
        assert (now.st_mtime_ns, now.st_size) == (then.st_mtime_ns, then.st_size)
        if path.is_file() and path != place.headers:
            assert now.st_atime_ns == then.st_atime_ns == 10**9
    assert sorted(tmp_path.rglob("*")) == names


# -- what is not as it should be


def change(path: Path) -> None:
    """Change one byte."""
    raw = path.read_bytes()
    path.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])


@pytest.mark.parametrize("name", ["c/d", "b"])
def test_another_content_has_another_checksum(name: str, tmp_path: Path) -> None:
    """A file of the same size shows when any part of it is read; others can be read."""
    place = take_apart(PLAIN, tmp_path)
    change(place.content / name)
    tar = opened(place)
    found = {member.path.decode(): member for member in scan(tar)}
    for start, length in ((0, found[name].size), (1, 2)):
        with pytest.raises(
            DigestMismatch, match=f"layer 1: {name} in .* expected CRC-64 [0-9a-f]{{16}}"
        ):
            tar.read_at(found[name].data + start, length)
    assert tar.read_at(found["a"].data, len(BIG)) == BIG


def test_a_layer_that_is_kept_is_hashed_as_a_whole(tmp_path: Path) -> None:
    """Whoever only merges it reads the files that stay; who hands it on has to know all of it."""
    place = take_apart(PLAIN, tmp_path)
    another = Layer(Digest.of(b"another"), opened(place), "layer")
    with LayerOpener(Spool()) as opener:
        opener.open([another])
        opener.verify()
        opener.check(another)
        with pytest.raises(DigestMismatch, match=str(place.diff_id)):
            opener.verify()


def test_checksums_are_those_of_content(tmp_path: Path) -> None:
    """Found by where a file begins: equal for equal files; nothing else has one."""
    tar = opened(take_apart(PLAIN, tmp_path))
    one, small, folder_, other = scan(tar)
    assert tar.content_checksum(one.data) == tar.content_checksum(other.data) is not None
    assert tar.content_checksum(small.data) not in {None, tar.content_checksum(one.data)}
    for offset in (0, one.data + 1, folder_.data, tar.size, tar.size + 1):
        assert tar.content_checksum(offset) is None


def test_another_size_shows_at_once(tmp_path: Path) -> None:
    """The message names the file and both sizes."""
    place = take_apart(PLAIN, tmp_path)
    (place.content / "b").write_bytes(b"smaller")
    with pytest.raises(DigestMismatch, match=r"layer 1: b in .* expected 5 bytes, got 7 bytes"):
        digest_of(opened(place))


def test_a_change_between_two_readings(tmp_path: Path) -> None:
    """That a file was right once does not count when it was changed since."""
    place = take_apart(PLAIN, tmp_path)
    tar = opened(place)
    big = next(iter(scan(tar)))
    assert tar.read_at(big.data, 10) == BIG[:10]
    change(place.content / "a")
    with pytest.raises(DigestMismatch, match="a in the engine's store"):
        tar.read_at(big.data + 10, 10)
    change(place.content / "a")
    assert tar.read_at(big.data + 10, 10) == BIG[10:20]
    shutil.rmtree(place.content)
    with pytest.raises(ImageError, match=r"No such file.*was the image removed\?"):
        digest_of(tar)


def to_outside(path: Path, outside: Path) -> None:
    """Move a path away, and leave a link to it."""
    path.rename(outside)
    path.symlink_to(outside)


@pytest.mark.parametrize("name", ["c", "c/d", "b", "."])
def test_links_are_never_followed(name: str, tmp_path: Path) -> None:
    """Not in a file's place, nor on the way to it; the way out of the folder is no way."""
    place = take_apart(PLAIN, tmp_path / "store")
    to_outside(place.content / name if name != "." else place.content, tmp_path / "outside")
    with pytest.raises(ImageError, match=r"can't be read: (Too many levels|Not a directory)"):
        digest_of(opened(place))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe in a file's place would never end."""
    place = take_apart(PLAIN, tmp_path)
    (place.content / "b").unlink()
    os.mkfifo(place.content / "b")
    with pytest.raises(DigestMismatch, match="expected 5 bytes"):
        digest_of(opened(place))


def test_a_file_behind_a_link_of_its_layer(tmp_path: Path) -> None:
    """Engines follow it where they unpack; here it is said beforehand."""
    tar = layer("real/", symlink("way", "real"), ("way/deep/file", b"x"))
    place = take_apart(tar, tmp_path, with_content=False)
    with pytest.raises(Unsupported, match="files behind the link way"):
        opened(place)


def spoiled(**changes: object) -> Callable[[list[dict[str, Any]]], None]:
    """Change the line of a file with content."""
    return lambda lines: lines[1].update(changes)


@pytest.mark.parametrize(
    "spoil",
    [
        spoiled(type=3),
        spoiled(type=None),
        spoiled(size=-1),
        spoiled(size="5"),
        spoiled(size=None),
        spoiled(payload=None),
        spoiled(payload="AAAA"),
        spoiled(payload="?"),
        spoiled(name=7),
        spoiled(name=""),
        spoiled(name="a/.wh.b"),
        spoiled(name_raw="?"),
        spoiled(position=0),
        lambda lines: lines[1].pop("name"),
        lambda lines: lines[0].update(payload="?"),
        lambda lines: lines[0].update(payload=None),
        lambda lines: lines.insert(1, lines[1]),
        lambda lines: lines.__setitem__(1, []),
    ],
)
def test_what_is_not_known_is_not_guessed(
    spoil: Callable[[list[dict[str, Any]]], None], tmp_path: Path
) -> None:
    """A file in another form ends in one kind of error."""
    place = take_apart(PLAIN, tmp_path)
    lines = unpack(place.headers)
    spoil(lines)
    pack(place.headers, lines)
    with pytest.raises(Unsupported, match="layer 1: unknown form of tar-split file"):
        opened(place)


def test_damage_of_the_headers_shows(tmp_path: Path) -> None:
    """They have a checksum of their own; what is cut off, or no JSON, shows too."""
    place = take_apart(TARS["attributes"], tmp_path)
    raw = place.headers.read_bytes()
    for damaged in (raw[:-9], raw[:-8] + bytes([raw[-8] ^ 1]) + raw[-7:], raw[: len(raw) // 2]):
        place.headers.write_bytes(damaged)
        with pytest.raises(MalformedImage, match="damaged or cut off"):
            opened(place)
    for text in (b"no JSON\n", b"{}{}\n", b"[" * 100_000):
        place.headers.write_bytes(text)
        with pytest.raises(Unsupported, match="unknown form"):
            opened(place)


# -- layers of which the headers are wanted


def listed(place: SplitLayer, cache: ListingCache | None = None) -> Layer:
    """Make one, without another way to its tar."""

    def fail(error: Exception) -> LayerTar:
        raise error

    blob = ListedSplit(place, FilesBelow(), Spool(), 0, fail, cache)
    return Layer(place.diff_id, blob, place.where, verified=True)


def test_listed_layers_cost_no_reading_of_content(tmp_path: Path) -> None:
    """Where content is wanted after all it is read in place, and checked."""
    place = take_apart(PLAIN, tmp_path)
    change(place.content / "c/d")
    with LayerOpener(Spool()) as opener:
        [tar] = opener.open_headers([listed(place)])
        first, *_, last = scan(tar)
        assert tar.read_at(first.data, first.size) == BIG
        with pytest.raises(DigestMismatch):
            tar.read_at(last.data, 10)


def test_a_listed_layer_can_be_had_whole(tmp_path: Path) -> None:
    """By way of the spool, and checked."""
    place = take_apart(PLAIN, tmp_path)
    with LayerOpener(Spool()) as opener:
        [tar] = opener.open([listed(place)])
        assert tar.read_at(0, tar.size) == PLAIN


def test_a_listed_layer_can_come_in_another_way(tmp_path: Path) -> None:
    """What can't be read in place is asked for elsewhere; who has no other way gives the reason."""
    place = take_apart(PLAIN, tmp_path)
    place.headers.unlink()
    blob = ListedSplit(place, FilesBelow(), Spool(), len(PLAIN), lambda _: Bytes(PLAIN))
    with LayerOpener(Spool()) as opener:
        [tar] = opener.open_headers([Layer(place.diff_id, blob, "layer", verified=True)])
        assert tar.read_at(0, tar.size) == PLAIN
        with pytest.raises(FileNotFoundError):
            opener.open_headers([listed(place)])


# -- what is remembered of them

MANY = layer(*[(f"d{i // 50}/file{i}", b"%d" % i * (i % 90)) for i in range(4000)])


def headers_of(place: SplitLayer, cache: ListingCache) -> LayerTar:
    """Open a layer for its headers."""
    with LayerOpener(Spool()) as opener:
        return opener.open_headers([listed(place, cache)])[0]


def members_of(tar: LayerTar) -> list[Member]:
    """Say what a layer consists of, the way that a squash asks it."""
    return read_changeset(tar, 0).entries


@pytest.mark.slow
def test_a_large_layer_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next time its tar-split file is recognized, and not taken apart again."""
    place, cache = take_apart(MANY, tmp_path / "store"), ListingCache(tmp_path / "cache")
    first = members_of(headers_of(place, cache))
    assert first == scan(Bytes(MANY))

    def refuse(self: Spool) -> None:
        raise AssertionError("headers were taken apart")

    monkeypatch.setattr(Spool, "file", refuse)
    tar = headers_of(place, cache)
    assert members_of(tar) == first
    for member in first[::500]:
        assert tar.read_at(member.start, member.head) == MANY[member.start : member.data]


@pytest.mark.slow
def test_content_of_a_remembered_layer(tmp_path: Path) -> None:
    """It is read in place, and checked."""
    place, cache = take_apart(MANY, tmp_path / "store"), ListingCache(tmp_path / "cache")
    one, other = members_of(headers_of(place, cache))[-2:]
    change(place.content / other.path.decode())
    tar = headers_of(place, cache)
    assert tar.read_at(one.data, one.size) == MANY[one.data : one.data + one.size]
    with pytest.raises(DigestMismatch):
        tar.read_at(other.data, other.size)


@pytest.mark.slow
def test_another_tar_split_file_is_not_mistaken(tmp_path: Path) -> None:
    """What is remembered belongs to the very bytes that were read, whatever the layer's name."""
    place, cache = take_apart(MANY, tmp_path / "store"), ListingCache(tmp_path / "cache")
    members_of(headers_of(place, cache))
    another = layer(*[(f"e{i // 50}/file{i}", b"%d" % i * (i % 80)) for i in range(4000)])
    take_apart(another, tmp_path / "other").headers.replace(place.headers)
    assert members_of(headers_of(place, cache)) == scan(Bytes(another))


def test_small_layers_are_not_remembered(tmp_path: Path) -> None:
    """Reading them takes no time."""
    place, cache = take_apart(PLAIN, tmp_path / "store"), ListingCache(tmp_path / "cache")
    assert members_of(headers_of(place, cache)) == scan(Bytes(PLAIN))
    assert not cache.folder.exists()
