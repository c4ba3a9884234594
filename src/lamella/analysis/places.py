"""Where the bytes are: the biggest dead paths, and a tree of live and dead bytes to draw.

Both are told by directories, since an image may have a million paths and a page has room for few.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest, nsmallest
from typing import NamedTuple

from lamella.analysis.lives import Life
from lamella.analysis.model import Dead, Place
from lamella.analysis.paths import Inside, add, with_parents
from lamella.merge.changeset import Changeset
from lamella.tar.entry import DIRECTORY, Member

__all__ = ["find_dead", "make_places"]

_SHOWN = 100
"""Dead paths that are told; the sums count all."""
_DEPTH, _BREADTH = 8, 24
_SMALLEST = 1000
"""A place smaller than this part of the image is not told."""


# -- dead paths


_CAUSES = ("deleted", "overwritten", "metadata", "duplicate")
_NUMBER = {cause: number for number, cause in enumerate(_CAUSES)}
_ENTRIES, _BY = len(_CAUSES), len(_CAUSES) + 1
"""Where among a directory's numbers, after bytes by cause, these are."""


class _Row(NamedTuple):
    """As `Dead`; in the order in which it is told."""

    minus_size: int
    origin: int
    path: bytes
    directory: bool
    entries: int
    by: int
    cause: str


def find_dead(
    dead: Sequence[Life],
    causes: Sequence[str],
    changesets: Mapping[int, Changeset],
    shown: int = _SHOWN,
) -> tuple[Dead, ...]:
    """Return the biggest dead paths of any layer, biggest first, none inside another.

    Args:
        dead: entries that are dead.
        causes: why, each of them.
        changesets: the layers.
        shown: how many.
    """
    layers: dict[int, _LayerDead] = {}
    for (member, killed, _), cause in zip(dead, causes, strict=True):
        of_layer = layers.get(member.origin)
        if of_layer is None:
            of_layer = layers[member.origin] = _LayerDead(member.origin)
        of_layer.add(member, cause, killed or 0)
    rows = (row for at, found in layers.items() for row in found.rows(changesets[at].entries))
    return tuple(
        Dead(path, directory, -size, entries, origin + 1, by + 1, cause)
        for size, origin, path, directory, entries, by, cause in nsmallest(shown, rows)
    )


class _LayerDead:
    """The dead entries of one layer."""

    def __init__(self, origin: int) -> None:
        self._origin = origin
        self._direct: dict[bytes, list[int]] = {}
        self._files: dict[bytes, list[tuple[Member, str, int]]] = {}

    def add(self, member: Member, cause: str, killed: int) -> None:
        is_folder = member.type == DIRECTORY
        folder = member.path if is_folder else member.folder
        numbers = self._direct.get(folder)
        if numbers is None:
            numbers = self._direct[folder] = [0] * (_BY + 1)
            self._files[folder] = []
        numbers[_NUMBER[cause]] += member.span
        numbers[_ENTRIES] += 1
        numbers[_BY] = max(numbers[_BY], killed)
        if not is_folder:
            self._files[folder].append((member, cause, killed))

    def rows(self, entries: Iterable[Member]) -> Iterator[_Row]:
        """Go down from the root to what is dead as a whole.

        Args:
            entries: all of the layer.
        """
        files = self._files
        inside = Inside(self._direct, _BY + 1, _BY)
        there = Counter([member.folder for member in entries if member.type != DIRECTORY])
        alive = with_parents(
            path for path, count in there.items() if count > len(files.get(path, ()))
        )
        stack = [b""]
        while stack:
            path = stack.pop()
            kids, own = inside.kids.get(path, ()), files.get(path, ())
            # One path alone is said as it is, however deep it lies.
            if path and path not in alive and len(kids) + len(own) != 1:
                yield self._directory(path, inside.sums[path])
                continue
            stack += kids
            for member, cause, killed in own:
                size, at = -member.span, self._origin
                yield _Row(
                    size, at, member.path, directory=False, entries=1, by=killed, cause=cause
                )

    def _directory(self, path: bytes, numbers: Sequence[int]) -> _Row:
        sizes = numbers[: len(_CAUSES)]
        return _Row(
            -sum(sizes),
            self._origin,
            path,
            directory=True,
            entries=numbers[_ENTRIES],
            by=numbers[_BY],
            cause=_CAUSES[sizes.index(max(sizes))],
        )


# -- the tree


def make_places(dead: Sequence[Life], changesets: Mapping[int, Changeset]) -> Place:
    """Return the root, with the biggest directories and files in it."""
    total = sum(member.span for c in changesets.values() for member in c.entries)
    smallest = max(1, total // _SMALLEST)
    direct: dict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0])
    files: dict[bytes, dict[bytes, list[int]]] = defaultdict(dict)
    for changeset in changesets.values():
        for member in changeset.entries:
            folder, name, kind, _, _, head, size, _, _ = member
            span = head + (size + 511 & ~511)
            sums = direct[member.path if kind == DIRECTORY else folder]
            sums[0] += span
            sums[2] += 1
            if span >= smallest and kind != DIRECTORY:
                add(files[folder].setdefault(name, [0, 0, 0]), (span, 0, 1))
    for member, _, _ in dead:
        span = member.span
        is_folder = member.type == DIRECTORY
        add(direct[member.path if is_folder else member.folder], (-span, span))
        if span >= smallest and not is_folder:
            add(files[member.folder][member.name], (-span, span))
    return _Drawing(Inside(direct, 3), files, smallest).place(b"", b"", _DEPTH)


class _Drawing(NamedTuple):
    inside: Inside
    files: Mapping[bytes, Mapping[bytes, Sequence[int]]]
    smallest: int

    def place(self, path: bytes, name: bytes, depth: int) -> Place:
        kids: list[Place] = []
        if depth:
            for kid in self.inside.kids.get(path, ()):
                live, dead, _ = self.inside.sums[kid]
                if live + dead >= self.smallest:
                    kids.append(self.place(kid, kid.rpartition(b"/")[2], depth - 1))
            for base, (live, dead, entries) in self.files.get(path, {}).items():
                kids.append(Place(base, live, dead, entries, ()))
        live, dead, entries = self.inside.sums[path]
        biggest = nlargest(_BREADTH, kids, key=lambda kid: (kid.live + kid.dead, kid.name))
        return Place(name, live, dead, entries, tuple(biggest))
