"""Images in files and folders, as sources and destinations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lamella.errors import ImageError
from lamella.image import Image
from lamella.layer.blob import FileRange, Layer, Merged
from lamella.layer.compression import Compression
from lamella.layer.spool import Layers, Spool
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.platform import Platform
from lamella.transport.docker_archive import MANIFEST, DockerArchiveWriter, read_image
from lamella.transport.files import AtomicFile, writing
from lamella.transport.names import Location
from lamella.transport.oci_layout import FolderFiles, read_layout
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
        self._image: Image | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._stack.close()

    def describe(self) -> Image:
        """Return the image; a file shows all of it."""
        if self._image is None:
            self._image = self._read()
        return self._image

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image; its layers are read where they lie."""
        del content, listed
        return self.describe()

    def _read(self) -> Image:
        location, name = self._location, str(self._location)
        if location.transport == "oci":
            files = FolderFiles(Path(location.path))
            return read_layout(files, location.tag, self._platform, name)
        archive = open_archive(
            self._open(), location.path, self._spool, seekable=location.path != "-"
        )
        has_docker = MANIFEST in archive
        if location.transport == "oci-archive" or (
            location.transport == "archive" and not has_docker and "index.json" in archive
        ):
            return read_layout(archive, location.tag, self._platform, name)
        return read_image(archive, location.tag, name)

    def _open(self) -> BinaryIO:
        if self._location.path == "-":
            return self._stdin
        try:
            file = Path(self._location.path).open("rb")  # noqa: SIM115 - closed with the source
        except OSError as error:
            message = f"can't read {self._location.path}: {error.strerror}"
            raise ImageError(message) from error
        return self._stack.enter_context(file)


class FileDestination:
    """An image to be written to an archive, a stream or a layout folder."""

    def __init__(self, location: Location, spool: Spool, stdout: BinaryIO) -> None:
        self._location, self._spool, self._stdout = location, spool, stdout
        self._stack = ExitStack()
        self._file: AtomicFile | None = None
        self._spooled: BinaryIO | None = None
        self._tags = (location.tag,) if location.tag else ()

    def __enter__(self) -> Self:
        """Open what is written to, which tells whether that can be done."""
        self._writer = self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove what was not committed."""
        self._stack.__exit__(kind, error, trace)

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
        if not out.seekable():
            out = self._spooled = self._spool.file()
        return LayoutWriter(ArchiveBlobs(out, location.path), archive=True)

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
        with writing("standard output"):
            while chunk := spooled.read_at(at, 1 << 18):
                at += self._stdout.write(chunk)
