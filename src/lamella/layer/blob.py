"""Where the bytes of a layer are, and what a layer is known by."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, Protocol, cast, runtime_checkable

from lamella.errors import ImageError
from lamella.layer.compression import detect
from lamella.spec.codec import Codec
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest

__all__ = [
    "CHUNK",
    "Blob",
    "Bytes",
    "FileRange",
    "Layer",
    "Merged",
    "Peekable",
    "iter_chunks",
    "stream_of",
]

CHUNK = 1 << 18
"""Bytes per read. 256 KB keeps a buffer in the processor's cache; 1 MB and more were slower."""


class Blob(Protocol):
    """Stored bytes, compressed or not, that can be read more than once."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def open(self) -> BinaryIO:
        """Return a new stream over all of them."""


@runtime_checkable
class Peekable(Protocol):
    """A blob that is costly to open and leave."""

    def peek(self, length: int) -> bytes:
        """Return the first bytes, by a way that brings few more."""


@dataclass(frozen=True, eq=False)
class FileRange:
    """A part of a file, read in place. It keeps the file open as long as it is referred to."""

    file: BinaryIO
    offset: int
    size: int

    @classmethod
    def whole(cls, file: BinaryIO) -> FileRange:
        """All of a file that is open for reading and has a file descriptor."""
        return cls(file, 0, os.fstat(file.fileno()).st_size)

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing else in the file."""
        return not self.offset and os.fstat(self.file.fileno()).st_size == self.size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes of the range; see `ReadAt`.

        Raises:
            ImageError: the disk does not give them.
        """
        left = self.size - offset
        if length > left:  # noqa: PLR1730 - `min` would take a fifth of what reading a header does
            length = left
        try:
            return os.pread(self.file.fileno(), length, self.offset + offset) if length > 0 else b""
        except OSError as error:
            raise self._unreadable(error) from error

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`; return how many bytes were read, 0 only at the end."""
        left = self.size - offset
        if left < len(buffer):
            buffer = buffer[: max(0, left)]
        try:
            return os.preadv(self.file.fileno(), [buffer], self.offset + offset) if buffer else 0
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> ImageError:
        name = self.file.name  # a number, where it was opened without one
        where = os.fspath(name) if isinstance(name, str | os.PathLike) else "a temporary file"
        return ImageError(f"can't read {where}: {error.strerror}; check the disk it is on")

    def part(self, offset: int, size: int) -> FileRange:
        """Return a range within this one."""
        return FileRange(self.file, self.offset + offset, size)

    def open(self) -> BinaryIO:
        """Return a new stream over the range."""
        return stream_of(self)


class _ReadsInto(Protocol):
    def read_into(self, buffer: memoryview, offset: int) -> int: ...


def stream_of(source: _ReadsInto) -> BinaryIO:
    """Return a new stream over something that can be read from any place."""
    return cast("BinaryIO", io.BufferedReader(_Forward(source), CHUNK))


class _Forward(io.RawIOBase):
    def __init__(self, source: _ReadsInto) -> None:
        self._source, self._at = source, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        got = self._source.read_into(memoryview(buffer), self._at)
        self._at += got
        return got


@dataclass(frozen=True, eq=False)
class Bytes:
    """Bytes in memory, for small things and for tests."""

    content: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.content)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`; see `ReadAt`."""
        return self.content[offset : offset + length]

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`; return how many bytes were read."""
        part = self.content[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def open(self) -> BinaryIO:
        """Return a new stream."""
        return io.BytesIO(self.content)


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer as it is stored. Layers are told apart by position, never by digest."""

    diff_id: Digest
    """Digest of the uncompressed tar, trailing bytes included."""
    blob: Blob
    """The stored bytes."""
    where: str
    """What a message calls it."""
    descriptor: Descriptor | None = None
    """Of the stored bytes, where there is a manifest that says so."""
    verified: bool = False
    """Its digests were compared while it was fetched."""

    @cached_property
    def compression(self) -> Codec:
        """How it is stored, by its first bytes: as `detect` tells it."""
        if isinstance(self.blob, FileRange):
            return detect(self.blob.read_at(0, 6))  # a stream would read far ahead
        if isinstance(self.blob, Peekable):
            return detect(self.blob.peek(6))
        with self.blob.open() as stream:
            return detect(stream.read(6))


class Merged(Protocol):
    """A new layer, ready to be written."""

    @property
    def size(self) -> int:
        """Bytes of its tar, known before it is written."""

    def write_to(self, write: Callable[[memoryview], object]) -> Digest:
        """Write the tar in chunks that are valid only during the call; return its diff_id."""


def iter_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what is left of a stream."""
    while chunk := stream.read(CHUNK):
        yield chunk
