"""Who says what the base of an image is: the image, its index, the provenance of its build."""

from __future__ import annotations

from collections.abc import Iterator

from lamella.analysis.base import ToldBase, told_by_image, told_in
from lamella.image import Image
from lamella.layer.blob import Blob
from lamella.spec.descriptor import Descriptor
from lamella.spec.json import check_size
from lamella.spec.manifest import Index
from lamella.spec.media_type import INDEXES
from lamella.spec.provenance import PREDICATE, STATEMENT, used_images
from lamella.transport.base import Source, copy_blob
from lamella.transport.index import Artifact, HasIndex
from lamella.transport.registry.name import PREFIX

__all__ = ["iter_told", "iter_told_by_build"]

_DEEPEST = 8
"""Of indexes, as for images."""
_TYPE = "in-toto.io/predicate-type"
"""https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md"""


def iter_told(source: Source, image: Image) -> Iterator[ToldBase]:
    """Yield what annotations and labels say, the manifest's first.

    The index is read only if the caller wants more than the image itself tells.

    Raises:
        LamellaError: the index can't be read.
    """
    yield from told_by_image(image)
    for index, descriptor in _entries(source):
        if image.manifest is not None and descriptor.digest == image.manifest.digest:
            yield from told_in(descriptor.annotations, "annotation in its index")
            yield from told_in(index.value.get("annotations") or {}, "annotation of its index")
            return


def iter_told_by_build(source: Source, image: Image) -> Iterator[ToldBase]:
    """Yield the images that the build has used, as the provenance in its index says.

    Their names begin with ``docker://``: what has no registry is Docker Hub's.

    Raises:
        LamellaError: it can't be read, or is malformed.
    """
    if image.manifest is None or not isinstance(source, HasIndex):
        return
    subject = str(image.manifest.digest)
    for _, descriptor in _entries(source):
        about = descriptor.annotations.get("vnd.docker.reference.digest")
        artifact = None
        if descriptor.is_attestation and about == subject:
            artifact = source.artifact(descriptor)
        for raw in _statements(artifact) if artifact else ():
            for used in used_images(raw, f"{image.name}: provenance"):
                yield ToldBase(f"{PREFIX}{used.name}", used.digest, "provenance of its build")


def _entries(source: Source) -> Iterator[tuple[Index, Descriptor]]:
    index = source.index() if isinstance(source, HasIndex) else None
    if index is not None and isinstance(source, HasIndex):
        yield from _listed(index, source, _DEEPEST)


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
