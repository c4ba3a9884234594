"""Listings that are remembered: right, bounded, and never missed."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import pytest

from lamella.layer.headers import TarHeaders, keep_headers
from lamella.layer.listings import ListingCache
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest
from lamella.tar.scan import scan
from tests.support.tars import entry, layer

TAR = layer("d/", entry("d/" + "long" * 60, b"x" * 5000), ("d/b", b"y" * 100_000))
DIFF_ID = Digest.of(TAR)


def headers_of(tar: bytes) -> TarHeaders:
    """Read a layer as it passes."""
    return keep_headers(io.BytesIO(tar), Spool(), Digest.of(tar), "test")


def load(cache: ListingCache, diff_id: Digest = DIFF_ID) -> TarHeaders | None:
    """Look for a layer."""
    return cache.load(diff_id, Spool(), "again")


def test_what_is_remembered_is_what_was_read(tmp_path: Path) -> None:
    """Scanned again it says the same."""
    cache = ListingCache(tmp_path / "new" / "folder")
    assert load(cache) is None

    cache.save(DIFF_ID, headers_of(TAR))

    found = load(cache)
    assert found is not None
    assert (found.size, found.where) == (len(TAR), "again")
    assert scan(found) == scan(headers_of(TAR))
    assert load(cache, Digest.of(b"other")) is None
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 1


def test_content_is_not_remembered(tmp_path: Path) -> None:
    """A layer of many small files that don't compress takes some bytes for each, and no more."""
    noise = random.Random(1)
    tar = layer(*(entry(f"d/{n}", noise.randbytes(900)) for n in range(1000)))
    cache = ListingCache(tmp_path)
    cache.save(Digest.of(tar), headers_of(tar))
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 100 * 1000


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "of another layer"])
def test_damaged_file_is_as_good_as_none(tmp_path: Path, damage: str) -> None:
    """It is noticed, and the next run stores it anew."""
    cache = ListingCache(tmp_path)
    cache.save(DIFF_ID, headers_of(TAR))
    (path,) = tmp_path.iterdir()
    raw = path.read_bytes()
    other = Digest.of(b"other")
    if damage == "of another layer":
        path.rename(path.with_name(f"sha256-{other.hex}"))
        assert load(cache, other) is None
        return
    changed = raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]
    path.write_bytes({"cut": raw[:-1], "changed": changed, "empty": b""}[damage])
    assert load(cache) is None
    cache.save(DIFF_ID, headers_of(TAR))
    assert load(cache) is not None


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


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Then nothing is remembered, and that is all."""
    (tmp_path / "file").write_text("in the way")
    cache = ListingCache(tmp_path / "file" / "folder")
    cache.save(DIFF_ID, headers_of(TAR))
    assert load(cache) is None
