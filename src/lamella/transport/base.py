"""What a place must do to be read from or written to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from lamella.errors import DigestMismatch
from lamella.image import Image
from lamella.layer.blob import CHUNK, Blob, FileRange, Layer, Merged, iter_chunks
from lamella.layer.compress import Packed, write_packed
from lamella.layer.compression import Compression
from lamella.layer.hasher import Hasher
from lamella.layer.protocols import LayerTar
from lamella.layer.sink import LayerSink
from lamella.layer.spool import Spool
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest

__all__ = [
    "AsItIs",
    "Destination",
    "Rechecks",
    "Source",
    "copy_blob",
    "copy_stored",
    "spool_packed",
    "staying",
]


class Source(Protocol):
    """A place that has an image. Used as a context; what it opened is closed at its end."""

    def describe(self) -> Image:
        """Return the image as far as it is known without moving layers: names, sizes, history.

        Raises:
            LamellaError: there is none, or it is malformed.
        """

    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image with layers that can be read.

        Args:
            content: positions of the layers that must be readable as a whole.
            listed: positions of the layers of which the tar's headers are enough.

        Raises:
            LamellaError: it can't be had, or is malformed.
        """

    def beside(self, name: str) -> Image:
        """Describe another image of the same place.

        Raises:
            LamellaError: as `describe`.
        """

    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Return the tags of the place's images by their layers; none where that is not known."""

    def remove(self, *, new_tags: Sequence[str]) -> str | None:
        """Remove the image (``--cleanup``); return why it was kept, if it was.

        Args:
            new_tags: what the new image was called at the same place.
        """

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(self, *error: object) -> None:
        """Let go of files and connections."""


@runtime_checkable
class Rechecks(Protocol):
    """A source that somebody else may change while it is read."""

    def recheck(self) -> None:
        """See to it that what was read is still there, before it is relied on.

        Raises:
            LamellaError: it isn't.
        """


class Destination(LayerSink, Protocol):
    """A place that takes an image: layers base first, then `commit`, which makes it visible.

    Used as a context. If it ends without a commit nothing of the image is there.
    """

    def join(self, source: Source) -> None:
        """Learn where the image comes from: what is there already need not be given.

        Called once, before all else.
        """

    def needs(self, image: Image, ranges: Sequence[range]) -> frozenset[int]:
        """Positions of layers that stay, but whose content it must be given."""

    def default_compression(self, image: Image) -> Compression:
        """How a new layer is compressed if the user doesn't say.

        A query: who asks for just that gets the same bytes as who asks for nothing.
        """

    def stored_manifest(self, manifest: Manifest) -> Manifest | None:
        """Return the manifest as the place keeps it; None if it keeps none, or makes its own."""

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Publish the image; return its ID there.

        Raises:
            LamellaError: it could not be published; then nothing has changed.
        """

    def __enter__(self) -> Self:
        """Get ready: find out now whether the place can be written to."""

    def __exit__(self, *error: object) -> None:
        """Undo what was not committed."""


def staying(image: Image, ranges: Sequence[range]) -> frozenset[int]:
    """Return the positions of an image's layers that are in no squashed range."""
    squashed = {position for positions in ranges for position in positions}
    return frozenset(range(len(image.layers))) - squashed


@dataclass(frozen=True)
class AsItIs:
    """A layer that is only packed anew; a `layer.blob.Merged`."""

    tar: LayerTar
    diff_id: Digest

    @property
    def size(self) -> int:
        """Bytes of its tar."""
        return self.tar.size

    def write_to(self, write: Callable[[memoryview], object]) -> Digest:
        """Write the tar; return its diff_id, which whoever opened the tar answers for."""
        buffer, at = memoryview(bytearray(CHUNK)), 0
        while got := self.tar.read_into(buffer, at):
            write(buffer[:got])
            at += got
        return self.diff_id


def copy_stored(layer: Layer, write: Callable[[bytes], object]) -> tuple[Digest, int]:
    """Copy a layer's stored bytes; return their digest and size.

    Raises:
        DigestMismatch: they aren't what the layer's descriptor says.
    """
    return copy_blob(layer.blob, layer.descriptor, layer.where, write)


def copy_blob(
    blob: Blob, want: Descriptor | None, where: str, write: Callable[[bytes], object]
) -> tuple[Digest, int]:
    """Copy a blob; return its digest and size.

    Raises:
        DigestMismatch: they aren't what the descriptor says.
    """
    hasher = Hasher()
    with blob.open() as stream:
        for chunk in iter_chunks(stream):
            hasher.update(chunk)
            write(chunk)
    digest, size = hasher.digest(), hasher.size
    if want and (digest, size) != (want.digest, want.size):
        raise DigestMismatch(
            where, f"{want.digest} ({want.size} bytes)", f"{digest} ({size} bytes)"
        )
    return digest, size


def spool_packed(
    merged: Merged, compression: Compression, spool: Spool
) -> tuple[Packed, FileRange]:
    """Write a new layer, compressed if it is to be, into the spool.

    Raises:
        OutputError: there is no room for it.
    """
    if compression.kind == "none":
        spool.check_room(merged.size)
    file = spool.file()
    packed = write_packed(merged, compression, lambda chunk: spool.write(file, chunk))
    return packed, FileRange.whole(file)
