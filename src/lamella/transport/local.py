"""Images in files and folders, as sources and destinations."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

from lamella.errors import ImageError, UsageError
from lamella.image import Image
from lamella.layer.blob import FileRange, Layer, Merged
from lamella.layer.compression import Compression
from lamella.layer.spool import Layers, Spool
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.platform import Platform
from lamella.transport.base import Source
from lamella.transport.docker_archive import MANIFEST, DockerArchiveWriter, read_image
from lamella.transport.files import AtomicFile, writing
from lamella.transport.names import Location
from lamella.transport.oci_layout import INDEX, FolderFiles, LayoutFiles, read_layout
from lamella.transport.oci_writer import ArchiveBlobs, FolderBlobs, LayoutWriter
from lamella.transport.tarball import open_archive

__all__ = ["FileDestination", "FileSource"]


class FileSource:
    """An image in an archive, a stream or a layout folder."""

    def __init__(
        self, location: Location, spool: Spool, platform: Platform | None, stdin: BinaryIO
    ) -> None:
        self._location, self._spool, self._platform, self._stdin = location, spool, platform, stdin
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._stack.close()

    def describe(self) -> Image:
        """Return the image; a file shows all of it."""
        return self._image

    def beside(self, tag: str) -> Image:
        """Return another image of the same file; a stream, too, is read only once."""
        return self._read(Location(self._location.transport, self._location.path, tag))

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Nothing: a file tells of the images in it alone."""
        return {}

    def remove(self, *, new_tags: Sequence[str]) -> str:
        """Leave it: a file is not ours to remove."""
        del new_tags
        return "the source is a file; it is left alone"

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image; its layers are read where they lie."""
        del content, listed
        return self.describe()

    @cached_property
    def _image(self) -> Image:
        return self._read(self._location)

    def _read(self, location: Location) -> Image:
        files, name = self._files, str(location)
        if location.transport in {"oci", "oci-archive"} or (
            location.transport == "archive" and MANIFEST not in files and INDEX in files
        ):
            image = read_layout(files, location.tag, self._platform, name)
        else:
            image = read_image(files, location.tag, name)
        _check_platform(image, self._platform)
        return image

    @cached_property
    def _files(self) -> LayoutFiles:
        path = self._location.path
        try:
            if self._location.transport == "oci":
                os.listdir(path)  # noqa: PTH208 - tells why it can't be read
                return self._stack.enter_context(FolderFiles(Path(path)))
            file = self._stdin
            if path != "-":
                file = self._stack.enter_context(Path(path).open("rb"))  # noqa: SIM115 - is a context
            return open_archive(file, path, self._spool, seekable=_is_regular(file))
        except OSError as error:
            message = f"can't read {path}: {error.strerror or error}"
            raise ImageError(message) from error


def _is_regular(file: BinaryIO) -> bool:
    """Whether a file can be read in place; a pipe can't, nor one that was read from already."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and file.tell() == 0
    except (OSError, ValueError):  # no file of the system's, but a stream in memory
        return False


def _check_platform(image: Image, wanted: Platform | None) -> None:
    """Hold the only image of a file against the platform that was asked for."""
    has = {key: image.config.text(key) for key in ("os", "architecture", "variant")}
    if wanted and has["os"] and has["architecture"] and not wanted.matches(has):
        found = "/".join(part for part in has.values() if part)
        message = f"{image.name} has no image for platform {wanted}; it is for {found}"
        raise UsageError(message)


class FileDestination:
    """An image to be written to an archive, a stream or a layout folder."""

    def __init__(self, location: Location, spool: Spool, stdout: BinaryIO) -> None:
        self._location, self._spool, self._stdout = location, spool, stdout
        self._stack = ExitStack()
        self._file: AtomicFile | None = None
        self._spooled: BinaryIO | None = None
        self._out = stdout
        """Where what is spooled goes in the end."""
        self._tags = (location.tag,) if location.tag else ()

    def __enter__(self) -> Self:
        """Open what is written to, which tells whether that can be done."""
        self._writer = self._open()
        return self

    def __exit__(self, *error: object) -> None:
        """Remove what was not committed."""
        self._stack.close()

    def _open(self) -> DockerArchiveWriter | LayoutWriter:
        location = self._location
        path = Path(location.path)
        if location.transport == "oci":
            blobs = self._stack.enter_context(FolderBlobs(path))
            return LayoutWriter(blobs, archive=False)
        if location.path == "-":
            out = self._stdout
        else:
            self._file = self._stack.enter_context(AtomicFile(path))
            out = self._file.file
        if location.transport == "docker-archive":
            return DockerArchiveWriter(out, location.path, self._spool)
        # Standard output may be a file, and yet take only what is appended.
        if self._file is None or not out.seekable():
            self._out = out
            out = self._spooled = self._spool.file()
        return LayoutWriter(ArchiveBlobs(out, location.path), archive=True)

    def join(self, source: Source) -> None:
        """Nothing is shared: a file has everything in it."""

    def needs(self, image: Image, ranges: Sequence[range]) -> frozenset[int]:
        """All layers that stay: a file has everything in it."""
        squashed = {position for positions in ranges for position in positions}
        return frozenset(range(len(image.layers))) - squashed

    def default_compression(self, image: Image) -> Compression:
        """How a new layer is compressed if the user doesn't say."""
        return self._writer.default_compression(image)

    def put_layer(self, layer: Layer, layers: Layers) -> Descriptor:
        """Take a layer that stays as it is."""
        return self._writer.put_layer(layer, layers)

    def put_merged(self, merged: Merged, compression: Compression) -> tuple[Digest, Descriptor]:
        """Take a new layer."""
        return self._writer.put_merged(merged, compression)

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Finish the file and give it its name."""
        image_id = self._writer.commit(config, manifest, [*self._tags, *tags])
        if self._spooled is not None:
            self._copy_out(FileRange.whole(self._spooled))
        if self._file is not None:
            self._file.commit()
        elif self._location.path == "-":
            with writing("standard output"):
                self._stdout.flush()
        return image_id

    def _copy_out(self, spooled: FileRange) -> None:
        at = 0
        with writing(self._location.path):
            while chunk := spooled.read_at(at, 1 << 18):
                at += self._out.write(chunk)
