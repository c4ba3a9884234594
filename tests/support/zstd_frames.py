"""Zstd streams of every kind, for what takes frames out of them."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["BETWEEN", "MAKERS", "frame", "skippable"]

_SET = zstd.CompressionParameter
MAKERS: Mapping[str, Mapping[int, int]] = {
    "level 1": {_SET.compression_level: 1},
    "level 3": {_SET.compression_level: 3},
    "level 19": {_SET.compression_level: 19},
    "checked": {_SET.checksum_flag: 1},
    "without its size": {_SET.content_size_flag: 0, _SET.checksum_flag: 1},
    "large window": {_SET.window_log: 24, _SET.content_size_flag: 0},
}


def frame(plain: bytes, maker: str = "level 3") -> bytes:
    """Return one frame."""
    return zstd.compress(plain, options=MAKERS[maker])


def skippable(content: bytes, number: int = 0) -> bytes:
    """Return a frame that readers skip: RFC 8878, 3.1.2."""
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


BETWEEN = (
    b"",
    skippable(b""),
    skippable(bytes(4), 1),
    skippable(random.Random(1).randbytes(70_000), 15),
    frame(b""),
    frame(b"", "checked"),
    bytes(512),
)
"""What may lie between two frames and says nothing."""
