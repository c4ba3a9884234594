"""Output files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
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
        self.target = target
        self._temporary: Path | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Make the temporary file, which tells whether the place can be written to."""
        with writing(str(self.target)):
            if self.target.is_dir():
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if self.target.exists() and not stat.S_ISREG(self.target.stat().st_mode):
                self._file = self.target.open("wb", buffering=0)  # a pipe or a device
                return self
            name = f".{self.target.name[:200]}.{secrets.token_hex(4)}.tmp"
            temporary = self.target.parent / name
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            fd = os.open(temporary, flags, 0o666)
            self._temporary = temporary
            self._file = os.fdopen(fd, "w+b", buffering=0)
        return self

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
                self._temporary.replace(self.target)
                self._temporary = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was not committed."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
