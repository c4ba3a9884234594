"""Writing the OCI image layout: blobs by their digest, then ``index.json``, last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import BinaryIO, Protocol

from lamella.image import Image
from lamella.layer.blob import Blob, FileRange, Layer, Merged
from lamella.layer.compress import Packed, write_packed
from lamella.layer.compression import NONE, Compression
from lamella.spec.codec import Codec
from lamella.spec.config import Config, format_json
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import OCI_INDEX, OCI_MANIFEST, oci_layer
from lamella.transport.base import AsItIs, ImageWriter, NewImage, copy_blob, copy_stored
from lamella.transport.file.entry_names import named
from lamella.transport.file.oci_layout import blob_name
from lamella.transport.file.tarball import ArchiveWriter
from lamella.transport.index import Artifact
from lamella.transport.referrers import NewReferrer

__all__ = ["OCI_LAYOUT", "ArchiveBlobs", "BlobWriter", "LayoutImage", "LayoutWriter"]

OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class BlobWriter(Protocol):
    """Takes the bytes of one blob; its name is known when they are all there."""

    def clone(self, source: Blob) -> Blob | None:
        """Have all bytes of another blob without copying; return the new one, not yet verified.

        None: that can't be done; they are to be written.
        """

    def write(self, chunk: bytes | memoryview) -> None:
        """Append."""

    def settle(self, digest: Digest) -> None:
        """Give the blob its name."""


class Blobs(Protocol):
    """Where the blobs of a layout go."""

    def has(self, digest: Digest) -> bool:
        """Whether a blob is there already."""

    def start(self) -> BlobWriter:
        """Begin a new blob."""

    def finish(self, entries: Sequence[Descriptor]) -> None:
        """Write ``index.json`` with these entries."""


class LayoutImage(ImageWriter):
    """Writes one image into a layout."""

    def __init__(
        self,
        layout: LayoutWriter,
        new: NewImage,
        publish: Callable[[Config, Manifest, Sequence[str]], None],
    ) -> None:
        """Begin an image; `publish` writes what names its layers, once they are all there."""
        self._layout, self._opener, self._publish = layout, new.opener, publish
        self._advance = new.advance
        self.compression = layout.compression(new.image, new.compression)

    def put_layer(self, layer: Layer) -> Descriptor:
        """Take a layer in its stored form; without a descriptor only if OCI has a name for it."""
        if layer.descriptor and self._layout.has(layer):
            return layer.descriptor
        if not layer.descriptor and layer.compression not in {Codec.GZIP, Codec.ZSTD}:
            return self._put_plain(layer)
        blob = self._layout.blobs.start()
        source, write = _copying(layer.blob, blob)
        digest, size = copy_stored(replace(layer, blob=source), write, self._advance)
        blob.settle(digest)
        return layer.descriptor or Descriptor(oci_layer(layer.compression), digest, size)

    def _put_plain(self, layer: Layer) -> Descriptor:
        tar, blobs = self._opener.open([layer])[0], self._layout.blobs
        if not blobs.has(layer.diff_id):
            blob = blobs.start()
            AsItIs.of(layer, tar, self._advance).write_to(blob.write)
            blob.settle(layer.diff_id)
        return Descriptor(oci_layer(Codec.NONE), layer.diff_id, tar.size)

    def put_merged(self, merged: Merged) -> Packed:
        """Take a new layer."""
        blob = self._layout.blobs.start()
        packed = write_packed(merged, self.compression, blob.write)
        blob.settle(packed.digest)
        return packed

    def put_packed(self, packed: Packed, file: FileRange) -> Packed:
        """Take a new layer that is packed already."""
        blob = self._layout.blobs.start()
        copy_blob(file, packed.descriptor, "a new layer", blob.write)
        blob.settle(packed.digest)
        return packed

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Write config and manifest, and what names them."""
        self._publish(config, manifest, tags)
        return str(config.digest)


class LayoutWriter:
    """Writes images, and what else an index lists, into a layout."""

    def __init__(self, blobs: Blobs, *, archive: bool) -> None:
        self.blobs, self._archive = blobs, archive
        self._attached: list[Descriptor] = []

    def compression(self, image: Image, asked: Compression | None) -> Compression:
        """As asked, or in an archive plain; in a folder as the source's newest layer is."""
        if asked:
            return asked
        if self._archive or not image.layers:
            return NONE
        kind = image.layers[-1].compression
        return Compression(kind if kind in {Codec.NONE, Codec.ZSTD} else Codec.GZIP)

    def has(self, layer: Layer) -> bool:
        """Whether a layer is there already."""
        return layer.descriptor is not None and self.blobs.has(layer.descriptor.digest)

    def put_image(self, config: Config, manifest: Manifest) -> None:
        """Write config and manifest; no index names them yet."""
        self.put_raw(config.raw)
        self.put_raw(manifest.raw)

    def put_raw(self, raw: bytes) -> None:
        """Write a small blob."""
        if not self.blobs.has(Digest.of(raw)):
            blob = self.blobs.start()
            blob.write(raw)
            blob.settle(Digest.of(raw))

    def put_artifact(self, artifact: Artifact, where: str) -> None:
        """Write something that is no image, with the blobs it names."""
        for descriptor, content in artifact.blobs:
            if not self.blobs.has(descriptor.digest):
                blob = self.blobs.start()
                source, write = _copying(content, blob)
                copy_blob(source, descriptor, where, write)
                blob.settle(descriptor.digest)
        self.put_raw(artifact.raw)

    def put_referrer(self, new: NewReferrer, artifact: Artifact, where: str) -> None:
        """Write something that is attached to an image; ``index.json`` will list it."""
        self.put_artifact(replace(artifact, raw=new.raw), where)
        self._attached.append(named(new.entry, new.tag))

    def finish_image(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> None:
        """Write config, manifest and the index entry (one for each tag)."""
        self.put_image(config, manifest)
        extra: dict[str, object] = {}
        if config.text("os") and config.text("architecture"):
            parts = {key: config.text(key) for key in ("architecture", "os", "variant")}
            extra["platform"] = {key: value for key, value in parts.items() if value}
        kind = manifest.media_type or OCI_MANIFEST
        self._finish(Descriptor(kind, manifest.digest, len(manifest.raw), extra), tags)

    def finish_index(self, index: Index, tags: Sequence[str]) -> None:
        """Write an index and its entry (one for each tag)."""
        self.put_raw(index.raw)
        self._finish(Descriptor(index.media_type, index.digest, len(index.raw)), tags)

    def _finish(self, entry: Descriptor, tags: Sequence[str]) -> None:
        names = [name for name in dict.fromkeys(tags) if name]
        entries = [named(entry, name) for name in names or [""]]
        self.blobs.finish([*entries, *self._attached])


class ArchiveBlobs:
    """A layout in a tar. The file must be seekable: a blob's header is written after it."""

    def __init__(self, out: BinaryIO, where: str) -> None:
        self._tar = ArchiveWriter(out, where)
        self._there: set[Digest] = set()
        self._tar.add("oci-layout", OCI_LAYOUT)

    def has(self, digest: Digest) -> bool:
        """Whether a blob is there already."""
        return digest in self._there

    def start(self) -> BlobWriter:
        """Begin a new blob."""
        self._tar.reserve("blobs/sha256")
        return _ArchiveBlob(self._tar, self._there)

    def put_file(self, name: str, content: bytes) -> None:
        """Write a small file that is no blob."""
        self._tar.add(name, content)

    def finish(self, entries: Sequence[Descriptor]) -> None:
        """Write ``index.json`` and the end of the archive."""
        self._tar.add("index.json", _index(entries))
        self._tar.close()


class _ArchiveBlob:
    def __init__(self, tar: ArchiveWriter, there: set[Digest]) -> None:
        self._tar, self._there = tar, there

    def clone(self, source: Blob) -> None:
        """Do nothing: files in a tar don't begin where those of a disk can."""

    def write(self, chunk: bytes | memoryview) -> None:
        self._tar.write(chunk)

    def settle(self, digest: Digest) -> None:
        self._tar.settle(blob_name(digest))
        self._there.add(digest)


def _copying(source: Blob, blob: BlobWriter) -> tuple[Blob, Callable[[bytes], object]]:
    """Return what is read, and what takes it: a clone has its bytes, and is read to verify it."""
    clone = blob.clone(source)
    return (source, blob.write) if clone is None else (clone, lambda _: None)


def _index(entries: Sequence[Descriptor]) -> bytes:
    manifests = [entry.to_json() for entry in entries]
    return format_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
