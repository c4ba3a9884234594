"""Output files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from lamella.errors import OutputError

__all__ = ["AtomicFile", "writing"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing(where: str) -> Iterator[None]:
    """Turn failures to write into errors that say where, and what to do."""
    try:
        yield
    except BrokenPipeError as error:
        message = f"{where}: whoever reads it went away"
        raise OutputError(message) from error
    except OSError as error:
        if error.errno in _FULL:
            message = f"{where}: no space left on that disk"
        else:
            message = f"can't write {where}: {error.strerror or error}"
        raise OutputError(message) from error


class AtomicFile:
    """A file written under another name beside its target, and renamed at the end."""

    def __init__(self, target: Path) -> None:
        self.target = self._final = target
        self._temporary: Path | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Make the temporary file, which tells whether the place can be written to."""
        try:
            self._open()
        except BaseException:  # an interrupt too: nobody calls __exit__ then
            self._discard()
            raise
        return self

    def _open(self) -> None:
        with writing(str(self.target)):
            target = self._final = self.target.resolve()  # a symlink stays one
            if target.is_dir():
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not target.parent.is_dir():
                raise OSError(errno.ENOENT, f"there is no folder {self.target.parent}")
            old = target.stat().st_mode if target.exists() else None
            if old is not None and not stat.S_ISREG(old):
                self._file = target.open("wb", buffering=0)  # a pipe or a device
                return
            self._temporary = target.parent / f".lamella-{secrets.token_hex(8)}.tmp"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            fd = os.open(self._temporary, flags, 0o666)
            self._file = os.fdopen(fd, "w+b", buffering=0)
            if old is not None:
                with suppress(OSError):  # not every file system has modes
                    os.fchmod(fd, stat.S_IMODE(old))

    @property
    def file(self) -> BinaryIO:
        """The open file."""
        if self._file is None:
            message = "not open"
            raise ValueError(message)
        return self._file

    def commit(self) -> None:
        """Give the file its name.

        Raises:
            OutputError: that failed; the target is as it was.
        """
        with writing(str(self.target)):
            self.file.close()
            if self._temporary is not None:
                self._temporary.replace(self._final)
                self._temporary = None

    def __exit__(self, *error: object) -> None:
        """Remove what was not committed."""
        self._discard()

    def _discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
