"""Bytes read in place: where the disk does not give them, an error tells which file is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamella.errors import ImageError
from lamella.layer.blob import FileRange

_NOTHING_THERE = Path("/proc/self/mem")  # its first bytes can't be read: EIO


def test_unreadable_disks_are_named() -> None:
    """Neither way of reading says "Input/output error" alone."""
    with _NOTHING_THERE.open("rb") as file:
        part = FileRange(file, 0, 10)
        with pytest.raises(ImageError, match=f"can't read {_NOTHING_THERE}: Input/output error"):
            part.read_at(0, 10)
        with pytest.raises(ImageError, match=f"can't read {_NOTHING_THERE}"), part.open() as stream:
            stream.read()


def test_unreadable_temporary_files_have_no_name() -> None:
    """A number would help nobody."""
    with _NOTHING_THERE.open("rb") as file:
        unnamed = open(file.fileno(), "rb", closefd=False)  # noqa: SIM115 - the other one is closed
        with pytest.raises(ImageError, match="can't read a temporary file: "):
            FileRange(unnamed, 0, 10).read_at(0, 10)
