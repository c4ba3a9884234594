"""Pass over the headers of a tar, without touching its content.

What is accepted is what Go's archive/tar, which all engines use, accepts: V7, ustar, PAX, GNU long
names, base-256 numbers, sparse files in all their forms. Global PAX headers are passed over
(engines never apply them). The time per member is what bounds lamella on images of many small
files, hence the one loop with local names; what is rare is left to `rare`.
"""

from __future__ import annotations

import re
import zlib
from struct import Struct

from lamella.errors import MalformedTar
from lamella.tar.entry import DIRECTORY, HARD_LINK, REGULAR, Member, ReadAt, window_of
from lamella.tar.header import BLOCK, POSIX_MAGIC
from lamella.tar.rare import TYPES, check_end, path_of, read_member, truncated

__all__ = ["scan"]

# What a scan needs: name, size and its last byte, checksum, type, linkname, magic, prefix.
_BRIEF = Struct("100s24x11sc12x8sc100s6s82x155s12x")
# Serves several small members per system call, and costs a big one little (1024 to 4096 are alike).
_WINDOW = 2048
_FAST = TYPES | {b"x"}
_BLANK = frozenset({b"\0", b" "})
# PAX keys (and what they contain) that change a member's path, extent or form.
_MATTERS = re.compile(rb"path=|size=|GNU\.sparse|\.overlay\.").search


def scan(source: ReadAt, origin: int = 0) -> list[Member]:  # noqa: C901, PLR0912, PLR0915 - hot
    """Return the members of a tar, in order.

    Args:
        source: the uncompressed stream. It is read forward; only the headers of the member at hand
            may be read again.
        origin: the number that each member is given.

    Raises:
        MalformedTar: the stream is damaged, or a member has a type that no engine knows.
    """
    members: list[Member] = []
    append, new, brief = members.append, tuple.__new__, _BRIEF.unpack_from
    adler32, read_window, size_of_source = zlib.adler32, window_of(source), source.size
    at, window, base = 0, b"", 0
    start = -1  # where the extended header of the coming member begins, if it has one
    while at < size_of_source:
        i = at - base
        if i + BLOCK > len(window):
            window, base, i = read_window(at, _WINDOW), at, 0
            if len(window) < BLOCK:
                raise truncated("header", BLOCK, window, at)
        name, octal, last, check, kind, link, magic, prefix = brief(window, i)
        plain = kind in _FAST and (prefix[0] == 0 or magic != POSIX_MAGIC)
        plain = plain and octal.isdigit() and last in _BLANK  # not twelve digits, nor base-256
        try:
            size = int(octal, 8)
            total = adler32(window[i + 156 : i + BLOCK], adler32(window[i : i + 148]))
            # see header.checksum_holds: 255 = eight blanks for the field itself - Adler's one
            plain = plain and ((total & 0xFFFF) + 255 - int(check[:6], 8)) % 65521 == 0
        except ValueError:
            plain = False
        if plain and kind == b"x":
            body = window[i + BLOCK : i + BLOCK + size]
            # Most extended headers hold times and attributes, which don't matter here.
            plain = start < 0 and len(body) == size and not _MATTERS(body)
            if plain:
                start = at
                at += BLOCK + (size + 511 & ~511)
                continue
        if not plain:
            step = read_member(source, at if start < 0 else start, origin)
            if step is None:
                break
            (at, member), start = step, -1
            if member is not None:
                append(member)
            continue
        path, flags = name.partition(b"\0")[0], 0
        if path[:2] == b"./":
            path = path[2:]
        if kind == DIRECTORY and path[-1:] == b"/":
            path = path[:-1]
        if not path or b"/." in path or b"//" in path or path[0] in b"./" or path[-1:] == b"/":
            path, flags = path_of(name.partition(b"\0")[0], kind)
        link = link.partition(b"\0")[0] if link[0] else b""
        data = at + BLOCK
        first, head = (at, BLOCK) if start < 0 else (start, data - start)
        start = -1
        if kind == REGULAR:
            at = data + (size + 511 & ~511)
            if at > size_of_source:
                flags |= check_end(data, size, size_of_source)
        else:
            at = data
            if size and kind == HARD_LINK:
                raise MalformedTar(f"hard link {path!r} with {size} bytes of content", at - BLOCK)
            size = 0
        append(new(Member, (path, kind, link, first, head, size, flags, origin)))
    return members
