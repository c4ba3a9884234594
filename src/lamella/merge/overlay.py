"""Layers laid over each other: a tree of names, built in memory from changesets alone.

`Tree` serves twice. With nothing beneath it, it is an image's file system. With a tree beneath it
(`lower`), it is the *difference* that some layers make to what lies below: exactly what one merged
layer has to say. Laying the difference over the lower tree gives the same files as laying the
layers over it one by one; the property tests hold this against an independent, slow reading of the
rules.

Paths are taken lexically; a non-directory in the way of an entry is replaced by a directory, as
overlay engines do. Only a symlink that the same layer made before is followed, as all engines do:
by entries and by removals alike.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from operator import attrgetter

from lamella.errors import MalformedTar
from lamella.layer.whiteout import PREFIX
from lamella.limits import PATH
from lamella.merge.changeset import Changeset, sort_removal
from lamella.merge.nodes import Folder, Link, Loss, Node, child_of, symlink_of
from lamella.tar.entry import DIRECTORY, HARD_LINK, SYMLINK, Member, clean

__all__ = ["Folder", "Link", "Loss", "Node", "Tree"]

_SYMLINKS_FOLLOWED = 40  # as the Linux kernel
_START = attrgetter("start")


class Tree:
    """A file system, or the difference to the one below it."""

    def __init__(self, lower: Tree | None = None) -> None:
        self.root: Folder = Folder(lower.root if lower else None)
        self.lower = lower
        self.top = -1
        """The last layer that was laid on it."""
        self.losses: list[Loss] = []
        self.left_out: list[Folder | Member | Link] = []
        """What `leave_out` took away."""
        self.has_links = False
        self.links_below = False
        """A name was given to a file of the tree below."""
        self._seen: dict[bytes, Folder] = {}  # directories of the layer at hand, by path
        self._detours = False  # one of them was found by way of names that need not be there
        self._aside: dict[bytes, Member] = {}  # see `Changeset.aside`; of all layers

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
        at = 0
        for stop, member in _stops(changeset.entries, changeset.aside):
            self._lay(changeset.entries[at:stop])
            self._set_aside(member)
            at = stop
        self._lay(changeset.entries[at:] if at else changeset.entries)
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
            elif kind == SYMLINK and self._detours:
                self._seen_anew()

    def find(self, path: bytes) -> Node:
        """Return what a path stands for, here or below; None if there is nothing."""
        node: Node = self.root
        for name in path.split(b"/") if path else ():
            node = child_of(node, name)
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
        if (self.find(path) if folder is None else child_of(folder, name)) is None:
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
        if parent is not None and symlink_of(parent.kids.get(name), member.origin) is None:
            return self._step(parent, name, member)
        folder, parts = self.root, path.split(b"/") if path else []
        for number, part in enumerate(parts, 1):
            if symlink_of(folder.kids.get(part), member.origin) is None:
                folder = self._step(folder, part, member)
            else:
                folder = self._led(b"/".join(parts[:number]), member)
        return folder

    def _led(self, path: bytes, member: Member) -> Folder:
        """Return the directory that a symlink of this layer leads to; it is followed once."""
        folder = self._seen.get(path)
        if folder is None:
            folder, real = self.root, self._resolve(path, member, member.origin)
            for part in real.split(b"/") if real else ():
                folder = self._step(folder, part, member)
            self._seen[path] = folder
        return folder

    def _step(self, parent: Folder, name: bytes, member: Member) -> Folder:
        node = parent.kids.get(name)
        if isinstance(node, Folder):
            return node
        self._lose(node, member)
        return self._new_folder(parent, name)

    def _resolve(self, path: bytes, member: Member, origin: int | None = None) -> bytes:
        """Follow symlinks in a path (those of one layer, if one is given), inside the root."""
        todo, done = path.split(b"/")[::-1], [(b"", self.find(b""))]
        hops = length = 0
        while todo:
            name = todo.pop()
            if name == b"..":
                del done[max(1, len(done) - 1) :]
                self._detours = True
                continue
            if name in {b"", b"."}:
                continue
            node = child_of(done[-1][1], name)
            target = symlink_of(node, origin)
            if target is None:
                done.append((name, node))
                continue
            hops, length = hops + 1, length + len(target)
            if hops > _SYMLINKS_FOLLOWED or length > PATH:
                raise _too_far(member, length)
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
        if isinstance(old, Folder) or symlink_of(old, None) is not None:
            self._seen_anew()
            return True
        return False

    def _seen_anew(self) -> None:
        self._seen.clear()
        self._seen[b""] = self.root
        self._detours = False

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

    def _set_aside(self, member: Member) -> None:
        """Keep a file that only hard links lead to."""
        with suppress(MalformedTar):  # a link that leads nowhere, and that is not needed
            node = self._link(member) if member.type == HARD_LINK else member
            self._aside[member.path] = node.inode if isinstance(node, Link) else node

    def _found_aside(self, path: bytes) -> Member | None:
        if PREFIX not in path:
            return None
        lower = self.lower._found_aside(path) if self.lower else None  # noqa: SLF001 - a tree too
        return self._aside.get(path, lower)

    def _linked(self, target: bytes, member: Member) -> Member | Link:
        """Find a link's target by its path, through any symlink."""
        parent, slash, name = target.rpartition(b"/")
        if parent:
            target = self._resolve(parent, member) + slash + name
        if target == member.path:
            message = f"hard link {member.path!r} to itself"
            raise MalformedTar(message, member.start)
        node = self._found_aside(target) or self.find(target)
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

    def leave_out(self, path: bytes) -> None:
        """Take a name, and what is below it, out of what the difference shows."""
        self._seen = {}
        before = len(self.losses)
        self._delete(path)
        self.left_out += [loss.node for loss in self.losses[before:]]
        del self.losses[before:]
        self._seen = {}

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


def _too_far(member: Member, length: int) -> MalformedTar:
    if length > PATH:
        why = f"symlinks with {length} bytes of targets, at most {PATH} are followed"
    else:
        why = "a loop of symlinks"
    return MalformedTar(f"entry {member.path!r} leads into {why}", member.start)


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
        at = 0
        for stop, mark in _stops(changeset.entries, changeset.linked):
            self._lay(changeset.entries[at:stop])
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


def _stops(entries: Sequence[Member], others: Iterable[Member]) -> Iterator[tuple[int, Member]]:
    """Yield other members of the same tar, and how many of the entries come before each."""
    at = 0
    for member in others:
        at = bisect_left(entries, member.start, at, key=_START)
        yield at, member
