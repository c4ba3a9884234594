"""How many bytes a merged layer has for an entry, as `merge.entries` says it."""

from __future__ import annotations

from lamella.analysis.lifetimes import Laid
from lamella.merge.entries import Entries
from lamella.tar.entry import REWRITE, Member, join

__all__ = ["EntrySizes"]


class EntrySizes:
    """The sizes of entries of an image's layers, in bytes, in any merged layer that has them."""

    def __init__(self, laid: Laid) -> None:
        self._moved = laid.moved
        self._entries = Entries({n: layer.source for n, layer in enumerate(laid.changesets)})

    def path(self, member: Member) -> bytes:
        """Return where an entry is once all symlinks are followed."""
        return join(self._moved.get(id(member), member.folder), member.name)

    def entry(self, member: Member) -> int:
        """An entry that is no hard link, under its own name.

        Raises:
            MalformedTar: its header is damaged.
        """
        if member.flags & REWRITE or id(member) in self._moved:
            return self._entries.anew(member, self.path(member)).size
        return member.head + (member.size + 511 & ~511)

    def names(self, inode: Member, names: list[Member]) -> int:
        """A file under all the names that it has left, oldest first.

        Args:
            inode: the file; it need not be among the names.
            names: entries that gave it a name.

        Raises:
            MalformedTar: a header is damaged.
        """
        first, *links = names
        leader = self.path(first)
        size = self.entry(inode) if first is inode else self._entries.anew(inode, leader).size
        return size + sum(self._link(inode, leader, link) for link in links)

    @staticmethod
    def made_up(path: bytes) -> int:
        """A directory that no layer has an entry for."""
        return Entries.made_up(path).size

    def _link(self, inode: Member, leader: bytes, link: Member) -> int:
        entries = self._entries
        if id(link) not in self._moved and entries.is_sound_link(link, leader, inode):
            return link.span
        return entries.link(entries.header(inode), leader, self.path(link)).size
