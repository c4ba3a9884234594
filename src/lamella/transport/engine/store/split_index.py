"""The tar-split file of a layer that an engine took apart: what came where in the tar.

One JSON object a line, in the order of the tar: either bytes of it (headers, padding: type 2) or a
file whose content comes here (type 1), with the CRC-64 of that content as its payload.
https://github.com/vbatts/tar-split/blob/main/tar/storage/entry.go
"""

from __future__ import annotations

import json
import mmap
import os
from array import array
from binascii import a2b_base64
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, cast

from lamella.errors import Unsupported
from lamella.layer.blob import CHUNK, Bytes
from lamella.layer.compression import detect, open_plain
from lamella.layer.spool import Spool
from lamella.tar.entry import SYMLINK, clean
from lamella.tar.header import BLOCK

__all__ = ["SplitIndex", "read_index"]

_LONGEST_LINE = 64 << 20
_FILE, _BYTES = 1, 2
_CHECKSUM = 8
# Where in the bytes before a file the type of its header is.
_TYPE = 156 - BLOCK
_NO_FILES = frozenset({b"", b".", b"..", b".wh."})


@dataclass
class SplitIndex:
    """What comes where in the tar."""

    starts: array[int] = field(default_factory=lambda: array("q"))
    """Where in the tar each piece begins; the last one is where the tar ends."""
    origins: array[int] = field(default_factory=lambda: array("q"))
    """Where a piece begins in the kept headers; -1, -2, … for the content of file 0, 1, …"""
    names: list[bytes] = field(default_factory=list)
    """Of the files that have content, as written."""
    checksums: array[int] = field(default_factory=lambda: array("Q"))
    """CRC-64 of each of those files: ISO 3309's polynomial, as Go's `hash/crc64` computes it."""
    headers: Bytes = field(default_factory=lambda: Bytes(b""))
    """The kept headers, and what else of the tar is no content."""


def read_index(stream: BinaryIO, spool: Spool, where: str) -> SplitIndex:
    """Read a tar-split file.

    Args:
        stream: the file, compressed.
        spool: takes the headers.
        where: what a message calls the layer.

    Raises:
        ImageError: it is damaged.
        Unsupported: it is one that lamella does not know how to read.
        OutputError: the spool is full.
    """
    reader = _Reader(spool)
    kind = detect(stream.read(6))
    stream.seek(0)
    with closing(open_plain(stream, kind, where)) as plain:
        for lines in _batches(cast("BinaryIO", plain), where):
            try:
                reader.take(_parse(lines))
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                raise Unsupported(f"{where}: unknown form of tar-split file") from error
    return reader.finish(where)


def _batches(plain: BinaryIO, where: str) -> Iterator[bytes]:
    """Yield whole lines, many at a time."""
    rest = b""
    while chunk := plain.read(CHUNK):
        whole, newline, rest = (rest + chunk).rpartition(b"\n")
        if newline:
            yield whole
        elif len(rest) > _LONGEST_LINE:
            raise Unsupported(f"{where}: a line of more than {_LONGEST_LINE} bytes")
    if rest:
        yield rest


def _parse(lines: bytes) -> list[dict[str, Any]]:
    parsed: list[dict[str, Any]] = json.loads(b"[" + lines.replace(b"\n", b",") + b"]")
    return parsed


_decode = partial(a2b_base64, strict_mode=True)


class _Reader:
    def __init__(self, spool: Spool) -> None:
        self._spool, self._file = spool, spool.file()
        self._index = SplitIndex()
        self._count = self._at = self._kept = 0
        self._last = b""
        self._links: set[bytes] = set()
        self._parents: set[bytes] = set()

    def take(self, lines: list[dict[str, Any]]) -> None:
        """Take lines in their order: two for each entry of the tar, hence the local names.

        Raises:
            ValueError: they make no sense.
        """
        index, parents, decode = self._index, self._parents, _decode
        starts, origins, names = index.starts.append, index.origins.append, index.names
        count, at, kept, last, pending = (
            self._count,
            self._at,
            self._kept,
            self._last,
            list[bytes](),
        )
        for line in lines:
            if line["position"] != count:
                raise ValueError
            count += 1
            kind = line["type"]
            if kind == _BYTES:
                starts(at)
                origins(kept)
                last = decode(line["payload"])
                pending.append(last)
                at += len(last)
                kept += len(last)
                continue
            name = decode(line["name_raw"]) if "name_raw" in line else line["name"].encode()
            if kind != _FILE:
                raise ValueError
            if "size" not in line:
                if last[_TYPE : _TYPE + 1] == SYMLINK:
                    self._links.add(clean(name))
                continue
            size, checksum = line["size"], decode(line["payload"])
            parent, _, base = name.rpartition(b"/")
            if size < 0 or base[:4] in _NO_FILES or len(checksum) != _CHECKSUM:
                raise ValueError
            parents.add(parent)
            names.append(name)
            index.checksums.append(int.from_bytes(checksum, "big"))
            starts(at)
            origins(-len(names))
            at += size
        self._count, self._at, self._kept, self._last = count, at, kept, last
        self._spool.write(self._file, b"".join(pending))

    def finish(self, where: str) -> SplitIndex:
        """Return what was taken.

        Raises:
            Unsupported: a file's path leads through a link, so that it is somewhere else.
        """
        self._index.starts.append(self._at)
        for parent in map(clean, self._parents):
            while parent:
                if parent in self._links:
                    shown = parent.decode("utf-8", "backslashreplace")
                    raise Unsupported(f"{where}: files behind the link {shown}")
                parent = parent.rpartition(b"/")[0]  # noqa: PLW2901 - upwards
        self._index.headers = _mapped(self._file)
        return self._index


def _mapped(file: BinaryIO) -> Bytes:
    """Return a spooled file as memory: for so many small pieces a system call each is too much."""
    size = os.fstat(file.fileno()).st_size
    return Bytes(
        cast("bytes", mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)) if size else b""
    )
