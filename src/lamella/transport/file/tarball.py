"""Archives of images: files in a tar, found by name and read in place; and how to write one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import PurePosixPath
from typing import BinaryIO

from lamella import limits
from lamella.errors import MalformedImage, MalformedTar
from lamella.files import pwrite_all, write_all
from lamella.layer.blob import CHUNK, FileRange
from lamella.layer.compression import detect, open_plain
from lamella.layer.protocols import LayerTar, Readable
from lamella.layer.spool import Spool
from lamella.spec.codec import Codec
from lamella.spec.json import check_size
from lamella.tar.entry import HARD_LINK, REGULAR, SPARSE, SYMLINK, Header, Member, clean
from lamella.tar.header import BLOCK, checksum_holds, padding
from lamella.tar.rare import gather
from lamella.tar.reader import iter_content, read_header
from lamella.tar.scan import scan
from lamella.tar.writer import END_OF_ARCHIVE, format_header, format_plain_block
from lamella.transport.file.atomic import writing
from lamella.transport.file.strange import (
    AGAIN,
    layer_number,
    read_head,
    what_is,
    why_no_image,
    with_head,
)

__all__ = ["Archive", "ArchiveWriter", "open_archive"]

_LINKS_FOLLOWED = 40
_KERNEL_STEP = 16 << 20


class Archive:
    """The files of a tar, by name. Links among them are followed (`docker save` makes some)."""

    def __init__(self, source: FileRange, where: str, spool: Spool) -> None:
        self.where = where
        self._source, self._spool = source, spool
        self._unpacked: dict[bytes, FileRange] = {}
        found: list[Member] = []
        try:
            scan(source, found=found)
        except MalformedTar as error:
            raise (self._cut_off(found, error) if error.is_cut else error).at(where) from error
        self._members = {m.path: m for m in found}
        self._end = found[-1].end if found else 0

    def _cut_off(self, found: Sequence[Member], error: MalformedTar) -> MalformedTar:
        """Return the error for an archive whose end is missing: it says where it ends."""
        place = f" after {os.fsdecode(found[-1].path)}" if found else ""
        with suppress(MalformedTar):
            begun = gather(self._source.read_at, found[-1].end if found else 0)
            name = os.fsdecode(begun.full_name(None))
            place = f" in {self._layer_name(found, name)}"
        return MalformedTar(f"the archive is cut off{place} ({error.what}); {AGAIN}", is_cut=True)

    def _layer_name(self, found: Sequence[Member], name: str) -> str:
        """Return what a message calls a file: a layer, too, if the manifest came before it."""
        listed = next((m for m in found if m.path == b"manifest.json"), None)
        if listed is None or listed.size > limits.DOCUMENT:
            return name
        number = layer_number(self._source.read_at(listed.data, listed.size), name)
        return f"layer {number} ({name})" if number else name

    def check_image(self, marks: Sequence[str]) -> None:
        """See to it that it has one of the files that every image archive has.

        Raises:
            MalformedImage: it has none.
        """
        if any(mark in self for mark in marks):
            return
        if not self._source.read_at(self._end, BLOCK):
            *_, last = self._members
            message = f"the archive is cut off after {os.fsdecode(last)}; {AGAIN}"
            raise MalformedImage(self.where, message)
        got = why_no_image(self._members)
        raise MalformedImage(
            self.where, f"expected manifest.json or index.json at its top, got {got}"
        )

    def __contains__(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self._find(name) is not None

    def _find(self, name: str) -> Member | None:
        path = clean(os.fsencode(name))
        for _ in range(_LINKS_FOLLOWED):
            member = self._members.get(path)
            if member is None or member.type not in {SYMLINK, HARD_LINK}:
                return member if member is not None and member.type == REGULAR else None
            folder = path.rpartition(b"/")[0] if member.type == SYMLINK else b""
            path = clean(folder + b"/" + member.link)
        return None

    def range(self, name: str) -> FileRange:
        """Return a file's bytes, in place; a sparse file is unpacked into the spool, once.

        Raises:
            MalformedImage: there is no such file.
            MalformedTar: its sparse map makes no sense.
            OutputError: there is no room for a sparse file.
        """
        member = self._member(name)
        if not member.flags & SPARSE:
            return self._source.part(member.data, member.size)
        if member.path not in self._unpacked:
            self._unpacked[member.path] = self._unpack(member)
        return self._unpacked[member.path]

    def _member(self, name: str) -> Member:
        member = self._find(name)
        if member is None:
            raise MalformedImage(self.where, f"{name!r} is not in the archive")
        return member

    def _unpack(self, member: Member) -> FileRange:
        self._spool.check_room(self._size(member))
        file = self._spool.file()
        try:
            for chunk in iter_content(self._source, member):
                self._spool.write(file, chunk)
        except MalformedTar as error:
            raise error.at(self.where) from error
        return FileRange.whole(file)

    def _size(self, member: Member) -> int:
        """Bytes of a file, holes included."""
        if not member.flags & SPARSE:
            return member.size
        try:
            return read_header(self._source, member).size
        except MalformedTar as error:
            raise error.at(self.where) from error

    def read(self, name: str) -> bytes:
        """Return a small file's content.

        Raises:
            MalformedImage: there is no such file, or it is far too big for metadata.
        """
        check_size(self._size(self._member(name)), f"{self.where}: {name!r}")
        found = self.range(name)
        return found.read_at(0, found.size)


def open_archive(file: BinaryIO, where: str, spool: Spool, *, seekable: bool) -> Archive:
    """Open an archive; one that is compressed, or comes through a pipe, goes to the spool first.

    Raises:
        MalformedImage: it is no tar.
        OutputError: the spool is full.
    """
    source = FileRange.whole(file) if seekable else None
    # A stream would read far more ahead than this block.
    head = read_head(file, BLOCK) if source is None else source.read_at(0, BLOCK)
    kind = detect(head[:6])
    if kind != Codec.NONE:
        stream = with_head(head, file) if source is None else source.open()
        with stream, closing(open_plain(stream, kind, where)) as plain:
            source = _unpacked(plain, kind, where, spool)
    else:
        _check_head(head, "", where)
        if source is None:
            source, _ = spool.keep(with_head(head, file))
    return Archive(source, where, spool)


def _unpacked(plain: Readable, kind: Codec, where: str, spool: Spool) -> FileRange:
    with _saying_what_to_do():
        head = read_head(plain, BLOCK)
    _check_head(head, f"{kind} of ", where)
    with _saying_what_to_do():
        return spool.keep(with_head(head, plain))[0]


@contextmanager
def _saying_what_to_do() -> Iterator[None]:
    try:
        yield
    except MalformedImage as error:
        raise MalformedImage(error.where, f"{error.what}; {AGAIN}") from error


def _check_head(head: bytes, packed: str, where: str) -> None:
    """Refuse what is no tar by its first block: of a device or a pipe there may be no end."""
    if len(head) < BLOCK or not checksum_holds(head):
        message = f"expected an image archive (a tar, as docker save writes it), got {packed}"
        raise MalformedImage(where, message + what_is(head))


class ArchiveWriter:
    """Writes files into a tar, front to back. Always the same bytes for the same files."""

    def __init__(self, out: BinaryIO, where: str) -> None:
        self._out, self._where, self._left = out, where, 0
        self._folders: set[str] = set()
        self._reserved = 0

    def begin(self, name: str, size: int) -> None:
        """Start a file; exactly `size` bytes of content must follow by `write` or `copy`."""
        path = os.fsencode(name)
        self._add_folders(PurePosixPath(name))
        self._raw(format_header(Header(name=path, type=REGULAR, size=size)))
        self._left = size

    def reserve(self, folder: str) -> None:
        """Start a file of a folder whose name and size are not known yet; `settle` ends it."""
        self._add_folders(PurePosixPath(folder) / "-")
        self._reserved = self._out.tell()
        self._raw(bytes(BLOCK))
        self._left = 0

    def settle(self, name: str) -> None:
        """End a reserved file and write its header, which needs an output that can seek."""
        size = -self._left
        header = format_plain_block(os.fsencode(name), size)
        with writing(self._where):
            pwrite_all(self._out.fileno(), header, self._reserved)
        self._left = 0
        self.end(size)

    def _add_folders(self, path: PurePosixPath) -> None:
        for folder in reversed(path.parents[:-1]):
            if str(folder) not in self._folders:
                self._folders.add(str(folder))
                name = os.fsencode(f"{folder}/")
                self._raw(format_header(Header(name=name, type=b"5", mode=0o755)))

    def write(self, chunk: bytes | memoryview) -> None:
        """Append content."""
        self._left -= len(chunk)
        self._raw(chunk)

    def copy(self, source: LayerTar, advance: Callable[[int], None] = lambda _: None) -> None:
        """Append all of another source, inside the kernel where that works.

        Args:
            source: is appended.
            advance: is told how many bytes more were.
        """
        at = _copy_in_kernel(source, self._out, advance) if isinstance(source, FileRange) else 0
        self._left -= at
        buffer = memoryview(bytearray(CHUNK))
        while got := source.read_into(buffer, at):
            self.write(buffer[:got])
            advance(got)
            at += got

    def end(self, size: int) -> None:
        """Finish a file of `size` bytes."""
        if self._left:
            message = f"{self._where}: {self._left} bytes of {size} were not written"
            raise MalformedImage(self._where, message)
        self._raw(bytes(padding(size)))

    def add(self, name: str, content: bytes) -> None:
        """Write a small file."""
        self.begin(name, len(content))
        self.write(content)
        self.end(len(content))

    def close(self) -> None:
        """Write the end of the archive."""
        self._raw(END_OF_ARCHIVE)

    def _raw(self, data: bytes | memoryview) -> None:
        with writing(self._where):
            write_all(self._out, data)


def _copy_in_kernel(source: FileRange, out: BinaryIO, advance: Callable[[int], None]) -> int:
    """Copy as much as the kernel does between two files; return how much that was."""
    done = 0
    if not hasattr(os, "copy_file_range"):
        return done
    try:
        while done < source.size:
            step = min(source.size - done, _KERNEL_STEP)
            got = os.copy_file_range(source.file.fileno(), out.fileno(), step, source.offset + done)
            if not got:
                break
            advance(got)
            done += got
    except OSError:
        pass  # other file systems, a pipe: the ordinary way says what is wrong, if anything is
    return done
