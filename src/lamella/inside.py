"""An image that is open: its layers as streams, its files as a container sees them.

Nothing is read before it is asked for. Layers are checked against their digests as they are read;
of a layer that is only listed nothing but the headers is kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, cast

from lamella.errors import DigestMismatch, NoSuchFile
from lamella.image import Image
from lamella.layer.blob import CHUNK, Layer
from lamella.layer.compression import PlainReader, open_plain
from lamella.layer.hasher import Hasher
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import has_content
from lamella.layer.spool import Spool
from lamella.merge.overlay import Folder, Link
from lamella.rootfs import RootFs, read_rootfs
from lamella.tar.entry import (
    BLOCK_DEVICE,
    CHAR_DEVICE,
    DIRECTORY,
    FIFO,
    REGULAR,
    SYMLINK,
    Header,
    Member,
    join,
)
from lamella.tar.reader import iter_content
from lamella.transport.base import Source

__all__ = ["File", "FileType", "OpenImage", "OpenLayer", "open_inside"]

FileType = Literal["file", "directory", "symlink", "char device", "block device", "fifo"]
_TYPES: Mapping[bytes, FileType] = {
    REGULAR: "file",
    DIRECTORY: "directory",
    SYMLINK: "symlink",
    CHAR_DEVICE: "char device",
    BLOCK_DEVICE: "block device",
    FIFO: "fifo",
}
_MOST_LINKS = 40  # as Linux: path_resolution(7)


@dataclass(frozen=True)
class File:
    """A name in an image's file system, and what it stands for."""

    path: str
    """From the root on, without the first slash. Bytes that are no UTF-8 are as `os.fsdecode` has
    them."""
    type: FileType
    size: int
    """Bytes of a regular file; 0 of all else."""
    mode: int
    """Permission bits, set-user-ID and the like: ``0o4755``."""
    uid: int
    gid: int
    mtime_ns: int
    """Nanoseconds since 1970."""
    target: str
    """Where a symlink leads, as written; empty of all else."""
    layer: int | None
    """Position in ``image.layers`` of the layer that it is from; None: of a directory that no layer
    has an entry for."""
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    """Extended attributes."""
    device: tuple[int, int] | None = None
    """Major and minor number of a device."""


@dataclass(frozen=True, eq=False)
class OpenLayer(Layer):
    """A layer of an image that is open."""

    position: int = 0
    """In ``image.layers``."""
    source: Source | None = field(default=None, repr=False)

    def open(self) -> BinaryIO:
        """Return a stream over the uncompressed tar; at its end it is checked against `diff_id`.

        Raises:
            LamellaError: it can't be had. While it is read: it is damaged, or another one.
        """
        layer: Layer = self
        if not has_content(layer) and self.source is not None:
            layer = self.source.fetch(frozenset({self.position}), frozenset()).layers[self.position]
        kind = layer.compression
        stored = layer.blob.open()
        plain = open_plain(stored, kind, layer.where)
        return cast("BinaryIO", io.BufferedReader(_Checked(plain, stored, layer), CHUNK))


class _Checked(io.RawIOBase):
    """The bytes of a layer, which end in an error if they aren't what its diff_id says."""

    def __init__(self, plain: BinaryIO | PlainReader, stored: BinaryIO, layer: Layer) -> None:
        self._plain, self._stored, self._layer = plain, stored, layer
        self._hasher = Hasher()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._plain.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._hasher.update(chunk)
        if not chunk and (found := self._hasher.digest()) != self._layer.diff_id:
            raise DigestMismatch(self._layer.where, self._layer.diff_id, found)
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._plain.close()
            self._stored.close()
        super().close()


@dataclass(frozen=True, eq=False)
class OpenImage(Image):
    """An image that is open: `layers` can be read, and its files."""

    layers: tuple[OpenLayer, ...] = ()
    _files: _Files = field(kw_only=True, repr=False)

    def files(self) -> Iterator[File]:
        """Yield what a container of this image sees, by path, without the root itself.

        Raises:
            LamellaError: a layer can't be read, or is damaged.
        """
        return self._files.files()

    def stat(self, path: str | bytes, *, follow_symlinks: bool = True) -> File:
        """Return what a path stands for.

        Args:
            path: from the root on, with or without the first slash.
            follow_symlinks: whether a link at its end is followed; others are in any case.

        Raises:
            NoSuchFile: there is nothing.
            LamellaError: a layer can't be read, or is damaged.
        """
        return self._files.stat(os.fsencode(path), follow=follow_symlinks)

    def open(self, path: str | bytes) -> BinaryIO:
        """Return a stream over a regular file's content; symlinks are followed.

        Raises:
            NoSuchFile: there is nothing, or no regular file.
            LamellaError: a layer can't be read, or is damaged.
        """
        return self._files.open(os.fsencode(path))

    def read(self, path: str | bytes) -> bytes:
        """Return a regular file's content; see `open`."""
        with self.open(path) as stream:
            return stream.read()


@contextmanager
def open_inside(source: Source, spool: Spool) -> Iterator[OpenImage]:
    """Open the image of a source.

    Raises:
        LamellaError: there is none, or it is malformed.
    """
    image = source.describe()
    with LayerOpener(spool) as opener:
        layers = (
            OpenLayer(
                layer.diff_id,
                layer.blob,
                layer.where,
                layer.descriptor,
                layer.verified,
                position,
                source,
            )
            for position, layer in enumerate(image.layers)
        )
        yield OpenImage(
            image.name,
            image.config,
            tuple(layers),
            image.manifest,
            image.tags,
            image.history_ids,
            image.platforms,
            _files=_Files(source, opener),
        )


class _Files:
    """The file system of an image; the headers of its layers are read when they are needed."""

    def __init__(self, source: Source, opener: LayerOpener) -> None:
        self._source, self._opener = source, opener
        self._listed: RootFs | None = None

    def files(self) -> Iterator[File]:
        root = self._root()
        for path, node in root.names.items():
            yield _file_of(path, node, root)

    def stat(self, path: bytes, *, follow: bool) -> File:
        root = self._root()
        found = _resolve(path, root, follow=follow)
        return _file_of(found, root.names[found], root) if found else _ROOT

    def open(self, path: bytes) -> BinaryIO:
        root = self._root()
        found = _resolve(path, root, follow=True)
        node = root.names.get(found)
        member = node.inode if isinstance(node, Link) else node
        if not isinstance(member, Member) or member.type != REGULAR:
            raise NoSuchFile(f"{os.fsdecode(path)}: expected a file, got another kind")
        content = iter_content(root.tars[member.origin], member)
        return cast("BinaryIO", io.BufferedReader(_Chunks(content), CHUNK))

    def _root(self) -> RootFs:
        if self._listed is None:
            count = len(self._source.describe().layers)
            # Of what is far away the headers; a layer of which more is wanted is fetched then.
            image = self._source.fetch(frozenset(), frozenset(range(count)))
            self._listed = self._read(image)
        return self._listed

    def _read(self, image: Image) -> RootFs:
        opener = self._opener
        with opener.explaining():
            root = read_rootfs(opener.open_headers(image.layers))
        opener.verify()
        return root


class _Chunks(io.RawIOBase):
    """A stream over chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._left:
            self._left = memoryview(next(self._chunks, b""))
        part = self._left[: len(buffer)]
        buffer[: len(part)] = part
        self._left = self._left[len(part) :]
        return len(part)


_IMPLIED = Header(name=b"", type=DIRECTORY, mode=0o755)
"""Of a directory that no layer has an entry for: as engines make it."""


def _file_of(path: bytes, node: Folder | Member | Link, root: RootFs) -> File:
    member = node.member if isinstance(node, Folder) else node
    inode = member.inode if isinstance(member, Link) else member
    header = _IMPLIED if inode is None else root.header(inode)
    is_device = header.type in {CHAR_DEVICE, BLOCK_DEVICE}
    return File(
        path=os.fsdecode(path),
        type=_TYPES[header.type],
        size=header.size if header.type == REGULAR else 0,
        mode=header.mode & 0o7777,
        uid=header.uid,
        gid=header.gid,
        mtime_ns=header.mtime,
        target=os.fsdecode(header.link) if header.type == SYMLINK else "",
        layer=None if inode is None else inode.origin,
        xattrs={os.fsdecode(name): value for name, value in header.xattrs.items()},
        device=(header.devmajor, header.devminor) if is_device else None,
    )


_ROOT = File("", "directory", 0, 0o755, 0, 0, 0, "", None)
"""The root, whose attributes engines set as they like."""


def _resolve(path: bytes, root: RootFs, *, follow: bool) -> bytes:
    """Return where a path leads, from the root on; empty: to the root.

    Raises:
        NoSuchFile: nowhere.
    """
    left = [part for part in reversed(path.split(b"/")) if part not in {b"", b"."}]
    at, links = b"", 0
    while left:
        part = left.pop()
        if part == b"..":
            at = at.rpartition(b"/")[0]
            continue
        here = join(at, part)
        node = root.names.get(here)
        member = node.inode if isinstance(node, Link) else node
        if member is None:
            raise NoSuchFile(f"{os.fsdecode(path)}: the image has no such file")
        is_link = isinstance(member, Member) and member.type == SYMLINK
        if is_link and (left or follow):
            links += 1
            if links > _MOST_LINKS:
                raise NoSuchFile(f"{os.fsdecode(path)}: too many symlinks on the way")
            target = root.header(cast("Member", member)).link
            at = b"" if target.startswith(b"/") else at
            left += [one for one in reversed(target.split(b"/")) if one not in {b"", b"."}]
            continue
        if left and not isinstance(member, Folder):
            raise NoSuchFile(f"{os.fsdecode(path)}: {os.fsdecode(here)} is no directory")
        at = here
    return at
