"""Writing to files: all of it, or an error."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from lamella.files import pwrite_all, write_all


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
