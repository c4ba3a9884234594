"""What there is to say of, and to do with, the file that the cursor is on."""

from __future__ import annotations

import os
from typing import NamedTuple

from lamella.analysis.browse import Row, Said, View
from lamella.analysis.contents import FileReader
from lamella.cli.explore.saving import SaveScreen
from lamella.cli.explore.texts import shown
from lamella.cli.explore.viewer import ViewScreen
from lamella.cli.explore.windows import TextScreen
from lamella.errors import LamellaError
from lamella.inside.file import File, said_by
from lamella.report.details import changes_text, file_lines, summary_line
from lamella.report.files import shown_path
from lamella.report.text import human_size, printable
from lamella.tar.entry import REGULAR, Member

__all__ = ["AtHand"]


class AtHand(NamedTuple):
    """A row, where it is, and what can be read of it."""

    reader: FileReader
    view: View
    folder: bytes
    row: Row
    image: bool
    """It is one of the image: nothing in it is a change."""

    @property
    def path(self) -> bytes:
        """Its path."""
        return self.row.path(self.folder)

    @property
    def shown_path(self) -> str:
        """Its path from the root on, as text that does nothing to a terminal."""
        return "/" + shown_path(os.fsdecode(self.path))

    def _said(self) -> Said:
        return self.view.said(self.folder, self.row)

    def _file(self, member: Member | None) -> File | None:
        if member is None:
            return None
        header = self.reader.header(member)
        return said_by(self.path, header, member.origin)

    def lines(self) -> list[str]:
        """Return what is told of it beside the tree: path, attributes, what changed."""
        try:
            said = self._said()
            now, before = self._file(said.now), self._file(said.before)
            file = now or before
            if file is None:
                return [self.shown_path, "no layer has an entry for this directory"]
            target = f" → {shown_path(file.target)}" if file.target else ""
            shown_anyway = None if self.image else self.view.position
            summary = summary_line(file, own_layer=shown_anyway)
            lines = [f"{self.shown_path}{target}", summary]
            if said.before is not None or (not self.image and said.now and self._is_new(said.now)):
                same = self.reader.has_same_content(said)
                lines.append(changes_text(now, before, same=same))
            if file.xattrs:
                lines.append(f"xattrs: {', '.join(map(shown_path, file.xattrs))}")
        except LamellaError as error:
            return [self.shown_path, printable(str(error))]
        return lines

    def _is_new(self, member: Member) -> bool:
        return member.origin == self.view.position

    def details(self) -> TextScreen:
        """Return the window with all there is to say of it."""
        said = self._said()
        same = self.reader.has_same_content(said)
        image = self.image or (said.before is None and not (said.now and self._is_new(said.now)))
        files = self._file(said.now), self._file(said.before)
        lines = file_lines(os.fsdecode(self.path), *files, same=same, image=image)
        return TextScreen("Details", lines)

    def viewer(self) -> ViewScreen | str:
        """Return the window that shows its content; or why there is none."""
        member = self._content()
        if member is None:
            return f"{shown(self.row.name)} is not a file: it has no content to view"
        size = self.reader.header(member).size
        return ViewScreen(self.shown_path, size, self.reader.content(member))

    def saver(self) -> SaveScreen | str:
        """Return the window that saves it; or why that can't be."""
        name = shown(self.row.name)
        if self.row.directory and self._said().now is None and not self.row.size:
            return f"{name} is deleted in this layer: save it from a lower layer"
        if self.row.directory:
            what = f"{self.shown_path}/ with its content, as a tar, {human_size(self.row.size)}"
            chunks = self.reader.tar(self.view, self.folder, self.row)
            return SaveScreen(what, f"{name}.tar", chunks)
        member = self._content()
        if member is None:
            return f"{name} is not a file: it has no content to save"
        size = self.reader.header(member).size
        what = f"{self.shown_path}, {human_size(size)}"
        return SaveScreen(what, name, self.reader.content(member))

    def _content(self) -> Member | None:
        """Return the entry that has its content: that of before, if the layer deletes it."""
        said = self._said()
        member = said.now or said.before
        if member is None or self.reader.file(member).type != REGULAR:
            return None
        return member
