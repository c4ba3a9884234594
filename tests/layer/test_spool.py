from __future__ import annotations

import errno
import gzip
import io
import os
import resource
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from lamella.errors import OutputError
from lamella.layer.blob import Bytes, FileRange, Layer, iter_chunks
from lamella.layer.opener import LayerOpener, digest_of
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest
from tests.support.tars import layer

TAR = layer(("a", b"x" * 100_000))
OTHER = layer("b")


def test_spooled_files_have_no_name(tmp_path: Path) -> None:
    """Nothing is left, because nothing is ever there to be found."""
    spool = Spool(str(tmp_path))
    kept, digest = spool.keep(io.BytesIO(TAR))
    assert (kept.size, digest, kept.read_at(0, len(TAR))) == (len(TAR), Digest.of(TAR), TAR)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is said which, and what to do."""
    with pytest.raises(OutputError, match=r"no-such.*`tmp_dir`"):
        Spool(str(tmp_path / "no-such")).file()


def test_default_folder_is_the_system_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where temporary files go here; it is told when it isn't there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match="gone"):
        Spool().file()


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Let no file grow beyond a size, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_full_disk(tmp_path: Path) -> None:
    """It is said where there is no room, and nothing is left."""
    spool = Spool(str(tmp_path))
    with small_files(10_000), pytest.raises(OutputError, match=r"no space left in .*`tmp_dir`"):
        spool.keep(io.BytesIO(TAR))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_while_layers_are_unpacked(tmp_path: Path) -> None:
    """The error comes out of the thread that met it."""
    packed = Layer(Digest.of(TAR), Bytes(gzip.compress(TAR)), "there")
    with (
        small_files(10_000),
        LayerOpener(Spool(str(tmp_path))) as opener,
        pytest.raises(OutputError),
    ):
        opener.open([packed])
    assert list(tmp_path.iterdir()) == []


class _Failing(io.RawIOBase):
    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: object) -> int:
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_kind_of_full(number: int) -> None:
    """Disk, quota, limit."""
    with pytest.raises(OutputError, match="no space left"):
        Spool().write(cast("BinaryIO", _Failing(number)), b"x")


def test_other_faults_are_not_hidden() -> None:
    """A broken disk isn't called full."""
    with pytest.raises(OSError, match=r"."):
        Spool().write(cast("BinaryIO", _Failing(errno.EIO)), b"x")


# -- blobs


def test_part_of_a_file(tmp_path: Path) -> None:
    """A range reads like a file of its own, and never beyond its end."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        part = FileRange(file, 2, 5)
        assert (part.read_at(0, 99), part.read_at(4, 9), part.read_at(5, 1)) == (
            b"23456",
            b"6",
            b"",
        )
        assert part.part(1, 2).read_at(0, 99) == b"34"
        with part.open() as stream:
            assert b"".join(iter_chunks(stream)) == b"23456"
        buffer = bytearray(8)
        assert (part.read_into(memoryview(buffer), 3), bytes(buffer[:2])) == (2, b"56")
        assert part.read_into(memoryview(buffer), 5) == 0
        assert digest_of(part) == Digest.of(b"23456")


def test_bytes_in_memory() -> None:
    """The same for tests."""
    blob = Bytes(b"0123")
    buffer = bytearray(3)
    assert (blob.size, blob.read_at(2, 9), blob.read_into(memoryview(buffer), 2)) == (4, b"23", 2)
    assert digest_of(blob) == Digest.of(b"0123")
