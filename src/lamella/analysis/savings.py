"""What each squash would bring, for every range of layers, told from one pass over all of them.

A squash of layers A to B is not tried out. An entry of layer i that layer k takes away is in the
merged layer exactly if A <= i <= B < k: a rectangle in the matrix of all A and B. So is all the
rest of `merge.plan`: whiteouts, opaque markers, further names of files, and directories that have
no entry in the range but are needed as parents. The matrix of the rectangles' differences takes
each of them in at the cost of four additions, and their sums in the end.

Layers count from 0 here, except in what `savings` returns.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import accumulate, combinations_with_replacement, pairwise
from operator import add, or_

from lamella.analysis.entry_sizes import EntrySizes
from lamella.analysis.groups import Lots
from lamella.analysis.lifetimes import Laid
from lamella.analysis.model import Saving
from lamella.analysis.timeline import Directory, Period, Stretch
from lamella.errors import Unsupported
from lamella.layer.whiteout import OPAQUE, PREFIX
from lamella.limits import LAYERS
from lamella.tar.entry import DIRECTORY, HARD_LINK, Member
from lamella.tar.writer import END_OF_ARCHIVE, format_whiteout

__all__ = ["check_layers", "savings"]


def check_layers(count: int) -> None:
    """See to it that every range of so many layers can be told of: before anything is read.

    Raises:
        Unsupported: there are more layers than `LAYERS`.
    """
    if count > LAYERS:
        raise Unsupported(
            f"the image has {count} layers, and savings are computed for at most {LAYERS}; squash "
            "some of them first, with `layers` or `last`"
        )


class _Savings(Mapping[tuple[int, int], Saving]):
    """A number for each range; what it is part of is made when it is asked for.

    A thousand layers have half a million ranges.
    """

    def __init__(self, sizes: Sequence[int], rows: Sequence[array[int]]) -> None:
        self._until = [0, *accumulate(sizes)]
        self._rows = rows

    def __getitem__(self, key: tuple[int, int]) -> Saving:
        first, last = key
        if not 1 <= first <= last <= len(self._rows):
            raise KeyError(key)
        before = self._until[last] - self._until[first - 1]
        return Saving(
            first, last, before, before if first == last else self._rows[first - 1][last - 1]
        )

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return combinations_with_replacement(range(1, len(self._rows) + 1), 2)

    def __len__(self) -> int:
        return len(self._rows) * (len(self._rows) + 1) // 2


def savings(laid: Laid) -> Mapping[tuple[int, int], Saving]:
    """Return what squashing each range of layers would bring: by first and last layer, from 1.

    Sizes are bytes of layer tars, to the byte what a squash then reads and writes. A layer alone
    is not squashed, so that saves nothing. A character device 0:0, which no squash takes, is
    counted like any other.

    Raises:
        MalformedTar: a header that must be read in full is damaged.
    """
    sizes = [changeset.source.size for changeset in laid.changesets]
    return _Savings(sizes, _Account(laid).rows())


class _Matrix:
    """Sums of rectangles, by first and last layer."""

    def __init__(self, count: int) -> None:
        self._differences = [array("q", bytes(8 * (count + 1))) for _ in range(count + 1)]

    def add(self, firsts: range, lasts: range, size: int) -> None:
        """Let merged layers of all these ranges have so many bytes more."""
        if firsts and lasts:
            low, high = self._differences[firsts.start], self._differences[firsts.stop]
            low[lasts.start] += size
            low[lasts.stop] -= size
            high[lasts.start] -= size
            high[lasts.stop] += size

    def rows(self) -> list[array[int]]:
        """Return the sums: a row for each first layer, in it a column for each last one."""
        rows: list[array[int]] = []
        above = array("q", bytes(8 * len(self._differences)))
        for differences in self._differences[:-1]:
            above = array("q", map(add, accumulate(differences), above))
            rows.append(above)
        return rows


def _below(stop: int) -> int:
    """The first layers below `stop`, as bits."""
    return (1 << stop) - 1


def _bits(firsts: range) -> int:
    return _below(firsts.stop) & ~_below(firsts.start) if firsts else 0


def _runs(bits: int) -> Iterator[range]:
    """Yield the first layers that bits stand for."""
    at = 0
    while bits:
        skip = (bits & -bits).bit_length() - 1
        bits >>= skip
        length = (~bits & bits + 1).bit_length() - 1
        yield range(at + skip, at + skip + length)
        bits >>= length
        at += skip + length


def _whiteout(path: bytes) -> int:
    """Return the size of a whiteout's entry."""
    return _whiteout_of(len(path), path.isascii())


@lru_cache
def _whiteout_of(length: int, is_ascii: bool) -> int:  # noqa: FBT001 - all that its size depends on
    return len(format_whiteout((b"x" if is_ascii else b"\xff") * length))


_Span = tuple[int, int]
"""Last layers, from one up to, not with, another."""


class _Account:
    """One pass over what became of each entry."""

    def __init__(self, laid: Laid) -> None:
        self._laid, self._count = laid, len(laid.changesets)
        self._written = EntrySizes(laid)
        self._matrix = _Matrix(self._count)
        self._up_to = [_below(position + 1) for position in range(self._count)]
        # By directory: for which first layers something in it is written, by last layers; and the
        # bytes of its entry, by layer.
        self._needs: defaultdict[Directory, defaultdict[_Span, int]]
        self._needs = defaultdict(lambda: defaultdict(int))
        self._entries: defaultdict[Directory, dict[int, int]] = defaultdict(dict)
        self._at: defaultdict[bytes, list[Directory]] = defaultdict(list)
        for directory in (laid.tree.root, *laid.tree.directories):
            self._at[directory.path].append(directory)

    def rows(self) -> list[array[int]]:
        """Return the merged layers' sizes: a row for each first layer, in it each last one."""
        everywhere = range(self._count)
        self._matrix.add(everywhere, everywhere, len(END_OF_ARCHIVE))
        for position, lots in enumerate(self._laid.lots):
            self._count_entries(position, lots)
        for inode, links in self._laid.tree.files.values():
            self._count_names(inode, links)
        for stretch in self._laid.stretches:
            self._count_marks(stretch)
        self._count_directories()
        return self._matrix.rows()

    def _directory(self, path: bytes, position: int) -> Directory:
        """Return the directory that was there after a layer."""
        there = self._at[path]
        if len(there) == 1:
            return there[0]
        return next(d for d in reversed(there) if d.born <= position < d.died)

    # -- entries

    def _count_entries(self, position: int, lots: Lots) -> None:
        """All entries of a layer but those of files with hard links."""
        ends, files, moved = self._laid.deaths, self._laid.tree.files, self._laid.moved
        sizes: defaultdict[int, int] = defaultdict(int)
        for folder, end, size, _, _ in lots.lots:
            if end > position:
                sizes[end] += size
                self._need(folder, position, end)
        for end, size in sizes.items():
            self._matrix.add(range(position + 1), range(position, end), size)
        for member in lots.single:
            end = ends.get(id(member), self._count)
            if member.type == DIRECTORY:
                if end > position:
                    self._count_directory_entry(member, end)
            elif end > position and member.type != HARD_LINK and id(member) not in files:
                size = self._written.entry(member)
                self._matrix.add(range(position + 1), range(position, end), size)
                self._need(moved.get(id(member), member.folder), position, end)

    def _need(self, folder: bytes, position: int, end: int) -> None:
        """A directory is needed for what a layer has in it, which ends with another one."""
        self._needs[self._directory(folder, position)][position, end] |= self._up_to[position]

    def _count_directory_entry(self, member: Member, end: int) -> None:
        position, path = member.origin, self._written.path(member)
        if not path:
            span = range(position, end)
            self._matrix.add(range(position + 1), span, self._written.entry(member))
            return
        directory = self._directory(path, position)
        self._entries[directory][position] = self._written.entry(member)
        self._needs[directory][position, end] |= self._up_to[position]

    def _count_names(self, inode: Member, links: list[Member]) -> None:
        """A file with hard links: if one of its names is new, all that there are are written."""
        ends = self._laid.deaths
        names = [(m, ends.get(id(m), self._count)) for m in (inode, *links)]
        changes = {m.origin for m, _ in names} | {end for _, end in names}
        for start, end in pairwise(sorted(changes)):
            there = [m for m, gone in names if m.origin <= start < gone]
            if not there:
                continue
            firsts = range(max(m.origin for m in there) + 1)
            self._matrix.add(firsts, range(start, end), self._written.names(inode, there))
            for member in there:
                folder = self._laid.moved.get(id(member), member.folder)
                needs = self._needs[self._directory(folder, member.origin)]
                needs[start, end] |= _bits(firsts)

    # -- marks

    def _count_marks(self, stretch: Stretch) -> None:
        """What the merged layer says of names that no longer stand for what they did below.

        A whiteout if there is nothing now; an opaque marker if there was a directory with
        something in it, and now there is another one. Only where the directory that the name is
        in stayed: that of a new one says it all.
        """
        prefix = stretch.directory.path + b"/" if stretch.directory.path else b""
        # Most names of a directory that came together also went together.
        sizes: defaultdict[tuple[Period, ...], int] = defaultdict(int)
        for name in stretch.left:
            sizes[tuple(stretch.periods(name))] += _whiteout(prefix + PREFIX + name)
        for periods, size in sizes.items():
            self._count_whiteouts(stretch, periods, size)
            directories = [period for period in periods if period.directory is not None]
            for number, period in enumerate(directories):
                lasts = range(period.start, period.end)
                for before in directories[:number]:
                    self._count_opaque(before, lasts)

    def _count_whiteouts(self, stretch: Stretch, periods: Sequence[Period], size: int) -> None:
        starts = [*(period.start for period in periods[1:]), stretch.end]
        for number, (period, start) in enumerate(zip(periods, starts, strict=True)):
            absent = range(period.end, start)
            for before in periods[: number + 1] if absent else ():
                firsts = range(before.start + 1, before.end + 1)
                self._matrix.add(firsts, absent, size)
                needs = self._needs[stretch.directory]
                needs[absent.start, absent.stop] |= _bits(firsts)

    def _count_opaque(self, before: Period, lasts: range) -> None:
        """Over a directory that was there, and not empty, after the layers of a period."""
        if before.directory is None or not lasts:
            return
        mark = len(format_whiteout(before.directory.path + b"/" + OPAQUE))
        self._matrix.add(range(before.start + 1, before.end + 1), lasts, mark)
        for blank in before.directory.blank:
            start, end = max(blank.start, before.start), min(blank.end, before.end)
            self._matrix.add(range(start + 1, end + 1), lasts, -mark)

    # -- directories

    def _count_directories(self) -> None:
        """Each directory with an entry, which parents need; what is in it comes before it."""
        found: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        for directory in reversed(self._laid.tree.directories):
            self._count_hidings(directory)
            above = self._needs[directory.parent] if directory.parent else None
            sizes, size = self._entries.get(directory, {}), -1
            for start, end, bits in self._steps(directory):
                if above is not None:
                    above[start, end] |= bits
                # With an entry there is always a step: what begins with its layer needs it now.
                size = sizes.get(start, size)
                if size < 0:
                    size = self._written.made_up(directory.path)
                found[start, end, bits] += size
            del self._needs[directory]
        for (start, end, bits), size in found.items():
            for firsts in _runs(bits):
                self._matrix.add(firsts, range(start, end), size)

    def _count_hidings(self, directory: Directory) -> None:
        """A directory that stays, of which what was in it is hidden by an opaque marker."""
        hidings = directory.hidings
        for start, end in pairwise([*hidings, directory.died] if hidings else ()):
            if start < end:
                self._count_opaque(Period(directory.born, start, directory), range(start, end))
                self._needs[directory][start, end] |= _below(start + 1)

    def _steps(self, directory: Directory) -> Iterator[tuple[int, int, int]]:
        """Yield for which first layers a directory is written: last layers from, up to; bits."""
        born, died, needs = directory.born, directory.died, self._needs[directory]
        new = _below(born + 1)  # where it is new it is always written
        begun, bits = born, new
        coming = sorted(needs.items(), reverse=True)
        active: dict[int, int] = {}  # by the last layer up to which something is written
        for start in sorted({born, died}.union(*needs)):
            active.pop(start, None)
            while coming and coming[-1][0][0] == start:
                (_, until), more = coming.pop()
                active[until] = active.get(until, 0) | more
            now = reduce(or_, active.values(), new)
            if now != bits:
                if begun < start:
                    yield begun, start, bits
                begun, bits = start, now
        if begun < died:
            yield begun, died, bits
