"""Writing to files, completely or not at all.

Whatever lamella writes to a file goes through `write_all` or `pwrite_all`.
"""

from __future__ import annotations

import errno
import os
import select
from typing import BinaryIO

__all__ = ["pwrite_all", "write_all"]


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of it, however little the file takes at once.

    Raises:
        OSError: the file does not take all of it.
    """
    view = memoryview(data).cast("B")
    while view:
        taken = file.write(view)
        if taken is None:  # a pipe that somebody set not to block is full
            select.select([], [file], [])
            continue
        _check_taken(taken)
        view = view[taken:]


def pwrite_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of it to a place of a file.

    Raises:
        OSError: the file does not take all of it.
    """
    view = memoryview(data).cast("B")
    while view:
        taken = os.pwrite(fd, view, offset)
        _check_taken(taken)
        view, offset = view[taken:], offset + taken


def _check_taken(taken: int) -> None:
    """To try for ever where nothing is taken would be no better than to stop early."""
    if not taken:
        raise OSError(errno.EIO, "nothing more is taken")
