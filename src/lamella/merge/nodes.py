"""What a name stands for in a `Tree`.

- a `Folder`;
- a `Member`: the inode itself, under its first name. Inodes are told apart by identity;
- a `Link`: one more name of an inode;
- `None`: deleted from what lies below (only in a difference).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from lamella.tar.entry import SYMLINK, Member

__all__ = ["Folder", "Link", "Loss", "Node", "child_of", "newest_origin", "symlink_of"]


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


def child_of(node: Node, name: bytes) -> Node:
    """What a name in a directory stands for, here or below."""
    if not isinstance(node, Folder):
        return None
    if name in node.kids:
        return node.kids[name]
    return node.lower.kids.get(name) if node.lower else None


def newest_origin(node: Node) -> int:
    """Return the position of the newest layer with an entry for something, or for what is in it.

    0 if there is none.
    """
    newest, todo = 0, [node]
    while todo:
        at = todo.pop()
        if isinstance(at, Folder):
            todo += [at.member, *at.kids.values()]
        elif at is not None:
            newest = max(newest, at.member.origin if isinstance(at, Link) else at.origin)
    return newest


def symlink_of(node: Node, origin: int | None) -> bytes | None:
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
