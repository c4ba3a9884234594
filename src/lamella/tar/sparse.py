"""Sparse files: which parts of a file are in the stream, in any of the four forms that say so.

https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
"""

from __future__ import annotations

from collections.abc import Callable

from lamella.errors import MalformedTar
from lamella.limits import EXTENDED_HEADER, SPARSE_FILE
from lamella.tar.header import BLOCK, is_gnu, parse_number
from lamella.tar.pax import parse_integer

__all__ = [
    "OLD",
    "ONE",
    "ZERO",
    "SparseParts",
    "check_parts",
    "check_size",
    "file_size",
    "form_of",
    "old_map",
    "one_map",
    "senseless",
    "zero_map",
]

OLD, ZERO, ONE = "old GNU", "PAX 0", "PAX 1.0"
"""The map is in the header block and behind it; in PAX records; at the head of the content."""

SparseParts = tuple[tuple[int, int], ...]
"""(offset in the file, length) of each part that is in the stream."""

_PAIR = 24
_FIRST, _FIRST_MORE, _MORE = range(386, 482, _PAIR), 482, range(0, 504, _PAIR)
_LONGEST = 1 << 63


def form_of(kind: bytes, known: dict[bytes, bytes]) -> str | None:
    """Return which form of sparse file a member is; None: it is none.

    Records of an unknown version mean nothing; nor do those without a map.

    Args:
        kind: its type.
        known: the PAX records in force.
    """
    if kind == b"S":
        return OLD
    version = known.get(b"GNU.sparse.major", b""), known.get(b"GNU.sparse.minor", b"")
    if version in {(b"0", b"0"), (b"0", b"1")}:
        return ZERO
    if version == (b"1", b"0"):
        return ONE
    return ZERO if version == (b"", b"") and b"GNU.sparse.map" in known else None


def senseless(at: int) -> MalformedTar:
    """Return the error for a map that can't be one."""
    return MalformedTar("sparse file map is invalid", at)


def check_size(size: int, at: int) -> None:
    """See to it that a file is no larger than allowed, holes included.

    Raises:
        MalformedTar: it is.
    """
    if size > SPARSE_FILE:
        message = f"sparse file: expected at most {SPARSE_FILE} bytes with its holes, got {size}"
        raise MalformedTar(message, at)


def check_parts(parts: SparseParts, size: int, content: int, at: int) -> None:
    """See to it that parts are in order, within the file, and just what the stream has.

    Raises:
        MalformedTar: they are not, or the file is larger than allowed.
    """
    check_size(size, at)
    end = 0
    for offset, length in parts:
        if offset < end or length < 0 or offset + length >= _LONGEST:
            raise senseless(at)
        end = offset + length
    if end > size:
        raise senseless(at)
    told = sum(length for _, length in parts)
    if told != content:
        message = f"sparse file map: expected {content} bytes as in its content, got {told}"
        raise MalformedTar(message, at)


def old_map(
    block: bytes, read: Callable[[int, int], bytes], at: int
) -> tuple[SparseParts, int, int]:
    """Read an old map: four pairs in the header, 21 in each block that follows.

    Args:
        block: the header.
        read: returns bytes of the stream from an offset.
        at: where the header is.

    Returns:
        The parts, the size of the file, and where the content begins.

    Raises:
        MalformedTar: it is none, longer than allowed, or cut off.
    """
    parts: list[tuple[int, int]] = []
    data, places, more = at + BLOCK, _FIRST, _FIRST_MORE
    if not is_gnu(block):
        raise MalformedTar("sparse file of type S: expected GNU's magic in its header", at)
    try:
        size = parse_number(block[483:495])
        while True:
            for place in places:
                if not block[place]:
                    break
                middle = place + _PAIR // 2
                numbers = block[place:middle], block[middle : place + _PAIR]
                parts.append((parse_number(numbers[0]), parse_number(numbers[1])))
            if not block[more]:
                return tuple(parts), size, data
            block = read(data, BLOCK)
            if len(block) < BLOCK:
                message = f"truncated sparse header: expected {BLOCK} bytes, got {len(block)}"
                raise MalformedTar(message, data)
            if data - at > EXTENDED_HEADER:
                raise _too_long(at)
            data, places, more = data + BLOCK, _MORE, _MORE.stop
    except ValueError:
        raise senseless(at) from None


def _too_long(at: int) -> MalformedTar:
    return MalformedTar(f"sparse file map: expected at most {EXTENDED_HEADER} bytes, got more", at)


def zero_map(known: dict[bytes, bytes], size: int, at: int) -> tuple[SparseParts, int]:
    """Read a map out of PAX records.

    Args:
        known: those in force.
        size: of the content, which is the file's if no record says another.
        at: where the member is, for the error.

    Raises:
        MalformedTar: it is none.
    """
    text = known.get(b"GNU.sparse.map")
    try:
        numbers = [parse_integer(n) for n in text.split(b",")] if text else []
        count = parse_integer(known.get(b"GNU.sparse.numblocks", b""))
        size = file_size(known, size)
    except ValueError:
        raise senseless(at) from None
    if len(numbers) != 2 * count:
        raise senseless(at)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True)), size


def file_size(known: dict[bytes, bytes], otherwise: int) -> int:
    """Return the size of a file, holes included.

    Raises:
        ValueError: a record says no number.
    """
    told = known.get(b"GNU.sparse.size") or known.get(b"GNU.sparse.realsize")
    return parse_integer(told) if told else otherwise


def one_map(read: Callable[[int, int], bytes], data: int, size: int) -> tuple[SparseParts, int]:
    """Read a map of decimal lines, which fills whole blocks at the head of the content.

    Args:
        read: returns bytes of the stream from an offset.
        data: where the content begins.
        size: its bytes, map included.

    Returns:
        The parts, and how many bytes the map has.

    Raises:
        MalformedTar: it is none, or longer than allowed.
    """
    text, lines, wanted = bytearray(), 0, 1
    try:
        while lines < wanted:
            if len(text) + BLOCK > EXTENDED_HEADER:
                raise _too_long(data)
            block = read(data + len(text), BLOCK)
            if len(block) < BLOCK or len(text) + BLOCK > size:
                raise senseless(data)
            text += block
            lines += block.count(b"\n")
            if wanted == 1 and lines:
                wanted += 2 * parse_integer(bytes(text.partition(b"\n")[0]))
        if wanted < 1:
            raise senseless(data)
        numbers = [parse_integer(line) for line in bytes(text).split(b"\n", wanted)[1:wanted]]
    except ValueError:
        raise senseless(data) from None
    return tuple(zip(numbers[::2], numbers[1::2], strict=True)), len(text)
