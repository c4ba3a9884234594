"""Compression of layers: told by the first bytes, undone, and named for new ones."""

from __future__ import annotations

import io
import lzma
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from isal import igzip, isal_zlib

from lamella import limits
from lamella.errors import MalformedImage, Unsupported, UsageError
from lamella.layer.spans import SpanFinder
from lamella.layer.streams import Damaged, Joined, WindowTooLarge
from lamella.spec.codec import Codec

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["LONG_WINDOW", "NONE", "Compression", "detect", "open_plain"]

_MAGIC = (
    (b"\x1f\x8b", Codec.GZIP),
    (b"\x28\xb5\x2f\xfd", Codec.ZSTD),
    (b"\xfd7zXZ\0", Codec.XZ),
    (b"BZh", Codec.BZIP2),
)
_ISAL_ERROR = cast("type[Exception]", isal_zlib.error)  # its stub declares an instance
_ERRORS = (EOFError, OSError, zlib.error, _ISAL_ERROR, lzma.LZMAError, zstd.ZstdError, Damaged)
_MIB = 1 << 20
_BUFFER = 1 << 18


def detect(head: bytes) -> Codec:
    """Tell how a stream is compressed by its first 6 bytes."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    skippable = head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F  # noqa: PLR2004 - RFC 8878
    return Codec.ZSTD if skippable else Codec.NONE


class PlainReader:
    """Uncompressed bytes of a compressed stream; damage raises one kind of error.

    Close it: it may hold memory that others wait for. The stream below stays open.
    """

    def __init__(
        self, stream: BinaryIO, kind: Codec, where: str, finder: SpanFinder | None = None
    ) -> None:
        self._kind, self._where = kind, where
        self._plain: BinaryIO
        if kind == Codec.GZIP and finder is not None:
            from lamella.layer.inflate import BlockReader  # noqa: PLC0415 - many layers are plain

            self._plain = io.BufferedReader(BlockReader(stream, finder), _BUFFER)
        elif kind == Codec.GZIP:
            self._plain = cast("BinaryIO", igzip.IGzipFile(fileobj=stream, mode="rb"))
        else:
            self._plain = cast("BinaryIO", io.BufferedReader(Joined(stream, kind, finder), _BUFFER))

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none only at the end.

        Raises:
            MalformedImage: the compressed data are damaged or cut off.
            Unsupported: to unpack them takes more memory than `limits.WINDOW`.
        """
        try:
            return self._plain.read(size)
        except WindowTooLarge as error:
            raise Unsupported(
                f"{self._where}: {self._kind} data need too much memory: expected a window of at "
                f"most {limits.WINDOW // _MIB} MiB, got {error.size // _MIB} MiB; compress them "
                "again with a smaller one"
            ) from error
        except _ERRORS as error:
            if isinstance(error, OSError) and error.errno:
                raise  # the disk, not the data
            what = f"{self._kind} data are damaged or cut off ({error})"
            raise MalformedImage(self._where, what) from error

    def close(self) -> None:
        """Let go of what is needed to read on."""
        self._plain.close()


def open_plain(
    stream: BinaryIO, kind: Codec, where: str, finder: SpanFinder | None = None
) -> BinaryIO | PlainReader:
    """Return a reader of the uncompressed bytes.

    Args:
        stream: the stored bytes.
        kind: as `detect` tells it.
        where: what a message calls them.
        finder: is told of the blocks of gzip data, or the frames of zstd data; it is for this kind,
            and `can_find_blocks` has been asked.
    """
    return stream if kind == Codec.NONE else PlainReader(stream, kind, where, finder)


LONG_WINDOW = 27
"""The base-2 logarithm of the bytes that ``long`` looks back: 128 MiB, that of ``zstd --long``.

Each reader needs as much memory. It is the most that the zstd command reads without an option.
"""
_LONG = "long"
_LEVELS: Mapping[str, range] = {
    Codec.NONE: range(0),
    Codec.GZIP: range(1, 10),
    Codec.ZSTD: range(1, 23),
}
_EXPECTED: Mapping[str, str] = {
    Codec.NONE: "no level",
    Codec.GZIP: "a level from 1 to 9",
    Codec.ZSTD: "a level from 1 to 22, and `,long` for a large window",
}


@dataclass(frozen=True)
class Compression:
    """How a new layer is to be compressed."""

    kind: Codec
    """Not at all, or by gzip or zstd."""
    level: int | None = None
    long: bool = False
    """Of zstd: what repeats is found over `LONG_WINDOW` bytes, not over a few millions."""

    @property
    def takes_over(self) -> Codec | None:
        """Of which layers compressed parts are taken over, as far as they are known."""
        is_default = self.level is None and not self.long
        return self.kind if is_default and self.kind != Codec.NONE else None

    @classmethod
    def parse(cls, text: str) -> Compression:
        """Read ``gzip``, ``zstd:9``, ``zstd:9,long`` or ``none``.

        Raises:
            UsageError: another kind, or what it doesn't have.
        """
        kind, colon, rest = text.partition(":")
        if kind not in _LEVELS:
            raise UsageError(
                f"unknown compression {kind!r}; expected gzip, zstd or none, with :LEVEL if need be"
            )
        words = rest.split(",") if colon else []
        is_long = kind == Codec.ZSTD and words[-1:] == [_LONG]
        level = words[:-1] if is_long else words
        if len(level) > 1 or any(word not in map(str, _LEVELS[kind]) for word in level):
            raise UsageError(f"`compression` {kind}: expected {_EXPECTED[kind]}, got {rest!r:.200}")
        return cls(Codec(kind), int(level[0]) if level else None, is_long)

    def __str__(self) -> str:
        """Return what `parse` reads."""
        level = "" if self.level is None else str(self.level)
        rest = ",".join(filter(None, (level, _LONG if self.long else "")))
        return f"{self.kind}:{rest}" if rest else self.kind


NONE = Compression(Codec.NONE)
