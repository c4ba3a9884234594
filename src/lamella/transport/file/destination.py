"""An archive, a stream or a layout folder, as a destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from lamella.files import write_all
from lamella.image import Image
from lamella.layer.blob import FileRange, Layer
from lamella.layer.compression import Compression
from lamella.layer.room import check_room
from lamella.layer.spool import Spool
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Index, Manifest
from lamella.transport.base import Destination, ImageWriter, NewImage, Source, staying
from lamella.transport.file.atomic import AtomicFile, writing
from lamella.transport.file.delta_archive import DeltaImage
from lamella.transport.file.docker_archive import DockerArchiveWriter, archive_compression
from lamella.transport.file.name import FileName
from lamella.transport.file.oci_folder import FolderBlobs
from lamella.transport.file.oci_writer import ArchiveBlobs, LayoutImage, LayoutWriter
from lamella.transport.file.packed import PackedStream, ending_of
from lamella.transport.index import Artifact, IndexWriter, TakesIndex
from lamella.transport.referrers import Referrer, TakesReferrers, renewed

__all__ = ["open_file_destination"]


@contextmanager
def open_file_destination(
    location: FileName, spool: Spool, stdout: BinaryIO | None
) -> Iterator[Destination]:
    """Open what is written to, which tells whether that can be done.

    Args:
        location: the file or folder, or ``-``.
        spool: takes what must be known before it is written.
        stdout: what ``-`` stands for.

    Raises:
        OutputError: it can't be written.
    """
    with ExitStack() as stack:
        if location.transport == "oci":
            folder = stack.enter_context(FolderBlobs(Path(location.path)))
            yield _Layout(location, LayoutWriter(folder, archive=False), lambda: None)
            return
        output = _Output(location, stdout, stack)
        if location.transport == "docker-archive":
            yield _DockerArchive(location, output, spool)
            return
        blobs = ArchiveBlobs(output.seekable(spool), location.path)
        writer = LayoutWriter(blobs, archive=True)
        if location.transport == "delta-archive":
            yield _DeltaArchive(writer, blobs, output.finish)
            return
        yield _Layout(location, writer, output.finish)


class _Output:
    """What an archive is written to: a file that gets its name at the end, or a stream."""

    def __init__(self, location: FileName, stdout: BinaryIO | None, stack: ExitStack) -> None:
        self._path = location.path
        self._atomic: AtomicFile | None = None
        self._spooled: BinaryIO | None = None
        self._packed: PackedStream | None = None
        if location.is_stream and stdout is not None:
            self.file = stdout
            return
        codec = ending_of(location.path)
        self._atomic = stack.enter_context(AtomicFile(Path(location.path)))
        self.file = self._atomic.file
        if codec != Codec.NONE:
            self._packed = stack.enter_context(PackedStream(self.file, codec))
            self.file = cast("BinaryIO", self._packed)

    def seekable(self, spool: Spool) -> BinaryIO:
        """Return a file in which headers can be filled in later; it is copied out at the end."""
        # Standard output may be a file, and yet take only what is appended.
        if self._atomic is None or not self.file.seekable():
            self._spooled = spool.file()
        return self._spooled or self.file

    def finish(self) -> None:
        """Give the file its name."""
        if self._spooled is not None:
            self._copy_out(FileRange.whole(self._spooled))
        if self._packed is not None:
            with writing(self._path):
                self._packed.finish()
        if self._atomic is not None:
            self._atomic.commit()
        else:
            with writing("standard output"):
                self.file.flush()

    def _copy_out(self, spooled: FileRange) -> None:
        at = 0
        with writing(self._path):
            while chunk := spooled.read_at(at, 1 << 18):
                write_all(self.file, chunk)
                at += len(chunk)


class _DockerArchive(Destination):
    """A docker-archive, which takes one image."""

    home = None

    def __init__(self, location: FileName, output: _Output, spool: Spool) -> None:
        self._location, self._output, self._spool = location, output, spool

    def needs(self, image: Image, ranges: Sequence[range], source: Source) -> frozenset[int]:
        """All layers that stay: a file has everything in it."""
        del source
        return staying(image, ranges)

    def compression(self, image: Image, asked: Compression | None) -> Compression:
        """See `archive_compression`."""
        return archive_compression(image, asked)

    def open_image(self, new: NewImage) -> ImageWriter:
        """Return what takes the image; see `Destination`."""
        output = self._output
        writer = DockerArchiveWriter(
            output.file, self._location.path, self._spool, new, output.finish
        )
        _check_room(self._location, new.kept, writer, new)
        return writer

    def stored_manifest(self, manifest: Manifest) -> None:
        """None: a docker-archive has no manifest of that kind."""


class _Layout(TakesIndex, TakesReferrers):
    """An OCI layout, in a folder or an archive."""

    home = None

    def __init__(
        self, location: FileName, layout: LayoutWriter, finish: Callable[[], None]
    ) -> None:
        self._location, self._layout, self._finish = location, layout, finish

    def needs(self, image: Image, ranges: Sequence[range], source: Source) -> frozenset[int]:
        """All layers that stay: a layout has everything in it."""
        del source
        return staying(image, ranges)

    def compression(self, image: Image, asked: Compression | None) -> Compression:
        """See `LayoutWriter.compression`."""
        return self._layout.compression(image, asked)

    def open_image(self, new: NewImage) -> ImageWriter:
        """Return what takes one image, with a name of its own."""
        return self._opened(new, self._publish)

    def _publish(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> None:
        self._layout.finish_image(config, manifest, tags)
        self._finish()

    def open_index(self) -> IndexWriter:
        """Return what takes an index."""
        return _LayoutIndex(self._location, self._layout, self._finish)

    def stored_manifest(self, manifest: Manifest) -> Manifest:
        """Return it as an OCI manifest, which layouts consist of."""
        return manifest.as_oci()

    def put_referrer(self, referrer: Referrer, artifact: Artifact, subject: Descriptor) -> None:
        """Take something that is attached to an image; see `TakesReferrers`."""
        where = f"{self._location}: {referrer.descriptor.digest.short}"
        self._layout.put_referrer(renewed(referrer, artifact, subject), artifact, where)

    def _opened(
        self, new: NewImage, publish: Callable[[Config, Manifest, Sequence[str]], None]
    ) -> ImageWriter:
        writer = LayoutImage(self._layout, new, publish)
        missing = [layer for layer in new.kept if not self._layout.has(layer)]
        _check_room(self._location, missing, writer, new)
        return writer


class _DeltaArchive(Destination):
    """An archive that lacks the layers that stay."""

    home = None

    def __init__(
        self, layout: LayoutWriter, blobs: ArchiveBlobs, finish: Callable[[], None]
    ) -> None:
        self._layout, self._blobs, self._finish = layout, blobs, finish

    def needs(self, image: Image, ranges: Sequence[range], source: Source) -> frozenset[int]:
        """No layer: who loads it has those that stay."""
        del image, ranges, source
        return frozenset()

    def compression(self, image: Image, asked: Compression | None) -> Compression:
        """As asked, or gzip."""
        del image
        return asked or Compression(Codec.GZIP)

    def open_image(self, new: NewImage) -> ImageWriter:
        """Return what takes the image.

        Raises:
            Unsupported: Docker 20.10 can't read that compression.
        """
        new = replace(new, compression=self.compression(new.image, new.compression))
        return DeltaImage(self._layout, self._blobs, new, self._finish)

    def stored_manifest(self, manifest: Manifest) -> Manifest:
        """Return it as an OCI manifest."""
        return manifest.as_oci()


class _LayoutIndex(_Layout, IndexWriter):
    """An index of several images in a layout."""

    def open_image(self, new: NewImage) -> ImageWriter:
        """Return what takes one image, which only the index will name."""
        layout = self._layout
        return self._opened(new, lambda config, manifest, _: layout.put_image(config, manifest))

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
        self._layout.finish_index(index, tags)
        self._finish()


def _check_room(
    location: FileName, kept: Sequence[Layer], writer: ImageWriter, new: NewImage
) -> None:
    """See to it that there is room for a new image, as far as that is known before.

    It is not where the image goes into a pipe or a device, or is compressed as a whole.

    Raises:
        OutputError: there is not.
    """
    target = Path(location.path)
    is_archive = location.transport != "oci"
    if location.is_stream or (is_archive and ending_of(location.path) != Codec.NONE):
        return
    if target.exists() and not (target.is_file() or target.is_dir()):
        return
    is_folder = location.transport == "oci" and target.exists()
    folder = target if is_folder else target.resolve().parent
    plain = new.new_size if writer.compression.kind == Codec.NONE else 0
    check_room(folder, sum(layer.blob.size for layer in kept) + plain, str(target))
