"""What a merge plan consists of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from lamella.tar.blocks import HeaderBlocks
from lamella.tar.entry import Member, ReadAt
from lamella.tar.time_limit import TimeLimit

__all__ = ["Piece", "Plan", "Promotion", "Run", "Whiteout"]


class Run(NamedTuple):
    """Bytes to copy from a layer's tar."""

    position: int
    offset: int
    length: int
    headers: Sequence[int] = ()
    """Offsets of header blocks in it whose time is limited, in order."""

    def late(self, source: ReadAt, limit: TimeLimit) -> Iterator[int]:
        """Yield the headers that are changed by that.

        Args:
            source: the layer's tar.
            limit: of the times.
        """
        if self.headers:
            blocks = HeaderBlocks(source)
            yield from (start for start in self.headers if limit.is_late(blocks.at(start)))


Piece: TypeAlias = bytes | Run


class Whiteout(NamedTuple):
    """A deletion that the merged layer must still tell, and why."""

    path: bytes
    reason: str


class Promotion(NamedTuple):
    """A file whose first name is gone: it is stored under another of its names."""

    gone: bytes
    path: bytes


@dataclass(frozen=True)
class Plan:
    """All there is to know of a merged layer before it is written."""

    pieces: list[Piece]
    size: int
    """Bytes of the merged layer."""
    entries: int
    whiteouts: list[Whiteout]
    promotions: list[Promotion]
    dropped: list[tuple[Member, Member | None]]
    """Entries that are not in the merged layer: deleted, or overwritten by the second."""
    left_out: list[Member] = field(default_factory=list)
    """Entries that are not in it because the edits say so."""
    edited: bool = False
    """An entry of the squashed layers has another header because the edits say so."""
    limit: TimeLimit | None = None
    """Of the times in headers that are copied."""

    def changes_layer(self, position: int, source: ReadAt) -> bool:
        """Whether the edits change an entry of a layer that is squashed alone."""
        runs = (piece for piece in self.pieces if isinstance(piece, Run))
        return self.edited or any(
            any(True for _ in run.late(source, self.limit))
            for run in runs
            if self.limit is not None and run.position == position
        )
