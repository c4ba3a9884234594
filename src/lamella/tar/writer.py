"""Write new headers: ustar where it fits, PAX records where it doesn't, nothing else.

Used only for what can't be copied: promoted hard links, whiteouts, old sparse files, names that
engines read differently. Everything in the old header is kept, also PAX records unknown
to us.
"""

from __future__ import annotations

from functools import lru_cache

from lamella.tar.entry import BLOCK_DEVICE, CHAR_DEVICE, REGULAR, Header
from lamella.tar.header import BLOCK, FIELDS, NO_CHECKSUM, checksum_of, padding, sum_of
from lamella.tar.pax import Records, format_records, format_time
from lamella.tar.sparse import SparseParts

__all__ = [
    "END_OF_ARCHIVE",
    "FURTHEST_TIME",
    "format_header",
    "format_plain_block",
    "format_whiteout",
    "with_time",
]

END_OF_ARCHIVE = bytes(2 * BLOCK)

_NANO = 10**9
_FURTHEST_SECOND = 8**11 - 1
FURTHEST_TIME = _FURTHEST_SECOND * _NANO
"""The latest time that the field of a header has room for, in nanoseconds since 1970."""
_NAME = 100
_DEVICES = frozenset({CHAR_DEVICE, BLOCK_DEVICE})
_SPARSE_NAME = b"GNUSparseFile.0/x"
"""What one sees who does not know sparse files; the name is in a record."""
# Records that the fields of a Header tell, or that only belonged to the old form.
_TOLD = frozenset({b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"uname", b"gname"})
_DROPPED = (
    b"GNU.sparse.",  # written again
    b"SCHILY.xattr.trusted.overlay.",  # would be taken for an overlay's own marks
    b"SCHILY.xattr.user.overlay.",
)


def format_header(header: Header) -> bytes:
    """Return the header blocks of a member; its content, padded, is to follow.

    Of a sparse file they end with its map; the parts are to follow, one behind the other.
    """
    if header.parts is not None:
        return _format_sparse(header, header.parts)
    return _format(header, [])


def _format_sparse(header: Header, parts: SparseParts) -> bytes:
    """Return headers and map in the form PAX 1.0: of all that there are, engines read only this.

    https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html
    """
    numbers = [len(parts), *(number for part in parts for number in part)]
    text = b"".join(b"%d\n" % number for number in numbers)
    text += bytes(padding(len(text)))
    records = [
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", header.name),
        (b"GNU.sparse.realsize", b"%d" % header.size),
    ]
    size = len(text) + header.stored
    return _format(header._replace(name=_SPARSE_NAME, size=size), records) + text


def _format(header: Header, records: Records) -> bytes:
    name = _text(header.name, _NAME, b"path", records)
    link = header.link and _text(header.link, _NAME, b"linkpath", records)
    size = header.size if header.type == REGULAR else 0
    seconds, fraction = divmod(header.mtime, _NANO)
    if fraction or not 0 <= seconds <= _FURTHEST_SECOND:
        records.append((b"mtime", format_time(header.mtime)))
        seconds = seconds if 0 <= seconds <= _FURTHEST_SECOND else 0
    uid = header.uid and _number(header.uid, 8, b"uid", records)
    gid = header.gid and _number(header.gid, 8, b"gid", records)
    size = size and _number(size, 12, b"size", records)
    device = header.type in _DEVICES
    if header.pax:
        records += [(key, value) for key, value in header.pax if _is_kept(key)]
    block = _block(
        name=name,
        type=header.type,
        mode=header.mode & 0o7777777,
        uid=uid,
        gid=gid,
        size=size,
        mtime=seconds,
        link=link,
        uname=header.uname and _text(header.uname, 32, b"uname", records),
        gname=header.gname and _text(header.gname, 32, b"gname", records),
        device=(header.devmajor, header.devminor) if device else (0, 0),
    )
    return _extended(records) + block if records else block


def format_plain_block(name: bytes, size: int) -> bytes:
    """Return the header of a regular file as exactly one block, whatever its size.

    Sizes of 8 GiB and more are written in base-256, which every reader of image archives knows.

    Args:
        name: at most 100 bytes of ASCII.
        size: of its content in bytes.
    """
    if _fits(size, 12):
        return format_header(Header(name=name, type=REGULAR, size=size))
    block = bytearray(_block(name=name, type=REGULAR))
    block[124:136] = b"\x80" + size.to_bytes(11, "big")
    block[148:156] = NO_CHECKSUM
    return _sealed(bytes(block))


def with_time(block: bytes, seconds: int) -> bytes:
    """Return a header block that has another time; every other field stays as it is written.

    Args:
        block: of a member whose time no further header tells.
        seconds: since 1970; `FURTHEST_TIME` is the last that fits.
    """
    return _sealed(block[:136] + _octal(seconds, 12) + NO_CHECKSUM + block[156:])


def format_whiteout(name: bytes) -> bytes:
    """Return the header blocks of an empty file without permissions; there may be very many."""
    if len(name) > _NAME or not name.isascii():
        return format_header(Header(name=name, type=REGULAR, mode=0))
    checksum = b"%06o\0 " % (_NAMELESS + sum_of(name))
    return name.ljust(_NAME, b"\0") + _BEFORE_CHECKSUM + checksum + _AFTER_CHECKSUM


def _is_kept(key: bytes) -> bool:
    return key not in _TOLD and not key.startswith(_DROPPED)


def _text(value: bytes, room: int, key: bytes, records: Records) -> bytes:
    """Return what goes into the field; the whole value goes into a record if it must."""
    if len(value) > room or not value.isascii():
        records.append((key, value))
    return value[:room]


def _fits(value: int, width: int) -> bool:
    return 0 <= value < 1 << 3 * (width - 1)


def _number(value: int, width: int, key: bytes, records: Records) -> int:
    if _fits(value, width):
        return value
    records.append((key, b"%d" % value))
    return 0


def _extended(records: Records) -> bytes:
    body = format_records(records)
    block = _block(name=b"PaxHeaders/x", type=b"x", size=len(body))
    return block + body + bytes(padding(len(body)))


def _block(  # noqa: PLR0913 - the fields of a header
    *,
    name: bytes,
    type: bytes,  # noqa: A002 - the standard's word
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    uname: bytes = b"",
    gname: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    block = FIELDS.pack(
        name,
        _octal(mode, 8),
        _octal(uid, 8),
        _octal(gid, 8),
        _octal(size, 12),
        _octal(mtime, 12),
        NO_CHECKSUM,
        type,
        link,
        b"ustar\0",
        b"00",
        uname,
        gname,
        _device(device[0]),
        _device(device[1]),
        b"",
    )
    return _sealed(block)


def _sealed(block: bytes) -> bytes:
    """Return a header that lacks only its checksum, with it."""
    return block[:148] + b"%06o\0 " % checksum_of(block) + block[156:]


@lru_cache(maxsize=4096)
def _octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


@lru_cache(maxsize=256)
def _device(value: int) -> bytes:
    """Return the field of a device number; beyond octal in base-256, for PAX has no record."""
    if _fits(value, 8):
        return _octal(value, 8)
    return (value & (1 << 63) - 1 | 1 << 63).to_bytes(8, "big")


_WHITEOUT = _block(name=b"", type=REGULAR, mode=0)
_BEFORE_CHECKSUM, _AFTER_CHECKSUM = _WHITEOUT[_NAME:148], _WHITEOUT[156:]
_NAMELESS = int(_WHITEOUT[148:154], 8)
"""The checksum of a whiteout's header without a name."""
