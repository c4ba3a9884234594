"""Layers that an engine keeps taken apart: the headers in a small file, the content in a folder.

Docker (overlay2) and Podman unpack a layer and note beside it what else the tar consisted of: see
`split_index`. What is read of a file's content is compared with the checksum that was noted when it
was unpacked, as the engines do it themselves; so nothing has to be read that is not wanted.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from fastcrc import crc64

from lamella.errors import DigestMismatch, ImageError, Unsupported
from lamella.layer.blob import CHUNK, stream_of
from lamella.layer.partial.listings import ListingCache
from lamella.layer.protocols import LayerTar
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest
from lamella.tar.entry import clean
from lamella.transport.engine.store.files_below import FilesBelow
from lamella.transport.engine.store.split_index import SplitIndex, read_index

__all__ = ["ListedSplit", "SplitLayer", "SplitTar", "read_split"]

# Bytes of a tar-split file; one of a thousand entries is read in 10 ms.
_WORTH_REMEMBERING = 1 << 16


@dataclass(frozen=True)
class SplitLayer:
    """Where the parts of a layer are."""

    headers: Path
    """The tar-split file."""
    content: Path
    """The folder that the layer was unpacked to."""
    diff_id: Digest
    where: str
    """What a message calls the layer."""


class SplitTar:
    """The tar of such a layer; a `LayerTar`, put together and checked while it is read."""

    def __init__(self, place: SplitLayer, index: SplitIndex, files: FilesBelow) -> None:
        self.size = index.starts[-1]
        self._place, self._index, self._files = place, index, files
        self._headers = index.headers
        self._root = os.fsencode(place.content)
        self._proven: dict[int, int] = {}
        """Of files that are read in parts: the state in which the whole was right."""

    def open(self) -> BinaryIO:
        """Return a new stream over all of it."""
        return stream_of(self)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`; see `ReadAt`."""
        buffer = bytearray(max(0, min(length, self.size - offset)))
        self.read_into(memoryview(buffer), offset)
        return bytes(buffer)

    def read_window(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset` without touching any file; see `HasWindows`."""
        piece = bisect_right(self._index.starts, offset) - 1
        origin = self._index.origins[piece] if offset < self.size else -1
        if origin < 0:
            return self.read_at(offset, length)
        rest = self._index.starts[piece + 1] - offset
        return self._headers.read_at(origin + offset - self._index.starts[piece], min(rest, length))

    def content_checksum(self, offset: int) -> int | None:
        """Return that of the file whose content begins there; see `HasChecksums`."""
        piece = bisect_right(self._index.starts, offset) - 1
        if offset >= self.size or self._index.starts[piece] != offset:
            return None
        origin = self._index.origins[piece]
        return self._index.checksums[-1 - origin] if origin < 0 else None

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`; return how many bytes were read, 0 only at the end.

        Raises:
            ImageError: a file is not there any more.
            DigestMismatch: it is not the one that was unpacked.
        """
        starts, origins = self._index.starts, self._index.origins
        end = min(len(buffer), self.size - offset)
        piece, done = bisect_right(starts, offset) - 1, 0
        while done < end:
            within = offset + done - starts[piece]
            room = buffer[done : min(end, done + starts[piece + 1] - starts[piece] - within)]
            origin = origins[piece]
            if origin < 0:
                self._read_file(-1 - origin, starts[piece + 1] - starts[piece], room, within)
            else:
                self._headers.read_into(room, origin + within)
            done += len(room)
            piece += 1
        return max(0, done)

    def check_rights(self) -> None:
        """See to it that every file may be read by us; whether it is there shows when it is read.

        Raises:
            Unsupported: one may not.
        """
        for number, name in enumerate(self._index.names):
            try:
                os.close(self._files.open(self._root, clean(name)))
            except PermissionError as error:
                raise Unsupported(
                    f"{self._name(number)} can't be read: permission denied"
                ) from error
            except OSError:
                continue

    def _read_file(self, number: int, size: int, room: memoryview, within: int) -> None:
        try:
            fd = self._files.open(self._root, clean(self._index.names[number]))
        except OSError as error:
            message = (
                f"{self._name(number)} can't be read: {error.strerror}; was the image removed?"
            )
            raise ImageError(message) from error
        try:
            state = self._state(fd, number, size)
            if len(room) < size and self._proven.get(number) != state:
                self._prove(fd, number, size)
                self._proven[number] = state
            _fill(fd, room, within)
            if len(room) == size:
                self._compare(number, crc64.go_iso(room))
            elif self._state(fd, number, size) != state:
                raise ImageError(f"{self._name(number)} changed while it was read")
        except OSError as error:
            raise ImageError(f"{self._name(number)} can't be read: {error.strerror}") from error
        finally:
            os.close(fd)

    def _state(self, fd: int, number: int, size: int) -> int:
        """Return what is another number when a file was changed or replaced."""
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            raise DigestMismatch(self._name(number), f"{size} bytes", f"{status.st_size} bytes")
        return hash((status.st_ino, status.st_ctime_ns))

    def _prove(self, fd: int, number: int, size: int) -> None:
        """Read all of a file of which a part is wanted: a part has no checksum."""
        checksum = 0
        buffer = memoryview(bytearray(min(size, CHUNK)))
        for done in range(0, size, CHUNK):
            part = buffer[: size - done]
            _fill(fd, part, done)
            checksum = crc64.go_iso(part, checksum)
        self._compare(number, checksum)

    def _compare(self, number: int, got: int) -> None:
        want = self._index.checksums[number]
        if got != want:
            raise DigestMismatch(self._name(number), f"CRC-64 {want:016x}", f"{got:016x}")

    def _name(self, number: int) -> str:
        shown = clean(self._index.names[number]).decode("utf-8", "backslashreplace")
        return f"{self._place.where}: {shown} in the engine's store"


def _fill(fd: int, room: memoryview, at: int) -> None:
    done = 0
    while done < len(room):
        got = os.preadv(fd, [room[done:]], at + done)
        if not got:
            raise ImageError("a layer became shorter while it was read")
        done += got


@dataclass(frozen=True, eq=False)
class ListedSplit:
    """A layer whose headers are wanted, if at all; a `Remote`."""

    place: SplitLayer
    files: FilesBelow
    spool: Spool
    size: int
    """About; what is known without looking."""
    otherwise: Callable[[Exception], LayerTar]
    """Gets the tar in another way, or raises the error that it is given."""
    cache: ListingCache | None = None
    """Remembers what a tar-split file says, by the digest of the file."""

    def open(self) -> BinaryIO:
        """Return a new stream over the whole tar."""
        return read_split(self.place, self.spool, self.files).open()

    def read_headers(self, diff_id: Digest, fetch: Callable[[], LayerTar]) -> LayerTar:
        """Return the tar; see `Remote`. Content is read in place, too, should it be wanted."""
        del diff_id, fetch
        return self._remembered() or self._read()

    def _read(self) -> LayerTar:
        try:
            return read_split(self.place, self.spool, self.files)
        except (OSError, ImageError) as error:
            return self.otherwise(error)

    def _remembered(self) -> LayerTar | None:
        try:
            raw = self.place.headers.read_bytes() if self.cache else b""
        except OSError:
            return None
        if self.cache is None or len(raw) < _WORTH_REMEMBERING:
            return None
        digest, where, read = Digest.of(raw), self.place.where, lru_cache(self._read)
        known = self.cache.load(digest, where)
        if known is None and isinstance(tar := read(), SplitTar):
            self.cache.save(digest, tar)  # which scans it, so that it need not be scanned again
            known = self.cache.load(digest, where)
        return replace(known, fetch=read) if known else read()


def read_split(place: SplitLayer, spool: Spool, files: FilesBelow) -> SplitTar:
    """Read a tar-split file.

    Raises:
        OSError: it can't be read.
        ImageError: it is damaged.
        Unsupported: it is one that lamella does not know how to read, or its files may not be read.
        OutputError: the spool is full.
    """
    with place.headers.open("rb") as stream:
        tar = SplitTar(place, read_index(stream, spool, place.where), files)
    if os.geteuid():  # others than root know only now that they have to ask the engine
        tar.check_rights()
    return tar
