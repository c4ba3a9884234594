"""The layers of an image over its base and over another one, as trees that are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

from lamella.errors import MalformedTar
from lamella.layer.partial.headers import TarHeaders
from lamella.layer.protocols import LayerTar
from lamella.merge.changeset import Changeset, read_changeset
from lamella.merge.nodes import Folder, Link, Node, child_of
from lamella.merge.overlay import Tree
from lamella.spec.digest import Digest
from lamella.tar.entry import REGULAR, SYMLINK, TYPE_NAMES, Header, Member
from lamella.tar.reader import iter_content, read_header

__all__ = ["Both", "Overlaid", "inode_of", "type_of"]

_T = TypeVar("_T", bound=Tree)
Difference = Literal["", "type", "content", "attributes", "time"]
_LARGEST_TEXT = 1 << 20
"""Of a file that is read: lists of users have some hundred lines."""


def inode_of(node: Member | Link) -> Member:
    """Return the file that a name stands for."""
    return node.inode if isinstance(node, Link) else node


def type_of(node: Node) -> str:
    """Return what a name stands for, in a word."""
    if node is None:
        return "nothing"
    return "directory" if isinstance(node, Folder) else TYPE_NAMES[inode_of(node).type]


class Overlaid(Tree):
    """The layers of an image over one base."""

    def __init__(self, base: Tree) -> None:
        super().__init__(base)
        self.base = base
        self.into_base: dict[int, tuple[Member, Member]] = {}
        """Hard links to files of the base, by identity: each with the file."""
        self.broken: dict[int, tuple[Member, Node]] = {}
        """Hard links that lead to no file, by identity: each with what is there."""

    def _link(self, member: Member) -> Link:
        try:
            link = super()._link(member)
        except MalformedTar:
            self.broken[id(member)] = member, self.led_to(member.link)
            return Link(member, member)
        if link.inode.origin <= self.base.top:
            self.into_base[id(member)] = member, link.inode
        return link

    def led_to(self, path: bytes) -> Node:
        """Return what a path leads to, through symlinks; None if it leads to nothing."""
        found = self.resolved(path)
        return None if found is None else self.find(found)

    def resolved(self, path: bytes) -> bytes | None:
        """Return a path without symlinks; None: it leads into a loop of them."""
        try:
            return self._resolve(path, _NOWHERE)
        except MalformedTar:
            return None


_NOWHERE = Member(b"", b"", SYMLINK, b"", 0, 0, 0, 0, 0)
"""The entry that a message of `Tree` would name."""


class Both:
    """An image's own layers over its base, and over another one."""

    def __init__(
        self,
        old: Sequence[LayerTar],
        new: Sequence[LayerTar],
        own: Sequence[LayerTar],
        shared: int,
        diff_ids: Sequence[Digest],
    ) -> None:
        """Lay them over each other.

        Args:
            old: the layers of the base.
            new: those of the other base, without those that both begin with.
            own: those of the image above its base.
            shared: how many layers both bases begin with.
            diff_ids: of all these, in this order.

        Raises:
            MalformedTar: a layer is damaged, or a hard link of the image leads nowhere.
        """
        self.tars, self._diff_ids = (*old, *new, *own), diff_ids
        self.first_own = len(old) + len(new)
        self._number = len(old) + 1
        changes = [read_changeset(tar, position) for position, tar in enumerate(self.tars)]
        self.own_changes = changes[self.first_own :]
        below, above = changes[: len(old)], changes[len(old) : self.first_own]
        self.old = _laid(Overlaid(_laid(Tree(), below)), self.own_changes)
        self.new = _laid(Overlaid(_laid(Tree(), [*below[:shared], *above])), self.own_changes)
        for member, _ in self.old.broken.values():
            raise MalformedTar(f"hard link {member.path!r} leads to no file", member.start)

    def is_own(self, member: Member) -> bool:
        """Whether an entry is of one of the image's own layers."""
        return member.origin >= self.first_own

    def layer(self, member: Member) -> int:
        """Return the number of an own entry's layer in the image, from 1."""
        return self.numbered(member.origin - self.first_own)

    def numbered(self, own: int) -> int:
        """Return the number in the image of one of the own layers, which are counted from 0."""
        return self._number + own

    def header(self, member: Member) -> Header:
        """Read an entry's attributes."""
        return read_header(self.tars[member.origin], member)

    def text(self, node: Node) -> str:
        """Return what a small file says; empty where there is none, or it is large."""
        if node is None or isinstance(node, Folder):
            return ""
        member = inode_of(node)
        if member.type != REGULAR or member.size > _LARGEST_TEXT:
            return ""
        content = b"".join(iter_content(self.tars[member.origin], member))
        return content.decode("utf-8", "replace")

    def difference(self, one: Node, other: Node) -> Difference:
        """Return in what two things differ most.

        Files of the same size are read where they are at hand; else those whose times differ, too,
        are ``time``, and those of the same time are taken for the same.
        """
        if type_of(one) != type_of(other):
            return "type"
        a, b = self._entry(one), self._entry(other)
        if a is b or (a and b and self._is_same(a, b)):
            return ""
        x, y = self._attributes(a), self._attributes(b)
        if not isinstance(one, Folder) and (
            _body(x) != _body(y) or (a and b and not self._may_be_same(a, b))
        ):
            return "content"
        if _owner(x) != _owner(y):
            return "attributes"
        return "time" if x.mtime != y.mtime and not isinstance(one, Folder) else ""

    def shown(self, node: Node) -> str:
        """Return owner and mode of something, for people."""
        header = self._attributes(self._entry(node))
        return f"{header.uid}:{header.gid} {header.mode & 0o7777:04o}"

    def added(self, old: Node, new: Node) -> Iterator[bytes]:
        """Yield paths in a directory that only the new one has, topmost alone."""
        for path, was, _ in _walk(old, new):
            if was is None:
                yield path

    def changed(self, old: Node, new: Node) -> Iterator[bytes]:
        """Yield paths of files in a directory that both have, and that differ in more than time."""
        for path, was, now in _walk(old, new):
            if was is not None and self.difference(was, now) not in {"", "time"}:
                yield path

    def _entry(self, node: Node) -> Member | None:
        if isinstance(node, Folder):
            return node.member or (node.lower.member if node.lower else None)
        return None if node is None else inode_of(node)

    def _attributes(self, member: Member | None) -> Header:
        return self.header(member) if member else Header(name=b"", type=b"5", mode=0o755)

    def _may_be_same(self, one: Member, other: Member) -> bool:
        """Whether two files of one size have the same content; True if it is far away."""
        if one.type != REGULAR or any(
            isinstance(self.tars[member.origin], TarHeaders) for member in (one, other)
        ):
            return True
        return self._digest(one) == self._digest(other)

    def _digest(self, member: Member) -> Digest:
        hashed = Digest.new_hash()
        for chunk in iter_content(self.tars[member.origin], member):
            hashed.update(chunk)
        return Digest.of_hash(hashed)

    def _is_same(self, one: Member, other: Member) -> bool:
        """Whether two entries are the very same one of two equal layers."""
        same = self._diff_ids[one.origin] == self._diff_ids[other.origin]
        return same and one.start == other.start


def _laid(tree: _T, changes: Sequence[Changeset]) -> _T:
    for changeset in changes:
        tree.apply(changeset)
    return tree


def _body(header: Header) -> tuple[object, ...]:
    return header.size, header.link, header.devmajor, header.devminor


def _owner(header: Header) -> tuple[object, ...]:
    mode = 0 if header.type == SYMLINK else header.mode & 0o7777
    return mode, header.uid, header.gid, header.xattrs


def _walk(old: Node, new: Node) -> Iterator[tuple[bytes, Node, Node]]:
    """Yield what is in a new directory, with what was there; of what is new its top alone."""
    todo = [(b"", old, new)]
    while todo:
        prefix, was, now = todo.pop()
        if not isinstance(now, Folder) or was is now:
            continue
        for name, node in now.kids.items():
            if node is None:
                continue
            before = child_of(was, name)
            yield prefix + name, before, node
            if before is not None:
                todo.append((prefix + name + b"/", before, node))
