"""Sparse files in all forms, as tools write them.

https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.tars import Raw, block, entry, reseal

__all__ = ["FORMS", "sparse"]

FORMS = ("old", "0.0", "0.1", "1.0")
"""GNU tar's old one, and those with PAX records."""


def sparse(
    form: str, name: str, parts: Sequence[tuple[int, int]], size: int, content: bytes
) -> Raw:
    """Return a sparse file.

    Args:
        form: of `FORMS`.
        name: at most 100 bytes in the old form.
        parts: (offset, length) of each that is no hole.
        size: of the file, holes included.
        content: of all parts.
    """
    if form == "old":
        return Raw(_old(name.encode(), parts, size, content))
    return Raw(_pax(form, name.encode(), parts, size, content))


def _old(name: bytes, parts: Sequence[tuple[int, int]], size: int, content: bytes) -> bytes:
    """Four parts are in the header, 21 in each further block."""
    raw = bytearray(block(name, b"S", size=len(content), magic=b"ustar  \0", uid=5))
    pairs = [_number(offset) + _number(length) for offset, length in parts]
    raw[386:482] = b"".join(pairs[:4]).ljust(96, b"\0")
    raw[482] = len(pairs) > 4
    raw[483:495] = _number(size)
    out = [reseal(bytes(raw))]
    for at in range(4, len(pairs), 21):
        out += [b"".join(pairs[at : at + 21]).ljust(504, b"\0"), bytes([at + 21 < len(pairs)])]
        out += [bytes(7)]
    return b"".join(out) + content + bytes(-len(content) % 512)


def _number(value: int) -> bytes:
    """Return a number of twelve bytes, octal where it fits."""
    if value < 8**11:
        return b"%011o\0" % value
    return b"\x80" + value.to_bytes(11, "big")


def _pax(
    form: str, name: bytes, parts: Sequence[tuple[int, int]], size: int, content: bytes
) -> bytes:
    numbers = [b"%d" % number for part in parts for number in part]
    count = b"%d" % len(parts)
    if form == "1.0":
        records = [(b"major", b"1"), (b"minor", b"0"), (b"name", name), (b"realsize", b"%d" % size)]
        lines = b"".join(line + b"\n" for line in [count, *numbers])
        content = lines + bytes(-len(lines) % 512) + content
    else:
        records = [(b"size", b"%d" % size), (b"numblocks", count)]
        if form == "0.0":
            keys = (b"offset", b"numbytes") * len(parts)
            records += zip(keys, numbers, strict=True)
        else:
            records += [(b"map", b",".join(numbers)), (b"name", name)]
    shown = name if form == "0.0" else b"GNUSparseFile.1/sparse"
    told = tuple((b"GNU.sparse." + key, value) for key, value in records)
    return entry(shown, content, records=told, uid=5).encode()
