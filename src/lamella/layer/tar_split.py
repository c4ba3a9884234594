"""Layers that an engine keeps taken apart: the headers in a small file, the content in a folder.

Docker (overlay2) and Podman unpack a layer and note beside it, in a tar-split file, what else
the tar consisted of: one JSON object a line, in the order of the tar, which is either bytes of it
(headers, padding: type 2) or a file whose content comes here (type 1).
https://github.com/vbatts/tar-split/blob/main/tar/storage/entry.go
"""

from __future__ import annotations

import copy
import json
import mmap
import os
import stat
import threading
from array import array
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from lamella.errors import DigestMismatch, ImageError, Unsupported
from lamella.layer.blob import CHUNK, Bytes, stream_of
from lamella.layer.compression import detect, open_plain
from lamella.layer.files_below import FilesBelow
from lamella.layer.spool import LayerTar, Spool, digest_of
from lamella.spec.digest import Digest
from lamella.tar.entry import SYMLINK, clean
from lamella.tar.header import BLOCK

__all__ = ["ListedSplit", "SplitPlace", "SplitTar", "read_split"]

_LONGEST_LINE = 64 << 20


@dataclass(frozen=True)
class SplitPlace:
    """Where the parts of a layer are."""

    headers: Path
    """The tar-split file."""
    content: Path
    """The folder that the layer was unpacked to."""
    diff_id: Digest
    where: str
    """What a message calls the layer."""


@dataclass
class _Index:
    """What comes where in the tar."""

    starts: array[int] = field(default_factory=lambda: array("q", [0]))
    """Where in the tar each piece begins; the last one is where the tar ends."""
    origins: array[int] = field(default_factory=lambda: array("q"))
    """Where a piece begins in the kept headers; -1, -2, … for the content of file 0, 1, …"""
    names: list[bytes] = field(default_factory=list)
    """Of the files that have content."""
    seen: array[int] = field(default_factory=lambda: array("q"))
    """Which state of each file was read; 0: none yet."""


class SplitTar:
    """The tar of such a layer; a `LayerTar`, put together while it is read."""

    def __init__(self, place: SplitPlace, index: _Index, headers: Bytes, files: FilesBelow) -> None:
        self.size = index.starts[-1]
        self.proven = True
        """Whether somebody else compares the whole with its digest; if not, it is done before the
        first file is read."""
        self._place, self._index, self._headers, self._files = place, index, headers, files
        self._root = os.fsencode(place.content)
        self._lock = threading.Lock()

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

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`; return how many bytes were read, 0 only at the end.

        Raises:
            ImageError: a file is not there any more, or not the one that was read before.
            DigestMismatch: it has another size; or, for a tar that is not `proven`, the whole is
                not what it should be.
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
                _fill(self._headers.read_into, room, origin + within)
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
                os.close(self._files.open(self._root, name))
            except PermissionError as error:
                raise Unsupported(f"{self._name(number)} may not be read by us") from error
            except OSError:
                continue

    def _read_file(self, number: int, size: int, room: memoryview, within: int) -> None:
        if not self.proven:
            self._prove()
        name = self._index.names[number]
        try:
            fd = self._files.open(self._root, name)
        except OSError as error:
            message = (
                f"{self._name(number)} can't be read: {error.strerror}; was the image removed?"
            )
            raise ImageError(message) from error
        try:
            self._check(number, size, os.fstat(fd))
            _fill(lambda part, at: os.preadv(fd, [part], at), room, within)
        except OSError as error:
            raise ImageError(f"{self._name(number)} can't be read: {error.strerror}") from error
        finally:
            os.close(fd)

    def _name(self, number: int) -> str:
        shown = self._index.names[number].decode("utf-8", "backslashreplace")
        return f"{self._place.where}: {shown} in the engine's store"

    def _check(self, number: int, size: int, status: os.stat_result) -> None:
        """See to it that those who hash and those who copy see the same file."""
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            raise DigestMismatch(self._name(number), f"{size} bytes", f"{status.st_size} bytes")
        state = hash((status.st_ino, status.st_ctime_ns)) or 1
        seen = self._index.seen
        if seen[number] not in {0, state}:
            raise ImageError(f"{self._name(number)} changed while it was read")
        seen[number] = state

    def _prove(self) -> None:
        with self._lock:
            if self.proven:
                return
            whole = copy.copy(self)
            whole.proven = True
            got = digest_of(whole)
            if got != self._place.diff_id:
                raise DigestMismatch(self._place.where, self._place.diff_id, got)
            self.proven = True


def _fill(read: Callable[[memoryview, int], int], room: memoryview, at: int) -> None:
    done = read(room, at)
    while done < len(room):
        got = read(room[done:], at + done)
        if not got:
            raise ImageError("a layer became shorter while it was read")
        done += got


@dataclass(frozen=True, eq=False)
class ListedSplit:
    """A layer of which the headers are wanted, if at all; a `Remote`.

    Headers are not checked against the layer's digest, which would take all of its content; the
    tar-split file has a checksum of its own. What is read beyond headers is checked before.
    """

    place: SplitPlace
    files: FilesBelow
    spool: Spool
    size: int
    """About; what is known without looking."""
    otherwise: Callable[[Exception], LayerTar]
    """Gets the tar in another way, or raises the error that it is given."""

    def open(self) -> BinaryIO:
        """Return a new stream over the whole tar."""
        return read_split(self.place, self.spool, self.files).open()

    def read_headers(self, diff_id: Digest, fetch: Callable[[], LayerTar]) -> LayerTar:
        """Return the tar; see `Remote`. Content is read in place, too, should it be wanted."""
        del diff_id, fetch
        try:
            tar = read_split(self.place, self.spool, self.files)
        except (OSError, ImageError) as error:
            return self.otherwise(error)
        tar.proven = False
        return tar


def read_split(place: SplitPlace, spool: Spool, files: FilesBelow) -> SplitTar:
    """Read a tar-split file.

    Raises:
        OSError: it can't be read.
        ImageError: it is damaged.
        Unsupported: it is one that lamella does not know how to read, or its files may not be read.
        OutputError: the spool is full.
    """
    tar = _read_split(place, spool, files)
    if os.geteuid():  # others than root know only now that they have to ask the engine
        tar.check_rights()
    return tar


def _read_split(place: SplitPlace, spool: Spool, files: FilesBelow) -> SplitTar:
    reader = _Reader(place, spool)
    with place.headers.open("rb") as stream:
        for entries in _batches(stream, place.where):
            try:
                for entry in entries:
                    reader.take(entry)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise Unsupported(f"{place.where}: unknown form of tar-split file") from error
    return reader.finish(files)


def _batches(stream: BinaryIO, where: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the lines of a compressed file, parsed many at a time."""
    kind = detect(stream.read(6))
    stream.seek(0)
    plain, rest = open_plain(stream, kind, where), b""
    while chunk := plain.read(CHUNK):
        whole, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield _parse(whole, where)
        elif len(rest) > _LONGEST_LINE:
            raise Unsupported(f"{where}: a line of more than {_LONGEST_LINE} bytes")
    if rest:
        yield _parse(rest, where)


def _parse(lines: bytes, where: str) -> list[dict[str, Any]]:
    try:
        parsed: list[dict[str, Any]] = json.loads(b"[" + lines.replace(b"\n", b",") + b"]")
    except (ValueError, RecursionError) as error:
        raise Unsupported(f"{where}: unknown form of tar-split file") from error
    return parsed


class _Reader:
    def __init__(self, place: SplitPlace, spool: Spool) -> None:
        self._place, self._spool, self._file = place, spool, spool.file()
        self._index = _Index()
        self._pending = bytearray()
        self._kept = 0
        self._count = 0
        self._kind = b""
        self._links: set[bytes] = set()
        self._parents: set[bytes] = set()

    def take(self, entry: dict[str, Any]) -> None:
        if entry["position"] != self._count:
            raise ValueError
        self._count += 1
        if entry["type"] == 2:  # noqa: PLR2004 - see above
            self._take_bytes(a2b_base64(entry["payload"], strict_mode=True))
        elif entry["type"] == 1:
            name = a2b_base64(entry["name_raw"], strict_mode=True) if "name_raw" in entry else None
            name = entry["name"].encode() if name is None else name
            self._take_file(clean(name), entry.get("size", 0))
        else:
            raise ValueError

    def _take_bytes(self, raw: bytes) -> None:
        index = self._index
        if not index.origins or index.origins[-1] < 0:
            index.origins.append(self._kept)
            index.starts.append(index.starts[-1])
        index.starts[-1] += len(raw)
        self._kept += len(raw)
        self._kind = raw[156 - BLOCK :][:1] if len(raw) >= BLOCK else b""
        self._pending += raw
        if len(self._pending) >= CHUNK:
            self._flush()

    def _take_file(self, name: bytes, size: int) -> None:
        if self._kind == SYMLINK:
            self._links.add(name)
        parent, _, base = name.rpartition(b"/")
        if size < 0 or (size and base[:4] in {b"", b".wh."}):
            raise ValueError
        if not size:
            return
        index = self._index
        self._parents.add(parent)
        index.names.append(name)
        index.origins.append(-len(index.names))
        index.starts.append(index.starts[-1] + size)

    def _flush(self) -> None:
        self._spool.write(self._file, memoryview(self._pending))
        self._pending = bytearray()

    def finish(self, files: FilesBelow) -> SplitTar:
        self._flush()
        for parent in self._parents:
            while parent:
                if parent in self._links:
                    shown = parent.decode("utf-8", "backslashreplace")
                    raise Unsupported(f"{self._place.where}: files behind the link {shown}")
                parent = parent.rpartition(b"/")[0]  # noqa: PLW2901 - upwards
        self._index.seen = array("q", bytes(8 * len(self._index.names)))
        return SplitTar(self._place, self._index, _mapped(self._file), files)


def _mapped(file: BinaryIO) -> Bytes:
    """Return a spooled file as memory: for so many small pieces a system call each is too much."""
    size = os.fstat(file.fileno()).st_size
    return Bytes(
        cast("bytes", mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)) if size else b""
    )
