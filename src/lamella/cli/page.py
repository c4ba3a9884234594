"""Writes what is asked for beside standard output."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from lamella.cli.terminal import say_whole

__all__ = ["STDOUT", "check_writable", "write_page", "write_whole"]

STDOUT = "-"


def write_page(path: str, page: str) -> None:
    """Write a page to a file, or to standard output.

    Raises:
        OutputError: it can't be written there.
    """
    if path == STDOUT:
        say_whole(page)
    else:
        write_whole(path, page)


def check_writable(path: str) -> None:
    """See that a file has a folder and is none, before the work whose result it is to have.

    Raises:
        OutputError: it hasn't, or is.
    """
    from lamella.transport.file.atomic import writing  # noqa: PLC0415 - few write any
    from lamella.transport.file.folders import OutputPath  # noqa: PLC0415 - as above

    with writing(path):
        place = OutputPath(Path(path))
        found = place.found
        place.close()
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def write_whole(path: str, text: str) -> None:
    """Write a file, which is whole or not there.

    Raises:
        OutputError: it can't be written there.
    """
    from lamella.files import write_all  # noqa: PLC0415 - few write any
    from lamella.transport.file.atomic import AtomicFile, writing  # noqa: PLC0415 - as above

    with AtomicFile(Path(path)) as out:
        with writing(path):
            write_all(out.file, text.encode())
        out.commit()
