"""zstd, xz and bzip2 as engines read them: streams of one kind behind each other, memory bounded.

A compressed file of a few bytes may ask for gigabytes: for the part of the plain bytes that later
ones may refer to, which zstd calls the window and xz the dictionary. The start of a stream says how
much. So it is looked at before a decoder is made.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from lamella import limits
from lamella.layer.budget import Budget
from lamella.layer.spans import SpanFinder
from lamella.spec.codec import Codec

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Damaged", "Joined", "WindowTooLarge"]

_CHUNK = 1 << 18
_FIRST = 1 << 12
"""Bytes that a new decoder gets at first. It returns a copy of those behind the end of its stream:
with many tiny streams, to copy a whole chunk for each would take long."""
_HEAD = 64
"""Bytes that say how large the window is, in any stream that an encoder makes."""
_ZSTD, _SKIPPED, _ZSTD_LEAST = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18", 6
_SKIPPED_FIRST = 0x50  # to 0x5F
_ZSTD_ONE_SIZE = (b"\x20", b"\x24")
"""Descriptors of frames that have no window, but a byte for the content's size in its place."""
_ZSTD_BLOCK, _ZSTD_SUM = b"\1\0\0", b"\x99\xe9\xd8\x51"
"""The last block, raw, of no bytes; and the checksum of nothing."""
_ZSTD_NOTHING = {
    b"\x00": _ZSTD_BLOCK,
    b"\x20": _ZSTD_BLOCK,
    b"\x04": _ZSTD_BLOCK + _ZSTD_SUM,
    b"\x24": _ZSTD_BLOCK + _ZSTD_SUM,
}
"""What follows the descriptor and one more byte, by the descriptor, if there is no content."""
_XZ, _XZ_BLOCK, _LZMA2 = b"\xfd7zXZ\0", 12, 0x21
_BZIP2 = b"BZh"
_XZ_LEAST = 64 << 20
"""Bytes of the dictionary of ``xz -9``. Every block of an xz stream says what it asks for, and only
the first is looked at; so any may have this much."""
_XZ_MORE = 1 << 20
"""Bytes that an xz decoder needs besides."""

_memory = Budget(limits.WINDOWS)
if hasattr(os, "register_at_fork"):  # not on Windows
    # A forked process has none of the threads that would give back what they hold.
    os.register_at_fork(after_in_child=_memory.reset)


class Damaged(Exception):
    """The data are no sound stream."""


class WindowTooLarge(Exception):
    """A stream asks for more memory than it may.

    Args:
        size: bytes it asks for.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class _Decoder(Protocol):
    """What the decoders of the standard library have in common; some take keywords alone."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


@dataclass(frozen=True)
class _Kind:
    """One form of compression."""

    begins: Callable[[bytes], bool]
    """Whether bytes are the start of a stream; as many as there are of a magic number's."""
    window: Callable[[bytes], int]
    """Bytes that the stream with this start asks for."""
    empty: Callable[[bytes], int]
    """Bytes of the stream if it is surely sound and gives nothing, else 0: no decoder is made."""
    decoder: Callable[[int], _Decoder]
    """Make a decoder that takes no more than so many bytes."""


class Joined(io.RawIOBase):
    """The plain bytes of streams behind each other; zeros may follow the last one.

    Reading raises `Damaged`, `WindowTooLarge`, EOFError where the data are cut off, and the errors
    of the decoder. Close it: it may hold memory that other readers wait for.
    """

    def __init__(self, stream: BinaryIO, kind: Codec, finder: SpanFinder | None = None) -> None:
        """Read a stream, and tell `finder` of the frames of zstd."""
        self._stream, self._kind, self._finder = stream, _KINDS[kind], finder
        self._packed, self._at = b"", 0  # what was read of the stream, and how much of it was used
        self._given = 0  # what the decoder has of the rest
        self._plain = 0
        self._decoder: _Decoder | None = None
        self._holds = 0
        self._begun = self._fed = False

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read some bytes."""
        while decoder := self._decoder or self._begin():
            if found := self._decode(decoder, len(buffer)):
                buffer[: len(found)] = found
                self._plain += len(found)
                return len(found)
        return 0

    def close(self) -> None:
        """Let go of the memory."""
        self._end()
        super().close()

    def _begin(self) -> _Decoder | None:
        """Return a decoder for the next stream, if there is one."""
        while head := self._head():
            if self._begun and head[:1] == b"\0":
                rest = self._packed[self._at :]
                self._tell()
                self._use(len(rest) - len(rest.lstrip(b"\0")))
                continue
            if not self._kind.begins(head):
                raise Damaged("something else follows the end of the stream")
            window = self._kind.window(head)
            if window > limits.WINDOW:
                raise WindowTooLarge(window)
            self._begun = True
            self._tell()
            if empty := self._kind.empty(head):
                self._use(empty)
                continue
            self._holds = _memory.take(window)
            self._decoder, self._fed = self._kind.decoder(window), False
            return self._decoder
        self._tell()
        return None

    def _tell(self) -> None:
        """Tell that something begins or ends here."""
        if self._finder:
            self._finder.frame(self._plain)

    def _use(self, length: int) -> None:
        """Go on in what was read."""
        if self._finder and length:
            self._finder.feed(self._packed[self._at : self._at + length])
        self._at += length

    def _head(self) -> bytes:
        """Return what comes next, enough to see what it is unless the end is near."""
        while len(self._packed) - self._at < _HEAD and (chunk := self._stream.read(_CHUNK)):
            self._packed, self._at = self._packed[self._at :] + chunk, 0
        return self._packed[self._at : self._at + _HEAD]

    def _decode(self, decoder: _Decoder, size: int) -> bytes:
        found = decoder.decompress(self._next() if decoder.needs_input else b"", size)
        if decoder.eof:
            self._use(self._given - len(decoder.unused_data))
            self._end()
        return found

    def _next(self) -> bytes:
        """Return what the decoder gets next: it has used what it got before."""
        self._use(self._given)
        if self._at == len(self._packed):
            self._packed, self._at = self._stream.read(_CHUNK), 0
        left = len(self._packed) - self._at
        self._given = left if self._fed else min(left, _FIRST)
        self._fed = True
        if not self._given:
            raise EOFError("the end of the stream is missing")
        return self._packed[self._at : self._at + self._given]

    def _end(self) -> None:
        self._decoder, self._given = None, 0
        _memory.give(self._holds)
        self._holds = 0


def _zstd_begins(head: bytes) -> bool:
    """Tell a frame, or one to be skipped: RFC 8878, 3.1.2."""
    return _ZSTD.startswith(head[:4]) or (
        head[0] & 0xF0 == _SKIPPED_FIRST and _SKIPPED.startswith(head[1:4])
    )


def _zstd_window(head: bytes) -> int:
    """Return the window's size, as a frame's header has it: RFC 8878, 3.1.1.1."""
    if head[:4] != _ZSTD or len(head) < _ZSTD_LEAST:
        return 0
    descriptor = head[4]
    single = descriptor >> 5 & 1
    id_length = (0, 1, 2, 4)[descriptor & 3]
    id_at = 5 if single else 6
    if any(head[id_at : id_at + id_length]):
        raise Damaged("they need a dictionary, which no image has")
    if not single:
        # "windowLog = 10 + Exponent; windowBase = 1 << windowLog;
        #  windowAdd = (windowBase / 8) * Mantissa"
        base = 1 << 10 + (head[5] >> 3)
        return base + base // 8 * (head[5] & 7)
    at = id_at + id_length
    length = (1, 2, 4, 8)[descriptor >> 6]
    # "When FCS_Field_Size is 2, the offset of 256 is added."
    return int.from_bytes(head[at : at + length], "little") + (256 if length == 2 else 0)  # noqa: PLR2004 - as quoted


def _zstd_empty(head: bytes) -> int:
    """Return the length of a short frame to be skipped, or of one with a single block of nothing.

    There may be millions of them, and to make a decoder takes some hundred microseconds.
    """
    if head[:4] != _ZSTD:
        size = 8 + int.from_bytes(head[4:8], "little")
        return size if size <= len(head) else 0
    descriptor = head[4:5]
    if descriptor in _ZSTD_ONE_SIZE and head[5:6] != b"\0":
        return 0  # it has some content
    rest = _ZSTD_NOTHING.get(descriptor)
    return _ZSTD_LEAST + len(rest) if rest and head.startswith(rest, _ZSTD_LEAST) else 0


def _zstd_decoder(window: int) -> _Decoder:
    most = max(window - 1, 1 << 10).bit_length()
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: most})


def _xz_window(head: bytes) -> int:
    """Return the size of the first block's dictionary, but no less than xz uses at most.

    The .xz file format 1.2.1, 3.1: a block's header says which filters it went through. What is
    damaged is left to the decoder.
    """
    fields = io.BytesIO(head[_XZ_BLOCK:])
    try:
        flags = fields.read(2)[1]
        for _ in range((flags >> 6 & 1) + (flags >> 7)):
            _xz_number(fields)
        for _ in range((flags & 3) + 1):
            filter_id, length = _xz_number(fields), _xz_number(fields)
            properties = fields.read(length)
            if filter_id == _LZMA2:
                # 5.3.1: 40 is 4 GiB less a byte; else 2 or 3 times a power of two
                bits = properties[0] & 0x3F
                return max((2 | bits & 1) << bits // 2 + 11, _XZ_LEAST)
    except IndexError:
        pass
    return _XZ_LEAST


def _xz_number(fields: io.BytesIO) -> int:
    """Read a number of the .xz format, 1.2: seven bits a byte, the last has no eighth."""
    number = 0
    for place in range(0, 63, 7):
        byte = fields.read(1)[0]
        number |= (byte & 0x7F) << place
        if byte < 0x80:  # noqa: PLR2004 - the eighth bit
            break
    return number


_KINDS = {
    Codec.ZSTD: _Kind(_zstd_begins, _zstd_window, _zstd_empty, _zstd_decoder),
    Codec.XZ: _Kind(
        lambda head: _XZ.startswith(head[:6]),
        _xz_window,
        lambda _: 0,
        lambda window: lzma.LZMADecompressor(lzma.FORMAT_XZ, window + _XZ_MORE),
    ),
    Codec.BZIP2: _Kind(
        lambda head: _BZIP2.startswith(head[:3]),
        lambda _: 0,
        lambda _: 0,
        lambda _: bz2.BZ2Decompressor(),
    ),
}
