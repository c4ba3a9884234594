"""Writing to files: all of it, or an error."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import pytest

from lamella.files import TemporaryFolder, pwrite_all, write_all


class Meagre(io.BytesIO):
    """Takes three bytes at a time, like a file on a disk that fills up."""

    def write(self, data: object) -> int:
        """Take a part."""
        return super().write(memoryview(data)[:3])  # type: ignore[arg-type]


class Full(io.BytesIO):
    """Takes nothing, and says so instead of failing."""

    def write(self, data: object) -> int:
        """Take nothing."""
        del data
        return 0


@pytest.mark.parametrize("length", [0, 1, 3, 10])
def test_file_that_takes_a_part_gets_the_rest(length: int) -> None:
    """However often it must be asked."""
    file, data = Meagre(), os.urandom(length)
    write_all(file, memoryview(data))
    assert file.getvalue() == data


def test_file_that_takes_nothing_is_an_error() -> None:
    """It is not asked for ever."""
    with pytest.raises(OSError, match="nothing more is taken"):
        write_all(Full(), b"a")


def test_place_of_a_file_that_takes_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest goes behind the part."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:3], at))
    with (tmp_path / "file").open("w+b", 0) as file:
        pwrite_all(file.fileno(), b"0123456789", 5)
        assert os.pread(file.fileno(), 20, 0) == bytes(5) + b"0123456789"


def test_pipe_that_does_not_block() -> None:
    """It is waited for until somebody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data, got = os.urandom(1 << 20), []
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", 0) as pipe:
        reader = threading.Thread(target=lambda: got.append(source.read(len(data))))
        reader.start()
        write_all(pipe, data)
        reader.join()
    assert got == [data]


def left_behind(parent: Path, *, age: float) -> Path:
    """Make a folder as one of a killed run, with something in it."""
    folder = parent / "lamella-test-old"
    folder.mkdir()
    (folder / "file").write_bytes(b"x")
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def test_folder_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    """By the next run of its kind; others are let alone."""
    old, other = left_behind(tmp_path, age=3600), tmp_path / "lamella-other"
    other.mkdir()
    os.utime(other, (0, 0))
    with TemporaryFolder("lamella-test-", str(tmp_path)) as made:
        assert sorted(tmp_path.iterdir()) == sorted([other, made.path])
        assert made.path != old
    assert list(tmp_path.iterdir()) == [other]


def test_folder_that_is_new_or_used_stays(tmp_path: Path) -> None:
    """However old one is, whoever uses it has locked it."""
    with TemporaryFolder("lamella-test-", str(tmp_path)) as used:
        os.utime(used.path, (0, 0))
        new = left_behind(tmp_path, age=1)
        with TemporaryFolder("lamella-test-", str(tmp_path)):
            assert used.path.is_dir()
            assert new.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="has to give a folder to another user: root alone")
def test_folder_of_another_user_stays(tmp_path: Path) -> None:
    """It may be bait."""
    old = left_behind(tmp_path, age=3600)
    os.chown(old, 12345, 12345)
    with TemporaryFolder("lamella-test-", str(tmp_path)):
        assert old.is_dir()
