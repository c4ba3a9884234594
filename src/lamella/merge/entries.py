"""What an entry becomes in a merged layer: its own bytes, or a new header.

The plan copies and writes what is said here, and the analysis adds up its sizes: so both always
agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lamella.errors import MalformedTar
from lamella.merge.edits import NO_EDITS, Edits
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
from lamella.tar.header import BLOCK, padding, parse_number
from lamella.tar.reader import read_attributes, read_header, stored_content
from lamella.tar.writer import format_header, with_time

__all__ = ["Anew", "Entries"]


_NANO = 10**9


class Anew(NamedTuple):
    """An entry with a new header: that header, and which content follows."""

    header: bytes
    """Whole blocks."""
    offset: int = 0
    """Of the content in the layer's tar."""
    length: int = 0
    """Bytes of the content, which is padded to whole blocks."""

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
        self._seconds = None if edits.latest is None else edits.latest // _NANO
        self._is_copy = edits.change is None and edits.latest is None

    def header(self, member: Member) -> Header:
        """Return an entry's header in full, as it is to be.

        Raises:
            MalformedTar: it is damaged.
        """
        header = self._read(member)
        return header if self._is_copy else self._edits.edited(header)

    def is_changed(self, member: Member) -> bool:
        """Whether an entry can't be copied because it is to be another one.

        Raises:
            MalformedTar: its header is damaged.
        """
        if self._is_copy or self._is_early(member):
            return False
        header = self._read(member)
        return self._edits.edited(header) != header

    def _is_early(self, member: Member) -> bool:
        """Whether nothing but a time may change, and this one is early enough at a glance."""
        if self._seconds is None or self._edits.change is not None or member.head != BLOCK:
            return False
        field = self._sources[member.origin].read_at(member.start + 136, 12)
        try:
            return parse_number(field) <= self._seconds
        except ValueError:  # reading the header in full reports it
            return False

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
        written = self._retimed(member, path)
        if written is None:
            name = path + b"/" if member.type == DIRECTORY else path
            written = format_header(header._replace(name=name or b"./"))
        return (
            Anew(written, *stored_content(member, header))
            if member.type == REGULAR
            else Anew(written)
        )

    def _retimed(self, member: Member, path: bytes) -> bytes | None:
        """Return a header of which nothing but the time is another; None: it can't be said so."""
        plain = member.head == BLOCK and member.path == path and not member.flags & REWRITE
        if self._seconds is None or self._edits.change is not None or not plain:
            return None
        if self._is_early(member):
            return None
        return with_time(self._sources[member.origin].read_at(member.start, BLOCK), self._seconds)

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
