"""Listings that are remembered: right, bounded, and never missed."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given

from lamella.errors import Unsupported
from lamella.layer.blob import CHUNK, Bytes
from lamella.layer.partial.headers import TarHeaders, keep_headers
from lamella.layer.partial.listings import ListingCache
from lamella.layer.spool import Spool
from lamella.merge.changeset import read_changeset
from lamella.spec.digest import Digest
from lamella.tar.entry import Member
from lamella.tar.scan import scan
from tests.properties.corners import CORNERS
from tests.properties.strategies import layers
from tests.support.examples import examples
from tests.support.sparse import FORMS, sparse
from tests.support.tars import (
    END,
    Entry,
    Raw,
    device,
    entry,
    extended,
    fifo,
    folder,
    layer,
    link,
    pax_records,
    symlink,
)
from tests.tar.test_scan import CONTENT, PARTS, SPARSE_SIZE

TAR = layer("d/", entry("d/" + "long" * 60, b"x" * 5000), ("d/b", b"y" * 100_000))
DIFF_ID = Digest.of(TAR)


def headers_of(tar: bytes) -> TarHeaders:
    """Read a layer as it passes."""
    return keep_headers(io.BytesIO(tar), Spool(), Digest.of(tar), "test")


def load(cache: ListingCache, diff_id: Digest = DIFF_ID) -> TarHeaders | None:
    """Look for a layer."""
    return cache.load(diff_id, "again")


def remembered(folder: Path, tar: bytes = TAR) -> tuple[TarHeaders, Path]:
    """Remember a layer; return what is remembered, and the file."""
    cache = ListingCache(folder)
    cache.save(Digest.of(tar), headers_of(tar))
    found = load(cache, Digest.of(tar))
    assert found is not None
    (path,) = folder.iterdir()
    return found, path


# -- what is remembered

TARS = {
    "empty": layer(),
    "names in PAX records": layer(*[entry("n" * 250 + str(i), b"y" * i) for i in range(20)]),
    "names in GNU headers": layer(entry("n" * 250, b"x" * 600, format="gnu"), "m"),
    "a link's target in a GNU header": layer("a", symlink("b", "t" * 300, format="gnu")),
    "not UTF-8": layer(folder(b"caf\xe9/"), (b"caf\xe9/\xff\n", b"x"), symlink("s", b"\xfe")),
    "odd paths": layer("./a//b/", "/a/c", "x/../d", "../e", ".", folder("."), "a/c"),
    "all types": layer(
        folder("d/"), ("d/f", b"1"), link("d/h", "d/f"), symlink("d/s", "f"), fifo("d/p")
    )[: -len(END)]
    + layer(device("d/c", 1, 3), device("d/b", 8, 0, kind=b"4")),
    "sparse files": layer(
        *(sparse(form, "sparse", PARTS, SPARSE_SIZE, CONTENT) for form in FORMS),
        "after",
    ),
    "a global header between": layer(
        "a", Raw(extended(b"g", pax_records([(b"comment", b"c")]))), ("b", b"b"), "c"
    ),
    "a file with a link's field": layer(Entry(b"a", content=b"a", link=b"left over"), "b"),
    "no padding at the end": layer("a", ("b", b"123"), end=b"")[:-500],
    "a long record": layer(entry("a", xattrs={b"user.x": b"v" * 700_000}), ("b", b"b" * CHUNK)),
    "many folders": layer(*(f"d{i}/" for i in range(1500)), ("d7/f", b"x" * 1000), "d9/g", "d7/h"),
}


def assert_known(tar: bytes) -> None:
    """What is remembered of a tar tells what a scan of it tells, wherever it was taken from."""
    members, raw = scan(Bytes(tar), 5), Bytes(tar)
    for source in (headers_of(tar), raw):
        with TemporaryDirectory() as folder:
            cache = ListingCache(Path(folder))
            cache.save(Digest.of(tar), source)
            found = load(cache, Digest.of(tar))
            assert found is not None
            assert found.size == len(tar)
            assert found.members(5) == members
            assert all(type(member) is Member for member in found.members(5))
            for member in members:
                assert found.read_at(member.start, member.head) == raw.read_at(
                    member.start, member.head
                )
                assert found.read_window(member.start, 512) == raw.read_at(member.start, 512)


@pytest.mark.parametrize("name", TARS)
def test_members_and_headers_are_those_of_the_tar(name: str) -> None:
    """Each field of each member, and each byte of its headers."""
    assert_known(TARS[name])


@pytest.mark.parametrize("name", CORNERS)
def test_corners_are_remembered(name: str) -> None:
    """Links that cross, whiteouts, files in the place of directories."""
    for tar in CORNERS[name]:
        assert_known(tar)


@examples(80)
@given(layers)
def test_any_layer_is_remembered(drawn: list[list[Entry]]) -> None:
    """Whatever its entries are, and however they are spelled."""
    for entries in drawn:
        assert_known(layer(*entries))


def test_what_is_remembered_is_found_again(tmp_path: Path) -> None:
    """Under its own diff_id alone; scanned again, its headers say the same."""
    cache = ListingCache(tmp_path / "new" / "folder")
    assert load(cache) is None

    cache.save(DIFF_ID, headers_of(TAR))

    found = load(cache)
    assert found is not None
    assert (found.size, found.where) == (len(TAR), "again")
    assert scan(found) == scan(Bytes(TAR))
    assert load(cache, Digest.of(b"other")) is None
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 1


def test_members_share_what_is_said_often(tmp_path: Path) -> None:
    """As those of a scan do: a folder's path is there once, however many are in it."""
    found, _ = remembered(tmp_path, layer("x/d/", *(f"x/d/{i}" for i in range(100)), "e", "x/d/z"))
    folders = [member.folder for member in found.members(0) if member.folder == b"x/d"]
    assert len(folders) == 101
    assert len({id(folder) for folder in folders}) == 1


def test_content_is_not_remembered(tmp_path: Path) -> None:
    """A layer of many small files that don't compress takes some bytes for each, and no more."""
    noise = random.Random(1)
    tar = layer(*(entry(f"d/{n}", noise.randbytes(900)) for n in range(1000)))
    found, path = remembered(tmp_path, tar)
    assert path.stat().st_size < 100 * 1000
    with pytest.raises(Unsupported, match="again: only its headers were fetched"):
        found.read_at(1024, 10)


# -- headers are read when they are asked for


def test_headers_are_left_in_the_file(tmp_path: Path) -> None:
    """A layer's members, whiteouts and all, are known without them."""
    tar = layer("a", ("d/b", b"b"), ".wh.c", "d/.wh..wh..opq")
    found, path = remembered(tmp_path, tar)
    path.unlink()
    known, read = read_changeset(found, 3), read_changeset(Bytes(tar), 3)
    assert (known.entries, known.whiteouts) == (read.entries, read.whiteouts)
    assert known.opaques == read.opaques


def _damage(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:])


@pytest.mark.parametrize("lose", [Path.unlink, _damage], ids=["gone", "damaged"])
def test_headers_that_are_lost_are_fetched(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    """The file may go, or break, at any time; a damaged one is not kept for the next run."""
    found, path = remembered(tmp_path)
    lose(path)
    with pytest.raises(Unsupported, match="again: only its headers"):
        found.read_at(0, 512)
    assert not path.exists()
    whole = replace(found, fetch=lambda: Bytes(TAR))
    assert whole.read_at(0, 512) == TAR[:512]
    assert whole.members(0) == scan(Bytes(TAR))


# -- files that are none


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "of another layer", "older"])
def test_damaged_file_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    """It is noticed, and the next run stores it anew."""
    _, path = remembered(tmp_path)
    cache = ListingCache(tmp_path)
    raw = path.read_bytes()
    other = Digest.of(b"other")
    if damage == "of another layer":
        path.rename(path.with_name(f"sha256-{other.hex}"))
        assert load(cache, other) is None
        return
    changed = raw[:100] + bytes([raw[100] ^ 1]) + raw[101:]
    older = b"lamella listing 1\n" + raw[18:]
    path.write_bytes({"cut": raw[:-1], "changed": changed, "empty": b"", "older": older}[damage])
    assert load(cache) is None
    cache.save(DIFF_ID, headers_of(TAR))
    assert load(cache) is not None


@pytest.mark.parametrize("at", range(0, 65, 4))
def test_no_damage_at_the_front_leads_astray(tmp_path: Path, at: int) -> None:
    """Checksum and length of the first part are checked before they are believed."""
    _, path = remembered(tmp_path)
    raw = path.read_bytes()
    path.write_bytes(raw[:at] + bytes([raw[at] ^ 0x81]) + raw[at + 1 :])
    assert load(ListingCache(tmp_path)) is None


@pytest.mark.parametrize(
    "tar",
    [
        layer("a", Raw(b"no header".ljust(512)), "b"),
        layer(entry("a", records=((b"path", b"a\0b"),))),
    ],
    ids=["damaged", "a NUL in a name"],
)
def test_what_is_not_remembered(tmp_path: Path, tar: bytes) -> None:
    """It is read again each time, and says the same each time."""
    cache = ListingCache(tmp_path)
    for source in (headers_of(tar), Bytes(tar)):
        cache.save(Digest.of(tar), source)
        assert load(cache, Digest.of(tar)) is None


# -- bounds


def test_oldest_go_first(tmp_path: Path) -> None:
    """The folder keeps to its limit; what was used lately stays."""
    tars = [layer((f"f{number}", os.urandom(64))) for number in range(4)]
    headers = [headers_of(tar) for tar in tars]
    ListingCache(tmp_path).save(Digest.of(tars[0]), headers[0])
    size = next(tmp_path.iterdir()).stat().st_size
    cache = ListingCache(tmp_path, limit=2 * size + size // 2)
    for number in (1, 2, 3):
        for age, path in enumerate(sorted(tmp_path.iterdir(), key=lambda p: -p.stat().st_mtime_ns)):
            os.utime(path, (1000 - age, 1000 - age))
        assert load(cache, Digest.of(tars[0])) is not None
        cache.save(Digest.of(tars[number]), headers[number])
    assert len(list(tmp_path.iterdir())) == 2
    assert load(cache, Digest.of(tars[0])) is not None
    assert load(cache, Digest.of(tars[1])) is None


def test_new_files_do_not_cost_more_the_more_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files are looked at now and then, not for each new one; the limit is kept roughly."""
    looked = 0
    every = Path.iterdir

    def counted(path: Path) -> Iterator[Path]:
        nonlocal looked
        looked += 1
        return every(path)

    monkeypatch.setattr(Path, "iterdir", counted)
    cache = ListingCache(tmp_path, limit=200_000)
    for number in range(1000):
        cache.keep(f"sha256-{Digest.of(b'%d' % number).hex}", bytes(500))
    assert 50 < looked < 250
    assert 200_000 - 500 < sum(cache.sizes().values()) < 220_000


def test_each_kind_of_file_has_the_limit_for_itself(tmp_path: Path) -> None:
    """What is known of an image is not driven out by the headers of layers, which are larger."""
    cache = ListingCache(tmp_path, limit=1000)
    cache.keep(f"ranges-{DIFF_ID.hex}", bytes(100))
    for number in range(20):
        cache.keep(f"sha256-{Digest.of(b'%d' % number).hex}", bytes(400))
    assert tmp_path / f"ranges-{DIFF_ID.hex}" in cache.sizes()
    assert len(cache.sizes()) == 3


def test_one_that_is_too_big_drives_out_nothing(tmp_path: Path) -> None:
    """It would be pruned at once, and all others with it."""
    _, path = remembered(tmp_path)
    cache = ListingCache(tmp_path, limit=path.stat().st_size + 100)
    noise = random.Random(1)
    big = layer(*(noise.randbytes(20).hex() for _ in range(100)))
    cache.save(Digest.of(big), headers_of(big))
    assert load(cache) is not None
    assert load(cache, Digest.of(big)) is None


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Then nothing is remembered, and that is all."""
    (tmp_path / "file").write_text("in the way")
    cache = ListingCache(tmp_path / "file" / "folder")
    cache.save(DIFF_ID, headers_of(TAR))
    assert load(cache) is None
