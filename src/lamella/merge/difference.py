"""The difference of two file systems, as a tree over one of them: what one layer must say.

It has the entries that changed, and the fewest removals: a directory of which nothing stays as it
was gets one opaque marker, where there would be several whiteouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lamella.merge.nodes import Folder, Node
from lamella.merge.overlay import Tree

__all__ = ["difference_of", "regrouped"]


Groups = Mapping[bytes, bytes]
"""The first name of a file, by each name of one that has several."""


def regrouped(
    new: tuple[Tree, Groups], old: tuple[Tree, Groups], changed: AbstractSet[bytes]
) -> set[bytes]:
    """Return the paths that must be said again for the sake of the files' hard links.

    A file that has several names stays as it is only if all of them are names of one file below,
    and no other name of that file stays. Else all of them are said again: a hard link into a layer
    below is something that engines refuse.

    Args:
        new: what is to be, and its groups of hard links.
        old: the file system below, and its groups.
        changed: paths that are said again anyway.
    """
    groups: dict[bytes, list[bytes]] = {}
    for path, first in new[1].items():
        groups.setdefault(first, []).append(path)
    for path in old[1].keys() - new[1].keys():
        if _is_file(new[0].find(path)):
            groups[path] = [path]
    taken: set[bytes] = set()
    again: set[bytes] = set()
    # Of the parts into which a file is divided the largest stays.
    for group in sorted(groups.values(), key=lambda group: (-len(group), group)):
        below = {old[1].get(path, path) for path in group}
        stays = len(below) == 1 and taken.isdisjoint(below) and changed.isdisjoint(group)
        if stays and all(_is_file(old[0].find(path)) for path in group):
            taken |= below
        else:
            again.update(group)
    return again


def _is_file(node: Node) -> bool:
    return node is not None and not isinstance(node, Folder)


def difference_of(new: Tree, old: Tree, changed: AbstractSet[bytes]) -> Tree:
    """Return what must be laid over a file system to make it another one.

    Args:
        new: what it is to become.
        old: the file system below.
        changed: the paths that both have and that are not alike.
    """
    difference = Tree(old)
    difference.has_links = new.has_links
    _Comparing(new.root, old.root, difference.root, changed).run()
    return difference


@dataclass(eq=False)
class _InBoth:
    """A directory that both have, and its own entry in the difference."""

    made: Folder
    new: Folder
    old: Folder
    above: int
    """Which of the directories it is in; -1: it is the root."""
    name: bytes
    keeps: bool = False
    """Something in it stays as it was."""
    whiteouts: int = 0
    """In it and below it, as far as there is no opaque marker."""
    is_opaque: bool = False


class _Comparing:
    """Walks through both at once, without recursion: paths may be deep."""

    def __init__(self, new: Folder, old: Folder, made: Folder, changed: AbstractSet[bytes]) -> None:
        self._changed = changed
        self._folders = [_InBoth(made, new, old, -1, b"")]
        self._paths = [b""]

    def run(self) -> None:
        for at, folder in enumerate(self._folders):  # which grows meanwhile
            self._compare(at, folder)
        for folder in reversed(self._folders[1:]):
            self._end(folder)
        for folder in self._folders:
            if folder.above >= 0:
                self._mark(folder)

    def _compare(self, at: int, folder: _InBoth) -> None:
        prefix = self._paths[at]
        for name in folder.old.kids:
            if name not in folder.new.kids:
                folder.made.kids[name] = None
                folder.whiteouts += 1
        for name, node in folder.new.kids.items():
            below = folder.old.kids.get(name)
            if isinstance(node, Folder) and isinstance(below, Folder):
                self._merge(at, name, node, below)
            elif (
                below is None
                or isinstance(node, Folder)
                or isinstance(below, Folder)
                or prefix + name in self._changed
            ):
                folder.made.kids[name] = node
            else:
                folder.keeps = True

    def _merge(self, at: int, name: bytes, node: Folder, below: Folder) -> None:
        path = self._paths[at] + name
        made = Folder(lower=below)
        if path in self._changed:
            made.member = node.member
            if node.member is None:  # no layer has an entry for it: it is as engines make it
                made.lower = None
        self._folders[at].made.kids[name] = made
        self._folders.append(_InBoth(made, node, below, at, name))
        self._paths.append(path + b"/")

    def _end(self, folder: _InBoth) -> None:
        """All that is in a directory is known: see whether it is in the difference, and how."""
        above, made = self._folders[folder.above], folder.made
        if not made.kids and made.member is None and made.lower is not None:
            del above.made.kids[folder.name]
            above.keeps = True
            return
        if made.member is None and made.lower is not None:
            made.member = folder.new.member  # alike, but for what does not count
        if not folder.keeps and folder.whiteouts > 1:
            folder.is_opaque, folder.whiteouts = True, 1
        above.whiteouts += folder.whiteouts
        above.keeps |= folder.keeps

    def _mark(self, folder: _InBoth) -> None:
        """Make a directory opaque; what is in an opaque one is new."""
        above = self._folders[folder.above]
        is_new = above.made.lower is None and above.is_opaque
        if not (folder.is_opaque or is_new):
            return
        folder.is_opaque = True  # for what is in it
        made = folder.made
        made.member, made.lower = folder.new.member, None
        made.hidden = None if is_new else folder.old
        made.kids = {name: node for name, node in made.kids.items() if node is not None}
