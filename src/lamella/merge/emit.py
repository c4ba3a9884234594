"""Pass 2: a merge plan becomes bytes, readable from any place or written as one hashed stream."""

from __future__ import annotations

import queue
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from lamella.errors import ImageError
from lamella.layer.blob import CHUNK
from lamella.layer.protocols import LayerTar
from lamella.layer.spans import StoredSpans
from lamella.layer.splice import Taken
from lamella.merge.plan import Piece, Plan, Run
from lamella.spec.digest import Digest
from lamella.tar.header import BLOCK
from lamella.tar.time_limit import TIME_FIELD, TimeLimit

__all__ = ["PlanTar"]

_BUFFERS = 8
_FROM, _TO = TIME_FIELD.start, TIME_FIELD.stop


class PlanTar:
    """The merged layer, as a tar that is made while it is read."""

    def __init__(
        self,
        plan: Plan,
        tars: Mapping[int, LayerTar],
        advance: Callable[[int], None] = lambda _: None,
        blocks: Mapping[int, StoredSpans] | None = None,
    ) -> None:
        """Make one.

        Args:
            plan: what it consists of.
            tars: the layers' tars, by position.
            advance: is told how many more bytes `write_to` has written.
            blocks: what can be taken over of the layers as it is, by position.
        """
        self.size = plan.size
        self._advance = advance
        self._pieces, self._limit = plan.pieces, plan.limit
        self._tars = tars
        self._blocks = blocks or {}
        lengths = (_length(piece) for piece in plan.pieces)
        self._starts = list(accumulate(lengths, initial=0))

    def runs(self) -> Iterator[Taken]:
        """Return what comes from layers of which parts can be taken over; see `HasRuns`."""
        for piece, start in zip(self._pieces, self._starts, strict=False):
            if not isinstance(piece, bytes) and (blocks := self._blocks.get(piece.position)):
                for offset, stop in self._unchanged(piece):
                    yield Taken(start + offset - piece.offset, stop - offset, blocks, offset)

    def _unchanged(self, run: Run) -> Iterator[tuple[int, int]]:
        """Yield where parts of a run begin and end in the layer that are copied as they are."""
        at, end = run.offset, run.offset + run.length
        if self._limit is not None:
            for late in run.late(self._tars[run.position], self._limit):
                if at < late:
                    yield at, late
                at = late + BLOCK
        if at < end:
            yield at, end

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from `offset`; see `ReadAt`."""
        buffer = bytearray(max(0, min(length, self.size - offset)))
        got = self.read_into(memoryview(buffer), offset)
        return bytes(buffer[:got])

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a buffer from `offset`; return how many bytes there were.

        Raises:
            ImageError: a layer has fewer bytes than when it was scanned.
        """
        pieces, starts = self._pieces, self._starts
        index = bisect_right(starts, offset) - 1
        at, end = offset, min(offset + len(buffer), self.size)
        while at < end:
            start, after = starts[index], starts[index + 1]
            room = buffer[at - offset : min(after, end) - offset]
            at += self._fill(pieces[index], at - start, room)
            index += at == after
        return max(0, at - offset)

    def _fill(self, piece: Piece, within: int, room: memoryview) -> int:
        """Put bytes of a piece where there is room for no more than it has."""
        if isinstance(piece, bytes):
            room[:] = piece[within : within + len(room)]
            return len(room)
        tar, offset = self._tars[piece.position], piece.offset + within
        got = tar.read_into(room, offset)
        if not got:
            message = "a layer became shorter while it was read"
            raise ImageError(message)
        if piece.headers and self._limit is not None:
            _limit_times(room[:got], offset, piece.headers, tar, self._limit)
        return got

    def write_to(self, write: Callable[[memoryview], object]) -> Digest:
        """Write all of it in chunks that are valid only during the call; return the diff_id.

        Reading and writing go on here, hashing beside it, over a few buffers that are used again.
        """
        hasher = _BufferHasher()
        at = 0
        try:
            while at < self.size:
                buffer = hasher.take()
                got = self.read_into(buffer, at)
                write(buffer[:got])
                hasher.give(buffer, got)
                self._advance(got)
                at += got
        finally:
            digest = hasher.finish()
        return digest


def _limit_times(
    room: memoryview, offset: int, headers: Sequence[int], tar: LayerTar, limit: TimeLimit
) -> None:
    """Limit the times in headers.

    Args:
        room: bytes of a layer; are changed.
        offset: where they begin in the layer.
        headers: offsets of header blocks.
        tar: the layer, for headers of which `room` has a part.
        limit: of the times.
    """
    end = offset + len(room)
    first = bisect_right(headers, offset - BLOCK)
    for start in headers[first : bisect_left(headers, end)]:
        at = start - offset
        if at >= 0 and start + BLOCK <= end:
            field = limit.limited(room[at : at + BLOCK].tobytes())
            if field is not None:
                room[at + _FROM : at + _TO] = field
        else:
            field = limit.limited(tar.read_at(start, BLOCK))
            for place, byte in enumerate(field or b"", at + _FROM):
                if 0 <= place < len(room):
                    room[place] = byte


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.length


class _BufferHasher:
    """Hashes buffers in a thread of its own, and gives them back to be filled again.

    `layer.hasher.Hasher` takes bytes that stay as they are, one chunk after the other a new one.
    """

    def __init__(self) -> None:
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[tuple[memoryview, int] | None] = queue.SimpleQueue()
        self._to_make = _BUFFERS
        self._hash = Digest.new_hash()
        self._thread = threading.Thread(target=self._run, name="lamella-hash", daemon=True)
        self._thread.start()

    def take(self) -> memoryview:
        if self._to_make and self._free.empty():  # small layers need few
            self._to_make -= 1
            return memoryview(bytearray(CHUNK))
        return self._free.get()

    def give(self, buffer: memoryview, used: int) -> None:
        self._full.put((buffer, used))

    def finish(self) -> Digest:
        self._full.put(None)
        self._thread.join()
        return Digest.of_hash(self._hash)

    def _run(self) -> None:
        while (item := self._full.get()) is not None:
            buffer, used = item
            self._hash.update(buffer[:used])
            self._free.put(buffer)
