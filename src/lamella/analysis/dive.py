"""How dive measures an image, so that who moves from it finds the figures they know.

What is counted was read off dive's own account of it: dive/filetree/efficiency.go and
dive/image/docker/image_archive.go in https://github.com/wagoodman/dive. In words: each layer is a
tree by itself; of its leaves (files and directories in which the layer has nothing) each path gets
the size of its content. A whiteout counts under the path that it removes: nothing for a file, and
for a directory all that the layers below have in it. Of each path there is then a sum of all sizes
and the smallest of them. The score is all smallest sizes by all sums; wasted are the sums of those
paths that came more than once. Headers and padding don't count, opaque markers have no effect.

The figures are those of dive 0.13, to the digit, but for one thing: dive gives up on a layer that
removes what isn't there (as the path is written, without following symlinks), and takes one off
the sum; here such a whiteout counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lamella.analysis.paths import Inside, with_parents
from lamella.layer.spool import LayerTar
from lamella.merge.changeset import Changeset
from lamella.tar.entry import DIRECTORY, SPARSE, Member
from lamella.tar.reader import read_header

__all__ = ["Measured", "measure"]


@dataclass(frozen=True)
class Measured:
    """An image as dive sees it."""

    efficiency: float
    """From 0 to 1."""
    wasted: int
    """Bytes of paths that came more than once, all of their copies."""
    user_bytes: int
    """Content of all files above the base layer."""


def measure(
    changesets: Mapping[int, Changeset], tars: Mapping[int, LayerTar], deaths: Mapping[int, int]
) -> Measured:
    """Measure an image.

    Args:
        changesets: all layers, by position.
        tars: the same.
        deaths: by the id of a member: the layer that took its name away.
    """
    sizes = {
        id(member): read_header(tars[position], member).size
        for position, changeset in changesets.items()
        for member in changeset.entries
        if member.flags & SPARSE
    }
    count = _Count(sizes)
    removed = _Removed(sizes, changesets, deaths)
    for position, changeset in changesets.items():
        # A path counts twice if a layer removes it and makes it anew.
        for path in set(changeset.whiteouts):
            count.add(path, removed.size_of(path, position))
        count.add_leaves(changeset)
    return count.result()


class _Count:
    """Sizes by path."""

    def __init__(self, sizes: Mapping[int, int]) -> None:
        self._sizes = sizes
        self._first: dict[bytes, int] = {}
        self._again: dict[bytes, tuple[int, int]] = {}  # sum and smallest, of what came again
        self._user_bytes = 0

    def add(self, path: bytes, size: int) -> None:
        first = self._first.get(path)
        if first is None:
            self._first[path] = size
        else:
            total, least = self._again.get(path, (first, first))
            self._again[path] = total + size, min(least, size)

    def add_leaves(self, changeset: Changeset) -> None:
        inner = with_parents(
            {member.folder for member in changeset.entries}
            | {path.rpartition(b"/")[0] for path in changeset.whiteouts}
        )
        leaves = dict.fromkeys((path for path in changeset.opaques if path not in inner), 0)
        total = 0
        for member in changeset.entries:
            folder, name, _, _, _, _, size, flags, _ = member
            if flags & SPARSE:
                size = self._sizes[id(member)]
            total += size
            path = folder + b"/" + name if folder else name
            if path not in inner:
                leaves[path] = size
        leaves.pop(b"", None)
        if changeset.position:
            self._user_bytes += total
        for path, size in leaves.items():
            self.add(path, size)

    def result(self) -> Measured:
        wasted = sum(total for total, _ in self._again.values())
        once = sum(self._first.values()) - sum(self._first[path] for path in self._again)
        least = once + sum(smallest for _, smallest in self._again.values())
        total = once + wasted
        return Measured(least / total if total else 1.0, wasted, self._user_bytes)


class _Removed:
    """What was in directories when they were removed."""

    def __init__(
        self,
        sizes: Mapping[int, int],
        changesets: Mapping[int, Changeset],
        deaths: Mapping[int, int],
    ) -> None:
        self._directories: set[tuple[bytes, int]] = set()
        direct: dict[int, dict[bytes, list[int]]] = {}
        removing = {position for position, c in changesets.items() if c.whiteouts}
        for member in _entries(changesets):
            killed = deaths.get(id(member))
            if killed not in removing or killed == member.origin:
                continue
            if member.type == DIRECTORY:
                self._directories.add((member.path, killed))
            elif member.size:
                sums = direct.setdefault(killed, {}).setdefault(member.folder, [0])
                sums[0] += sizes.get(id(member), member.size)
        self._inside = {position: Inside(sums, 1).sums for position, sums in direct.items()}

    def size_of(self, path: bytes, position: int) -> int:
        """All that a layer removed with a directory; 0 for what is none, or has no entry."""
        if (path, position) not in self._directories:
            return 0
        return self._inside.get(position, {}).get(path, [0])[0]


def _entries(changesets: Mapping[int, Changeset]) -> Iterable[Member]:
    return (member for changeset in changesets.values() for member in changeset.entries)
