"""What a place must do to be read from or written to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from lamella.errors import DigestMismatch, EngineError
from lamella.image import Image
from lamella.layer.blob import CHUNK, Blob, FileRange, Layer, Merged, iter_chunks
from lamella.layer.compress import Packed, write_packed
from lamella.layer.compression import Compression
from lamella.layer.hasher import Hasher
from lamella.layer.opener import LayerOpener
from lamella.layer.protocols import LayerTar, Remote
from lamella.layer.spool import Spool
from lamella.spec.codec import Codec
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import codec_of

__all__ = [
    "AsItIs",
    "Destination",
    "ImageWriter",
    "LayersMissing",
    "NewImage",
    "Source",
    "copy_blob",
    "copy_stored",
    "fetch_all",
    "newest_codec",
    "spool_packed",
    "staying",
]


def _ignore(amount: int) -> None:
    del amount


class Source(ABC):
    """An image at a place, to be read. Used as a context; what it opened is closed at its end."""

    home: object
    """Equal to that of another source or destination only if both are at the very same place."""

    @abstractmethod
    def describe(self) -> Image:
        """Return the image as far as it is known without moving layers: names, sizes, history.

        Raises:
            LamellaError: there is none, or it is malformed.
        """

    @abstractmethod
    def fetch(self, content: frozenset[int], listed: frozenset[int]) -> Image:
        """Return the image with layers that can be read.

        Args:
            content: positions of the layers that must be readable as a whole.
            listed: positions of the layers whose tar's headers are enough.

        Raises:
            LamellaError: it can't be had, or is malformed.
        """

    @abstractmethod
    def beside(self, name: str) -> Image:
        """Describe another image of the same place.

        Raises:
            LamellaError: as `describe`.
        """

    @abstractmethod
    def tags_by_chain(self) -> Mapping[tuple[Digest, ...], Sequence[str]]:
        """Return the tags of the place's images by their layers; none where that is not known."""

    @abstractmethod
    def remove(self, *, new_tags: Sequence[str]) -> str | None:
        """Remove the image (`cleanup`); return why it was kept, if it was.

        Args:
            new_tags: what the new image was called at the same place.
        """

    def recheck(self) -> None:  # noqa: B027 - most places need nothing
        """See to it that what was read is still there, before it is relied on.

        Raises:
            LamellaError: it was changed meanwhile.
        """

    def close(self) -> None:  # noqa: B027 - some have nothing open
        """Let go of files and connections."""

    def __enter__(self) -> Self:
        """Return itself; it opens what it needs when something is wanted of it."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()


def fetch_all(source: Source) -> Image:
    """Return an image whose layers can all be read as a whole.

    Raises:
        LamellaError: it can't be had, or is malformed.
    """
    return source.fetch(frozenset(range(len(source.describe().layers))), frozenset())


@dataclass(frozen=True)
class NewImage:
    """What a destination takes: all that is known of a new image before its first layer."""

    image: Image
    """The one that it is made of. Layers that stay can be read, if the destination needs them."""
    ranges: tuple[range, ...]
    """Positions of the layers that are squashed, a new layer for each range."""
    source: Source
    """Where the image is."""
    opener: LayerOpener
    """Opens the layers that stay."""
    compression: Compression | None = None
    """Of new layers, if the user says."""
    new_size: int = 0
    """Bytes of the new layers' tars."""
    advance: Callable[[int], None] = _ignore
    """Is told how many bytes more of a layer that stays are copied."""

    @property
    def kept(self) -> list[Layer]:
        """The layers that stay, base first."""
        return [
            self.image.layers[position] for position in sorted(staying(self.image, self.ranges))
        ]


class ImageWriter(ABC):
    """Takes the layers of one new image, base first; then `commit`, which makes it visible."""

    compression: Compression
    """Of its new layers: as the user says, or what the place has by default. Who asks for just that
    gets the same bytes as who asks for nothing."""

    @abstractmethod
    def put_layer(self, layer: Layer) -> Descriptor:
        """Take a layer that stays, and return the form in which it is stored there.

        Bytes the place has already are not moved.

        Compressed layers with a descriptor are checked against it while they are copied; for the
        others the caller asks `LayerOpener.check`.
        """

    @abstractmethod
    def put_merged(self, merged: Merged) -> Packed:
        """Take a new layer; return what it is known by, in its stored form."""

    @abstractmethod
    def put_packed(self, packed: Packed, file: FileRange) -> Packed:
        """Take a new layer that is packed already, by `compression`.

        Args:
            packed: what it is known by.
            file: its stored bytes.
        """

    @abstractmethod
    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Publish the image; return its ID there.

        Raises:
            LayersMissing: see there; nothing has changed.
            LamellaError: it could not be published; then nothing has changed.
        """

    def supply(self, image: Image) -> None:
        """Take the image once more, with all its content, after a commit that lacked layers."""
        raise NotImplementedError


class LayersMissing(EngineError):
    """A place turned out not to have layers that stay, though it seemed to.

    The writer takes them by `ImageWriter.supply`; then it can be committed again.
    """


class Destination(ABC):
    """A place that takes images, one after the other.

    It was reached, and can be written to, as far as that can be known. It is closed by the context
    that gave it; what was not committed is gone then.
    """

    home: object
    """As `Source.home`."""
    unpacks: bool = False
    """It keeps no layer in the form in which others store it."""

    @abstractmethod
    def needs(self, image: Image, ranges: Sequence[range], source: Source) -> frozenset[int]:
        """Return the positions of layers that stay, but whose content it must be given.

        Args:
            image: as the source describes it.
            ranges: positions of the layers that are squashed.
            source: where the image is.
        """

    @abstractmethod
    def compression(self, image: Image, asked: Compression | None) -> Compression:
        """Return how new layers will be stored here.

        Args:
            image: the one that they are made of; its layers can be read as far as they are needed.
            asked: what the user says; None: nothing.
        """

    @abstractmethod
    def open_image(self, new: NewImage) -> ImageWriter:
        """Return what takes one image.

        Raises:
            OutputError: there is no room for it.
            Unsupported: the place takes no layers that are compressed so.
        """

    @abstractmethod
    def stored_manifest(self, manifest: Manifest) -> Manifest | None:
        """Return the manifest as the place keeps it; None if it keeps none, or makes its own."""


def newest_codec(manifest: Manifest, otherwise: Codec) -> Codec:
    """Return how the newest layer is compressed that is; what is said otherwise if none is."""
    codecs = [codec_of(layer.media_type) for layer in reversed(manifest.layers)]
    return next((codec for codec in codecs if codec is not Codec.NONE), otherwise)


def staying(image: Image, ranges: Sequence[range]) -> frozenset[int]:
    """Return the positions of an image's layers that are in no squashed range."""
    squashed = {position for positions in ranges for position in positions}
    return frozenset(range(len(image.layers))) - squashed


@dataclass(frozen=True)
class AsItIs:
    """A layer that is only packed again; a `layer.blob.Merged`."""

    tar: LayerTar
    diff_id: Digest
    advance: Callable[[int], None] = _ignore
    """Is told how many bytes more were written."""

    @classmethod
    def of(cls, layer: Layer, tar: LayerTar, advance: Callable[[int], None]) -> AsItIs:
        """Return a layer whose tar was opened.

        `advance` counts up to the size of the stored layer: that of a layer which is unpacked, or
        was counted when it came from far away, is not told.
        """
        is_counted = tar.size == layer.blob.size and not isinstance(layer.blob, Remote)
        return cls(tar, layer.diff_id, advance if is_counted else _ignore)

    @property
    def size(self) -> int:
        """Bytes of its tar."""
        return self.tar.size

    def write_to(self, write: Callable[[memoryview], object]) -> Digest:
        """Write the tar; return its diff_id, which was checked when the tar was opened."""
        buffer, at = memoryview(bytearray(CHUNK)), 0
        while got := self.tar.read_into(buffer, at):
            write(buffer[:got])
            self.advance(got)
            at += got
        return self.diff_id


def copy_stored(
    layer: Layer, write: Callable[[bytes], object], advance: Callable[[int], None]
) -> tuple[Digest, int]:
    """Copy a layer's stored bytes; return their digest and size.

    Args:
        layer: the layer.
        write: takes the bytes.
        advance: is told how many bytes more were copied; those of a layer that comes from far away
            are counted as they come.

    Raises:
        DigestMismatch: they aren't what the layer's descriptor says.
    """
    told = _ignore if isinstance(layer.blob, Remote) else advance

    def write_and_tell(chunk: bytes) -> None:
        write(chunk)
        told(len(chunk))

    return copy_blob(layer.blob, layer.descriptor, layer.where, write_and_tell)


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
    if compression.kind == Codec.NONE:
        spool.check_room(merged.size)
    file = spool.file()
    packed = write_packed(merged, compression, lambda chunk: spool.write(file, chunk))
    return packed, FileRange.whole(file)
