"""Layers that will be merged: unpacked but for what newer ones of them replace or delete.

A layer is scanned as it passes. Of a file that a newer layer replaces or deletes, as far as that
has passed, nothing is kept but the headers and a checksum. What is known of newer layers may be
little, for several are unpacked at a time; then more is kept than is needed. It may also mislead: a
file whose name is gone can live on by a hard link, or be elsewhere, behind a symlink. Then the
layer is unpacked again, as a whole, when the file is read.
"""

from __future__ import annotations

import threading
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from fastcrc import crc64

from lamella.errors import MalformedTar
from lamella.layer.blob import Layer
from lamella.layer.compression import PlainReader
from lamella.layer.opener import is_near
from lamella.layer.partial.headers import HeaderStream, Parts, TarHeaders
from lamella.layer.protocols import Kept, LayerTar, Sieve
from lamella.layer.spool import Spool
from lamella.layer.whiteout import OPAQUE, PREFIX, is_reserved
from lamella.spec.digest import Digest
from lamella.tar.entry import DIRECTORY, Member, join
from lamella.tar.header import BLOCK
from lamella.tar.scan import scan

__all__ = ["Sifted", "sieves"]

_SMALL = 4096
"""Bytes of content that are kept anyway: to do without them saves less than it costs."""

_PATIENCE, _NAP = 1.0, 0.05
"""Seconds in all that a layer waits for another that does not move, and until it looks again."""


def sieves(layers: Sequence[Layer], start: int = 0) -> list[Sieve | None]:
    """Return a sieve for each of some layers that will be merged; None: keep all of it.

    They are used all or none: files are compared by their checksums, which plain layers don't have.

    Args:
        layers: base first.
        start: which layer of the image the first one is.
    """
    if any(map(is_near, layers)) or len(set(map(id, layers))) < len(layers):
        return [None] * len(layers)
    known = _Known(start, dict.fromkeys(range(start, start + len(layers)), 0))
    return [_PathSieve(layer.where, p, known) for p, layer in enumerate(layers, start)]


@dataclass(frozen=True, eq=False)
class Sifted(TarHeaders):
    """A tar without the content of some files, but with the checksum of each."""

    kept: Parts
    found: Sequence[Member] = ()
    """What a scan finds."""
    contents: Sequence[int] = ()
    """Where the files' content begins."""
    checksums: Sequence[int] = ()

    def members(self, origin: int) -> list[Member]:
        """Return what a scan finds; see `HasMembers`."""
        if all(member.origin == origin for member in self.found[:1]):
            return list(self.found)
        return [member._replace(origin=origin) for member in self.found]

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`; see `ReadAt`."""
        found = self.kept.read_at(offset, length)  # the short way, for what is in one part
        return found if len(found) == length else super().read_at(offset, length)

    def content_checksum(self, offset: int) -> int | None:
        """Return that of the file whose content begins there; see `HasChecksums`."""
        number = bisect_left(self.contents, offset)
        known = number < len(self.contents) and self.contents[number] == offset
        return self.checksums[number] if known else None


@dataclass(frozen=True)
class _Known:
    """What is known of layers. `gone` they share without a lock: a path may be lost, never more."""

    oldest: int
    passed: dict[int, int]
    """How much of each layer has passed; those that are done are not in it."""
    gone: dict[bytes, int] = field(default_factory=dict)
    """The newest layer that puts something else in the place of a path and of all beneath it, or
    nothing."""
    moved: threading.Condition = field(default_factory=threading.Condition)
    """Guards `passed`, and tells that it has changed."""

    def tell(self, position: int, passed: int | None) -> None:
        """Note how much of a layer has passed; None: it is done."""
        with self.moved:
            if passed is None:
                self.passed.pop(position, None)
            else:
                self.passed[position] = passed
            self.moved.notify_all()


class _PathSieve:
    def __init__(self, where: str, position: int, known: _Known) -> None:
        self._where, self._position, self._known = where, position, known
        self._patience = _PATIENCE
        self._stop = threading.Event()
        self._folder: bytes | None = None
        self._hidden = False

    def keep(
        self,
        stream: BinaryIO | PlainReader,
        spool: Spool,
        stop: threading.Event,
        whole: Callable[[], Kept],
        *,
        content: bool = True,
    ) -> tuple[LayerTar, Digest]:
        """See `Sieve`."""
        self._stop = stop
        sifting = _Sifting(stream, spool, stop, self, content=content)
        sound = False
        try:
            with suppress(MalformedTar):  # the scan finds the same fault, or none in the whole
                scan(sifting, self._position, sifting.members)
                sound = True
            digest = sifting.drain()
        finally:
            self._known.tell(self._position, None)
        is_of = sifting.size, self._where, sifting.kept(), None, whole
        told = sifting.members, sifting.contents, sifting.checksums
        return Sifted(*is_of, *told) if sound else TarHeaders(*is_of), digest

    def judge(self, members: Sequence[Member], end: int) -> Iterator[Member]:
        """Note what members do to older layers; yield those that a newer one does it to.

        Args:
            members: those that begin before `end`, and were not seen before.
            end: how much of the layer has passed.
        """
        if members:
            self._keep_pace(end)
        position, gone, newest_of = self._position, self._known.gone, self._known.gone.get
        nobody = -1 if position > self._known.oldest else position  # the oldest need not tell
        for member in members:
            folder, name, kind = member[:3]
            if folder is not self._folder:  # neighbours share it
                self._folder, self._hidden = folder, self._is_hidden(folder)
            if self._hidden:
                yield member
                continue
            path = folder + b"/" + name if folder else name  # no call, for there may be a million
            if name[:4] == PREFIX:
                path = _removed_by(folder, name)
            elif kind == DIRECTORY:
                continue
            newest = newest_of(path, nobody)
            if newest > position:
                yield member
            elif newest < position:
                gone[path] = position
        self._known.tell(position, end)

    def _keep_pace(self, end: int) -> None:
        """Wait, but not for long, for the next newer layer, if it has not come as far.

        Entries that are repeated, with another owner for example, mostly come in the same order.
        """
        known, newer = self._known, self._position + 1
        with known.moved:
            while (before := known.passed.get(newer, end)) < end and self._patience > 0:
                if self._stop.is_set():
                    return
                begun = time.monotonic()
                known.moved.wait(_NAP)
                if known.passed.get(newer) == before:
                    self._patience -= time.monotonic() - begun

    def _is_hidden(self, folder: bytes) -> bool:
        """Whether a newer layer did away with a directory, or with one above it."""
        while self._known.gone.get(folder, -1) <= self._position:
            if not folder:
                return False
            folder = folder.rpartition(b"/")[0]
        return True


def _removed_by(folder: bytes, name: bytes) -> bytes:
    """Return the path that a whiteout, or something else with a reserved name, stands for."""
    if name == OPAQUE:
        return folder
    return join(folder, name if is_reserved(name) else name[len(PREFIX) :])


class _Sifting(HeaderStream):
    """A stream as a `ReadAt` for one scan, which goes through a sieve."""

    def __init__(
        self,
        stream: BinaryIO | PlainReader,
        spool: Spool,
        stop: threading.Event,
        sieve: _PathSieve,
        *,
        content: bool,
    ) -> None:
        super().__init__(stream, spool, None, stop)
        self._sieve, self._content = sieve, content
        self.members: list[Member] = []
        """What the scan has found so far."""
        self.contents, self.checksums = array("q"), array("Q")
        self._seen = 0
        self._summed = self._until = 0  # where checksums end, and where the last file does
        self._from = 0  # what lies in the window from here on is still to be kept

    def read_window(self, offset: int, length: int) -> bytes:
        """Return a header and what has passed behind it; see `HasWindows`."""
        start = offset - self._base
        if 0 <= start <= len(self._window) - BLOCK:
            return self._window[start : start + length]
        return self.read_at(offset, BLOCK)

    def _keep(self, offset: int, found: bytes | memoryview) -> None:
        """Do nothing: all that the sieve does not let pass is kept, not only what is asked for."""

    def _pass(self, wanted: int) -> bool:
        self._sift()
        self._keep_until(self._end)
        return super()._pass(wanted)

    def _oldest(self, wanted: int) -> int:
        last = self.members[-1].end if self.members else 0
        return max(last, super()._oldest(wanted))

    def _sift(self) -> None:
        """Look at what was found in the window, which has all headers of it."""
        found = self.members[self._seen :]
        self._seen += len(found)
        dropped = list(self._sieve.judge(found, self._end))
        for member in dropped if self._content else found:
            if member.size > _SMALL:
                self._keep_until(member.data)
                self._from = member.end
        window, base = memoryview(self._window), self._base
        contents, checksums, sum_up = self.contents, self.checksums, crc64.go_iso
        if self._summed < self._until:
            rest = window[self._summed - base : self._until - base]
            checksums[-1] = sum_up(rest, checksums[-1])
        for _, _, _, _, start, head, size, _, _ in found:
            if size:
                data = start + head
                contents.append(data)
                checksums.append(sum_up(window[data - base : data - base + size]))
                self._until = data + size
        self._summed = self._end

    def _keep_until(self, stop: int) -> None:
        if self._from < stop:
            piece = memoryview(self._window)[self._from - self._base : stop - self._base]
            super()._keep(self._from, piece)
            self._from = stop
