"""Pass over the headers of a tar, without touching its content.

What is accepted is what Go's archive/tar, which all engines use, accepts: V7, ustar, PAX, GNU long
names, base-256 numbers, sparse files in all their forms. Global PAX headers are passed over (engines
never apply them). The time per member is what bounds lamella on images of many small files, hence
the one loop with local names; what is rare leaves it for `_slow`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from struct import Struct

from lamella.errors import MalformedTar
from lamella.tar.entry import DIRECTORY, HARD_LINK, REGULAR, REWRITE, SPARSE, Member, ReadAt, clean
from lamella.tar.header import (
    BLOCK,
    POSIX_MAGIC,
    checksum_holds,
    malformed_number,
    padding,
    parse_number,
    until_nul,
)
from lamella.tar.pax import Records, parse_records

__all__ = ["scan"]

# The fields that a scan needs: name, size, checksum, type, linkname, magic, prefix.
_BRIEF = Struct("100s24x12s12x8sc100s6s82x155s12x")
_ZERO = bytes(BLOCK)
# Serves several small members per system call, and costs a big one little (1024 to 4096 are alike).
_WINDOW = 2048
_LONGEST_EXTENSION = 1 << 24
_TYPES = frozenset(b"0 1 2 3 4 5 6".split())
_FAST = _TYPES | {b"x"}
# PAX keys (and what they contain) that change a member's path, extent or form.
_MATTERS = re.compile(rb"path=|size=|GNU\.sparse|\.overlay\.").search
_DROPPED_XATTRS = (b"SCHILY.xattr.trusted.overlay.", b"SCHILY.xattr.user.overlay.")


def scan(source: ReadAt, origin: int = 0) -> list[Member]:
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
    adler32, read_at, size_of_source = zlib.adler32, source.read_at, source.size
    at, window, base = 0, b"", 0
    start = -1  # where the extended header of the coming member begins, if it has one
    while at < size_of_source:
        i = at - base
        if i + BLOCK > len(window):
            window, base, i = read_at(at, _WINDOW), at, 0
            if len(window) < BLOCK:
                raise _truncated("header", BLOCK, window, at)
        name, digits, check, kind, link, magic, prefix = brief(window, i)
        plain = kind in _FAST and (prefix[0] == 0 or magic != POSIX_MAGIC)
        try:
            size = int(digits[:11], 8)
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
            step = _slow(source, at if start < 0 else start, origin)
            if step is None:
                break
            at, member = step
            start = -1
            if member is not None:
                append(member)
            continue
        path = name.partition(b"\0")[0]
        flags = 0
        if path[:2] == b"./":
            path = path[2:]
        if kind == DIRECTORY and path[-1:] == b"/":
            path = path[:-1]
        if not path or b"/." in path or b"//" in path or path[0] in b"./" or path[-1:] == b"/":
            path, flags = _odd_name(name.partition(b"\0")[0], kind)
        link = link.partition(b"\0")[0] if link[0] else b""
        first, data, start = at if start < 0 else start, at + BLOCK, -1
        if kind == REGULAR:
            at = data + (size + 511 & ~511)
            if at > size_of_source:
                flags |= _check_end(data, size, size_of_source)
        else:
            at = data
            if size and kind == HARD_LINK:
                message = f"hard link {path!r} with {size} bytes of content"
                raise MalformedTar(message, data - BLOCK)
            size = 0
        append(new(Member, (path, kind, link, first, data, size, flags, origin)))
    return members


def _truncated(what: str, want: int, got: bytes, at: int) -> MalformedTar:
    return MalformedTar(f"truncated {what}: want {want} bytes, found {len(got)}", at)


def _odd_name(name: bytes, kind: bytes) -> tuple[bytes, int]:
    """Return the path of an unusual name, and `REWRITE` unless all engines take the name alike."""
    path = clean(name)
    body = name.removeprefix(b"./")
    if kind == DIRECTORY:
        body = body.removesuffix(b"/")
    plain = body == path or (not path and kind == DIRECTORY)
    return path, 0 if plain else REWRITE


def _check_end(data: int, size: int, available: int) -> int:
    """Content that reaches beyond the stream is an error; missing padding is not (`REWRITE`)."""
    if data + size > available:
        message = f"truncated content: want {size} bytes, found {max(0, available - data)}"
        raise MalformedTar(message, data)
    return REWRITE


class _Extensions:
    """What extended headers before a member say of it."""

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.link: bytes | None = None
        self.records: Records = []
        self.flags = 0

    def known(self) -> dict[bytes, bytes]:
        # An empty value means "not given" (Go's archive/tar, and so every engine).
        return {key: value for key, value in self.records if value}


def _slow(source: ReadAt, at: int, origin: int) -> tuple[int, Member | None] | None:
    """Read one member with everything that is rare: extended headers, odd numbers, old formats.

    Returns:
        The offset after it and the member (None if only headers were left), or None at the end of
        the archive.
    """
    start, extensions = at, _Extensions()
    ahead = source.read_at(at, _WINDOW)

    def read(offset: int, length: int) -> bytes:
        i = offset - start_of_ahead
        return ahead[i : i + length] if i + length <= len(ahead) else source.read_at(offset, length)

    start_of_ahead = at
    while True:
        block = read(at, BLOCK)
        if not block:
            return at, None
        if len(block) < BLOCK:
            raise _truncated("header", BLOCK, block, at)
        if block == _ZERO:
            _check_trailer(read, at)
            return None
        if not checksum_holds(block):
            raise MalformedTar("header checksum does not hold", at)
        kind = block[156:157]
        if kind not in b"xgLK":
            return _member(source, start, at, block, extensions, origin)
        body_at, size = at + BLOCK, _number("size", block[124:136], at)
        if size > _LONGEST_EXTENSION:
            raise MalformedTar(f"extended header of {size} bytes", at)
        body = read(body_at, size)
        if len(body) < size:
            raise _truncated("extended header", size, body, body_at)
        if kind == b"x":
            extensions.records = parse_records(body, body_at)
        elif kind == b"L":
            extensions.name = until_nul(body)
        elif kind == b"K":
            extensions.link = until_nul(body)
        elif at == start:
            start = body_at + size + padding(size)
        else:
            extensions.flags |= REWRITE  # a global header in the midst of a member's own
        at = body_at + size + padding(size)


def _check_trailer(read: Callable[[int, int], bytes], at: int) -> None:
    """Two zero blocks end an archive, or one if nothing follows; whatever comes after is ignored."""
    follows = read(at + BLOCK, BLOCK)
    if follows and follows != _ZERO:
        raise MalformedTar("a single zero block inside the archive", at)


def _number(name: str, field: bytes, at: int) -> int:
    try:
        value = parse_number(field)
    except ValueError:
        raise malformed_number(name, field, at) from None
    if value < 0:
        raise malformed_number(name, field, at)
    return value


def _member(  # noqa: PLR0913 - the state of one step of a scan, spelled out
    source: ReadAt, start: int, at: int, block: bytes, extensions: _Extensions, origin: int
) -> tuple[int, Member]:
    kind = block[156:157]
    known = extensions.known()
    flags = extensions.flags
    size = _number("size", block[124:136], at)
    if b"size" in known:
        size = _decimal("size", known[b"size"], at)
    data = at + BLOCK
    name = _name(block, extensions, known)
    if (
        b"GNU.sparse.major" in known
        or b"GNU.sparse.map" in known
        or b"GNU.sparse.numblocks" in known
    ):
        flags |= SPARSE
    if any(key.startswith(_DROPPED_XATTRS) for key in known):
        flags |= REWRITE
    if kind == b"\0":
        kind = DIRECTORY if name.endswith(b"/") else REGULAR
    elif kind == b"7":
        kind, flags = REGULAR, flags | REWRITE
    elif kind == b"S":
        kind, flags = REGULAR, flags | REWRITE | SPARSE
        data = _skip_sparse_extensions(source, at, block)
    elif kind not in _TYPES:
        message = f"member {name!r} has type {kind!r}, which no engine knows"
        raise MalformedTar(message, at)
    path, odd = _odd_name(name, kind)
    flags |= odd
    link = known.get(b"linkpath", extensions.link)
    if link is None:
        link = until_nul(block[157:257])
    if kind == REGULAR:
        end = data + size + padding(size)
        if end > source.size:
            flags |= _check_end(data, size, source.size)
    else:
        if size and kind == HARD_LINK:
            raise MalformedTar(f"hard link {path!r} with {size} bytes of content", at)
        size, end = 0, data
    return end, Member(path, kind, link, start, data, size, flags, origin)


def _decimal(name: str, value: bytes, at: int) -> int:
    if not value.isdigit():
        message = f"PAX record {name}: want a number, found {value[:40]!r}"
        raise MalformedTar(message, at)
    return int(value)


def _name(block: bytes, extensions: _Extensions, known: dict[bytes, bytes]) -> bytes:
    """The name that counts: sparse name, PAX path, GNU long name, prefix and name field."""
    for candidate in (known.get(b"GNU.sparse.name"), known.get(b"path"), extensions.name):
        if candidate is not None:
            return candidate
    name = until_nul(block[:100])
    prefix = until_nul(block[345:500]) if block[257:263] == POSIX_MAGIC else b""
    return prefix + b"/" + name if prefix else name


def _skip_sparse_extensions(source: ReadAt, at: int, block: bytes) -> int:
    """Old GNU sparse: blocks of further (offset, length) pairs follow while a flag says so."""
    extended, at = block[482], at + BLOCK
    while extended:
        block = source.read_at(at, BLOCK)
        if len(block) < BLOCK:
            raise _truncated("sparse header", BLOCK, block, at)
        extended, at = block[504], at + BLOCK
    return at
