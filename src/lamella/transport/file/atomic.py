"""Output files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from lamella.errors import OutputError
from lamella.files import NewFile, sweep, sync_folder
from lamella.transport.file.folders import OutputPath

__all__ = ["AtomicFile", "confirm", "take_mode", "writing"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(where: str) -> Iterator[None]:
    """Turn failures to write into errors that say where, and what to do."""
    try:
        yield
    except BrokenPipeError as error:
        message = f"{where}: the reader closed the pipe"
        raise OutputError(message) from error
    except OSError as error:
        if error.errno in _FULL:
            message = f"{where}: no space left on its disk"
        else:
            message = f"can't write {where}: {error.strerror or error}"
        raise OutputError(message) from error


def confirm(where: str, *folders: int) -> None:
    """See to it that the new names in folders outlive a power cut.

    Raises:
        OutputError: the disk does not tell so; the names are there nevertheless.
    """
    try:
        for folder in folders:
            sync_folder(folder)
    except OSError as error:
        message = (
            f"{where}: it was written, but the disk did not confirm it "
            f"({error.strerror or error}); check the disk and run the command again"
        )
        raise OutputError(message) from error


class AtomicFile:
    """A file written without a name, which it gets at the end; see `lamella.files.NewFile`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._place: OutputPath | None = None
        self._new: NewFile | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Make the file, which tells whether the place can be written to."""
        try:
            with writing(str(self.target)):
                self._open()
        except BaseException:  # an interrupt too: __exit__ is not called then
            self._discard()
            raise
        return self

    def _open(self) -> None:
        place = self._place = OutputPath(self.target)  # a symlink stays one
        old = place.found
        if old is not None and stat.S_ISDIR(old.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        self._file = place.open_special()
        if self._file is None:
            sweep(place.folder)
            self._new = NewFile(place.folder)
            self._file = self._new.file
            take_mode(self._new, old)

    @property
    def file(self) -> BinaryIO:
        """The open file."""
        if self._file is None:
            message = "not open"
            raise ValueError(message)
        return self._file

    def commit(self) -> None:
        """Give the file its name, once its content is on the disk.

        Raises:
            OutputError: that failed; the target is as it was, or all of the new one, if just the
                disk does not tell that it would outlive a power cut.
        """
        with writing(str(self.target)):
            if self._new is not None and self._place is not None:
                self._new.sync()
                self._new.give_name(self._place.name)
                confirm(str(self.target), self._place.folder)
            self._discard()

    def __exit__(self, *error: object) -> None:
        """Remove what was not committed."""
        self._discard()

    def _discard(self) -> None:
        if self._new is not None:
            self._new.close()
        elif self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._place is not None:
            self._place.close()


def take_mode(new: NewFile, old: os.stat_result | None) -> None:
    """Give a file the mode of the one that it replaces, so that a private one stays private.

    Files of another user decide nothing, and no user gets another's rights.
    """
    if old is not None and stat.S_ISREG(old.st_mode) and old.st_uid == os.geteuid():
        with suppress(OSError):  # not every file system has modes
            os.fchmod(new.file.fileno(), stat.S_IMODE(old.st_mode) & 0o777)
