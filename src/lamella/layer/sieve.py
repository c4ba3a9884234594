"""Layers that will be merged: unpacked but for what newer ones of them replace or delete.

A layer is scanned as it passes. Of a file that a newer layer replaces or deletes, as far as that
has passed, nothing is kept but the headers and a checksum. What is known of newer layers may be
little, for several are unpacked at a time; then more is kept than is needed. It may also mislead: a
file whose name is gone can live on by a hard link, or be elsewhere, behind a symlink. Then the
layer is unpacked again, as a whole, when the file is read.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from fastcrc import crc64

from lamella.errors import MalformedTar
from lamella.layer.blob import Layer
from lamella.layer.compression import PlainReader
from lamella.layer.headers import Passing, TarHeaders
from lamella.layer.spool import LayerTar, Sieve, Spool, is_near
from lamella.layer.whiteout import OPAQUE, PREFIX, is_reserved
from lamella.spec.digest import Digest
from lamella.tar.columns import pack_members
from lamella.tar.entry import DIRECTORY, Member, join
from lamella.tar.header import BLOCK
from lamella.tar.scan import scan

__all__ = ["Sifted", "sieves"]

_ALL = 1 << 62
"""An offset behind all: what passed before a file's content is not asked for any more."""


def sieves(layers: Sequence[Layer]) -> list[Sieve | None]:
    """Return a sieve for each of some layers that will be merged, base first; None: keep all of it.

    They are used all or none: files are compared by their checksums, which plain layers don't have.
    """
    if any(map(is_near, layers)) or len(set(map(id, layers))) < len(layers):
        return [None] * len(layers)
    gone: dict[bytes, int] = {}
    return [_Sieve(layer.where, number, gone) for number, layer in enumerate(layers)]


@dataclass(frozen=True, eq=False)
class Sifted(TarHeaders):
    """A tar of which the content of some files was not kept, but the checksum of each."""

    contents: array[int] = field(default_factory=lambda: array("q"))
    """Where the files' content begins."""
    checksums: array[int] = field(default_factory=lambda: array("Q"))

    def content_checksum(self, offset: int) -> int | None:
        """Return that of the file whose content begins there; see `HasChecksums`."""
        number = bisect_left(self.contents, offset)
        known = number < len(self.contents) and self.contents[number] == offset
        return self.checksums[number] if known else None


class _Sieve:
    def __init__(self, where: str, number: int, gone: dict[bytes, int]) -> None:
        self._where, self._number = where, number
        self._gone = gone
        """The newest layer that is known to put something else in the place of a path and of all
        beneath it, or nothing. Layers share it without a lock: a path may be lost, never more."""
        self._folder: bytes | None = None
        self._hidden = False

    def keep(
        self,
        stream: BinaryIO | PlainReader,
        spool: Spool,
        stop: threading.Event,
        whole: Callable[[], LayerTar],
    ) -> tuple[LayerTar, Digest]:
        """See `Sieve`."""
        sifting = _Sifting(stream, spool, stop, self)
        told: tuple[array[int], array[int]] | None = sifting.contents, sifting.checksums
        try:
            columns = pack_members(scan(sifting, found=sifting.members))
        except MalformedTar:  # whoever scans it meets the same fault, or none in all of it
            columns = told = None
        digest = sifting.drain()
        is_of = sifting.size, self._where, sifting.kept(), columns, whole
        return Sifted(*is_of, *told) if told else TarHeaders(*is_of), digest

    def lets_pass(self, member: Member) -> bool:
        """Note what a member does to older layers; return whether a newer one does it to this."""
        name, folder, number = member.name, member.folder, self._number
        if folder is not self._folder:  # neighbours share it
            self._folder, self._hidden = folder, self._is_hidden(folder)
        if self._hidden:
            return True
        if name == OPAQUE:
            path = folder
        elif name[:4] == PREFIX and not is_reserved(name):
            path = join(folder, name[4:])
        elif member.type == DIRECTORY:
            return False
        else:
            path = join(folder, name)
        newest = self._gone.get(path, -1)
        if newest < number:
            self._gone[path] = number
        return newest > number

    def _is_hidden(self, folder: bytes) -> bool:
        """Whether a newer layer did away with a directory, or with one above it."""
        while self._gone.get(folder, -1) <= self._number:
            if not folder:
                return False
            folder = folder.rpartition(b"/")[0]
        return True


class _Sifting(Passing):
    """A stream as a `ReadAt` for one scan, which goes through a sieve."""

    def __init__(
        self, stream: BinaryIO | PlainReader, spool: Spool, stop: threading.Event, sieve: _Sieve
    ) -> None:
        super().__init__(stream, spool, None, stop)
        self._sieve = sieve
        self.members: list[Member] = []
        """What the scan has found so far."""
        self._seen = 0
        self._from = 0  # what lies in the window from here on is still to be kept
        self.contents, self.checksums = array("q"), array("Q")

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ReadAt`."""
        while self._seen < len(self.members):
            member = self.members[self._seen]
            self._seen += 1
            passes = self._sieve.lets_pass(member)
            if member.size:
                if passes:
                    self._keep_until(member.data)
                    self._from = member.end
                self._sum_up(member)
        return super().read_at(offset, length)

    def read_window(self, offset: int, length: int) -> bytes:
        """Return a header and what has passed behind it; see `HasWindows`."""
        return self.read_at(offset, max(BLOCK, min(length, self._end - offset)))

    def _sum_up(self, member: Member) -> None:
        at, end, checksum = member.data, member.data + member.size, 0
        self.contents.append(at)
        while at < end and (at < self._end or self._pass(_ALL)):
            piece = memoryview(self._window)[at - self._base : end - self._base]
            checksum = crc64.go_iso(piece, checksum)
            at += len(piece)
        self.checksums.append(checksum)

    def _keep(self, offset: int, found: bytes | memoryview) -> None:
        """Do nothing: all that the sieve does not let pass is kept, not only what is asked for."""

    def _pass(self, wanted: int) -> bool:
        self._keep_until(self._end)
        return super()._pass(wanted)

    def _keep_until(self, stop: int) -> None:
        if self._from < stop:
            piece = memoryview(self._window)[self._from - self._base : stop - self._base]
            super()._keep(self._from, piece)
            self._from = stop
