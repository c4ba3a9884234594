"""A tree of names that remembers its directories: when each came and went, and what was in it."""

from __future__ import annotations

from typing import NamedTuple, cast

from lamella.merge.changeset import Changeset
from lamella.merge.overlay import Folder, Link, Tree
from lamella.tar.entry import Member, join

__all__ = ["Directory", "Period", "Recorded", "Stretch"]


class Period(NamedTuple):
    """A name stood for something after each of the layers from `start` up to, not with, `end`."""

    start: int
    end: int
    directory: Directory | None
    """What it stood for, if it was one and the same directory all the time."""


class Directory(Folder):
    """A directory from when it is made until it is deleted or replaced. Layers count from 0."""

    __slots__ = ("blank", "born", "died", "hidings", "left", "parent", "path", "since")

    def __init__(self, path: bytes, parent: Directory | None, born: int, died: int) -> None:
        super().__init__()
        self.path, self.parent = path, parent
        self.born, self.died = born, died
        self.hidings: list[int] = []
        """Layers that hid what was in it by an opaque marker."""
        self.blank: list[Period] = []
        """When there was nothing in it."""
        self.left: dict[bytes, list[Period]] = {}
        """By name, what it no longer stands for: only of names that were deleted, or that became
        a directory or ceased to be one, since nothing was hidden."""
        self.since: dict[bytes, int] = {}
        """By name, when it came; where what it stands for was only put over something."""


class Stretch(NamedTuple):
    """The life of a directory, or a part of it between two opaque markers: see `Directory`."""

    directory: Directory
    end: int
    left: dict[bytes, list[Period]]
    since: dict[bytes, int]
    kids: dict[bytes, Folder | Member | Link | None]
    """What was in it at the end."""

    def periods(self, name: bytes) -> list[Period]:
        """Return all that one of the names in `left` stood for, in order."""
        node = self.kids.get(name)
        if node is None:
            return self.left[name]
        return [*self.left[name], _period(self.since.get(name), node, self.end)]


class Recorded(Tree):
    """A file system, to be made of so many layers."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.root: Directory = Directory(b"", None, -1, count)
        self.directories: list[Directory] = []
        """All there ever were, parents first; not the root."""
        self.files: dict[int, tuple[Member, list[Member]]] = {}
        """By the id of a file with hard links: the file, and the links that were ever made."""
        self.redirected = False
        """An entry of the last layer is not where its path says, but where a symlink led it."""
        self._ended: list[Stretch] = []
        self._count, self._now = count, 0
        self._touched: list[Directory] = []
        self._blank: dict[Directory, int] = {}

    def apply(self, changeset: Changeset) -> None:
        """Lay one more layer on top; see `Tree`."""
        self._now, self.redirected = changeset.position, False
        super().apply(changeset)
        for directory, start in list(self._blank.items()):
            if directory.kids:
                directory.blank.append(Period(start, self._now, None))
                del self._blank[directory]
        for directory in self._touched:
            if not directory.kids:
                self._blank.setdefault(directory, self._now)
        self._touched = []

    def finish(self) -> list[Stretch]:
        """Return, after the last layer, all that there is to say of names that came and went."""
        for directory, start in self._blank.items():
            directory.blank.append(Period(start, self._count, None))
        lives = [Stretch(d, d.died, d.left, d.since, d.kids) for d in self._all() if d.left]
        return self._ended + lives

    def _all(self) -> list[Directory]:
        return [self.root, *self.directories]

    def _leave(self, directory: Directory, name: bytes) -> None:
        """Note that a name no longer stands for what it does."""
        node = directory.kids.get(name)
        if node is not None:
            period = _period(directory.since.pop(name, None), node, self._now)
            directory.left.setdefault(name, []).append(period)

    def _hide(self, path: bytes) -> None:
        directory = self.find(path)
        if isinstance(directory, Directory):
            if not path:
                for name in directory.kids:
                    self._leave(directory, name)
            else:
                if directory.left:
                    ended = directory.left, directory.since, directory.kids
                    self._ended.append(Stretch(directory, self._now, *ended))
                directory.left, directory.since = {}, {}
                directory.hidings.append(self._now)
                self._touched.append(directory)
        super()._hide(path)

    def _delete(self, path: bytes) -> None:
        parent, _, name = path.rpartition(b"/")
        directory = self._seen.get(parent) or self.find(parent)
        if isinstance(directory, Directory):
            self._leave(directory, name)
            self._touched.append(directory)
        super()._delete(path)

    def _new_folder(self, parent: Folder, name: bytes) -> Folder:
        above = cast("Directory", parent)
        self._leave(above, name)
        made = Directory(join(above.path, name), above, self._now, self._count)
        parent.kids[name] = made
        self.directories.append(made)
        self._touched.append(made)
        return made

    def _make_folder(self, path: bytes, member: Member) -> Folder:
        folder = super()._make_folder(path, member)
        self.redirected |= cast("Directory", folder).path != path
        return folder

    def _put(self, folder: Folder, name: bytes, node: Member | Link, member: Member) -> None:
        old, since = folder.kids.get(name), cast("Directory", folder).since
        if isinstance(old, Folder):
            self._leave(cast("Directory", folder), name)
        elif old is not None and name not in since:
            since[name] = _origin(old)
        super()._put(folder, name, node, member)

    def _link(self, member: Member) -> Link:
        link = super()._link(member)
        self.files.setdefault(id(link.inode), (link.inode, []))[1].append(member)
        return link


def _origin(node: Folder | Member | Link) -> int:
    if isinstance(node, Folder):
        return cast("Directory", node).born
    return (node.member if isinstance(node, Link) else node).origin


def _period(start: int | None, node: Folder | Member | Link, end: int) -> Period:
    start = _origin(node) if start is None else start
    return Period(start, end, node if isinstance(node, Directory) else None)
