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

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamella.analysis.groups import Lots
from lamella.analysis.paths import Inside, with_parents
from lamella.layer.protocols import LayerTar
from lamella.merge.changeset import Changeset
from lamella.tar.entry import DIRECTORY, SPARSE
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
    changesets: Mapping[int, Changeset],
    tars: Mapping[int, LayerTar],
    lots: Sequence[Lots],
    deaths: Mapping[int, int],
) -> Measured:
    """Measure an image.

    Args:
        changesets: all layers, by position.
        tars: the same.
        lots: what they have; see `lifetimes.Laid`.
        deaths: by the id of a member: the layer that took its name away.
    """
    sizes = {
        id(member): read_header(tars[member.origin], member).size
        for of_layer in lots
        for member in of_layer.single
        if member.flags & SPARSE
    }
    count = _Count(sizes)
    removed = _Removed(sizes, changesets, lots, deaths)
    for position, changeset in changesets.items():
        # A path counts twice if a layer removes it and creates it again.
        gone: defaultdict[bytes, dict[bytes, int]] = defaultdict(dict)
        for path in changeset.whiteouts:
            folder, _, name = path.rpartition(b"/")
            gone[folder][name] = removed.size_of(path, position)
        count.add(gone)
        count.add_leaves(changeset)
    return count.result()


class _Count:
    """Sizes by directory and name."""

    def __init__(self, sizes: Mapping[int, int]) -> None:
        self._sizes = sizes
        self._least: defaultdict[bytes, dict[bytes, int]] = defaultdict(dict)
        self._again: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._total = self._user_bytes = 0

    def add(self, sizes: Mapping[bytes, dict[bytes, int]]) -> None:
        for folder, named in sizes.items():
            self._total += sum(named.values())
            least = self._least[folder]
            again = least.keys() & named.keys()
            if again:
                self._again[folder] |= again
                smaller = {name: least[name] for name in again if least[name] < named[name]}
                named.update(smaller)
            least.update(named)

    def add_leaves(self, changeset: Changeset) -> None:
        leaves: defaultdict[bytes, dict[bytes, int]] = defaultdict(dict)
        total, last, named = 0, b"", leaves[b""]
        for member in changeset.entries:
            folder, name, _, _, _, _, size, flags, _ = member  # at once, for there are many
            if flags & SPARSE:
                size = self._sizes[id(member)]
            if folder is not last:
                last, named = folder, leaves[folder]
            total += size
            named[name] = size
        if changeset.position:
            self._user_bytes += total
        parents = {path.rpartition(b"/")[0] for path in changeset.whiteouts}
        inner = with_parents(parents.union(leaves))
        for path in changeset.opaques:
            folder, _, name = path.rpartition(b"/")
            leaves[folder].setdefault(name, 0)
        for path in inner:
            folder, _, name = path.rpartition(b"/")
            if folder in leaves:
                leaves[folder].pop(name, None)
        leaves[b""].pop(b"", None)
        self.add(leaves)

    def result(self) -> Measured:
        least = sum(sum(named.values()) for named in self._least.values())
        again = sum(
            self._least[folder][name] for folder, names in self._again.items() for name in names
        )
        wasted = self._total - (least - again)
        efficiency = least / self._total if self._total else 1.0
        return Measured(efficiency, wasted, self._user_bytes)


class _Removed:
    """What was in directories when they were removed."""

    def __init__(
        self,
        sizes: Mapping[int, int],
        changesets: Mapping[int, Changeset],
        lots: Sequence[Lots],
        deaths: Mapping[int, int],
    ) -> None:
        whiteouts = {position: set(c.whiteouts) for position, c in changesets.items()}
        self._directories: set[tuple[bytes, int]] = set()
        for position, of_layer in enumerate(lots):
            for member in of_layer.single:
                killed = deaths.get(id(member), position)
                if killed == position or member.type != DIRECTORY or not whiteouts[killed]:
                    continue
                if member.path in whiteouts[killed]:
                    self._directories.add((member.path, killed))
        direct: dict[int, defaultdict[bytes, list[int]]]
        direct = {killed: defaultdict(lambda: [0]) for _, killed in self._directories}
        for position, of_layer in enumerate(lots) if direct else ():
            for folder, end, _, content, _ in of_layer.lots:
                if end in direct and end != position:
                    direct[end][folder][0] += content
            for member in of_layer.single:
                killed = deaths.get(id(member), position)
                if killed in direct and killed != position:
                    direct[killed][member.folder][0] += sizes.get(id(member), member.size)
        self._inside = {position: Inside(sums, 1).sums for position, sums in direct.items()}

    def size_of(self, path: bytes, position: int) -> int:
        """All that a layer removed with a directory; 0 for what is none, or has no entry."""
        if (path, position) not in self._directories:
            return 0
        return self._inside[position].get(path, [0])[0]
