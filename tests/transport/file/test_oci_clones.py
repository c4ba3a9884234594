"""Blobs that stay are shared by two layouts where the file system can, and still verified."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import lamella
from lamella.errors import DigestMismatch
from tests.support.tars import layer
from tests.transport.forms import Layout, validate_layout

BIG = 8 << 20
TARS = [layer(("big", random.Random(1).randbytes(BIG))), layer(("a", b"1")), layer(("b", b"2"))]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system whose files can share extents: XFS in a file."""
    if os.geteuid() or not shutil.which("mkfs.xfs"):
        pytest.skip("needs root and mkfs.xfs")
    image = tmp_path_factory.mktemp("disk") / "image"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    where = image.with_name("mounted")
    where.mkdir()
    mounted = subprocess.run(["mount", "-o", "loop", image, where], check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield where
    subprocess.run(["umount", where], check=True)


def written(folder: Path) -> tuple[str, int, int]:
    """Squash the small layers of a new layout into another; return bytes written and read."""
    made = Layout()
    made.add(made.manifest(TARS, "none"), "app")
    source = f"oci:{made.write(folder / 'old')}:app"
    before = counters()
    lamella.squash(source, last=2, output=f"oci:{folder}/new:app")
    after = counters()
    validate_layout(folder / "new", "app")
    return source, after["wchar"] - before["wchar"], after["rchar"] - before["rchar"]


def counters() -> dict[str, int]:
    """Bytes that this process wrote and read."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(number) for name, number in (line.split(": ") for line in lines)}


def test_a_layer_that_stays_is_not_written_again(disk: Path) -> None:
    """It takes no room; it is read to verify both names of it, and both layouts live alone."""
    folder = disk / "shared"
    folder.mkdir()
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
    _, wrote, read = written(folder)
    left = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
    assert wrote < BIG / 2
    assert read < 2.5 * BIG
    assert free - left < 1.5 * BIG  # the old layout alone
    [new, old] = sorted(path for path in folder.rglob("*") if path.stat().st_size > BIG)
    assert old.stat().st_ino != new.stat().st_ino
    old.write_bytes(b"changed in place")
    validate_layout(folder / "new", "app")


def test_between_file_systems_it_is_copied(disk: Path, tmp_path: Path) -> None:
    """As it is where files can't share anything."""
    source, *_ = written(disk / "other")
    before = counters()["wchar"]
    lamella.squash(source, last=2, output=f"oci:{tmp_path}/new:app")
    assert counters()["wchar"] - before > BIG
    validate_layout(tmp_path / "new", "app")


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_what_is_shared_is_verified(disk: Path, compression: str) -> None:
    """A damaged layer does not get on: the new layout is not there."""
    folder = disk / compression
    made = Layout()
    described = made.manifest(TARS, compression)
    layout = made.add(described, "app").write(folder / "old")
    big = max((path for path in layout.rglob("*") if path.is_file()), key=os.path.getsize)
    content = bytearray(big.read_bytes())
    content[BIG // 2] ^= 1
    big.write_bytes(content)
    with pytest.raises(DigestMismatch):
        lamella.squash(f"oci:{layout}:app", last=2, output=f"oci:{folder}/new:app")
    assert not (folder / "new").exists()
