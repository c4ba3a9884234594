"""What the headers of far layers say, remembered from one run to the next.

One file a layer, in a folder that may be deleted at any time. It is named by the layer's diff_id,
if that was compared when the layer was read; of a layer in an engine's store, by the digest of the
tar-split file that says it. A file that is damaged is as good as none.

A file holds first what a scan found, which is all that is read as a rule, and then the headers
themselves, in pieces: one that must be read in full costs a piece, however many there are.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import sys
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lamella.errors import MalformedTar
from lamella.files import NewFile, sweep, write_all
from lamella.layer.blob import CHUNK, Bytes
from lamella.layer.partial.headers import Parts, TarHeaders
from lamella.spec.digest import Digest
from lamella.tar.columns import pack_members
from lamella.tar.entry import HasMembers, Member, ReadAt
from lamella.tar.scan import scan

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["ListingCache"]

_NAME = re.compile(r"[a-z0-9]+-[0-9a-f]+")
"""Of a file: its kind, which is the algorithm of the digest for a listing, and the digest."""
_TIDY = 64
"""All files are looked at once, on average, for each such part of the limit that is written."""
_MAGIC = f"lamella listing 3 {sys.byteorder}\n".encode()
_HASH = hashlib.sha256().digest_size
_FRONT = struct.Struct(f"={len(_MAGIC)}s{_HASH}sQ")
"""Magic number, checksum and length of the first part."""
_COUNTS = struct.Struct("=QQ")
"""Bytes of the tar, number of pieces."""
_PIECE = struct.Struct(f"=QQ{_HASH}s")
"""Where in the tar it begins, packed bytes, their checksum."""
_COUNT = struct.Struct("=Q")
"""Number of parts in a piece."""
_LEVEL = 1  # of zstd: unpacks as fast as any, in half the room of zlib's
_UNPACKED = 8
"""Pieces that stay in memory once they were asked for."""
_LONGEST = 128 << 20
"""Bytes of headers, as they are in a tar: a layer with more, some 250,000 files, is read again."""


@dataclass(frozen=True)
class ListingCache:
    """A folder with listings; the oldest are removed when it gets too big."""

    folder: Path
    limit: int = 64 << 20
    """Bytes of all files of one kind."""

    def load(self, known_by: Digest, where: str) -> TarHeaders | None:
        """Return what is remembered of a layer.

        Its headers are read from the file when they are asked for. If that isn't possible then,
        they are as if they had not been kept.

        Args:
            known_by: digest of the layer, or of what tells what is in it.
            where: what messages call the layer.
        """
        path = self._path(known_by)
        try:
            with path.open("rb", buffering=0) as file:
                magic, checksum, length = _FRONT.unpack(file.read(_FRONT.size))
                there = os.fstat(file.fileno()).st_size
                packed = file.read(min(length, there))
            os.utime(path)
        except (OSError, struct.error):
            return None
        if magic != _MAGIC or checksum != _checksum(known_by, packed):
            return None
        plain = zstd.decompress(packed)
        size, count = _COUNTS.unpack_from(plain)
        end = _COUNTS.size + count * _PIECE.size
        starts, places, at = array("q"), [], _FRONT.size + length
        for start, *place in _PIECE.iter_unpack(plain[_COUNTS.size : end]):
            starts.append(start)
            places.append(_PackedPiece(path, at, *place))
            at += places[-1].length
        if at != there:
            return None
        return TarHeaders(size, where, _PackedPieces.of(starts, places), plain[end:])

    def save(self, known_by: Digest, headers: ReadAt) -> None:
        """Remember a layer; if that can't be done, it isn't.

        Args:
            known_by: digest of the layer, or of what tells what is in it.
            headers: its tar. If it is no `HasMembers` it is scanned; only headers are read.
        """
        try:
            columns, length, parts = _known(headers)
        except MalformedTar:
            return
        if columns is None or length > _LONGEST:
            return
        table, pieces = [], []
        for piece in parts:
            pieces.append(_pack(piece))
            checksum = hashlib.sha256(pieces[-1]).digest()
            table.append(_PIECE.pack(piece.starts[0], len(pieces[-1]), checksum))
        counts = _COUNTS.pack(headers.size, len(pieces))
        first = zstd.compress(b"".join([counts, *table, columns]), _LEVEL)
        front = _FRONT.pack(_MAGIC, _checksum(known_by, first), len(first))
        content = b"".join([front, first, *pieces])
        if len(content) > self.limit:
            return
        self.keep(self._path(known_by).name, content)

    def keep(self, name: str, content: bytes) -> None:
        """Write a file of the folder, and make room for it, if that can be done."""
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _write(folder, name, content)
                if self._is_due(name, len(content)):
                    sweep(folder)
                    self._prune()
            finally:
                os.close(folder)

    def _is_due(self, name: str, size: int) -> bool:
        """Whether to look at all files now: by chance, which grows with the size of a new file.

        To look at all of them for each new one takes a time that grows with the square of their
        number: of a thousand images' layers, minutes. Files that are larger than a part of the
        limit are always followed by a look.
        """
        chance = int(name[-8:], 16) / (1 << 32)  # a digest's digits are as good as any
        return chance * self.limit < size * _TIDY

    def sizes(self) -> dict[Path, int]:
        """Return the file of each layer that is remembered, and its size."""
        found = {}
        with suppress(OSError):  # there is no such folder yet
            for path in self.folder.iterdir():
                if _NAME.fullmatch(path.name):
                    with suppress(OSError):  # another run was quicker
                        found[path] = path.stat().st_size
        return found

    def clear(self) -> None:
        """Forget all layers; the folder goes too, if nothing else is in it.

        Raises:
            OSError: a file can't be removed.
        """
        for path in self.sizes():
            path.unlink(missing_ok=True)
        with suppress(OSError):  # it has files of others
            self.folder.rmdir()

    def _path(self, known_by: Digest) -> Path:
        return self.folder / f"{known_by.algorithm}-{known_by.hex}"

    def _prune(self) -> None:
        """Remove what was unused for the longest time.

        Each kind of file has the limit for itself: else the listings of new layers would drive out
        what is known of whole images, which is small and spares all of them.
        """
        found = []
        for path in self.folder.iterdir():
            with suppress(OSError):  # another run was quicker
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        totals = Counter[str]()
        for _, size, path in sorted(found, reverse=True):
            kind = path.name.partition("-")[0]
            totals[kind] += size
            if totals[kind] > self.limit:
                path.unlink(missing_ok=True)


def _write(folder: int, name: str, content: bytes) -> None:
    new = NewFile(folder, 0o600)
    try:
        write_all(new.file, content)
        new.give_name(name)  # damage is noticed: no need to wait for the disk
    finally:
        new.close()


def _checksum(known_by: Digest, packed: bytes) -> bytes:
    return hashlib.sha256(known_by.encode() + packed).digest()


# -- headers, in pieces


class _PackedPiece(NamedTuple):
    """Where a piece is, packed."""

    path: Path
    offset: int
    length: int
    checksum: bytes


@dataclass(frozen=True, eq=False)
class _PackedPieces:
    """Parts of a tar that are in a file, a piece of them in memory only if asked for; a `Kept`."""

    starts: array[int]
    """Where in the tar each piece begins."""
    unpack: Callable[[int], Parts | None]

    @classmethod
    def of(cls, starts: array[int], places: Sequence[_PackedPiece]) -> _PackedPieces:
        return cls(starts, lru_cache(_UNPACKED)(lambda number: _unpack(places[number])))

    def read_into(self, buffer: memoryview, offset: int) -> int:
        number = bisect_right(self.starts, offset) - 1
        piece = self.unpack(number) if number >= 0 else None
        return piece.read_into(buffer, offset) if piece else 0


def _known(source: ReadAt) -> tuple[bytes | None, int, Iterator[Parts]]:
    """Return what is in a tar, packed, unless it can't be; its headers' length, and themselves."""
    if isinstance(source, TarHeaders) and source.columns and isinstance(source.kept, Parts):
        return source.columns, source.kept.kept.size, source.kept.pieces(CHUNK)
    members = source.members(0) if isinstance(source, HasMembers) else scan(source)
    length = sum(member.head for member in members)
    return pack_members(members), length, _headers_of(source, members)


def _headers_of(source: ReadAt, members: Iterable[Member]) -> Iterator[Parts]:
    """Read the headers of all members, some hundred at a time."""
    starts, ends, raw = array("q"), array("q"), bytearray()
    for member in members:
        raw += source.read_at(member.start, member.head)
        starts.append(member.start)
        ends.append(len(raw))
        if len(raw) >= CHUNK:
            yield Parts(Bytes(bytes(raw)), starts, ends)
            starts, ends, raw = array("q"), array("q"), bytearray()
    if starts:
        yield Parts(Bytes(bytes(raw)), starts, ends)


def _pack(piece: Parts) -> bytes:
    raw = piece.kept.read_at(0, piece.kept.size)
    plain = (_COUNT.pack(len(piece.starts)), piece.starts.tobytes(), piece.ends.tobytes(), raw)
    return zstd.compress(b"".join(plain), _LEVEL)


def _unpack(place: _PackedPiece) -> Parts | None:
    """Return a piece; None if it is damaged, or the file is not there any more."""
    try:
        with place.path.open("rb", buffering=0) as file:
            packed = os.pread(file.fileno(), place.length, place.offset)
        if hashlib.sha256(packed).digest() != place.checksum:
            place.path.unlink()  # so that it is written again
            return None
    except OSError:
        return None
    plain = memoryview(zstd.decompress(packed))
    (count,) = _COUNT.unpack_from(plain)
    starts, ends, at = array("q"), array("q"), _COUNT.size
    for table in (starts, ends):
        table.frombytes(plain[at : at + count * table.itemsize])
        at += count * table.itemsize
    return Parts(Bytes(bytes(plain[at:])), starts, ends)
