"""An archive that has only what an engine with the layers that stay lacks.

It is an OCI layout without the blobs of these layers, and a docker-archive without their files.
Docker's classic store reads ``manifest.json``, and opens the file of a layer only if it lacks the
stack that the layer ends. Docker's containerd store and Podman read ``index.json``, and look for
blobs that are not there among their own: by the digest in the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lamella.errors import Unsupported
from lamella.layer.blob import FileRange, Layer, Merged
from lamella.layer.compress import Packed
from lamella.spec.codec import Codec
from lamella.spec.config import Config, format_json
from lamella.spec.descriptor import Descriptor
from lamella.spec.manifest import Manifest
from lamella.spec.media_type import oci_layer
from lamella.spec.reference import Reference
from lamella.transport.base import ImageWriter, NewImage
from lamella.transport.file.docker_archive import MANIFEST
from lamella.transport.file.oci_layout import blob_name
from lamella.transport.file.oci_writer import ArchiveBlobs, LayoutImage, LayoutWriter

__all__ = ["DeltaImage"]

_STRANGE = re.compile(r"[^\w.:@-]+")


class DeltaImage(ImageWriter):
    """Writes one image without the layers that stay."""

    def __init__(
        self,
        layout: LayoutWriter,
        blobs: ArchiveBlobs,
        new: NewImage,
        finish: Callable[[], None],
    ) -> None:
        """Begin an archive.

        Args:
            layout: writes the parts of the layout.
            blobs: the archive.
            new: the image.
            finish: is called when the archive is complete.

        Raises:
            Unsupported: Docker 20.10 can't read that compression here.
        """
        self._image = LayoutImage(layout, new, lambda *_: None)
        self.compression = self._image.compression
        if self.compression.kind == Codec.ZSTD:
            raise Unsupported("Docker 20.10 loads no zstd layers from an archive; use gzip")
        self._layout, self._blobs, self._finish = layout, blobs, finish
        self._opener = new.opener
        described = new.source.describe()
        name = next(iter(described.tags), described.name)
        # Docker names the file that it does not find: so it names what to load first.
        self._missing = f"missing-layers-of-{_STRANGE.sub('_', name)}"
        self._files: list[str] = []

    def put_layer(self, layer: Layer) -> Descriptor:
        """Name a layer that stays, in the form in which the old image has it."""
        self._files.append(f"{self._missing}/{layer.diff_id.hex}.tar")
        if layer.descriptor is not None:
            return layer.descriptor
        size = self._opener.open_headers([layer])[0].size
        return Descriptor(oci_layer(Codec.NONE), layer.diff_id, size)

    def put_merged(self, merged: Merged) -> Packed:
        """Write a new layer."""
        packed = self._image.put_merged(merged)
        self._files.append(blob_name(packed.digest))
        return packed

    def put_packed(self, packed: Packed, file: FileRange) -> Packed:
        """Write a new layer that is packed already."""
        packed = self._image.put_packed(packed, file)
        self._files.append(blob_name(packed.digest))
        return packed

    def commit(self, config: Config, manifest: Manifest, tags: Sequence[str]) -> str:
        """Write the documents, those of both formats."""
        names = list(dict.fromkeys(Reference.parse_tag(tag).familiar for tag in tags))
        entry = {
            "Config": blob_name(config.digest),
            "RepoTags": names or None,
            "Layers": self._files,
        }
        self._blobs.put_file(MANIFEST, format_json([entry]))
        self._layout.finish_image(config, manifest, tags)
        self._finish()
        return str(config.digest)
