"""How many bytes a merged layer has for an entry: as `merge.plan` writes it."""

from __future__ import annotations

from lamella.analysis.lifetimes import Laid
from lamella.errors import MalformedTar
from lamella.tar.entry import DIRECTORY, HARD_LINK, REGULAR, REWRITE, Header, Member, clean, join
from lamella.tar.header import padding
from lamella.tar.reader import read_attributes, read_header
from lamella.tar.writer import format_header

__all__ = ["Written"]


class Written:
    """The sizes of entries of an image's layers, in bytes, in any merged layer that has them."""

    def __init__(self, laid: Laid) -> None:
        self._moved = laid.moved
        self._sources = [changeset.source for changeset in laid.changesets]

    def path(self, member: Member) -> bytes:
        """Return where an entry is once all symlinks are followed."""
        return join(self._moved.get(id(member), member.folder), member.name)

    def entry(self, member: Member) -> int:
        """An entry that is no hard link, under its own name.

        Raises:
            MalformedTar: its header is damaged.
        """
        if member.flags & REWRITE or id(member) in self._moved:
            return self._anew(member, self.path(member))
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
        size = self.entry(inode) if first is inode else self._anew(inode, leader)
        return size + sum(self._link(inode, leader, link) for link in links)

    @staticmethod
    def made_up(path: bytes) -> int:
        """A directory that no layer has an entry for."""
        return len(format_header(Header(name=path + b"/", type=DIRECTORY)))

    def _anew(self, member: Member, path: bytes) -> int:
        header = self._header(member)
        name = path + b"/" if member.type == DIRECTORY else path
        size = len(format_header(header._replace(name=name or b"./")))
        return size + header.stored + padding(header.stored) if member.type == REGULAR else size

    def _link(self, inode: Member, leader: bytes, link: Member) -> int:
        as_it_is = (
            id(link) not in self._moved
            and not link.flags & REWRITE
            and link.link[:1] != b"/"
            and clean(link.link) == leader
            and self._attributes(link) == self._attributes(inode)
        )
        if as_it_is:
            return link.span
        header = self._header(inode)._replace(name=self.path(link), type=HARD_LINK, link=leader)
        return len(format_header(header._replace(size=0, parts=None)))

    def _attributes(self, member: Member) -> tuple[object, ...]:
        try:
            return read_attributes(self._sources[member.origin], member)
        except MalformedTar as error:
            raise error.at(f"layer {member.origin + 1}") from error

    def _header(self, member: Member) -> Header:
        try:
            return read_header(self._sources[member.origin], member)
        except MalformedTar as error:
            raise error.at(f"layer {member.origin + 1}") from error
