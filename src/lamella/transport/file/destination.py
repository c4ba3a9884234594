"""An archive, a stream or a layout folder, as a destination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

from lamella.files import write_all
from lamella.image import Image
from lamella.layer.blob import FileRange, Layer, Merged
from lamella.layer.compression import Compression
from lamella.layer.opener import LayerOpener
from lamella.layer.room import check_room
from lamella.layer.spool import Spool
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.transport.base import Destination, Source, staying
from lamella.transport.file.atomic import AtomicFile, writing
from lamella.transport.file.docker_archive import DockerArchiveWriter
from lamella.transport.file.oci_folder import FolderBlobs
from lamella.transport.file.oci_writer import ArchiveBlobs, LayoutWriter
from lamella.transport.index import Artifact, only_one
from lamella.transport.location import Location

__all__ = ["FileDestination"]


class FileDestination:
    """An image to be written to an archive, a stream or a layout folder."""

    def __init__(self, location: Location, spool: Spool, stdout: BinaryIO | None) -> None:
        """Name a file; nothing is written yet. `stdout` is what ``-`` stands for."""
        self._location, self._spool, self._stdout = location, spool, stdout
        self._stack = ExitStack()
        self._file: AtomicFile | None = None
        self._spooled: BinaryIO | None = None
        self._out: BinaryIO
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
        if location.path == "-" and self._stdout is not None:
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
        return staying(image, ranges)

    def default_compression(self, image: Image) -> Compression:
        """How a new layer is compressed if the user doesn't say."""
        return self._writer.default_compression(image)

    def expect(self, kept: Sequence[Layer], new: int, compression: Compression) -> None:
        """See to it that there is room for all of it, unless it goes into a pipe."""
        if isinstance(self._writer, DockerArchiveWriter):
            self._writer.expect(compression)
        target = Path(self._location.path)
        if self._location.path == "-" or (target.exists() and not _is_stored(target)):
            return
        is_folder = self._location.transport == "oci" and target.exists()
        folder = target if is_folder else target.resolve().parent
        stored = sum(layer.blob.size for layer in kept if not self._has(layer))
        check_room(folder, stored + new, str(target))

    def _has(self, layer: Layer) -> bool:
        return isinstance(self._writer, LayoutWriter) and self._writer.has(layer)

    def put_layer(self, layer: Layer, opener: LayerOpener) -> Descriptor:
        """Take a layer that stays."""
        return self._writer.put_layer(layer, opener)

    def put_merged(self, merged: Merged, compression: Compression) -> tuple[Digest, Descriptor]:
        """Take a new layer."""
        return self._writer.put_merged(merged, compression)

    def stored_manifest(self, manifest: Manifest) -> Manifest | None:
        """Return it in OCI's words, of which layouts are made; None for a docker-archive."""
        return manifest.as_oci() if isinstance(self._writer, LayoutWriter) else None

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Finish the file and give it its name."""
        image_id = self._writer.commit(config, manifest, [*self._tags, *tags])
        self._settle()
        return image_id

    # -- an index; see `transport.index.TakesIndex`

    def for_platform(self) -> Destination:
        """Return what takes one image of an index into the layout."""
        return _OneOfIndex(self._layout, self.expect)

    def put_artifact(self, descriptor: Descriptor, artifact: Artifact) -> None:
        """Take something that is no image, as it is."""
        self._layout.put_artifact(artifact, f"{self._location}: {descriptor.digest.short}")

    def stored_index(self, index: Index) -> Index:
        """Return it in OCI's words."""
        return index.as_oci()

    def put_nested(self, index: Index) -> None:
        """Take an index that is listed in another."""
        self._layout.put_raw(index.raw)

    def commit_index(self, index: Index, tags: Sequence[str]) -> None:
        """Finish the file and give it its name."""
        self._layout.commit_index(index, [*self._tags, *tags])
        self._settle()

    @property
    def _layout(self) -> LayoutWriter:
        if not isinstance(self._writer, LayoutWriter):
            raise only_one(str(self._location))
        return self._writer

    def _settle(self) -> None:
        if self._spooled is not None:
            self._copy_out(FileRange.whole(self._spooled))
        if self._file is not None:
            self._file.commit()
        elif self._location.path == "-" and self._stdout is not None:
            with writing("standard output"):
                self._stdout.flush()

    def _copy_out(self, spooled: FileRange) -> None:
        at = 0
        with writing(self._location.path):
            while chunk := spooled.read_at(at, 1 << 18):
                write_all(self._out, chunk)
                at += len(chunk)


class _OneOfIndex:
    """One image of an index, in a layout that has no name for it; a `Destination`."""

    def __init__(
        self,
        layout: LayoutWriter,
        expect: Callable[[Sequence[Layer], int, Compression], None],
    ) -> None:
        self._layout = layout
        self.default_compression = layout.default_compression
        self.put_layer, self.put_merged = layout.put_layer, layout.put_merged
        self._expect = expect

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def join(self, source: Source) -> None:
        pass

    def expect(self, kept: Sequence[Layer], new: int, compression: Compression) -> None:
        self._expect(kept, new, compression)

    def needs(self, image: Image, ranges: Sequence[range]) -> frozenset[int]:
        return staying(image, ranges)

    def stored_manifest(self, manifest: Manifest) -> Manifest:
        return manifest.as_oci()

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        del tags
        self._layout.put_image(config, manifest)
        return str(config.digest)


def _is_stored(target: Path) -> bool:
    """Whether something is on a disk, and no pipe or device."""
    return target.is_file() or target.is_dir()
