"""Why bytes are gone: deleted, overwritten by something else, or just said twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamella.layer.blob import CHUNK
from lamella.layer.spool import LayerTar
from lamella.merge.plan import Plan
from lamella.tar.entry import DIRECTORY, REGULAR, Member

__all__ = ["Dropped", "cause_of", "count_dropped"]

_PROBE = 1024


@dataclass(frozen=True)
class Dropped:
    """Bytes of entries (headers and padding included) that a squash leaves out, by cause."""

    deleted: int = 0
    overwritten: int = 0
    metadata: int = 0
    """Overwritten by the same content with another mode, owner, time or attribute."""
    duplicate: int = 0
    """Overwritten by the very same file, header and all."""

    def __add__(self, other: Dropped) -> Dropped:
        """Add up, cause by cause."""
        return Dropped(
            self.deleted + other.deleted,
            self.overwritten + other.overwritten,
            self.metadata + other.metadata,
            self.duplicate + other.duplicate,
        )

    @property
    def total(self) -> int:
        """All of them."""
        return self.deleted + self.overwritten + self.metadata + self.duplicate

    def to_json(self) -> dict[str, int]:
        """Return what the JSON documents say of it."""
        return {
            "deleted": self.deleted,
            "overwritten": self.overwritten,
            "metadata_only": self.metadata,
            "duplicate": self.duplicate,
        }


def count_dropped(plan: Plan, tars: Mapping[int, LayerTar]) -> Dropped:
    """Add up what a plan drops. Content is read only to compare files of equal size."""
    sums = {"deleted": 0, "overwritten": 0, "metadata": 0, "duplicate": 0}
    for member, by in plan.dropped:
        sums[cause_of(member, by, tars)] += member.span
    return Dropped(**sums)


def cause_of(member: Member, by: Member | None, tars: Mapping[int, LayerTar]) -> str:
    """Say why an entry is gone: the name of a field of `Dropped`.

    Args:
        member: the entry.
        by: what overwrote it; None: it was deleted.
        tars: by position, the layers of both; content is read only if their sizes are equal.
    """
    if by is None:
        return "deleted"
    if member.type != by.type or member.type not in {REGULAR, DIRECTORY}:
        return "overwritten"
    if member.size != by.size or member.flags or by.flags:
        return "overwritten"
    ours, theirs = tars[member.origin], tars[by.origin]
    # Headers and the first bytes at once: files that differ mostly do so there.
    one = ours.read_at(member.start, member.head + min(member.size, _PROBE))
    other = theirs.read_at(by.start, by.head + min(by.size, _PROBE))
    if one[member.head :] != other[by.head :] or not _same_rest(ours, member, theirs, by):
        return "overwritten"
    same = one[: member.head] == other[: by.head]
    return "duplicate" if same else "metadata"


def _same_rest(a: LayerTar, one: Member, b: LayerTar, other: Member) -> bool:
    return all(
        a.read_at(one.data + done, min(CHUNK, one.size - done))
        == b.read_at(other.data + done, min(CHUNK, one.size - done))
        for done in range(_PROBE, one.size, CHUNK)
    )
