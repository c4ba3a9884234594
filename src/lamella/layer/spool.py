"""Temporary files that can't be left behind.

A spooled file has no name: it is gone when lamella is, however lamella ends.
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
import threading
from typing import BinaryIO, cast

from lamella.errors import OutputError
from lamella.files import write_all
from lamella.layer.blob import CHUNK, FileRange
from lamella.layer.compression import PlainReader
from lamella.layer.hasher import Hasher
from lamella.layer.room import check_room, room_of
from lamella.spec.digest import Digest

__all__ = ["Spool"]

_WAY_OUT = "; try another `tmp_dir`"


class _Unnamed(io.FileIO):
    """Closed, and gone, with its last reference: that is how it is meant to be used."""

    def __del__(self) -> None:
        self.close()


class Spool:
    """Makes temporary files in one folder."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder

    @property
    def _place(self) -> str:
        """For messages."""
        return self._folder or tempfile.gettempdir()

    def file(self) -> BinaryIO:
        """Return a new, empty, nameless file.

        Raises:
            OutputError: the folder isn't there or can't be written to.
        """
        try:
            with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
                return cast("BinaryIO", _Unnamed(os.dup(file.fileno()), "r+b"))
        except OSError as error:
            message = f"can't make a temporary file in {self._place}: {error.strerror}"
            raise OutputError(message + _WAY_OUT) from error

    def has_room(self, wanted: int) -> bool:
        """Whether so many bytes are free, as far as that can be told."""
        free = room_of(self._place)
        return free is None or free >= wanted

    def check_room(self, need: int) -> None:
        """See to it that so many bytes can be kept at the least.

        Raises:
            OutputError: there is no room.
        """
        check_room(self._place, need, "temporary files", _WAY_OUT)

    def keep(
        self, stream: BinaryIO | PlainReader, stop: threading.Event | None = None
    ) -> tuple[FileRange, Digest]:
        """Copy a stream to a new file; return it and the digest of what was copied.

        Args:
            stream: what is copied, to its end.
            stop: when it is set, the rest is not needed.

        Raises:
            OutputError: no room is left.
        """
        file, hasher = self.file(), Hasher()
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            self.write(file, chunk)
            if stop and stop.is_set():
                break
        return FileRange.whole(file), hasher.digest()

    def write(self, file: BinaryIO, chunk: bytes | memoryview) -> None:
        """Append to a spooled file.

        Raises:
            OutputError: no room is left.
        """
        try:
            write_all(file, chunk)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise
            message = f"no space left in {self._place} for temporary files"
            raise OutputError(message + _WAY_OUT) from error
