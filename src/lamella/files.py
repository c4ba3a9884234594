"""Writing to files, completely or not at all."""

from __future__ import annotations

from typing import BinaryIO

__all__ = ["write_all"]


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of it, however little the file takes at once.

    Raises:
        OSError: the file does not take all of it.
    """
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
