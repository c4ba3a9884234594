"""What the headers of far layers say, remembered from one run to the next.

One file a layer, named by its diff_id, in a folder that may be deleted at any time. What is found
there was verified when it was stored; a file that is damaged is as good as none.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import zlib
from array import array
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lamella.layer.blob import FileRange
from lamella.layer.headers import TarHeaders
from lamella.layer.spool import Spool
from lamella.spec.digest import Digest

__all__ = ["ListingCache"]

_MAGIC = b"lamella listing 1\n"
_COUNTS = struct.Struct("<QQ")
_HASH = hashlib.sha256().digest_size
_LONGEST = 128 << 20
"""Bytes of headers, as they are in a tar: a layer with more, some 250,000 files, is read again."""


@dataclass(frozen=True)
class ListingCache:
    """A folder with listings, the oldest of which go when it gets too big."""

    folder: Path
    limit: int = 64 << 20
    """Bytes of all files."""

    def load(self, diff_id: Digest, spool: Spool, where: str) -> TarHeaders | None:
        """Return what is remembered of a layer.

        Args:
            diff_id: of the layer.
            spool: takes the headers.
            where: what messages call the layer.
        """
        path = self._path(diff_id)
        try:
            raw = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        head, packed = raw[: len(_MAGIC) + _HASH], raw[len(_MAGIC) + _HASH :]
        if head != _MAGIC + hashlib.sha256(diff_id.encode() + packed).digest():
            return None
        plain = memoryview(zlib.decompress(packed))
        size, count = _COUNTS.unpack_from(plain)
        starts, ends = array("q"), array("q")
        at = _COUNTS.size
        for table in (starts, ends):
            table.frombytes(plain[at : at + count * table.itemsize])
            at += count * table.itemsize
        file = spool.file()
        spool.write(file, plain[at:])
        return TarHeaders(size, where, FileRange.whole(file), starts, ends)

    def save(self, diff_id: Digest, headers: TarHeaders) -> None:
        """Remember a layer; if that can't be done, it isn't."""
        kept = headers.kept
        if kept.size > _LONGEST:
            return
        counts = _COUNTS.pack(headers.size, len(headers.starts))
        tables = headers.starts.tobytes() + headers.ends.tobytes()
        packed = zlib.compress(counts + tables + kept.read_at(0, kept.size), 1)
        content = _MAGIC + hashlib.sha256(diff_id.encode() + packed).digest() + packed
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._path(diff_id), content)
            self._prune()

    def _path(self, diff_id: Digest) -> Path:
        return self.folder / f"{diff_id.algorithm}-{diff_id.hex}"

    def _write(self, path: Path, content: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _prune(self) -> None:
        found = []
        for path in self.folder.iterdir():
            with suppress(OSError):  # another run was quicker
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        total = 0
        for _, size, path in sorted(found, reverse=True):
            total += size
            if total > self.limit:
                path.unlink(missing_ok=True)
