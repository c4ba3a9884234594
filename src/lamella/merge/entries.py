"""What an entry becomes in a merged layer: its own bytes, or a new header.

The plan copies and writes what is said here, and the analysis adds up its sizes: so both always
agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lamella.errors import MalformedTar
from lamella.merge.edits import NO_EDITS, Edits
from lamella.tar.blocks import HeaderBlocks
from lamella.tar.entry import (
    DIRECTORY,
    HARD_LINK,
    REGULAR,
    REWRITE,
    Header,
    Member,
    ReadAt,
    clean,
)
from lamella.tar.header import BLOCK, padding
from lamella.tar.reader import read_attributes, read_header, stored_content
from lamella.tar.time_limit import TimeLimit
from lamella.tar.writer import format_header

__all__ = ["Anew", "Entries"]


_NANO = 10**9


class Anew(NamedTuple):
    """An entry with a new header: that header, and which content follows."""

    header: bytes
    """Whole blocks."""
    offset: int = 0
    """Of the content in the layer's tar."""
    length: int = 0
    """Bytes of the content, perhaps with its padding: what is missing to whole blocks is added."""

    @property
    def padding(self) -> int:
        """Zero bytes behind the content."""
        return padding(self.length)

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return len(self.header) + self.length + self.padding


class Entries:
    """Entries of layers, as a merged layer has them."""

    def __init__(self, sources: Mapping[int, ReadAt], edits: Edits = NO_EDITS) -> None:
        """Take over what reads the layers, by position, and how entries are changed."""
        self._sources, self._edits = sources, edits
        self._is_copy = edits.change is None and edits.latest is None
        only_time = edits.latest is not None and edits.change is None
        self.limit = TimeLimit((edits.latest or 0) // _NANO) if only_time else None
        """The limit of times, if nothing else is changed."""
        self._blocks: dict[int, HeaderBlocks] = {}

    def header(self, member: Member) -> Header:
        """Return an entry's header in full, as it is to be.

        Raises:
            MalformedTar: it is damaged.
        """
        header = self._read(member)
        return header if self._is_copy else self._edits.edited(header)

    def is_limited_in_place(self, member: Member) -> bool:
        """Whether no more than the time may change, in a header that stays as it is."""
        return self.limit is not None and member.head == BLOCK and not member.flags

    def is_changed(self, member: Member) -> bool:
        """Whether an entry can't be copied because it is to be another one.

        Raises:
            MalformedTar: its header is damaged.
        """
        if self._is_copy:
            return False
        if self.limit is not None and self.is_limited_in_place(member):
            return self.limit.is_late(self._block(member))
        header = self._read(member)
        return self._edits.edited(header) != header

    def _block(self, member: Member) -> bytes:
        """Return the header block of a member that has no other."""
        blocks = self._blocks.get(member.origin)
        if blocks is None:
            blocks = HeaderBlocks(self._sources[member.origin])
            self._blocks[member.origin] = blocks
        return blocks.at(member.start)

    def _read(self, member: Member) -> Header:
        try:
            return read_header(self._sources[member.origin], member)
        except MalformedTar as error:
            raise _naming_layer(error, member) from error

    def anew(self, member: Member, path: bytes) -> Anew:
        """Say an entry, which is no hard link, under a path.

        Raises:
            MalformedTar: its header is damaged.
        """
        header = self.header(member)
        name = path + b"/" if member.type == DIRECTORY else path
        written = format_header(header._replace(name=name or b"./"))
        return (
            Anew(written, *stored_content(member, header))
            if member.type == REGULAR
            else Anew(written)
        )

    def is_sound_link(self, member: Member, leader: bytes, inode: Member) -> bool:
        """Whether a hard link that has its own path may be copied as it is.

        Args:
            member: the link.
            leader: the path under which its file is written.
            inode: the file; the link must repeat its attributes, or Docker loses them
                (capabilities, for one).

        Raises:
            MalformedTar: a header is damaged.
        """
        return (
            not member.flags & REWRITE
            and not self.is_changed(inode)
            and _leads_to(member.link, leader)
            and self._attributes(member) == self._attributes(inode)
        )

    @staticmethod
    def link(inode: Header, leader: bytes, path: bytes) -> Anew:
        """Say another name of a file.

        Args:
            inode: the file's header.
            leader: the path under which it is written.
            path: the other name.
        """
        header = inode._replace(name=path, type=HARD_LINK, link=leader, size=0, parts=None)
        return Anew(format_header(header))

    @staticmethod
    def made_up(path: bytes) -> Anew:
        """Say a directory that no layer has an entry for: as engines make it, with a fixed time."""
        return Anew(format_header(Header(name=path + b"/", type=DIRECTORY, mode=0o755)))

    def _attributes(self, member: Member) -> tuple[object, ...]:
        try:
            return read_attributes(self._sources[member.origin], member)
        except MalformedTar as error:
            raise _naming_layer(error, member) from error


def _naming_layer(error: MalformedTar, member: Member) -> MalformedTar:
    """Return an error in a member's headers as one that says which layer it is from."""
    return error.at(f"layer {member.origin + 1}")


def _leads_to(link: bytes, path: bytes) -> bool:
    """Whether a hard link's target, as written, is a path for all engines: one without a root."""
    return link == path or (link[:1] != b"/" and clean(link) == path)
