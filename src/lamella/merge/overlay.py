"""Layers laid over each other: a tree of names, built in memory from changesets alone.

`Tree` serves twice. With nothing beneath it, it is an image's file system. With a tree beneath it
(`lower`), it is the *difference* that some layers make to what lies below: exactly what one merged
layer has to say. Laying the difference over the lower tree gives the same files as laying the
layers over it one by one; the property tests hold this against an independent, slow reading of the
rules.

What a name stands for:

- a `Folder`;
- a `Member`: the inode itself, under its first name. Inodes are told apart by identity;
- a `Link`: one more name of an inode;
- `None`: deleted from what lies below (only in a difference).

Paths are taken lexically; a non-directory in the way of an entry is replaced by a directory, as
overlay engines do. Only a symlink that the same layer made before is followed, as all engines do:
by entries and by removals alike.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from lamella.errors import MalformedTar
from lamella.merge.changeset import Changeset, sort_removal
from lamella.tar.entry import DIRECTORY, HARD_LINK, SYMLINK, Member, clean

__all__ = ["Folder", "Link", "Loss", "Node", "Tree"]

_SYMLINKS_FOLLOWED = 40  # as the Linux kernel
_START = attrgetter("start")


class Link(NamedTuple):
    """A further name of an inode, and the entry that made it."""

    inode: Member
    member: Member


class Folder:
    """A directory."""

    __slots__ = ("anew", "hidden", "kids", "lower", "member")

    def __init__(self, lower: Folder | None = None, hidden: Folder | None = None) -> None:
        self.member: Member | None = None
        """The entry its attributes come from; None if it has none (then `lower`'s count)."""
        self.kids: dict[bytes, Node] = {}
        self.lower = lower
        """The directory below that this one is merged with."""
        self.hidden = hidden
        """The directory below that this one replaces or hides."""
        self.anew = False
        """It took the place of something else in the same tree, or of what that tree deleted."""

    @property
    def own_member(self) -> Member | None:
        """The entry of its attributes, if it isn't the hidden directory's (see `Tree._hide`)."""
        hidden = self.hidden
        return None if hidden is not None and hidden.member is self.member else self.member


Node: TypeAlias = Folder | Member | Link | None


class Loss(NamedTuple):
    """Something that a later layer took away: deleted, or overwritten `by` a member."""

    node: Folder | Member | Link
    by: Member | None


class Tree:
    """A file system, or the difference to the one below it."""

    def __init__(self, lower: Tree | None = None) -> None:
        self.root: Folder = Folder(lower.root if lower else None)
        self.lower = lower
        self.top = -1
        """The last layer that was laid on it."""
        self.losses: list[Loss] = []
        self.has_links = False
        self.links_below = False
        """A name was given to a file of the tree below."""
        self._seen: dict[bytes, Folder] = {}  # directories of the layer at hand, by path

    def apply(self, changeset: Changeset) -> None:
        """Lay one more layer on top.

        Raises:
            MalformedTar: an entry can't be there (a hard link to nothing, to a directory, to
                itself; a loop of symlinks).
        """
        whiteouts, opaques = changeset.whiteouts, changeset.opaques
        if changeset.linked:
            whiteouts, opaques = _Own(self).removals(changeset)
        for path in opaques:
            self._hide(path)
        self._seen = {}
        for path in whiteouts:
            self._delete(path)
        self._seen = {b"": self.root}
        self._lay(changeset.entries)
        self._seen = {}
        self.top = changeset.position

    def _lay(self, entries: Iterable[Member]) -> None:
        """Add entries, of one layer and in the order of its tar."""
        seen = self._seen
        for member in entries:
            name, kind = member.name, member.type
            folder = seen.get(member.folder)
            if folder is None:
                folder = seen[member.folder] = self._make_folder(member.folder, member)
            if kind == DIRECTORY:
                self._put_directory(folder, name, member)
            elif kind == HARD_LINK:
                self._put(folder, name, self._link(member), member)
            elif folder.kids.setdefault(name, member) is not member:
                self._put(folder, name, member, member)

    def find(self, path: bytes) -> Node:
        """Return what a path stands for, here or below; None if there is nothing."""
        node: Node = self.root
        for name in path.split(b"/") if path else ():
            node = _child(node, name)
        return node

    # -- removals

    def _hide(self, path: bytes) -> None:
        """An opaque marker: nothing of the directory's lower content is seen any more."""
        folder = self.find(path)
        if not isinstance(folder, Folder):
            return  # nothing there to hide; the layer's own entries will tell what comes
        folder = self._own_folder(path)
        for node in folder.kids.values():
            self._lose(node)
        if not path:
            # Overlay engines ignore the marker at the root, so every name is deleted instead.
            folder.kids = dict.fromkeys(folder.lower.kids if folder.lower else ())
            return
        folder.kids = {}
        if folder.lower:
            if folder.member is None:  # what is in the directory is hidden, not the directory
                folder.member = folder.lower.member
            folder.hidden, folder.lower = folder.lower, None

    def _delete(self, path: bytes) -> None:
        """A whiteout: the path and all beneath it are gone."""
        parent, _, name = path.rpartition(b"/")
        folder = self._seen.get(parent)
        if (self.find(path) if folder is None else _child(folder, name)) is None:
            return
        if folder is None:
            folder = self._seen[parent] = self._own_folder(parent)
        gone = folder.kids.pop(name, None)
        self._lose(gone)
        if isinstance(gone, Folder):
            self._seen.clear()
        if folder.lower and name in folder.lower.kids:
            folder.kids[name] = None

    def _lose(self, node: Node, by: Member | None = None) -> None:
        if node is not None:
            self.losses.append(Loss(node, by))

    # -- directories

    def _own_folder(self, path: bytes) -> Folder:
        """Return a directory that exists here or below, as one that can be changed here."""
        folder = self.root
        for name in path.split(b"/") if path else ():
            node = folder.kids.get(name)
            folder = node if isinstance(node, Folder) else self._new_folder(folder, name)
        return folder

    def _new_folder(self, parent: Folder, name: bytes) -> Folder:
        """Make a directory: merged with the one below, unless the range cut it off from that."""
        below = parent.lower.kids.get(name) if parent.lower else None
        lower = below if isinstance(below, Folder) else None
        # A name that is there was deleted or replaced by something else in between.
        anew = name in parent.kids
        made = Folder(hidden=lower) if anew else Folder(lower=lower)
        made.anew = anew
        parent.kids[name] = made
        return made

    def _make_folder(self, path: bytes, member: Member) -> Folder:
        """Return an entry's directory, made if need be; symlinks of this layer are followed."""
        above, _, name = path.rpartition(b"/")
        parent = self._seen.get(above)
        if parent is not None and _symlink(parent.kids.get(name), member.origin) is None:
            return self._step(parent, name, member)
        folder = self.root
        real = self._resolve(path, member, member.origin)
        for part in real.split(b"/") if real else ():
            folder = self._step(folder, part, member)
        return folder

    def _step(self, parent: Folder, name: bytes, member: Member) -> Folder:
        node = parent.kids.get(name)
        if isinstance(node, Folder):
            return node
        self._lose(node, member)
        return self._new_folder(parent, name)

    def _resolve(self, path: bytes, member: Member, origin: int | None = None) -> bytes:
        """Follow symlinks in a path (those of one layer, if one is given), inside the root."""
        todo, done, hops = path.split(b"/")[::-1], [(b"", self.find(b""))], 0
        while todo:
            name = todo.pop()
            if name == b"..":
                del done[max(1, len(done) - 1) :]
                continue
            if name in {b"", b"."}:
                continue
            node = _child(done[-1][1], name)
            target = _symlink(node, origin)
            if target is None:
                done.append((name, node))
                continue
            hops += 1
            if hops > _SYMLINKS_FOLLOWED:
                message = f"entry {member.path!r} leads into a loop of symlinks"
                raise MalformedTar(message, member.start)
            if target[:1] == b"/":
                del done[1:]
            todo += target.split(b"/")[::-1]
        return b"/".join(name for name, _ in done[1:])

    # -- entries

    def _put_directory(self, parent: Folder, name: bytes, member: Member) -> None:
        if not name:
            folder = self.root
        else:
            node = parent.kids.get(name)
            if isinstance(node, Folder):
                folder = self._seen[member.path] = node
            else:
                self._lose(node, member)
                folder = self._new_folder(parent, name)
                # Unless the path led through the very symlink that is replaced here.
                if not self._forget(node):
                    self._seen[member.path] = folder
        if folder.own_member is not None:
            self._lose(folder.own_member, member)
        folder.member = member

    def _put(self, folder: Folder, name: bytes, node: Member | Link, member: Member) -> None:
        old = folder.kids.get(name)
        if old is not None:
            self._forget(old)
            self._lose(old, member)
        folder.kids[name] = node

    def _forget(self, old: Node) -> bool:
        """Whether paths lead elsewhere now, because a directory or symlink is replaced."""
        if isinstance(old, Folder) or _symlink(old, None) is not None:
            self._seen.clear()
            self._seen[b""] = self.root
            return True
        return False

    def _link(self, member: Member) -> Link:
        """Find what a hard link links to, here or below."""
        # Most links lead to what the layer has just made, by its plain path. (Keys of both
        # dictionaries are clean, so what is found there would also be found under `clean`.)
        parent, _, name = member.link.rpartition(b"/")
        folder = self._seen.get(parent)
        node = folder.kids.get(name) if folder and name != member.name else None
        if node is None or isinstance(node, Folder):
            node = self._linked(clean(member.link), member)
        inode = node.inode if isinstance(node, Link) else node
        self.has_links = True
        self.links_below |= self.lower is not None and inode.origin <= self.lower.top
        return Link(inode, member)

    def _linked(self, target: bytes, member: Member) -> Member | Link:
        """Find a link's target by its path, through any symlink."""
        parent, slash, name = target.rpartition(b"/")
        if parent:
            target = self._resolve(parent, member) + slash + name
        if target == member.path:
            message = f"hard link {member.path!r} to itself"
            raise MalformedTar(message, member.start)
        node = self.find(target)
        if node is None or isinstance(node, Folder):
            found = "there is nothing" if node is None else "that is a directory"
            message = f"hard link {member.path!r} to {target!r}: {found}"
            raise MalformedTar(message, member.start)
        return node

    def adopt(self, path: bytes) -> None:
        """Take a name over from below, if it is still seen, so that the difference says it too."""
        node = self.find(path)
        if isinstance(node, Member | Link):
            parent, _, name = path.rpartition(b"/")
            self._own_folder(parent).kids[name] = node

    # -- reading

    def walk(self) -> Iterator[tuple[bytes, Folder | Member | Link]]:
        """Yield every path and what it stands for, parents first; deletions are left out."""
        stack: list[tuple[bytes, Folder]] = [(b"", self.root)]
        while stack:
            prefix, folder = stack.pop()
            for name, node in folder.kids.items():
                if node is None:
                    continue
                yield prefix + name, node
                if isinstance(node, Folder):
                    stack.append((prefix + name + b"/", node))


class _Own(Tree):
    """What a layer alone makes, as far as its tar has been read: its symlinks above all."""

    def __init__(self, below: Tree) -> None:
        super().__init__()
        self._below = below
        self._seen = {b"": self.root}

    def removals(self, changeset: Changeset) -> tuple[list[bytes], list[bytes]]:
        """Return whiteouts and opaques of the layer, led through the symlinks made before them.

        Raises:
            MalformedTar: one leads into a loop of symlinks.
        """
        whiteouts: list[bytes] = []
        opaques: list[bytes] = []
        entries, at = changeset.entries, 0
        for mark in changeset.linked:
            stop = bisect_left(entries, mark.start, at, key=_START)
            self._lay(entries[at:stop])
            folder = self._resolve(mark.folder, mark, mark.origin)
            sort_removal(mark._replace(folder=folder), whiteouts, opaques)
            at = stop
        return whiteouts, opaques

    def _link(self, member: Member) -> Link:
        """Find the file here or below; what can't be there is told once it is laid on the tree."""
        with suppress(MalformedTar):
            return super()._link(member)
        parent, slash, name = clean(member.link).rpartition(b"/")
        node: Member | Link = member
        with suppress(MalformedTar):
            node = self._below._linked(self._resolve(parent, member) + slash + name, member)  # noqa: SLF001 - a tree too
        return Link(node.inode if isinstance(node, Link) else node, member)


def _child(node: Node, name: bytes) -> Node:
    """What a name in a directory stands for, here or below."""
    if not isinstance(node, Folder):
        return None
    if name in node.kids:
        return node.kids[name]
    return node.lower.kids.get(name) if node.lower else None


def _symlink(node: Node, origin: int | None) -> bytes | None:
    """Return a symlink's target, if it is one (of that layer, if one is given)."""
    if isinstance(node, Link):
        made_by, inode = node.member.origin, node.inode
    elif isinstance(node, Member):
        made_by, inode = node.origin, node
    else:
        return None
    if inode.type != SYMLINK or (origin is not None and made_by != origin):
        return None
    return inode.link
