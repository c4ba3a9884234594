"""One member in full: all header fields, and its content with holes filled in."""

from __future__ import annotations

from collections.abc import Iterator

from lamella.errors import MalformedTar
from lamella.tar.entry import REGULAR, SPARSE, Header, Member, ReadAt
from lamella.tar.header import (
    BLOCK,
    FIELDS,
    full_name,
    malformed_number,
    padding,
    parse_number,
    until_nul,
)
from lamella.tar.pax import Records, parse_records, parse_time
from lamella.tar.rare import truncated

__all__ = ["iter_content", "iter_extents", "read_attributes", "read_header"]

_NANO = 10**9
_CHUNK = 1 << 18
_ZEROS = bytes(_CHUNK)
_MOST_NUMBERS = 1 << 20


def read_header(source: ReadAt, member: Member) -> Header:
    """Read a member's headers again, completely.

    Raises:
        MalformedTar: a number, a time or a sparse map is wrong; or it is not there any more.
    """
    raw = source.read_at(member.start, member.head)
    if len(raw) < member.head:
        raise truncated("header", member.head, raw, member.start)
    at, records = 0, []
    known: dict[str, object] = {}  # what the block itself doesn't say, or not rightly
    while True:
        kind = raw[at + 156 : at + 157]
        if kind not in b"xgLK":
            break
        size = parse_number(raw[at + 124 : at + 136])
        body = raw[at + BLOCK : at + BLOCK + size]
        if kind == b"x":
            records = parse_records(body, member.start + at)
        elif kind == b"L":
            known["name"] = until_nul(body)
        elif kind == b"K":
            known["link"] = until_nul(body)
        at += BLOCK + size + padding(size)
    header = _base(raw[at : at + BLOCK], member, member.start + at)
    if records:
        known["pax"] = tuple(records)
        _apply_pax(known, records, member.start)
    if member.flags & SPARSE:
        _apply_sparse(known, records, source, member, raw[at:])
    return header._replace(**known) if known else header  # type: ignore[arg-type]


def _base(block: bytes, member: Member, offset: int) -> Header:
    """The fields of the header block itself."""
    (_, mode, uid, gid, _, mtime, _, _, link, magic, _, uname, gname, major, minor, _) = (
        FIELDS.unpack(block)
    )
    ustar = magic[:5] == b"ustar"
    device = ustar and member.type in b"34"
    return Header(
        full_name(block),
        member.type,
        _number("mode", mode, offset),
        _number("uid", uid, offset),
        _number("gid", gid, offset),
        member.size,
        _number("mtime", mtime, offset) * _NANO,
        until_nul(link),
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
        block, at = source.read_at(member.start, BLOCK), member.start
        mode, mtime = _number("mode", block[100:108], at), _number("mtime", block[136:148], at)
        uid, gid = _number("uid", block[108:116], at), _number("gid", block[116:124], at)
        return mode & 0o7777, uid, gid, mtime * _NANO, {}
    header = read_header(source, member)
    return header.mode & 0o7777, header.uid, header.gid, header.mtime, header.xattrs


def _apply_pax(header: dict[str, object], records: Records, offset: int) -> None:
    """Records override the fields; an empty value means "not given", as Go's archive/tar has it."""
    for key, value in records:
        if not value:
            continue
        try:
            if key in {b"path", b"GNU.sparse.name"}:
                header["name"] = value
            elif key == b"linkpath":
                header["link"] = value
            elif key in {b"uid", b"gid"}:
                header[key.decode()] = int(value)
            elif key == b"mtime":
                header["mtime"] = parse_time(value)
            elif key in {b"uname", b"gname"}:
                header[key.decode()] = value
        except ValueError:
            message = f"PAX record {key.decode()}: found {value[:40]!r}"
            raise MalformedTar(message, offset) from None


def _apply_sparse(
    header: dict[str, object], records: Records, source: ReadAt, member: Member, old: bytes
) -> None:
    """Set the full size and the parts of a sparse file, in whichever of the four forms it is.

    https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
    """
    known = dict(records)
    try:
        if known.get(b"GNU.sparse.major") == b"1":
            parts, _ = _map_in_content(source, member)
            size = int(known[b"GNU.sparse.realsize"])
        elif b"GNU.sparse.map" in known:
            parts = _pairs([int(n) for n in known[b"GNU.sparse.map"].split(b",")])
            size = int(known[b"GNU.sparse.size"])
        elif b"GNU.sparse.numblocks" in known:
            offsets = [int(v) for k, v in records if k == b"GNU.sparse.offset"]
            lengths = [int(v) for k, v in records if k == b"GNU.sparse.numbytes"]
            parts = tuple(zip(offsets, lengths, strict=True))
            size = int(known[b"GNU.sparse.size"])
        else:
            parts, size = _old_gnu(old), parse_number(old[483:495])
    except (ValueError, KeyError):
        raise MalformedTar("sparse file map makes no sense", member.start) from None
    ends = [0, *(offset + length for offset, length in parts)]
    # A part that starts before the one before it ends, has less than no length, or ends beyond the
    # file.
    if (
        any(offset < end for (offset, _), end in zip(parts, ends, strict=False))
        or any(length < 0 for _, length in parts)
        or ends[-1] > size
    ):
        raise MalformedTar("sparse file map makes no sense", member.start)
    header["parts"], header["size"] = parts, size


def _old_gnu(raw: bytes) -> tuple[tuple[int, int], ...]:
    """Four pairs in the header, 21 in each extension block."""
    fields = [raw[386 + 12 * i : 398 + 12 * i] for i in range(8)]
    for at in range(BLOCK, len(raw), BLOCK):
        fields += [raw[at + 12 * i : at + 12 * i + 12] for i in range(42)]
    numbers = [parse_number(field) for field in fields if field.strip(b"\0 ")]
    return _pairs(numbers)


def _pairs(numbers: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _map_in_content(source: ReadAt, member: Member) -> tuple[tuple[tuple[int, int], ...], int]:
    """PAX 1.0: decimal lines at the head of the content; also returns the bytes they fill."""
    head = source.read_at(member.data, BLOCK)
    # Each number takes two bytes at least and twenty at most, which bounds the map beforehand.
    count = 1 + 2 * int(head.partition(b"\n")[0])
    room = min(member.size, 21 * count + BLOCK)
    if not 0 < count <= _MOST_NUMBERS or 2 * count > member.size:
        raise ValueError
    lines = source.read_at(member.data, room).split(b"\n", count)
    if len(lines) <= count:
        raise ValueError
    used = sum(len(line) + 1 for line in lines[:count])
    return _pairs([int(line) for line in lines[1:count]]), used + padding(used)


def iter_extents(source: ReadAt, member: Member, header: Header) -> Iterator[tuple[int, int]]:
    """Yield a regular file's content as (offset in the stream, length); offset -1 is a hole."""
    if header.parts is None:
        yield member.data, member.size
        return
    at, position = 0, member.data
    if dict(header.pax).get(b"GNU.sparse.major") == b"1":
        position += _map_in_content(source, member)[1]
    stop = member.data + member.size
    for offset, length in header.parts:
        if offset > at:
            yield -1, offset - at
        if position + length > stop:
            raise MalformedTar("sparse file map is longer than its content", member.start)
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
    for offset, length in iter_extents(source, member, header):
        at = 0
        while at < length:
            step = min(_CHUNK, length - at)
            chunk = _ZEROS[:step] if offset < 0 else source.read_at(offset + at, step)
            if not chunk:
                raise MalformedTar("truncated content", offset + at)
            yield chunk
            at += len(chunk)
