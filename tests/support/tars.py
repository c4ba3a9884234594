"""A small tar writer, by the book and independent of lamella's: every format, and every oddity.

A layer is written as it is thought of::

    layer("a/", ("a/b", b"hi"), ".wh.c", symlink("a/s", "b"), link("a/h", "a/b"))
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

__all__ = [
    "END",
    "MTIME",
    "Entry",
    "Format",
    "Name",
    "Raw",
    "Spec",
    "block",
    "device",
    "entry",
    "extended",
    "fifo",
    "folder",
    "layer",
    "link",
    "opaque",
    "pax_records",
    "reseal",
    "symlink",
    "whiteout",
]

Name: TypeAlias = str | bytes
Format = Literal["v7", "ustar", "gnu", "pax"]

END = bytes(1024)
MTIME = 1_600_000_000 * 10**9
_NANO = 10**9
_BLOCK = struct.Struct("100s8s8s8s12s12s8x1s100s8s32s32s8s8s155s12x")
"""A header block; longer values are cut, shorter ones filled with zeros."""
_MAGIC = {"v7": bytes(8), "ustar": b"ustar\x0000", "gnu": b"ustar  \0", "pax": b"ustar\x0000"}


class Raw(NamedTuple):
    """Bytes that stand in a tar as they are."""

    data: bytes


@dataclass(frozen=True)
class Entry:
    """One member, as it is to be written."""

    name: bytes
    type: bytes = b"0"
    content: bytes = b""
    link: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = MTIME
    """Nanoseconds. Fractions need PAX."""
    uname: bytes = b""
    gname: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[bytes, bytes] | None = None
    """Need PAX."""
    records: tuple[tuple[bytes, bytes], ...] = ()
    """Further PAX records, also nonsensical ones."""
    format: Format = "pax"
    """``pax`` is ustar, with extended headers where they are needed."""
    size: int | None = None
    """What the header says, if not the content's length."""

    def encode(self) -> bytes:
        """Return headers, content and padding."""
        size = len(self.content) if self.size is None else self.size
        return self.headers(size) + self.content + bytes(-len(self.content) % 512)

    def headers(self, size: int) -> bytes:
        """Return the headers alone."""
        if self.format == "pax":
            return self._pax(size)
        if self.xattrs or self.records or self.mtime % _NANO:
            message = f"{self.format} has no place for this"
            raise ValueError(message)
        return self._gnu(size) if self.format == "gnu" else self._old(size)

    def _pax(self, size: int) -> bytes:
        told: list[tuple[bytes, bytes]] = []
        for key, value in ((b"path", self.name), (b"linkpath", self.link)):
            if len(value) > 100 or not value.isascii():
                told.append((key, value))
        for key, number, width in (
            (b"uid", self.uid, 8),
            (b"gid", self.gid, 8),
            (b"size", size, 12),
        ):
            if not _fits(number, width):
                told.append((key, b"%d" % number))
        if self.mtime % _NANO or not _fits(self.mtime // _NANO, 12):
            told.append((b"mtime", _decimal(self.mtime)))
        told += [(b"SCHILY.xattr." + key, value) for key, value in (self.xattrs or {}).items()]
        told += self.records
        if not told:
            return self.block(size)
        small = replace(
            self,
            uid=self.uid if _fits(self.uid, 8) else 0,
            gid=self.gid if _fits(self.gid, 8) else 0,
            mtime=self.mtime if _fits(self.mtime // _NANO, 12) else 0,
        )
        return extended(b"x", pax_records(told)) + small.block(size if _fits(size, 12) else 0)

    def _gnu(self, size: int) -> bytes:
        parts = b""
        for kind, value in ((b"K", self.link), (b"L", self.name)):
            if len(value) > 100:
                head = block(b"././@LongLink", kind, size=len(value) + 1, magic=_MAGIC["gnu"])
                parts += head + value + bytes(512 - len(value) % 512)
        return parts + self.block(size)

    def _old(self, size: int) -> bytes:
        name, prefix = self.name, b""
        if len(name) > 100 and self.format == "ustar":
            cut = name.find(b"/", len(name) - 101)
            name, prefix = name[cut + 1 :], name[:cut]
        if len(name) > 100 or len(prefix) > 155 or len(self.link) > 100:
            message = f"{self.format} has no place for {self.name!r}"
            raise ValueError(message)
        kind = self.type
        if self.format == "v7" and kind in b"05":
            kind = b"\0"
        return replace(self, name=name, type=kind).block(size, prefix)

    def block(self, size: int, prefix: bytes = b"") -> bytes:
        """Return the header block alone."""
        return block(
            self.name,
            self.type,
            mode=self.mode,
            uid=self.uid,
            gid=self.gid,
            size=size,
            mtime=self.mtime // _NANO,
            link=self.link,
            magic=_MAGIC[self.format],
            uname=self.uname,
            gname=self.gname,
            device=self.device,
            prefix=prefix,
        )


def _fits(value: int, width: int) -> bool:
    return 0 <= value < 1 << 3 * (width - 1)


def _decimal(nanoseconds: int) -> bytes:
    sign = b"-" if nanoseconds < 0 else b""
    return sign + b"%d.%09d" % divmod(abs(nanoseconds), _NANO)


def _number(value: int, width: int) -> bytes:
    if _fits(value, width):
        return b"%0*o\0" % (width - 1, value)
    bits = 8 * width
    return (value % (1 << bits) | 1 << (bits - 1)).to_bytes(width, "big")


def block(
    name: bytes,
    type: bytes,  # noqa: A002 - the standard's word
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    magic: bytes = _MAGIC["ustar"],
    uname: bytes = b"",
    gname: bytes = b"",
    device: tuple[int, int] = (0, 0),
    prefix: bytes = b"",
) -> bytes:
    """Return one header block; numbers that don't fit are written base-256."""
    major, minor = (_number(n, 8) if type in b"34" else b"" for n in device)
    raw = _BLOCK.pack(
        name,
        _number(mode, 8),
        _number(uid, 8),
        _number(gid, 8),
        _number(size, 12),
        _number(mtime, 12),
        type,
        link,
        magic,
        uname,
        gname,
        major,
        minor,
        prefix,
    )
    return reseal(raw)


def reseal(raw: bytes, *, signed: bool = False) -> bytes:
    """Return a header block with its checksum made right."""
    plain = raw[:148] + b" " * 8 + raw[156:]
    total = sum(plain) - (256 * sum(b > 127 for b in plain) if signed else 0)
    return raw[:148] + b"%06o\0 " % total + raw[156:]


def pax_records(records: list[tuple[bytes, bytes]]) -> bytes:
    """Return the body of a PAX header."""
    body = b""
    for key, value in records:
        tail = b" " + key + b"=" + value + b"\n"
        digits = next(n for n in range(1, 20) if len(str(len(tail) + n)) == n)
        body += str(len(tail) + digits).encode() + tail
    return body


def extended(kind: bytes, body: bytes) -> bytes:
    """Return an extended header (``x``, ``g``, ``L``, ``K``) and its body."""
    return block(b"extended", kind, size=len(body)) + body + bytes(-len(body) % 512)


# -- the usual kinds


Spec: TypeAlias = Name | tuple[Name, bytes] | Entry | Raw


def _bytes(name: Name) -> bytes:
    return name if isinstance(name, bytes) else name.encode()


def entry(name: Name, content: bytes = b"", **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return a regular file."""
    return Entry(_bytes(name), content=content, **more)


def folder(name: Name, mode: int = 0o755, **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return a directory."""
    return Entry(_bytes(name), type=b"5", mode=mode, **more)


def symlink(name: Name, target: Name, **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return a symlink."""
    return Entry(_bytes(name), type=b"2", mode=0o777, link=_bytes(target), **more)


def link(name: Name, target: Name, **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return a hard link."""
    return Entry(_bytes(name), type=b"1", link=_bytes(target), **more)


def device(name: Name, major: int, minor: int, kind: bytes = b"3", **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return a character device, or a block device if its kind is ``4``."""
    return Entry(_bytes(name), type=kind, device=(major, minor), **more)


def fifo(name: Name, **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return a named pipe."""
    return Entry(_bytes(name), type=b"6", **more)


def whiteout(path: Name, **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return the deletion of a path."""
    parent, slash, name = _bytes(path).rpartition(b"/")
    return Entry(parent + slash + b".wh." + name, mode=0, **more)


def opaque(path: Name, **more: Any) -> Entry:  # noqa: ANN401 - see Entry
    """Return the mark that hides a directory's lower content; of the root if the path is empty."""
    name = _bytes(path)
    return Entry((name + b"/" if name else b"") + b".wh..wh..opq", mode=0, **more)


def layer(*specs: Spec, end: bytes = END) -> bytes:
    """Return a tar.

    Args:
        specs: a name is an empty file, or a directory if it ends with a slash; a name with bytes is
            a file; the rest says itself what it is.
        end: what follows the last member.
    """
    return b"".join(_encode(spec) for spec in specs) + end


def _encode(spec: Spec) -> bytes:
    if isinstance(spec, Raw):
        return spec.data
    if isinstance(spec, Entry):
        return spec.encode()
    if isinstance(spec, tuple):
        return entry(*spec).encode()
    name = _bytes(spec)
    return (folder(name) if name.endswith(b"/") else entry(name)).encode()
