"""Gzip streams of every kind, for what reads them block by block."""

from __future__ import annotations

import random
import zlib
from functools import cache

from isal import isal_zlib
from zlib_ng import zlib_ng

__all__ = ["HEADERS", "MAKERS", "member", "member_for_isal", "words"]


@cache
def words(size: int, seed: int = 1) -> bytes:
    """Bytes of which some repeat, and some never do."""
    source = random.Random(seed)
    known = [source.randbytes(source.randint(2, 40)) for _ in range(300)]
    parts = [b"".join(source.choices(known, k=100)) + source.randbytes(300) + bytes(300)]
    while sum(map(len, parts)) < size:
        parts.append(b"".join(source.choices(known, k=400)) + source.randbytes(900))
    return b"".join(parts)[:size]


def _deflated(
    library: object, level: int, memory: int, strategy: int, plain: bytes, step: int
) -> bytes:
    deflate = library.compressobj(level, 8, -15, memory, strategy)  # type: ignore[attr-defined]
    out = [b""]
    flushes = (library.Z_SYNC_FLUSH, library.Z_FULL_FLUSH)  # type: ignore[attr-defined]
    for number, at in enumerate(range(0, len(plain), step or len(plain) or 1)):
        out.append(deflate.compress(plain[at : at + step] if step else plain))
        if step:
            out.append(deflate.flush(flushes[number % 2]))
    return b"".join([*out, deflate.flush()])


MAKERS = {
    **{f"zlib {level}": (zlib, level, 8, 0) for level in range(10)},
    "zlib, many blocks": (zlib, 6, 1, 0),
    "zlib, fixed": (zlib, 6, 8, zlib.Z_FIXED),
    "zlib, Huffman alone": (zlib, 6, 8, zlib.Z_HUFFMAN_ONLY),
    "zlib, runs": (zlib, 6, 4, zlib.Z_RLE),
    "zlib-ng 1": (zlib_ng, 1, 8, 0),
    "zlib-ng 9": (zlib_ng, 9, 9, 0),
    "isal 0": (isal_zlib, 0, isal_zlib.DEF_MEM_LEVEL, 0),
    "isal 3": (isal_zlib, 3, isal_zlib.DEF_MEM_LEVEL, 0),
}
"""Library, level, memory and strategy, by a name."""


def _header(flags: int, fields: bytes, *, checked: bool = False) -> bytes:
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\3" + fields
    return head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") if checked else head


HEADERS = (
    _header(0, b""),
    _header(8, b"name\0"),
    _header(4 | 16, b"\5\0extraa comment\0"),
    _header(2 | 4 | 8, b"\3\0abcname\0", checked=True),
    _header(0x80, b""),
)


def member(plain: bytes, maker: str = "zlib 6", step: int = 0, header: int = 0) -> bytes:
    """Return a gzip member; `step`: flush after so many bytes."""
    library, level, memory, strategy = MAKERS[maker]
    body = _deflated(library, level, memory, strategy, plain, step)
    sums = zlib.crc32(plain).to_bytes(4, "little") + len(plain).to_bytes(4, "little")
    return HEADERS[header] + body + sums


INCOMPLETE = bytes.fromhex("05c0810000000080a0fda90f01")
"""The last block of a stream: a zero byte, in codes that are not complete. They are 00 and 01; none
begins with 1. zlib refuses them, isal does not."""


def member_for_isal(plain: bytes) -> bytes:
    """Return a member of some bytes and a zero byte that isal reads and zlib does not."""
    deflate = zlib.compressobj(6, wbits=-15)
    body = deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH) + INCOMPLETE
    plain += b"\0"
    sums = zlib.crc32(plain).to_bytes(4, "little") + len(plain).to_bytes(4, "little")
    return HEADERS[0] + body + sums
