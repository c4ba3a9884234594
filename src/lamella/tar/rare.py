"""Read one member with all that is rare: extended headers, odd numbers, old formats."""

from __future__ import annotations

from lamella.errors import MalformedTar
from lamella.limits import EXTENDED_HEADER
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
    checksum_holds,
    full_name,
    is_gnu,
    malformed_number,
    padding,
    parse_number,
    until_nul,
)
from lamella.tar.pax import Records, parse_records

__all__ = ["TYPES", "check_end", "path_of", "read_member", "truncated"]

TYPES = frozenset(b"0 1 2 3 4 5 6".split())
_ZERO = bytes(BLOCK)
_AHEAD = 2048
_MOST_DIGITS = 19  # of a 64-bit number, which is what every engine has
_OLD_SPARSE = {b"GNU.sparse.map", b"GNU.sparse.numblocks"}
_OVERLAY_XATTRS = (b"SCHILY.xattr.trusted.overlay.", b"SCHILY.xattr.user.overlay.")


def read_member(source: ReadAt, at: int, origin: int) -> tuple[int, Member | None] | None:
    """Read the member whose first header is at an offset.

    Returns:
        The offset after it and the member (None if there were only headers), or None at the end of
        the archive.

    Raises:
        MalformedTar: its headers are damaged, or of a type that no engine knows.
    """
    return _Reader(source, at, origin).read()


def truncated(what: str, want: int, got: bytes, at: int) -> MalformedTar:
    """Return the error for a tar that ends in the midst of something."""
    return MalformedTar(f"truncated {what}: want {want} bytes, found {len(got)}", at)


def path_of(name: bytes, kind: bytes) -> tuple[bytes, int]:
    """Return the path of an unusual name, and `REWRITE` unless all engines take the name alike."""
    path = clean(name)
    body = name.removeprefix(b"./")
    if kind == DIRECTORY:
        body = body.removesuffix(b"/")
    plain = body == path or (not path and kind == DIRECTORY)
    return path, 0 if plain else REWRITE


def check_end(data: int, size: int, available: int) -> int:
    """Content that reaches beyond the stream is an error; missing padding is not (`REWRITE`)."""
    if data + size > available:
        message = f"truncated content: want {size} bytes, found {max(0, available - data)}"
        raise MalformedTar(message, data)
    return REWRITE


class _Reader:
    """The headers of one member, gathered one after the other."""

    def __init__(self, source: ReadAt, at: int, origin: int) -> None:
        self._source, self._origin = source, origin
        self._start = self._at = self._ahead_at = at
        self._ahead = window_of(source)(at, _AHEAD)  # most often all of the member's headers
        self._name: bytes | None = None
        self._link: bytes | None = None
        self._records: Records = []
        self._flags = 0

    def read(self) -> tuple[int, Member | None] | None:
        while True:
            block = self._bytes(self._at, BLOCK)
            if not block:
                return self._at, None
            if len(block) < BLOCK:
                raise truncated("header", BLOCK, block, self._at)
            if block == _ZERO:
                self._check_trailer()
                return None
            if not checksum_holds(block):
                raise MalformedTar("header checksum does not hold", self._at)
            if block[156:157] not in b"xgLK":
                member = self._member(block)
                return member.end, member
            self._extension(block)

    def _bytes(self, offset: int, length: int) -> bytes:
        i = offset - self._ahead_at
        if i + length <= len(self._ahead):
            return self._ahead[i : i + length]
        return self._source.read_at(offset, length)

    def _check_trailer(self) -> None:
        """Two zero blocks end an archive, or one if nothing follows; the rest is ignored."""
        follows = self._bytes(self._at + BLOCK, BLOCK)
        if follows and follows != _ZERO:
            raise MalformedTar("a single zero block inside the archive", self._at)

    def _extension(self, block: bytes) -> None:
        """Take in one extended header, and step over it."""
        kind, body_at = block[156:157], self._at + BLOCK
        size = _number("size", block[124:136], self._at)
        if size > EXTENDED_HEADER:
            message = f"extended header: expected at most {EXTENDED_HEADER} bytes, got {size}"
            raise MalformedTar(message, self._at)
        body = self._bytes(body_at, size)
        if len(body) < size:
            raise truncated("extended header", size, body, body_at)
        after = body_at + size + padding(size)
        if kind == b"x":
            self._records = parse_records(body, body_at)
        elif kind == b"L":
            self._name = until_nul(body)
        elif kind == b"K":
            self._link = until_nul(body)
        elif self._at == self._start:
            self._start = after
        else:
            self._flags |= REWRITE  # a global header in the midst of a member's own
        self._at = after

    def _member(self, block: bytes) -> Member:
        # An empty value means "not given" (Go's archive/tar, and so every engine).
        known = {key: value for key, value in self._records if value}
        if b"GNU.sparse.major" in known:
            self._flags |= SPARSE
        elif known.keys() & _OLD_SPARSE:
            self._flags |= SPARSE | REWRITE  # PAX 0.0 and 0.1: seldom seen, so written out plain
        if any(key.startswith(_OVERLAY_XATTRS) for key in known):
            self._flags |= REWRITE
        name = self._full_name(block, known)
        kind, data = self._kind(block, name)
        path, odd = path_of(name, kind)
        link = known.get(b"linkpath", self._link)
        if link is None:
            link = until_nul(block[157:257])
        size = _number("size", block[124:136], self._at)
        if b"size" in known:
            size = _decimal("size", known[b"size"], self._at)
        if kind == REGULAR:
            if data + size + padding(size) > self._source.size:
                odd |= check_end(data, size, self._source.size)
        else:
            # Engines look for no content behind a hard link, whatever its size; others do.
            odd |= REWRITE if size and kind == HARD_LINK else 0
            size = 0
        flags = self._flags | odd
        head = data - self._start
        folder, _, name = path.rpartition(b"/")
        return Member(folder, name, kind, link, self._start, head, size, flags, self._origin)

    def _full_name(self, block: bytes, known: dict[bytes, bytes]) -> bytes:
        """Return the name that counts: sparse, PAX, GNU long name, or prefix and name field."""
        for candidate in (known.get(b"GNU.sparse.name"), known.get(b"path"), self._name):
            if candidate is not None:
                return candidate
        if block[345] and is_gnu(block):
            self._flags |= REWRITE  # only Go reads a prefix there
        return full_name(block)

    def _kind(self, block: bytes, name: bytes) -> tuple[bytes, int]:
        """Return the member's type, old ones in today's terms, and where its content begins."""
        kind, data = block[156:157], self._at + BLOCK
        if kind == b"\0":
            return DIRECTORY if name.endswith(b"/") else REGULAR, data
        if kind == b"7":
            self._flags |= REWRITE
            return REGULAR, data
        if kind == b"S":
            self._flags |= REWRITE | SPARSE
            return REGULAR, self._skip_sparse_map(block)
        if kind not in TYPES:
            message = f"member {name!r} has type {kind!r}, which no engine knows"
            raise MalformedTar(message, self._at)
        return kind, data

    def _skip_sparse_map(self, block: bytes) -> int:
        """Old GNU sparse: blocks of further (offset, length) pairs follow while a flag says so."""
        more, at = block[482], self._at + BLOCK
        while more:
            block = self._bytes(at, BLOCK)
            if len(block) < BLOCK:
                raise truncated("sparse header", BLOCK, block, at)
            more, at = block[504], at + BLOCK
        return at


def _number(name: str, field: bytes, at: int) -> int:
    try:
        value = parse_number(field)
    except ValueError:
        raise malformed_number(name, field, at) from None
    if value < 0:
        raise malformed_number(name, field, at)
    return value


def _decimal(name: str, value: bytes, at: int) -> int:
    if not value.isdigit() or len(value) > _MOST_DIGITS:
        message = f"PAX record {name}: want a number, found {value[:40]!r}"
        raise MalformedTar(message, at)
    return int(value)
