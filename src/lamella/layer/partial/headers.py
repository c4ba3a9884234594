"""Layers that are not all there: their headers alone, or nothing but their name."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from lamella.errors import DigestMismatch, MalformedTar, Unsupported
from lamella.layer.blob import CHUNK, Bytes, FileRange, Layer, stream_of
from lamella.layer.hasher import Hasher
from lamella.layer.protocols import Kept, Readable
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest
from lamella.tar.columns import pack_members, unpack_members
from lamella.tar.entry import Member
from lamella.tar.header import padding
from lamella.tar.scan import scan

__all__ = [
    "HeaderStream",
    "NotFetched",
    "Parts",
    "TarHeaders",
    "has_content",
    "keep_headers",
]

# Of what a scan reads ahead, a header is kept. It may ask for more, but content is to be left out.
_AHEAD = 512
# A scan goes back to where an extended header began, which is never farther than this.
_BEHIND = 1 << 16
_UNKNOWN_SIZE = 1 << 62
# Bytes that are written as they are; what is smaller is gathered.
_LARGE = CHUNK // 4


@dataclass(frozen=True)
class NotFetched:
    """Stands in for bytes that were left where they are."""

    where: str
    size: int

    def open(self) -> BinaryIO:
        """Say that there is nothing to read."""
        raise Unsupported(f"{self.where}: its content was not fetched")


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of a tar, one after another."""

    kept: FileRange | Bytes
    starts: array[int]
    """Where in the tar each part begins."""
    ends: array[int]
    """Where in `kept` each part ends."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`, up to the end of the part; see `Kept`."""
        at, left = self._place(offset)
        return self.kept.read_into(buffer if len(buffer) <= left else buffer[:left], at)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`, up to the end of the part."""
        at, left = self._place(offset)
        return self.kept.read_at(at, min(length, left))

    def _place(self, offset: int) -> tuple[int, int]:
        """Return where in `kept` an offset is, and how many bytes are left there of its part."""
        index = bisect_right(self.starts, offset) - 1
        if index < 0:
            return 0, 0
        at = offset - self.starts[index] + self._begin(index)
        return at, max(0, self.ends[index] - at)

    def _begin(self, index: int) -> int:
        return self.ends[index - 1] if index else 0

    def pieces(self, size: int) -> Iterator[Parts]:
        """Yield all of it in memory, so many bytes at a time."""
        for low in range(0, self.kept.size, size):
            high = min(low + size, self.kept.size)
            first, last = bisect_right(self.ends, low), bisect_left(self.ends, high)
            starts = self.starts[first : last + 1]
            starts[0] += low - self._begin(first)
            ends = array("q", [min(end, high) - low for end in self.ends[first : last + 1]])
            yield Parts(Bytes(self.kept.read_at(low, high - low)), starts, ends)


@dataclass(frozen=True, eq=False)
class TarHeaders:
    """A tar of which only those parts are there that a scan of its headers reads."""

    size: int
    """Bytes of the whole tar."""
    where: str
    kept: Kept
    columns: bytes | None = None
    """What a scan finds, packed (see `tar.columns`), unless that is not known."""
    fetch: Callable[[], Kept] | None = None
    """Gets the whole tar after all, if there is a way."""

    def members(self, origin: int) -> list[Member]:
        """Return what a scan finds; see `HasMembers`.

        Raises:
            MalformedTar: the tar is damaged.
        """
        return scan(self, origin) if self.columns is None else unpack_members(self.columns, origin)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`, up to the end of the part; return how many bytes were read.

        Raises:
            Unsupported: what is there was not kept, and can't be fetched.
        """
        if offset >= self.size or not len(buffer):
            return 0
        got = self.kept.read_into(buffer, offset)
        if not got and self.fetch is not None:
            return self.fetch().read_into(buffer, offset)
        if not got:
            raise Unsupported(f"{self.where}: only its headers were fetched, not its content")
        return got

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`; see `ReadAt`.

        Raises:
            Unsupported: not all of them were kept.
        """
        buffer = bytearray(max(0, min(length, self.size - offset)))
        view, done = memoryview(buffer), 0
        while done < len(buffer):
            done += self.read_into(view[done:], offset + done)
        return bytes(buffer)

    def read_window(self, offset: int, length: int) -> bytes:
        """Return what was kept from `offset` on; see `HasWindows`."""
        buffer = memoryview(bytearray(length))
        return bytes(buffer[: self.read_into(buffer, offset)])

    def open(self) -> BinaryIO:
        """Return a new stream; it ends in an error where the first part does."""
        return stream_of(self)


def has_content(layer: Layer) -> bool:
    """Whether all bytes of a layer can be read."""
    return not isinstance(layer.blob, NotFetched | TarHeaders)


def keep_headers(
    stream: Readable, spool: Spool, diff_id: Digest, where: str, size: int | None = None
) -> TarHeaders:
    """Read a layer's tar once, to its end, and keep what a scan needs.

    Args:
        stream: the uncompressed tar.
        spool: takes what is kept.
        diff_id: what it must be.
        where: what messages call it.
        size: its length, if that is known before.

    Raises:
        DigestMismatch: it is something else.
        OutputError: the spool is full.
    """
    passing = HeaderStream(stream, spool, size)
    columns = None
    with suppress(MalformedTar):  # the scan of what was kept finds the same fault
        columns = pack_members(scan(passing))
    got = passing.drain()
    if got != diff_id:
        raise DigestMismatch(where, diff_id, got)
    return TarHeaders(passing.size, where, passing.kept(), columns)


class HeaderStream:
    """A stream as a `ReadAt` for one scan: hashes what passes, keeps what is asked for."""

    def __init__(
        self,
        stream: Readable,
        spool: Spool,
        size: int | None,
        stop: threading.Event | None = None,
    ) -> None:
        self.size = _UNKNOWN_SIZE if size is None else size
        self._stream, self._spool, self._file = stream, spool, spool.file()
        self._hasher = Hasher()
        self._window, self._base = b"", 0
        self._starts, self._ends = array("q"), array("q")
        self._stop = 0  # where in the tar the last part ends
        self._unwanted = stop
        self._pending = bytearray()

    @property
    def _end(self) -> int:
        return self._base + len(self._window)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes not far before those asked for last, or behind them; see `ReadAt`."""
        stop = offset + length
        stop += padding(stop)  # what pads an extended header is a part of it
        while self._end < stop and self._pass(offset):
            pass
        if offset < self._base:
            raise MalformedTar("an extended header too long to be read from a stream", offset)
        start = offset - self._base
        found = self._window[start : stop - self._base]
        self._keep(offset, found)
        return found[:length]

    def read_window(self, offset: int, length: int) -> bytes:
        """Return a header; see `HasWindows`."""
        return self.read_at(offset, min(length, _AHEAD))

    def _pass(self, wanted: int) -> bool:
        """Read on; nothing before `wanted` will be asked for, but for an extended header."""
        chunk = b"" if self._unwanted and self._unwanted.is_set() else self._stream.read(CHUNK)
        self._hasher.update(chunk)
        keep = min(max(self._base, self._oldest(wanted)), self._end)
        self._window = self._window[keep - self._base :] + chunk
        self._base = keep
        return bool(chunk)

    def _oldest(self, wanted: int) -> int:
        """Return from where on bytes may be asked for again."""
        return wanted - _BEHIND

    def _keep(self, offset: int, found: bytes | memoryview) -> None:
        if self._starts and offset <= self._stop:
            found = found[self._stop - offset :]  # the rest of a part that was read before
            if not found:
                return
            self._ends[-1] += len(found)
        else:
            self._starts.append(offset)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(found))
            self._stop = offset
        self._stop += len(found)
        if len(found) >= _LARGE:
            self._flush()
            self._spool.write(self._file, found)
            return
        self._pending += found
        if len(self._pending) >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._spool.write(self._file, memoryview(self._pending))
            self._pending = bytearray()

    def drain(self) -> Digest:
        """Read on to the end; return the digest of all that passed."""
        while self._pass(_UNKNOWN_SIZE):
            pass
        self.size = self._end
        return self._hasher.digest()

    def kept(self) -> Parts:
        """Return what was asked for so far."""
        self._flush()
        return Parts(FileRange.whole(self._file), self._starts, self._ends)
