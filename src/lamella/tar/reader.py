"""One member in full: all header fields, and its content with holes filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from lamella.errors import MalformedTar
from lamella.tar.entry import REGULAR, SPARSE, Header, Member, ReadAt
from lamella.tar.header import (
    BLOCK,
    FIELDS,
    POSIX_MAGIC,
    check_numbers,
    full_name,
    is_gnu,
    malformed_number,
    parse_number,
    until_nul,
)
from lamella.tar.pax import numbers_in
from lamella.tar.rare import Gathered, gather, truncated
from lamella.tar.sparse import (
    OLD,
    ONE,
    check_parts,
    file_size,
    form_of,
    old_map,
    one_map,
    senseless,
    zero_map,
)

__all__ = ["iter_content", "iter_extents", "read_attributes", "read_header"]

_NANO = 10**9
_CHUNK = 1 << 18
_ZEROS = bytes(_CHUNK)


def read_header(source: ReadAt, member: Member) -> Header:
    """Read a member's headers again, completely.

    Raises:
        MalformedTar: a number, a time or a sparse map is wrong; or it is not there any more.
    """
    raw = source.read_at(member.start, member.head)
    if len(raw) < member.head:
        raise truncated("header", member.head, raw, member.start)
    if member.head == BLOCK and not member.flags & SPARSE:  # nothing but the block itself
        return _base(raw, member, member.start, full_name(raw), until_nul(raw[157:257]))

    def read(offset: int, length: int) -> bytes:
        i = offset - member.start
        return raw[i : i + length] if i < len(raw) else source.read_at(offset, length)

    found = gather(read, member.start)
    if not found.block:
        raise truncated("header", BLOCK, b"", member.start)
    form = form_of(found.block[156:157], found.known) if member.flags & SPARSE else None
    header = _base(found.block, member, found.at, found.full_name(form), found.full_link())
    if found.records:
        numbers = numbers_in(found.known, member.start)
        header = header._replace(
            pax=tuple(found.records),
            uid=numbers.get(b"uid", header.uid),
            gid=numbers.get(b"gid", header.gid),
            mtime=numbers.get(b"mtime", header.mtime),
            uname=found.known.get(b"uname", header.uname),
            gname=found.known.get(b"gname", header.gname),
        )
    return header if form is None else _sparse(header, form, found, member, read)


def _base(block: bytes, member: Member, offset: int, name: bytes, link: bytes) -> Header:
    """The fields of the header block itself; the names that count may be told elsewhere."""
    (_, mode, uid, gid, _, mtime, _, _, _, magic, _, uname, gname, major, minor, _) = FIELDS.unpack(
        block
    )
    ustar = magic == POSIX_MAGIC or is_gnu(block)
    device = ustar and member.type in b"34"
    return Header(
        name,
        member.type,
        _number("mode", mode, offset),
        _number("uid", uid, offset),
        _number("gid", gid, offset),
        member.size,
        _number("mtime", mtime, offset) * _NANO,
        link,
        until_nul(uname) if ustar else b"",
        until_nul(gname) if ustar else b"",
        _number("devmajor", major, offset) if device else 0,
        _number("devminor", minor, offset) if device else 0,
    )


def _number(label: str, field: bytes, offset: int) -> int:
    try:
        return parse_number(field)
    except ValueError:
        raise malformed_number(label, field, offset) from None


def read_attributes(source: ReadAt, member: Member) -> tuple[object, ...]:
    """Return what all names of a file have in common: mode, owner, time, extended attributes.

    Raises:
        MalformedTar: a number or a time is wrong.
    """
    if member.head == BLOCK:  # nothing but the block itself
        block = source.read_at(member.start, BLOCK)
        try:
            return *_shared(block[100:124] + block[136:148]), {}
        except ValueError:
            check_numbers(block, member.start)
            raise
    header = read_header(source, member)
    return header.mode & 0o7777, header.uid, header.gid, header.mtime, header.xattrs


@lru_cache(maxsize=1024)
def _shared(fields: bytes) -> tuple[int, int, int, int]:
    """Mode, owner, group and time: of a header the bytes from 100 to 124 and from 136 to 148."""
    mode, uid, gid = (parse_number(fields[at : at + 8]) for at in (0, 8, 16))
    return mode & 0o7777, uid, gid, parse_number(fields[24:]) * _NANO


def _sparse(
    header: Header,
    form: str,
    found: Gathered,
    member: Member,
    read: Callable[[int, int], bytes],
) -> Header:
    """Return a header with the full size and the parts of a sparse file."""
    stored = member.size
    if form == OLD:
        parts, size, _ = old_map(found.block, read, found.at)
    elif form == ONE:
        parts, used = one_map(read, member.data, member.size)
        stored -= used
        try:
            size = file_size(found.known, member.size)
        except ValueError:
            raise senseless(member.start) from None
    else:
        parts, size = zero_map(found.known, member.size, member.start)
    check_parts(parts, size, stored, member.start)
    return header._replace(parts=parts, size=size)


def stored_content(member: Member, header: Header) -> tuple[int, int]:
    """Return where a regular file's content is in the stream, and its bytes there; no holes."""
    # A map at the head of the content is what the parts leave of it.
    stored = header.stored
    return member.data + member.size - stored, stored


def iter_extents(member: Member, header: Header) -> Iterator[tuple[int, int]]:
    """Yield a regular file's content as (offset in the stream, length); offset -1 is a hole."""
    position, stored = stored_content(member, header)
    at = 0
    for offset, length in ((0, stored),) if header.parts is None else header.parts:
        if offset > at:
            yield -1, offset - at
        if length:
            yield position, length
        position += length
        at = offset + length
    if header.size > at:
        yield -1, header.size - at


def iter_content(source: ReadAt, member: Member) -> Iterator[bytes]:
    """Yield a regular file's content in chunks, holes as zeros."""
    if member.type != REGULAR:
        return
    header = read_header(source, member)
    for offset, length in iter_extents(member, header):
        at = 0
        while at < length:
            step = min(_CHUNK, length - at)
            chunk = _ZEROS[:step] if offset < 0 else source.read_at(offset + at, step)
            if not chunk:
                raise MalformedTar("truncated content", offset + at)
            yield chunk
            at += len(chunk)
