"""Where the bytes are: the biggest dead paths, and a tree of live and dead bytes to draw.

Both are told by directories, since an image may have a million paths and a page has room for few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest, nsmallest
from operator import itemgetter
from typing import NamedTuple

from lamella.analysis.groups import Lots
from lamella.analysis.lifetimes import Laid, Life
from lamella.analysis.model import Dead, Usage
from lamella.analysis.paths import Inside, with_parents
from lamella.merge.causes import Cause, Dropped
from lamella.tar.entry import DIRECTORY, Member, join

__all__ = ["DeadOf", "find_dead", "make_places", "sort_dead"]

_SHOWN = 100
"""Dead paths that are told; the sums count all."""
_DEPTH, _BREADTH = 8, 24
_SMALLEST = 1000
"""A place smaller than this part of the image is not told."""


# -- dead paths


_CAUSES = tuple(Cause)
_NUMBER = {cause: number for number, cause in enumerate(_CAUSES)}
_ENTRIES, _BY = len(_CAUSES), len(_CAUSES) + 1
"""Where among a directory's numbers, after bytes by cause, these are."""


class _UsedFile(NamedTuple):
    size: int
    member: Member
    cause: Cause
    by: int


class DeadOf:
    """The dead entries of one layer."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.direct: defaultdict[bytes, list[int]] = defaultdict(lambda: [0] * (_BY + 1))
        self.files: defaultdict[bytes, list[_UsedFile]] = defaultdict(list)

    def dropped(self) -> Dropped:
        """Return the sums of all, by cause."""
        sums = map(sum, zip(*self.direct.values(), strict=True))
        return Dropped(**dict(zip(_CAUSES, sums, strict=False)))

    def by_folder(self) -> Iterator[tuple[bytes, int]]:
        """Yield directories, and dead bytes in each; its own entry counts as in itself."""
        for folder, numbers in self.direct.items():
            yield folder, sum(numbers[:_ENTRIES])

    def paths(self, lots: Lots) -> tuple[list[Dead], list[_UsedFile]]:
        """Go down from the root to what is dead as a whole.

        Args:
            lots: all entries of the layer.
        """
        folders: list[Dead] = []
        found: list[_UsedFile] = []
        files = self.files
        inside = Inside(self.direct, _BY + 1, _BY)
        there: defaultdict[bytes, int] = defaultdict(int)
        for lot in lots.lots:
            there[lot.folder] += lot.entries
        for member in lots.single:
            if member.type != DIRECTORY:
                there[member.folder] += 1
        alive = with_parents(
            path for path, count in there.items() if count > len(files.get(path, ()))
        )
        stack = [b""]
        while stack:
            path = stack.pop()
            kids, own = inside.kids.get(path, ()), files.get(path, ())
            # One path alone is said as it is, however deep it lies.
            if path and path not in alive and len(kids) + len(own) != 1:
                folders.append(self._directory(path, inside.sums[path]))
                continue
            stack += kids
            found += own
        return folders, found

    def _directory(self, path: bytes, numbers: Sequence[int]) -> Dead:
        sizes = numbers[:_ENTRIES]
        cause = _CAUSES[sizes.index(max(sizes))]
        entries, by = numbers[_ENTRIES], numbers[_BY]
        return Dead(path, True, sum(sizes), entries, self.position + 1, by + 1, cause)  # noqa: FBT003 - in order


def sort_dead(dead: Iterable[Life], causes: Iterable[Cause]) -> dict[int, DeadOf]:
    """Return the dead entries of each layer that has any.

    Args:
        dead: entries that are dead, layer by layer.
        causes: why, each of them.
    """
    found: dict[int, DeadOf] = {}
    new, at = tuple.__new__, -1
    for (member, killed, _), cause in zip(dead, causes, strict=True):
        folder, name, kind, _, _, head, size, _, origin = member  # at once, for there are many
        if origin != at:
            at, found[origin] = origin, DeadOf(origin)
            direct, files = found[origin].direct, found[origin].files
        span, by = head + (size + 511 & ~511), killed
        if kind == DIRECTORY:
            folder = join(folder, name)
        else:
            files[folder].append(new(_UsedFile, (span, member, cause, by)))
        numbers = direct[folder]
        numbers[_NUMBER[cause]] += span
        numbers[_ENTRIES] += 1
        if by > numbers[_BY]:  # noqa: PLR1730 - hot
            numbers[_BY] = by
    return found


def find_dead(
    dead: Mapping[int, DeadOf], lots: Sequence[Lots], shown: int = _SHOWN
) -> tuple[Dead, ...]:
    """Return the biggest dead paths of any layer, biggest first, none inside another.

    Args:
        dead: what is dead.
        lots: the layers.
        shown: how many.
    """
    rows: list[Dead] = []
    files: list[_UsedFile] = []
    for position, of_layer in dead.items():
        folders, more = of_layer.paths(lots[position])
        rows += folders
        files += more
    # Of most nothing has to be made but this list.
    biggest = nlargest(shown, map(itemgetter(0), files))
    for size, member, cause, by in files:
        if size >= biggest[-1]:
            rows.append(Dead(member.path, False, size, 1, member.origin + 1, by + 1, cause))  # noqa: FBT003 - in order
    return tuple(nsmallest(shown, rows, key=_rank))


def _rank(row: Dead) -> tuple[int, int, bytes, bool, int, int, str]:
    return -row.size, row.layer, row.path, row.directory, row.entries, row.by, row.cause


# -- the tree


def make_places(dead: Mapping[int, DeadOf], laid: Laid) -> Usage:
    """Return the root, with the biggest directories and files in it.

    Args:
        dead: what is dead.
        laid: the layers.
    """
    direct: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0])
    live: list[defaultdict[bytes, int]] = []
    for position, of_layer in enumerate(laid.lots):
        live.append(defaultdict(int))
        for folder, size, entries in of_layer.by_folder():
            numbers = direct[folder]
            numbers[0] += size
            numbers[2] += entries
            live[position][folder] += size
    total = sum(size for size, _, _ in direct.values())
    for position, dead_of_layer in dead.items():
        for folder, size in dead_of_layer.by_folder():
            numbers = direct[folder]
            numbers[0] -= size
            numbers[1] += size
            live[position][folder] -= size
    smallest = max(1, total // _SMALLEST)
    inside = Inside(direct, 3)
    told = (path for path, sums in inside.sums.items() if sums[0] + sums[1] >= smallest)
    layers = _by_layer(live, told)
    return _Drawing(inside, layers, _big_files(laid, smallest), smallest).place(b"", b"", _DEPTH)


def _by_layer(
    live: Sequence[Mapping[bytes, int]], told: Iterable[bytes]
) -> Mapping[bytes, Mapping[int, int]]:
    """Return live bytes of some directories by layer, counted from 1, each with all in it.

    Args:
        live: of each layer, bytes in each directory without those in it.
        told: which, with all that they are in.
    """
    sums: dict[bytes, defaultdict[int, int]] = {
        path: defaultdict(int) for path in sorted({b"", *told}, reverse=True)
    }
    for number, of_layer in enumerate(live, 1):
        for folder, size in of_layer.items():
            path = folder
            while path not in sums:
                path = path.rpartition(b"/")[0]
            sums[path][number] += size
    for path, found in sums.items():  # a directory comes after what is in it
        if path:
            above = sums[path.rpartition(b"/")[0]]
            for number, size in found.items():
                above[number] += size
    return sums


def _big_files(laid: Laid, smallest: int) -> Mapping[bytes, Mapping[bytes, _BigFile]]:
    """Return files, by directory and name."""
    files: defaultdict[bytes, dict[bytes, _BigFile]] = defaultdict(dict)
    for changeset in laid.changesets:
        for member in changeset.entries:
            if member[5] + member[6] + 511 >= smallest <= member.span and member[2] != DIRECTORY:
                file = files[member.folder].setdefault(member.name, _BigFile([0, 0, 0], {}))
                is_dead = laid.fates.get(id(member)) is not None
                file.numbers[is_dead] += member.span
                file.numbers[2] += 1
                if not is_dead:
                    file.layers[member.origin + 1] = member.span
    return files


class _BigFile(NamedTuple):
    numbers: list[int]
    """Live bytes, dead bytes, entries."""
    layers: dict[int, int]
    """Live bytes by layer."""


class _Drawing(NamedTuple):
    inside: Inside
    layers: Mapping[bytes, Mapping[int, int]]
    files: Mapping[bytes, Mapping[bytes, _BigFile]]
    smallest: int

    def place(self, path: bytes, name: bytes, depth: int) -> Usage:
        kids: list[Usage] = []
        if depth:
            for kid in self.inside.kids.get(path, ()):
                live, dead, _ = self.inside.sums[kid]
                if live + dead >= self.smallest:
                    kids.append(self.place(kid, kid.rpartition(b"/")[2], depth - 1))
            for base, file in self.files.get(path, {}).items():
                live, dead, entries = file.numbers
                kids.append(Usage(base, live, dead, entries, (), _in_order(file.layers)))
        live, dead, entries = self.inside.sums[path]
        biggest = nlargest(_BREADTH, kids, key=lambda kid: (kid.live + kid.dead, kid.name))
        layers = _in_order(self.layers.get(path, {}))
        return Usage(name, live, dead, entries, tuple(biggest), layers)


def _in_order(sizes: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((number, size) for number, size in sizes.items() if size))
