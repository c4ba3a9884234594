"""An image to walk through: what each layer has made of each directory, told when one looks.

Of the entries nothing is made but lists by directory. A `View` adds sums of each directory; rows
are made of the directory that is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from heapq import nsmallest
from typing import NamedTuple

from lamella.analysis.lifetimes import Laid
from lamella.analysis.paths import Inside
from lamella.merge.gc_pause import collector_paused
from lamella.tar.entry import DIRECTORY, Member, join

__all__ = [
    "ADDED",
    "ALL",
    "BY_CHANGE",
    "BY_NAME",
    "BY_SIZE",
    "CHANGED",
    "CHANGES",
    "DELETED",
    "EVERYTHING",
    "ORDERS",
    "UNCHANGED",
    "Contents",
    "Filter",
    "Order",
    "Row",
    "Said",
    "SearchResult",
    "View",
]

_NEVER = 1 << 60
_NOW, _NEW, _GONE, _COUNTS = 0, 1, 2, 3
_WIDTH = _COUNTS + 4


ADDED, CHANGED, DELETED, UNCHANGED = 1, 2, 4, 8
"""What a layer did to a path; numbers that can be added up, since there are very many rows."""
CHANGES = ADDED | CHANGED | DELETED
ALL = CHANGES | UNCHANGED
_KINDS = (ADDED, CHANGED, DELETED, UNCHANGED)


class Row(NamedTuple):
    """A name in a directory. Sizes are bytes of tars; of a directory with all that is in it."""

    name: bytes
    directory: bool
    change: int
    """`ADDED`, `CHANGED`, `DELETED` or `UNCHANGED`."""
    within: int
    """All that was done to it and to what is in it."""
    size: int
    """Of what is there after the layer."""
    new: int
    """Of that, what the layer itself has."""
    gone: int
    """Of what was there before, and the layer deletes or overwrites."""
    layer: int
    """Which layer it is from, counted from 1; 0 of a directory, which may be from many."""
    link: bytes
    """Where a link leads, as written."""

    def path(self, folder: bytes) -> bytes:
        """Return its path in an image, if that is its directory's."""
        return join(folder, self.name)


class Filter(NamedTuple):
    """Which rows are wanted."""

    changes: int = ALL
    smallest: int = 0
    """In bytes."""

    def takes(self, row: Row) -> bool:
        """Whether a row, or something in it, is wanted."""
        return row.within & self.changes != 0 and max(row.size, row.gone) >= self.smallest


EVERYTHING = Filter()


def _rank(row: Row) -> tuple[int, int, bytes]:
    return -row.new - row.gone, -row.size, row.name


class Order(NamedTuple):
    """In which order the rows of a directory come."""

    name: str
    rank: Callable[[Row], tuple[int, int, bytes]]


BY_CHANGE = Order("change", _rank)
"""What was moved most first, then what is biggest."""
BY_SIZE = Order("size", lambda row: (-max(row.size, row.gone), 0, row.name))
BY_NAME = Order("name", lambda row: (0, 0, row.name))
ORDERS = (BY_CHANGE, BY_SIZE, BY_NAME)


class Said(NamedTuple):
    """The entries that a row stands for."""

    now: Member | None
    """After the layer; None: it is deleted, or a directory that no layer has an entry for."""
    before: Member | None
    """Which the layer deletes or overwrites; None: nothing, or a directory as before."""


class SearchResult(NamedTuple):
    """What a search found: how much there is, and the first rows with their directories."""

    total: int
    rows: list[tuple[bytes, Row]]


class Contents:
    """All entries that the layers of an image have, by directory. Layers count from 0 in here."""

    def __init__(self, laid: Laid) -> None:
        self.layers = len(laid.changesets)
        self.deaths = laid.deaths
        self.files: dict[bytes, list[Member]] = defaultdict(list)
        """By directory, what is in it and is none, in the order of the layers."""
        self.own: dict[bytes, list[Member]] = defaultdict(list)
        """By directory, its own entries."""
        self.lives: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
        """By directory, from which layer to which it is there; not of the root."""
        self.inodes = {
            id(link): inode for inode, links in laid.tree.files.values() for link in links
        }
        """By the id of a hard link, the file that it is another name of."""
        with collector_paused():
            for changeset in laid.changesets:
                for member in changeset.entries:
                    folder = laid.moved.get(id(member), member.folder)
                    if member.type == DIRECTORY:
                        self.own[join(folder, member.name)].append(member)
                    else:
                        self.files[folder].append(member)
            for directory in laid.tree.directories:
                died = directory.died if directory.died < self.layers else _NEVER
                self.lives[directory.path].append((directory.born, died))

    def layer(self, number: int) -> View:
        """Return what a layer, counted from 1, made of what was there."""
        return View(self, number - 1)

    def image(self) -> View:
        """Return what all layers together come to; nothing in it is a change."""
        return View(self, self.layers)

    def live(self, path: bytes) -> dict[int, int]:
        """Return what the image shows of a path and of what is in it: bytes by layer, from 1."""
        folder, _, name = path.rpartition(b"/")
        members = [member for member in self.files.get(folder, ()) if member.name == name]
        inside = path + b"/"
        for lists in (self.own, self.files):
            for below, more in lists.items():
                if below == path or below.startswith(inside):
                    members += more
        sizes: defaultdict[int, int] = defaultdict(int)
        for member in members:
            if id(member) not in self.deaths:
                sizes[member.origin + 1] += member.span
        return dict(sorted(sizes.items()))


class View:
    """What is there after a layer, and what that layer did."""

    def __init__(self, contents: Contents, at: int) -> None:
        self._files, self._own, self._deaths = contents.files, contents.own, contents.deaths
        self._lives, self._at = contents.lives, at
        direct: dict[bytes, list[int]] = {}
        for path in (b"", *contents.lives):
            change = self._life(path)
            if change is not None:
                numbers = direct[path] = [0] * _WIDTH
                found = self._sort(contents.own.get(path, ()))
                found.add_to(numbers)
                if change == UNCHANGED and found.new:
                    change = CHANGED
                if path:
                    numbers[_COUNTS + _KINDS.index(change)] += 1
        for path, members in contents.files.items():
            if path in direct:
                numbers, found = direct[path], self._sort(members)
                found.add_to(numbers)
                for i, count in enumerate(found.counts(), _COUNTS):
                    numbers[i] += count
        self._inside = Inside(direct, _WIDTH)

    @property
    def position(self) -> int:
        """Which layer it is of, from 0; of the image, how many layers there are."""
        return self._at

    def rows(self, path: bytes, wanted: Filter = EVERYTHING, order: Order = BY_CHANGE) -> list[Row]:
        """Return what is in a directory, in an order."""
        with collector_paused():
            directories = map(self._directory, self._inside.kids.get(path, ()))
            rows = [*directories, *self._file_rows(self._files.get(path, ()))]
            return sorted(filter(wanted.takes, rows), key=order.rank)

    def said(self, folder: bytes, row: Row) -> Said:
        """Return the entries of a row in a directory."""
        if row.directory:
            members: Iterable[Member] = self._own.get(row.path(folder), ())
        else:
            members = (m for m in self._files.get(folder, ()) if m.name == row.name)
        kept, new, old = self._sort(members)
        now = [*kept, *new.values()]
        return Said(now[-1] if now else None, next(iter(old.values()), None))

    def root(self) -> Row:
        """Return the sums of all there is."""
        return self._directory(b"")

    def search(
        self,
        text: bytes,
        wanted: Filter = EVERYTHING,
        most: int = 1000,
        stop: Callable[[], bool] = bool,
    ) -> SearchResult:
        """Find names, or paths if there is a slash in the text; capitals count if it has any.

        Args:
            text: what they contain.
            wanted: which of them.
            most: how many rows to return, of those that come first.
            stop: whether the search was cancelled.
        """
        found: list[tuple[bytes, Row]] = []
        for folder, row in self._matches(text):
            if wanted.takes(row) and row.change & wanted.changes:
                found.append((folder, row))
            if stop():
                break
        return SearchResult(len(found), nsmallest(most, found, key=_rank_found))

    def _matches(self, text: bytes) -> Iterator[tuple[bytes, Row]]:
        """Names are looked at before anything is told of them: most are not wanted."""
        whole, any_case = b"/" in text, text == text.lower()

        def fits(folder: bytes, name: bytes) -> bool:
            seen = folder + b"/" + name if whole else name
            return text in (seen.lower() if any_case else seen)

        for path in self._inside.sums:
            folder, _, name = path.rpartition(b"/")
            if path and fits(folder, name):
                yield folder, self._directory(path)
        for folder, members in self._files.items():
            if folder in self._inside.sums:
                chosen = [member for member in members if fits(folder, member[1])]
                for row in self._file_rows(chosen) if chosen else ():
                    yield folder, row

    def _file_rows(self, members: Iterable[Member]) -> Iterator[Row]:
        kept, new, old = self._sort(members)
        for member in kept:
            yield _file(member, UNCHANGED, member.span)
        for name, member in new.items():
            before = old.get(name)
            change = ADDED if before is None else CHANGED
            gone = 0 if before is None else before.span
            yield _file(member, change, member.span, member.span, gone)
        for name, member in old.items():
            if name not in new:
                yield _file(member, DELETED, gone=member.span)

    def _directory(self, path: bytes) -> Row:
        now, new, gone, *counts = self._inside.sums[path]
        within = 0
        for kind, count in zip(_KINDS, counts, strict=True):
            if count:
                within |= kind
        change = self._life(path) or UNCHANGED
        if change == UNCHANGED and within & CHANGES:
            change = CHANGED
        name = path.rpartition(b"/")[2]
        return Row(name, True, change, within, now, new, gone, 0, b"")  # noqa: FBT003 - in order

    def _life(self, path: bytes) -> int | None:
        """What the layer did to a directory itself; None: there is none, nor was there one."""
        if not path:
            return UNCHANGED
        at = self._at
        before = now = None
        for life in self._lives[path]:
            born, died = life
            if born < at <= died:
                before = life
            if born <= at < died:
                now = life
        if now is None:
            return None if before is None else DELETED
        if before is None:
            return ADDED
        return UNCHANGED if before is now else CHANGED

    def _sort(self, members: Iterable[Member]) -> _Sorted:
        """Tell what of a directory's entries the layer kept, brought and took away."""
        kept, new, old = [], {}, {}
        deaths, at = self._deaths, self._at
        for member in members:
            origin = member[8]
            if origin > at:
                break  # so are all that follow
            died = deaths.get(id(member), _NEVER)
            if died < at or died == origin:  # the latter: its own layer says the name again
                continue
            if origin == at:
                new[member[1]] = member
            elif died == at:
                old[member[1]] = member
            else:
                kept.append(member)
        return _Sorted(kept, new, old)


class _Sorted(NamedTuple):
    """Entries of one directory: what stayed; by name, what came and what went."""

    kept: list[Member]
    new: dict[bytes, Member]
    old: dict[bytes, Member]

    def add_to(self, numbers: list[int]) -> None:
        """Add up their bytes."""
        fresh = sum(member.span for member in self.new.values())
        numbers[_NOW] += fresh + sum(member.span for member in self.kept)
        numbers[_NEW] += fresh
        numbers[_GONE] += sum(member.span for member in self.old.values())

    def counts(self) -> tuple[int, int, int, int]:
        """Return how many names are of each kind of change."""
        changed = len(self.new.keys() & self.old.keys())
        return len(self.new) - changed, changed, len(self.old) - changed, len(self.kept)


def _file(member: Member, change: int, size: int = 0, new: int = 0, gone: int = 0) -> Row:
    layer = member.origin + 1
    return Row(member.name, False, change, change, size, new, gone, layer, member.link)  # noqa: FBT003 - in order


def _rank_found(found: tuple[bytes, Row]) -> tuple[tuple[int, int, bytes], bytes]:
    return _rank(found[1]), found[0]
