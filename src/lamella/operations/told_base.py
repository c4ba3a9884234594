"""Who says what the base of an image is: the image, its index, the provenance of its build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property

from lamella.analysis.base import ToldBase, told_by_image, told_in
from lamella.errors import InvalidReference
from lamella.image import Image
from lamella.layer.blob import Blob
from lamella.spec.descriptor import Descriptor
from lamella.spec.json import check_size
from lamella.spec.manifest import Index
from lamella.spec.media_type import INDEXES
from lamella.spec.provenance import PREDICATE, STATEMENT, UsedImage, used_images
from lamella.transport.base import Source, copy_blob
from lamella.transport.index import Artifact, HasIndex
from lamella.transport.registry.name import PREFIX, RegistryName

__all__ = ["Telling"]

_DEEPEST = 8
"""Of indexes, as for images."""
_TYPE = "in-toto.io/predicate-type"
"""https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md"""


class Telling:
    """All that is told of the base of one image. The index is read once, if it is needed."""

    def __init__(self, source: Source, image: Image) -> None:
        self._source = source if isinstance(source, HasIndex) else None
        self._image = image
        self._digest = image.manifest.digest if image.manifest else None

    def iter_here(self) -> Iterator[ToldBase]:
        """Yield what annotations and labels of the image itself say; see `told_by_image`."""
        yield from told_by_image(self._image)

    def iter_all(self) -> Iterator[ToldBase]:
        """Yield what annotations and labels say; those of the index last.

        Raises:
            LamellaError: the index can't be read.
        """
        yield from self.iter_here()
        for index, descriptor in self._entries:
            if descriptor.digest == self._digest:
                yield from told_in(descriptor.annotations, "annotation in its index")
                yield from told_in(index.value.get("annotations") or {}, "annotation of its index")
                return

    def iter_used(self) -> Iterator[ToldBase]:
        """Yield the images that the build has used, as the provenance in the index says.

        Raises:
            LamellaError: it can't be read, or is malformed.
        """
        for _, descriptor in self._entries:
            about = descriptor.annotations.get("vnd.docker.reference.digest")
            if self._source and descriptor.is_attestation and about == self._digest:
                artifact = self._source.artifact(descriptor)
                for raw in _statements(artifact) if artifact else ():
                    yield from _told(used_images(raw, f"{self._image.name}: provenance"))

    @cached_property
    def _entries(self) -> list[tuple[Index, Descriptor]]:
        """What the index lists, with the index that lists it."""
        index = self._source.index() if self._source and self._digest else None
        return list(_listed(index, self._source, _DEEPEST)) if index and self._source else []


def _told(used: Iterable[UsedImage]) -> Iterator[ToldBase]:
    """Yield images of a build by whole names: what has no registry is Docker Hub's."""
    for one in used:
        with suppress(InvalidReference):
            name = str(RegistryName.parse(f"{PREFIX}{one.name}"))
            yield ToldBase(name, one.digest, "provenance of its build")


def _listed(index: Index, source: HasIndex, depth: int) -> Iterator[tuple[Index, Descriptor]]:
    for descriptor in index.manifests:
        if descriptor.media_type not in INDEXES:
            yield index, descriptor
        elif depth and (nested := source.nested(descriptor)):
            yield from _listed(nested, source, depth - 1)


def _statements(artifact: Artifact) -> Iterator[bytes]:
    for descriptor, blob in artifact.blobs:
        kind = descriptor.annotations.get(_TYPE, PREDICATE)
        if descriptor.media_type == STATEMENT and kind.startswith(PREDICATE):
            yield _read(descriptor, blob)


def _read(descriptor: Descriptor, blob: Blob) -> bytes:
    where = f"attestation {descriptor.digest.short}"
    check_size(max(descriptor.size, blob.size), where)
    raw = bytearray()
    copy_blob(blob, descriptor, where, raw.extend)
    return bytes(raw)
