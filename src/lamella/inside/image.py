"""An image that is open: its layers as streams, its files as a container sees them.

Nothing is read before it is asked for. Layers are checked against their digests as they are read;
of a layer that is only listed nothing but the headers is kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import BinaryIO, cast

from lamella.errors import DigestMismatch, MalformedTar, NoSuchFile
from lamella.image import Image
from lamella.inside.export import FlatTar
from lamella.inside.file import ROOT, File, file_of, files_of_layer, type_of
from lamella.inside.paths import below, did_you_mean_in, resolve
from lamella.layer.blob import CHUNK, Layer
from lamella.layer.compression import PlainReader, open_plain
from lamella.layer.hasher import Hasher
from lamella.layer.opener import LayerOpener
from lamella.layer.partial.headers import has_content
from lamella.layer.spool import Spool
from lamella.merge.changeset import read_changeset
from lamella.merge.overlay import Link
from lamella.rootfs import RootFs, read_rootfs
from lamella.selection import position_of
from lamella.tar.entry import REGULAR, Member, clean
from lamella.tar.reader import iter_content
from lamella.transport.base import Source, fetch_all

__all__ = ["OpenImage", "OpenLayer", "open_inside"]


@dataclass(frozen=True, eq=False)
class OpenLayer(Layer):
    """A layer of an image that is open."""

    position: int = 0
    """In ``image.layers``."""
    source: Source | None = field(default=None, repr=False)
    opener: LayerOpener | None = field(default=None, repr=False)

    def files(self) -> Iterator[File]:
        """Yield what the layer itself has, by path; also what it deletes.

        Raises:
            LamellaError: it can't be read, or is damaged.
        """
        if self.source is None or self.opener is None:
            raise ValueError("the image is not open")
        fetched = self.source.fetch(frozenset(), frozenset({self.position}))
        layer, opener = fetched.layers[self.position], self.opener
        with opener.explaining():
            [tar] = opener.open_headers([layer])
            try:
                changeset = read_changeset(tar, self.position)
            except MalformedTar as error:
                raise error.at(self.where) from error
        opener.verify()
        yield from files_of_layer(changeset, tar)

    def at(self, path: str | bytes, *, recursive: bool = False) -> tuple[list[File], bool]:
        """Return what the layer has at a path, and whether that is a directory's content.

        Args:
            path: from the root on; no symlinks are followed.
            recursive: of a directory, also what is below its content.

        Raises:
            NoSuchFile: it has nothing there.
            LamellaError: it can't be read, or is damaged.
        """
        wanted = os.fsdecode(clean(os.fsencode(path)))
        files = list(self.files())
        own = [file for file in files if file.path == wanted]
        prefix = f"{wanted}/" if wanted else ""
        inside = [file for file in files if file.path.startswith(prefix) and file.path != wanted]
        is_folder = not wanted or bool(inside) or any(file.type == "directory" for file in own)
        if not is_folder and not own:
            offered = did_you_mean_in(
                [os.fsencode(file.path) for file in files], os.fsencode(wanted)
            )
            raise NoSuchFile(f"{os.fsdecode(path)}: the layer has no such file{offered}")
        if not is_folder:
            return own, False
        return _in_folder(inside, prefix, recursive=recursive), True

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


def _in_folder(files: list[File], prefix: str, *, recursive: bool) -> list[File]:
    """Return what of that is in a directory; one that only leads on has no entry, and is told."""
    if recursive:
        return files
    found: dict[str, list[File]] = {}
    for file in files:
        name, slash, _ = file.path[len(prefix) :].partition("/")
        here = found.setdefault(name, [])
        if not slash:
            here.append(file)
        elif not any(one.type == "directory" for one in here):
            here.append(replace(ROOT, path=prefix + name))
    return [file for files in found.values() for file in files]


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

    def layer(self, name: str) -> OpenLayer:
        """Return a layer by what users call it: its number from 1, ``#N``, or the start of an ID.

        Raises:
            UnknownLayer: no layer has that name.
            Ambiguous: several have that prefix.
        """
        return self.layers[position_of(self, name)]

    def files(self) -> Iterator[File]:
        """Yield what a container of this image sees, by path, without the root itself.

        Raises:
            LamellaError: a layer can't be read, or is damaged.
        """
        return self._files.files()

    def folder(self, path: str | bytes, *, recursive: bool = False) -> Iterator[File]:
        """Yield what is in a directory, by path; symlinks on the way to it are followed.

        Args:
            path: as for `stat`.
            recursive: also what is below that.

        Raises:
            NoSuchFile: there is nothing, or no directory.
            LamellaError: a layer can't be read, or is damaged.
        """
        return self._files.folder(os.fsencode(path), recursive=recursive)

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

    def export(self) -> FlatTar:
        """Return what a container sees as one tar: no deletions, hard links and attributes kept.

        Raises:
            LamellaError: a layer can't be read, or is damaged.
        """
        return self._files.export()


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
                opener,
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

    def files(self) -> Iterator[File]:
        root = self._root
        for path, node in root.names.items():
            yield file_of(path, node, root)

    def folder(self, path: bytes, *, recursive: bool) -> Iterator[File]:
        root = self._root
        found = resolve(path, root, self._paths, follow=True)
        if found and (kind := type_of(root.names[found])) != "directory":
            raise NoSuchFile(f"{os.fsdecode(path)}: expected a directory, got a {kind}")
        for one in below(self._paths, found, recursive=recursive):
            yield file_of(one, root.names[one], root)

    def stat(self, path: bytes, *, follow: bool) -> File:
        root = self._root
        found = resolve(path, root, self._paths, follow=follow)
        return file_of(found, root.names[found], root) if found else ROOT

    def open(self, path: bytes) -> BinaryIO:
        root = self._root
        found = resolve(path, root, self._paths, follow=True)
        node = root.names.get(found)
        member = node.inode if isinstance(node, Link) else node
        if not isinstance(member, Member) or member.type != REGULAR:
            kind = "directory" if node is None else type_of(node)
            way_out = "; `lamella ls` lists it" if kind == "directory" else ""
            shown = os.fsdecode(path) or "''"
            raise NoSuchFile(f"{shown}: expected a file, got a {kind}{way_out}")
        content = iter_content(root.tars[member.origin], member)
        return cast("BinaryIO", io.BufferedReader(_Chunks(content), CHUNK))

    def export(self) -> FlatTar:
        return FlatTar(fetch_all(self._source), self._opener)

    @cached_property
    def _paths(self) -> list[bytes]:
        return list(self._root.names)  # sorted, as they are read

    @cached_property
    def _root(self) -> RootFs:
        count = len(self._source.describe().layers)
        # Of what is far away the headers; a layer of which more is wanted is fetched then.
        return self._read(self._source.fetch(frozenset(), frozenset(range(count))))

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
