r"""The 512-byte header block and its number fields.

Layouts: V7, POSIX ustar and old GNU share the first 257 bytes; `prefix` exists only where the magic
is exactly ``ustar\0`` (POSIX.1-1988; old GNU writes ``ustar  \0`` and keeps times in that place).
"""

from __future__ import annotations

import struct
from functools import lru_cache

from zlib_ng import zlib_ng

from lamella.errors import MalformedTar

__all__ = [
    "BLOCK",
    "FIELDS",
    "NO_CHECKSUM",
    "POSIX_MAGIC",
    "checksum_holds",
    "checksum_of",
    "padding",
    "parse_number",
    "until_nul",
]

BLOCK = 512
POSIX_MAGIC = b"ustar\0"

# name, mode, uid, gid, size, mtime, checksum, type, linkname, magic, version, uname, gname,
# devmajor, devminor, prefix
FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")

NO_CHECKSUM = b" " * 8
"""What the field counts as while the sum is made."""


def padding(size: int) -> int:
    """Return how many bytes fill up the last block of `size` bytes."""
    return -size % BLOCK


def until_nul(field: bytes) -> bytes:
    """Return a text field without its NUL and what follows."""
    return field.partition(b"\0")[0]


@lru_cache(maxsize=4096)  # owners and modes, and most times, are the same again and again
def parse_number(field: bytes) -> int:
    """Read a number field: octal digits, or base-256 where the top bit is set.

    Raises:
        ValueError: it is neither.
    """
    if field[:1] >= b"\x80":
        # Two's complement over the field without its top bit (a GNU and star extension).
        value = int.from_bytes(field, "big")
        bits = 8 * len(field) - 1
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value
    digits = until_nul(field.strip(b" \0")).strip()
    if digits and not digits.isdigit():  # int() would take signs and underscores too
        message = f"no number: {field!r}"
        raise ValueError(message)
    return int(digits, 8) if digits else 0


def checksum_of(block: bytes) -> int:
    """Return the sum of a header's bytes.

    Adler-32's low half is the sum plus one, modulo 65521, at a tenth of what a Python sum costs;
    over half a header it can't wrap round.
    """
    half = BLOCK // 2
    return (zlib_ng.adler32(block[:half]) & 0xFFFF) + (zlib_ng.adler32(block[half:]) & 0xFFFF) - 2


def checksum_holds(block: bytes) -> bool:
    """Whether the header's own checksum (its bytes added up, the field itself as blanks) is right.

    Some old writers added signed bytes, which is looked at only when the plain sum fails.
    """
    try:
        want = parse_number(block[148:156])
    except ValueError:
        return False
    block = block[:148] + NO_CHECKSUM + block[156:]
    if checksum_of(block) == want:
        return True
    return sum(b - 256 if b > 127 else b for b in block) == want  # noqa: PLR2004


def malformed_number(name: str, field: bytes, offset: int) -> MalformedTar:
    """Return the error for a number field that is none."""
    return MalformedTar(f"header field {name}: want octal or base-256, found {field!r}", offset)
