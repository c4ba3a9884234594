r"""The 512-byte header block and its number fields.

Layouts: V7, POSIX ustar, star and old GNU share the first 257 bytes. What the rest means depends on
magic, version and trailer. It is read as Go's ``archive/tar`` reads it, which every engine uses.
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
    "STAR_TRAILER",
    "check_numbers",
    "checksum_holds",
    "checksum_of",
    "full_name",
    "is_gnu",
    "padding",
    "parse_number",
    "parse_octal",
    "sum_of",
    "until_nul",
]

BLOCK = 512
POSIX_MAGIC = b"ustar\0"
STAR_TRAILER = b"tar\0"
_GNU_MAGIC = b"ustar  \0"

# name, mode, uid, gid, size, mtime, checksum, type, linkname, magic, version, uname, gname,
# devmajor, devminor, prefix
FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")

_NUMBERS = (
    ("mode", 100, 108),
    ("uid", 108, 116),
    ("gid", 116, 124),
    ("size", 124, 136),
    ("mtime", 136, 148),
)
_DEVICES = (("devmajor", 329, 337), ("devminor", 337, 345))
_STAR_TIMES = (("atime", 476, 488), ("ctime", 488, 500))

NO_CHECKSUM = b" " * 8
"""What the field counts as while the sum is made."""


def padding(size: int) -> int:
    """Return how many bytes fill up the last block of `size` bytes."""
    return -size % BLOCK


def until_nul(field: bytes) -> bytes:
    """Return a text field without its NUL and what follows."""
    return field.partition(b"\0")[0]


def is_gnu(block: bytes) -> bool:
    """Whether a header is in the old GNU format, which has its own magic and version."""
    return block[257:265] == _GNU_MAGIC


def full_name(block: bytes) -> bytes:
    r"""Return the name that a header tells: the name field, behind the prefix if there is one.

    The prefix is POSIX's; star has a shorter one. Old GNU keeps two times in that place. But Go's
    writer put a prefix there too, up to 1.7 (https://go.dev/issue/12594), and with it Docker up to
    17.05. So Go's reader takes it for one if the times are no numbers and it is ASCII.
    """
    if block[345] == 0:  # no prefix, and no time
        return until_nul(block[:100])
    prefix = b""
    if block[257:263] == POSIX_MAGIC:
        end = 476 if block[508:] == STAR_TRAILER else 500
        prefix = until_nul(block[345:end])
    elif is_gnu(block) and not (_is_time(block[345:357]) and _is_time(block[357:369])):
        prefix = until_nul(block[345:500])
        prefix = prefix if prefix.isascii() else b""
    name = until_nul(block[:100])
    return prefix + b"/" + name if prefix else name


def _is_time(field: bytes) -> bool:
    """Whether a GNU time is one, or not given."""
    try:
        return field[:1] == b"\0" or parse_number(field) is not None
    except ValueError:
        return False


@lru_cache(maxsize=4096)  # owners and modes, and most times, are the same again and again
def parse_number(field: bytes) -> int:
    """Read a number field: octal digits, or base-256 where the top bit is set.

    Raises:
        ValueError: it is neither, or beyond 64 bits.
    """
    if field[:1] >= b"\x80":
        # Two's complement over the field without its top bit (a GNU and star extension).
        value = int.from_bytes(field, "big")
        bits = 8 * len(field) - 1
        value &= (1 << bits) - 1
        value -= (1 << bits) if value >> (bits - 1) else 0
        if -(1 << 63) <= value < 1 << 63:
            return value
        message = f"beyond 64 bits: {field!r}"
        raise ValueError(message)
    return parse_octal(field)


def parse_octal(field: bytes) -> int:
    """Read octal digits, with blanks and NULs around them; none at all are 0.

    Raises:
        ValueError: it is something else.
    """
    digits = until_nul(field.strip(b" \0"))
    if digits and not digits.isdigit():  # int() would take signs and underscores too
        message = f"not a number: {field!r}"
        raise ValueError(message)
    return int(digits, 8) if digits else 0


def checksum_of(block: bytes) -> int:
    """Return the sum of a header's bytes."""
    half = BLOCK // 2
    return sum_of(block[:half]) + sum_of(block[half:])


def sum_of(field: bytes) -> int:
    """Return the sum of at most half a header's bytes.

    Adler-32's low half is the sum plus one, modulo 65521, at a tenth of what a Python sum costs;
    over so few bytes it can't wrap round.
    """
    return (zlib_ng.adler32(field) & 0xFFFF) - 1


def checksum_holds(block: bytes) -> bool:
    """Whether the header's own checksum (its bytes added up, the field itself as blanks) is right.

    Some old writers added signed bytes, which is looked at only when the plain sum fails.
    """
    try:
        want = parse_octal(block[148:156])
    except ValueError:
        return False
    block = block[:148] + NO_CHECKSUM + block[156:]
    if checksum_of(block) == want:
        return True
    return sum(b - 256 if b > 127 else b for b in block) == want  # noqa: PLR2004


def check_numbers(block: bytes, at: int) -> None:
    """See to it that all number fields are numbers, as engines do whatever the type is.

    Args:
        block: a header.
        at: where it is, for the error.

    Raises:
        MalformedTar: one is none.
    """
    fields: tuple[tuple[str, int, int], ...] = _NUMBERS
    is_posix = block[257:263] == POSIX_MAGIC
    if is_posix or is_gnu(block):
        fields += _DEVICES
    if is_posix and block[508:] == STAR_TRAILER:
        fields += _STAR_TIMES
    for name, start, end in fields:
        try:
            parse_number(block[start:end])
        except ValueError:
            raise malformed_number(name, block[start:end], at) from None


def malformed_number(name: str, field: bytes, offset: int) -> MalformedTar:
    """Return the error for a number field that is none."""
    return MalformedTar(f"header field {name}: expected octal or base-256, got {field!r}", offset)
