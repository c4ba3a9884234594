"""What files of an image say and have, for one who walks through it: attributes, content, a tar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from lamella.analysis.browse import DELETED, Contents, Row, Said, View
from lamella.layer.partial.headers import TarHeaders
from lamella.layer.protocols import LayerTar
from lamella.tar.entry import DIRECTORY, HARD_LINK, REGULAR, Header, Member, join
from lamella.tar.header import padding
from lamella.tar.reader import iter_content, read_header
from lamella.tar.writer import END_OF_ARCHIVE, format_header

__all__ = ["FileReader"]

_COMPARED = 4 << 20
"""Bytes of a file that are compared at most while the user waits."""


class FileReader:
    """Reads what layers have; from any thread."""

    def __init__(self, contents: Contents, tars: Sequence[LayerTar]) -> None:
        """Take over the entries of an image, and the tars of its layers."""
        self._inodes, self._tars = contents.inodes, tars

    def file(self, member: Member) -> Member:
        """Return the file that an entry stands for, which may be a hard link."""
        return self._inodes.get(id(member), member)

    def header(self, member: Member) -> Header:
        """Return all attributes of the file that an entry stands for.

        Raises:
            ImageError: it can't be read.
        """
        file = self.file(member)
        return read_header(self._tars[file.origin], file)

    def content(self, member: Member) -> Iterator[bytes]:
        """Yield the content of the file that an entry stands for.

        Raises:
            ImageError: it can't be read.
        """
        file = self.file(member)
        return iter_content(self._tars[file.origin], file)

    def has_same_content(self, said: Said) -> bool | None:
        """Whether a layer left a file's content as it was.

        None: that was not looked at, for the file is too large, or its layer far away.

        Raises:
            ImageError: one of them can't be read.
        """
        if said.now is None or said.before is None:
            return False
        now, before = self.file(said.now), self.file(said.before)
        if now is before:
            return True
        sizes = {self.header(now).size, self.header(before).size}
        if now.type != REGULAR or before.type != REGULAR or len(sizes) > 1:
            return now.type == before.type and now.type != REGULAR
        far = any(isinstance(self._tars[file.origin], TarHeaders) for file in (now, before))
        if far or sizes.pop() > _COMPARED:  # no layer is fetched for it
            return None
        pairs = zip_longest(self.content(now), self.content(before))
        return all(ours == theirs for ours, theirs in pairs)

    def tar(self, view: View, folder: bytes, row: Row) -> Iterator[bytes]:
        """Yield a directory as it is after a layer, as a tar with names from its own on.

        Raises:
            ImageError: something in it can't be read.
        """
        leaders: dict[int, bytes] = {}
        stack = [(folder, b"", row)]
        while stack:
            above, prefix, one = stack.pop()
            if one.change == DELETED:
                continue
            name = join(prefix, one.name)
            yield from self._entry(view, above, name, one, leaders)
            if one.directory:
                path = one.path(above)
                stack += [(path, name, kid) for kid in reversed(view.rows(path))]
        yield END_OF_ARCHIVE

    def _entry(
        self, view: View, above: bytes, name: bytes, row: Row, leaders: dict[int, bytes]
    ) -> Iterator[bytes]:
        member = view.said(above, row).now
        if member is None:
            yield format_header(Header(name + b"/", DIRECTORY, 0o755))
            return
        header = self.header(member)
        file = self.file(member)
        leader = leaders.setdefault(id(file), name)
        if leader != name:
            link = header._replace(name=name, type=HARD_LINK, link=leader, size=0, parts=None)
            yield format_header(link)
            return
        # As a container reads it: holes are zeros.
        written = header._replace(name=name + b"/" if row.directory else name, parts=None)
        yield format_header(written)
        if header.type == REGULAR:
            yield from self.content(member)
            yield bytes(padding(header.size))
