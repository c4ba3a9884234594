"""Read one member with all that is rare: extended headers, odd numbers, old formats.

The rules are those of Go's ``archive/tar``; where engines do more or less than it, see docs/tar.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from lamella.errors import MalformedTar
from lamella.limits import EXTENDED_HEADER, NAME, PATH, SPARSE_PARTS
from lamella.tar.entry import (
    DIRECTORY,
    HARD_LINK,
    REGULAR,
    REWRITE,
    SPARSE,
    Member,
    ReadAt,
    clean,
    window_of,
)
from lamella.tar.header import (
    BLOCK,
    check_numbers,
    checksum_holds,
    full_name,
    is_gnu,
    malformed_number,
    padding,
    parse_number,
    until_nul,
)
from lamella.tar.pax import Records, in_force, numbers_in, parse_records
from lamella.tar.sparse import (
    OLD,
    ONE,
    check_parts,
    check_size,
    file_size,
    form_of,
    old_map,
    senseless,
    zero_map,
)

__all__ = [
    "TYPES",
    "Gathered",
    "check_end",
    "check_lengths",
    "gather",
    "path_of",
    "read_member",
    "truncated",
]

TYPES = frozenset(b"0 1 2 3 4 5 6".split())
_WITH_CONTENT = frozenset({REGULAR, b"\0", b"7", b"S"})
_ZERO = bytes(BLOCK)
_AHEAD = 2048
_WHITEOUT = b".wh."
_OVERLAY_XATTRS = (b"SCHILY.xattr.trusted.overlay.", b"SCHILY.xattr.user.overlay.")


@dataclass
class Gathered:
    """The headers of one member."""

    start: int
    """Where the first of them is. What stands before a global header belongs to no member."""
    at: int
    """Where its own block is."""
    block: bytes = b""
    """Its own block; empty at the end of the archive, or if nothing follows."""
    ended: bool = False
    """Whether the archive ends here."""
    records: Records = field(default_factory=list)
    name: bytes = b""
    """GNU long name; empty if there is none."""
    link: bytes = b""
    known: dict[bytes, bytes] = field(default_factory=dict)
    """The PAX records in force."""
    several: bool = False
    """Whether it has two headers of a type: engines obey the last one only, others both."""

    def extend(self, kind: bytes, body: bytes, body_at: int) -> None:
        """Take in one extended header.

        Raises:
            MalformedTar: it holds no records.
        """
        if kind == b"x":
            self.several = self.several or bool(self.records)
            self.records = parse_records(body, body_at)
            self.known = in_force(self.records)
        elif kind == b"L":
            self.several, self.name = self.several or bool(self.name), until_nul(body)
        else:
            self.several, self.link = self.several or bool(self.link), until_nul(body)

    @property
    def is_odd(self) -> bool:
        """Whether other readers than Go's may read its names differently."""
        path, link = self.known.get(b"path"), self.known.get(b"linkpath")
        return (
            self.several
            or bool(self.block[345] and is_gnu(self.block))
            or bool(path and self.name and path != self.name)
            or bool(link and self.link and link != self.link)
        )

    def full_name(self, form: str | None) -> bytes:
        """Return the name that counts: of a sparse file, GNU long name, PAX, the block's.

        Args:
            form: of sparse file, if it is one.
        """
        sparse = self.known.get(b"GNU.sparse.name") if form not in {None, OLD} else None
        return sparse or self.name or self.known.get(b"path") or full_name(self.block)

    def full_link(self) -> bytes:
        """Return the target that counts."""
        return self.link or self.known.get(b"linkpath") or until_nul(self.block[157:257])


def gather(read: Callable[[int, int], bytes], at: int) -> Gathered:
    """Read the headers of the next member.

    Args:
        read: returns bytes of the stream from an offset.
        at: where the first one is.

    Raises:
        MalformedTar: they are damaged, or too long.
    """
    found = Gathered(at, at)
    while True:
        block = read(found.at, BLOCK)
        if not block:
            return found
        if len(block) < BLOCK:
            raise truncated("header", BLOCK, block, found.at)
        if block == _ZERO:
            _check_trailer(read, found.at)
            found.ended = True
            return found
        if not checksum_holds(block):
            raise MalformedTar("wrong header checksum", found.at)
        check_numbers(block, found.at)
        kind, size = block[156:157], parse_number(block[124:136])
        if size < 0 and (kind in _WITH_CONTENT or kind in b"xgLK"):
            raise malformed_number("size", block[124:136], found.at)
        if kind not in b"xgLK":
            found.block = block
            return found
        body, body_at = _body(read, found.at, size), found.at + BLOCK
        after = body_at + size + padding(size)
        if kind == b"g":
            parse_records(body, body_at)  # engines read them, too, though they obey none
            found = Gathered(after, after)
        else:
            found.extend(kind, body, body_at)
            found.at = after


def _body(read: Callable[[int, int], bytes], at: int, size: int) -> bytes:
    if size > EXTENDED_HEADER:
        message = f"extended header: expected at most {EXTENDED_HEADER} bytes, got {size}"
        raise MalformedTar(message, at)
    body = read(at + BLOCK, size)
    if len(body) < size:
        raise truncated("extended header", size, body, at + BLOCK)
    return body


def _check_trailer(read: Callable[[int, int], bytes], at: int) -> None:
    """Two zero blocks end an archive, or one if nothing follows; the rest is ignored."""
    follows = read(at + BLOCK, BLOCK)
    if follows and follows != _ZERO:
        raise MalformedTar("a single zero block inside the archive", at)


def read_member(source: ReadAt, at: int, origin: int) -> tuple[int, Member | None] | None:
    """Read the member whose first header is at an offset.

    Returns:
        The offset after it and the member (None if there were only headers), or None at the end of
        the archive.

    Raises:
        MalformedTar: its headers are damaged, or of a type that no engine knows.
    """
    ahead = window_of(source)(at, _AHEAD)  # most often all of the member's headers

    def read(offset: int, length: int) -> bytes:
        i = offset - at
        return ahead[i : i + length] if i + length <= len(ahead) else source.read_at(offset, length)

    found = gather(read, at)
    if found.ended:
        return None
    if not found.block:
        return found.at, None
    member = _member(found, read, source.size, origin)
    return member.end, member


def truncated(what: str, want: int, got: bytes, at: int) -> MalformedTar:
    """Return the error for a tar that ends in the midst of something."""
    message = f"truncated {what}: expected {want} bytes, got {len(got)}"
    return MalformedTar(message, at, is_cut=True)


def path_of(name: bytes, kind: bytes) -> tuple[bytes, int]:
    """Return the path of an unusual name, and `REWRITE` unless all engines take the name alike."""
    path = clean(name)
    body = name.removeprefix(b"./")
    if kind == DIRECTORY:
        body = body.removesuffix(b"/")
    plain = body == path or (not path and kind == DIRECTORY)
    return path, 0 if plain else REWRITE


def check_lengths(path: bytes, link: bytes, kind: bytes, at: int) -> None:
    """See to it that a path and the target of a link are such that Linux can have them.

    Raises:
        MalformedTar: one is too long.
    """
    for part in path.split(b"/") if len(path) > NAME else ():
        name = part.removeprefix(_WHITEOUT)  # a whiteout makes no file of its name
        if len(name) > NAME:
            message = f"name {name[:40]!r}...: expected at most {NAME} bytes, got {len(name)}"
            raise MalformedTar(message, at)
    target = clean(link) if kind == HARD_LINK else link
    for what, text in (("path", path), ("target of a link", target)):
        if len(text) >= PATH:
            message = f"{what} {text[:40]!r}...: expected fewer than {PATH} bytes, got {len(text)}"
            raise MalformedTar(message, at)


def check_end(data: int, size: int, available: int) -> int:
    """Content that reaches beyond the stream is an error; missing padding is not (`REWRITE`)."""
    if data + size > available:
        message = f"truncated content: expected {size} bytes, got {max(0, available - data)}"
        raise MalformedTar(message, data, is_cut=True)
    return REWRITE


def _member(
    found: Gathered, read: Callable[[int, int], bytes], available: int, origin: int
) -> Member:
    block, known, at = found.block, found.known, found.at
    form = form_of(block[156:157], known)
    name, link = found.full_name(form), found.full_link()
    kind, flags = _kind(block, found.name or known.get(b"path") or full_name(block), at)
    size = numbers_in(known, at).get(b"size", parse_number(block[124:136]))
    if size < 0 and kind == REGULAR:
        raise MalformedTar(f"size: expected at least 0, got {size}", at)
    data = at + BLOCK
    if form is not None:
        flags |= SPARSE if form == ONE else SPARSE | REWRITE  # others are rare: written out plain
        data = _check_sparse(found, form, kind, size, read)
    if found.is_odd or any(key.startswith(_OVERLAY_XATTRS) for key in known):
        flags |= REWRITE
    if b"\0" in name:
        raise MalformedTar(f"name {name[:40]!r}: expected none with a NUL in it", at)
    path, odd = path_of(name, kind)
    flags |= odd
    check_lengths(path, link, kind, at)
    if kind != REGULAR:
        # Engines look for no content behind a hard link, whatever its size; others do.
        flags |= REWRITE if size and kind == HARD_LINK else 0
        size = 0
    elif data + size + padding(size) > available:
        flags |= check_end(data, size, available)
    folder, _, name = path.rpartition(b"/")
    head = data - found.start
    return Member(folder, name, kind, link, found.start, head, size, flags, origin)


def _kind(block: bytes, name: bytes, at: int) -> tuple[bytes, int]:
    """Return the member's type, old ones in today's terms, and `REWRITE` for those."""
    kind = block[156:157]
    if kind == b"\0":
        return DIRECTORY if name.endswith(b"/") else REGULAR, 0
    if kind in {b"7", b"S"}:
        return REGULAR, REWRITE
    if kind not in TYPES:
        message = f"member {name[:40]!r} has type {kind!r}, which no engine knows"
        raise MalformedTar(message, at)
    return kind, 0


def _check_sparse(
    found: Gathered, form: str, kind: bytes, size: int, read: Callable[[int, int], bytes]
) -> int:
    """Check a map that is in headers; return where the content begins."""
    data = found.at + BLOCK
    if kind != REGULAR:
        raise senseless(found.at)
    if form == ONE:  # whose map is content
        with suppress(ValueError):
            check_size(file_size(found.known, 0), found.at)
        return data
    if form == OLD:
        parts, full, data = old_map(found.block, read, found.at)
    else:
        parts, full = zero_map(found.known, size, found.at)
    if len(parts) > SPARSE_PARTS:
        message = f"sparse file map: expected at most {SPARSE_PARTS} parts, got {len(parts)}"
        raise MalformedTar(message, found.at)
    check_parts(parts, full, size, found.at)
    return data
