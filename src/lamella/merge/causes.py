"""Why bytes are gone: deleted, overwritten by something else, or just said twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lamella.layer.blob import CHUNK, FileRange
from lamella.layer.protocols import HasChecksums, LayerTar
from lamella.merge.plan import Plan
from lamella.tar.entry import DIRECTORY, REGULAR, Member

__all__ = ["Cause", "Dropped", "causes_of", "count_dropped"]

_COMPARED = frozenset({REGULAR, DIRECTORY})
_PROBE, _MOST = 1024, 1 << 16
"""Bytes of a file to compare at first, and to keep at one time, at the most, of each layer."""
_NEAR = 4096
"""Bytes that are better read along than left out by another system call."""


class Cause(StrEnum):
    """Why an entry is not in a merged layer; the names of the fields of `Dropped`."""

    DELETED = "deleted"
    OVERWRITTEN = "overwritten"
    METADATA_ONLY = "metadata_only"
    """Overwritten by the same content with another mode, owner, time or attribute."""
    DUPLICATE = "duplicate"
    """Overwritten by the very same file, header and all."""
    EXCLUDED = "excluded"
    """Left out because it is wanted so."""

    @property
    def words(self) -> str:
        """What people call it."""
        return self.replace("_", " ")


@dataclass(frozen=True)
class Dropped:
    """Bytes of entries (headers and padding included) that a squash leaves out, by cause."""

    deleted: int = 0
    overwritten: int = 0
    metadata_only: int = 0
    duplicate: int = 0
    excluded: int = 0

    def by_cause(self) -> dict[Cause, int]:
        """Return them by cause."""
        return {cause: getattr(self, cause) for cause in Cause}

    def __add__(self, other: Dropped) -> Dropped:
        """Add up, cause by cause."""
        more = other.by_cause()
        return Dropped(**{cause: size + more[cause] for cause, size in self.by_cause().items()})

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_cause().values())

    def to_json(self) -> dict[str, int]:
        """Return what the JSON documents say of dead bytes; what is excluded is not dead."""
        sizes = self.by_cause().items()
        return {cause.value: size for cause, size in sizes if cause is not Cause.EXCLUDED}


def count_dropped(plan: Plan, tars: Mapping[int, LayerTar]) -> Dropped:
    """Add up what a plan drops. Content is read only to compare files of equal size."""
    sums = dict.fromkeys(Cause, 0)
    dropped = plan.dropped[::-1]  # in the order of the layers
    for (member, _), cause in zip(dropped, causes_of(dropped, tars), strict=True):
        sums[cause] += member.span
    sums[Cause.EXCLUDED] = sum(member.span for member in plan.left_out)
    return Dropped(**sums)


def causes_of(
    dropped: Iterable[tuple[Member, Member | None]], tars: Mapping[int, LayerTar]
) -> list[Cause]:
    """Say why entries are gone, of each of them.

    It is quickest in an order in which what lies together in the layers comes together.

    Args:
        dropped: each entry, and what overwrote it; None: it was deleted.
        tars: by position, the layers of both; content is read only if their sizes are equal and
            there are no checksums.
    """
    layers = {position: _Tally(tar) for position, tar in tars.items()}
    return [Cause.DELETED if by is None else _compare(member, by, layers) for member, by in dropped]


class _Tally:
    """Reads a layer; more than is asked for, where that is likely to be asked for next."""

    def __init__(self, tar: LayerTar) -> None:
        self.read_at = tar.read_at
        self.checksum_at = tar.content_checksum if isinstance(tar, HasChecksums) else None
        # One that an engine keeps as files, or that is not all here, is costly to read ahead.
        self._is_wide = isinstance(tar, FileRange)
        self._window, self._base, self._stop, self._length = b"", 0, 0, 0
        self.look = _PROBE
        """Of files that this layer puts over others: how much to compare at first. Those that
        differ mostly do so at once, but what a layer says again is mostly all as it was."""

    def read(self, start: int, length: int) -> tuple[bytes, int]:
        """Return bytes that have those asked for in them, and where in there they begin."""
        at = start - self._base
        if at < 0 or at + length > len(self._window):
            if self._is_wide and 0 <= start - self._stop < _NEAR:
                self._length = min(2 * self._length + length, _MOST)
            else:
                self._length = 0
            self._window = self.read_at(start, max(length, self._length))
            self._base, at = start, 0
        self._stop = start + length
        return self._window, at


def _compare(member: Member, by: Member, layers: Mapping[int, _Tally]) -> Cause:
    _, _, kind, _, start, head, size, flags, origin = member  # at once, for there are many
    _, _, other_kind, _, other_start, other_head, other_size, other_flags, other_origin = by
    if kind != other_kind or size != other_size or kind not in _COMPARED or flags or other_flags:
        return Cause.OVERWRITTEN
    ours, theirs = layers[origin], layers[other_origin]
    if size and ours.checksum_at and theirs.checksum_at:
        if ours.checksum_at(start + head) != theirs.checksum_at(other_start + other_head):
            return Cause.OVERWRITTEN
        size = 0  # of the content nothing is left to compare
    look = min(size, theirs.look)
    one, at = ours.read(start, head + look)
    other, there = theirs.read(other_start, other_head + look)
    body = there + other_head
    same = one.startswith(memoryview(other)[body : body + look], at + head)
    if same and look < size:
        same = _same_rest(ours, member, theirs, by, look)
    if size > _PROBE:
        theirs.look = _MOST if same else _PROBE
    if not same:
        return Cause.OVERWRITTEN
    same = head == other_head and one.startswith(other[there:body], at)
    return Cause.DUPLICATE if same else Cause.METADATA_ONLY


def _same_rest(a: _Tally, one: Member, b: _Tally, other: Member, done: int) -> bool:
    return all(
        a.read_at(one.data + at, min(CHUNK, one.size - at))
        == b.read_at(other.data + at, min(CHUNK, one.size - at))
        for at in range(done, one.size, CHUNK)
    )
