"""Reads gzip streams block by block, so that it is known where each deflate block begins.

No library for Python tells that. But the module of zlib-ng carries the C library, whose functions
`ctypes` finds; they stop at each block, as zlib's manual says of ``inflate`` with ``Z_BLOCK``.
"""

from __future__ import annotations

import ctypes
import io
from functools import cache
from typing import BinaryIO

from zlib_ng import zlib_ng

from lamella.layer.spans import SpanFinder
from lamella.layer.streams import Damaged
from lamella.spec.codec import Codec

__all__ = ["BlockReader", "can_find_blocks"]

_CHUNK = 1 << 18
_GZIP_WINDOW = 15 + 16  # the largest window, in a gzip member
_NO_FLUSH, _TO_BLOCK = 0, 5
_OK, _END, _NO_PROGRESS = 0, 1, -5
_AT_BLOCK, _AFTER_LAST, _BITS = 128, 64, 63
_FLAGS_AT, _FLAGS = 3, 0x1F
_VERSION = b"2."
"""zlib-ng's own interface has been the same since 2.0."""
_MISSING = "the end of the stream is missing"


class _Stream(ctypes.Structure):
    """``zng_stream``, as zlib-ng.h has it."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint32),
        ("total_in", ctypes.c_size_t),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint32),
        ("total_out", ctypes.c_size_t),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_uint32),
        ("reserved", ctypes.c_ulong),
    )


@cache
def _library() -> ctypes.CDLL | None:
    """Return zlib-ng, if its functions can be called."""
    try:
        library = ctypes.CDLL(zlib_ng.__file__)
        library.zlibng_version.restype = ctypes.c_char_p
        known = library.zlibng_version().startswith(_VERSION)
        named = (library.zng_inflateInit2, library.zng_inflate, library.zng_inflateReset)
    except (OSError, AttributeError):  # built in another way
        return None
    for function in (*named, library.zng_inflateEnd):
        function.argtypes = (ctypes.c_void_p,)
    library.zng_inflateInit2.argtypes = (ctypes.c_void_p, ctypes.c_int32)
    library.zng_inflate.argtypes = (ctypes.c_void_p, ctypes.c_int32)
    return library if known else None


def can_find_blocks(codec: Codec) -> bool:
    """Whether there is a library that tells where blocks, or frames, begin."""
    return codec == Codec.ZSTD or (codec == Codec.GZIP and _library() is not None)


class BlockReader(io.RawIOBase):
    """The plain bytes of gzip members behind each other; zeros may follow each.

    Reading raises `Damaged`, and EOFError where the data are cut off. Close it.
    """

    def __init__(self, stream: BinaryIO, finder: SpanFinder) -> None:
        """Read a stream, and tell `finder` of its blocks; `can_find_blocks` has been asked."""
        library = _library()
        if library is None:
            raise RuntimeError("zlib-ng has no functions to call")
        self._library, self._stream, self._finder = library, stream, finder
        self._state = _Stream()
        self._at = ctypes.addressof(self._state)
        if library.zng_inflateInit2(self._at, _GZIP_WINDOW) != _OK:
            raise MemoryError
        self._packed = b""  # its address is in the state
        self._read = 0  # bytes of the stream so far
        self._plain = 0  # plain bytes before this call
        self._flush = _TO_BLOCK
        self._within = self._begun = False
        self._seen = -1  # the last bit at which a block was told to begin

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read some bytes."""
        room, state = len(buffer), self._state
        if not room:
            return 0
        target = ctypes.c_char.from_buffer(buffer)
        state.next_out, state.avail_out = ctypes.addressof(target), room
        while state.avail_out and (self._within or self._begin(room)):
            if not state.avail_in and not self._fill():
                raise EOFError(_MISSING)
            if state.data_type & _AT_BLOCK and self._flush == _TO_BLOCK:
                self._tell(self._plain + room - state.avail_out)
            self._inflate()
        got: int = room - state.avail_out
        self._plain += got
        return got

    def close(self) -> None:
        """Let go of the memory."""
        if not self.closed:
            self._library.zng_inflateEnd(self._at)
        super().close()

    def _inflate(self) -> None:
        code = self._library.zng_inflate(self._at, self._flush)
        if code == _END:
            self._within = False
        elif code not in {_OK, _NO_PROGRESS}:
            message = self._state.msg
            raise Damaged(message.decode() if message else f"zlib-ng says {code}")

    def _tell(self, plain: int) -> None:
        state = self._state
        bit = 8 * (self._read - state.avail_in) - (state.data_type & _BITS)
        if bit != self._seen:
            self._seen = bit
            ended = bool(state.data_type & _AFTER_LAST)
            if not self._finder.boundary(bit, plain, ended=ended):
                self._flush = _NO_FLUSH

    def _begin(self, room: int) -> bool:
        """Get ready for the next member, if there is one."""
        state = self._state
        while state.avail_in or self._fill():
            at = len(self._packed) - state.avail_in
            if not self._begun or self._packed[at]:
                break
            left = len(self._packed[at:].lstrip(b"\0"))
            self._give(self._packed, len(self._packed) - left)
        else:
            return False
        self._library.zng_inflateReset(self._at)
        self._without_reserved_flags()
        self._finder.begin(self._plain + room - state.avail_out)
        self._within = self._begun = True
        self._seen = -1
        state.data_type = 0
        return True

    def _without_reserved_flags(self) -> None:
        """Clear flags that have no meaning (RFC 1952, 2.3.1): Go's reader passes over them."""
        at = len(self._packed) - self._state.avail_in
        if self._state.avail_in <= _FLAGS_AT:
            more = self._stream.read(_CHUNK)
            self._finder.feed(more)
            self._read += len(more)
            self._packed, at = self._packed[at:] + more, 0
        if len(self._packed) > at + _FLAGS_AT and self._packed[at + _FLAGS_AT] > _FLAGS:
            head = bytearray(self._packed)
            head[at + _FLAGS_AT] &= _FLAGS
            self._packed = bytes(head)
        self._give(self._packed, at)

    def _fill(self) -> bool:
        packed = self._stream.read(_CHUNK)
        self._finder.feed(packed)
        self._read += len(packed)
        self._give(packed, 0)
        return bool(packed)

    def _give(self, packed: bytes, at: int) -> None:
        """Let the library read on in a chunk."""
        self._packed, state = packed, self._state
        address = ctypes.cast(ctypes.c_char_p(packed), ctypes.c_void_p).value or 0
        state.next_in, state.avail_in = address + at, len(packed) - at
