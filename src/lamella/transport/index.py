"""Indexes: images of several platforms under one name, and what else is listed beside them.

https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lamella.errors import Ambiguous, MalformedImage, UsageError
from lamella.layer.blob import Blob
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.fields import MANIFEST
from lamella.spec.json import parse_json
from lamella.spec.manifest import Index
from lamella.spec.media_type import DOCKER_CONFIG, INDEXES, MANIFESTS, OCI_CONFIG
from lamella.spec.platform import Platform
from lamella.transport.base import Destination, Source

__all__ = [
    "Artifact",
    "HasIndex",
    "IndexWriter",
    "TaggedDescriptor",
    "TakesIndex",
    "artifact_of",
    "choose",
    "find_images",
    "images_of",
    "is_image",
    "only_one",
    "which_one",
]

_DEEPEST_INDEX = 8

Nested = Callable[[Descriptor], Index | None]
"""Reads a nested index; None if it isn't there, as in a layout that has only some platforms."""


@dataclass(frozen=True)
class Artifact:
    """A manifest in an index that is no image: an attestation, a signature."""

    raw: bytes
    subject: str
    """Digest of what it is about; empty if it doesn't say."""
    blobs: tuple[tuple[Descriptor, Blob], ...]
    """What it names: to be had where it is."""
    artifact_type: str = ""
    """The type that it says it has, else that of its config."""
    layer_types: tuple[str, ...] = ()
    """Media types of its content."""

    @property
    def kind(self) -> str:
        """What it is: its type, or that of its content if its own is that of any image."""
        if self.artifact_type not in {"", OCI_CONFIG, DOCKER_CONFIG}:
            return self.artifact_type
        return next(iter(self.layer_types), self.artifact_type)


class HasIndex(Source):
    """A source of a place that keeps images of several platforms."""

    @abstractmethod
    def index(self) -> Index | None:
        """Return the index that the reference names; None if it names one image."""

    @abstractmethod
    def nested(self, descriptor: Descriptor) -> Index | None:
        """Return an index listed in the index; None if it is listed, but not there."""

    @abstractmethod
    def image_of(self, descriptor: Descriptor) -> Source | None:
        """Return the source of one image of the index; None if it is listed, but not there.

        What it opens is closed by this source, in whose context it is used.
        """

    @abstractmethod
    def artifact(self, descriptor: Descriptor) -> Artifact | None:
        """Return something of the index that is no image; None if it is listed, but not there."""


class IndexWriter(Destination):
    """Takes the images of an index, which have no name of their own; then the index."""

    @abstractmethod
    def put_artifact(self, descriptor: Descriptor, artifact: Artifact) -> None:
        """Take something that is no image, as it is."""

    @abstractmethod
    def stored_index(self, index: Index) -> Index:
        """Return an index as the place will keep it."""

    @abstractmethod
    def put_nested(self, index: Index) -> None:
        """Take an index that is listed in another."""

    @abstractmethod
    def commit_index(self, index: Index, tags: Sequence[str]) -> None:
        """Publish the index, after everything that it lists.

        Raises:
            LamellaError: it could not be published; then nothing has changed.
        """


class TakesIndex(Destination):
    """A destination at a place that keeps images of several platforms."""

    @abstractmethod
    def open_index(self) -> IndexWriter:
        """Return what takes an index.

        Raises:
            UsageError: this destination takes one image after all (see `only_one`).
        """


def only_one(where: str) -> UsageError:
    """Return the error of a destination that keeps an image of one platform."""
    return UsageError(
        f"{where} takes an image of one platform; give `platform` OS/ARCH, or send all of them to "
        "a registry, oci:DIR or oci-archive:FILE"
    )


@dataclass(frozen=True)
class TaggedDescriptor:
    """An image in a layout or a registry, and the tag that led to it."""

    descriptor: Descriptor
    tag: str = ""


def is_image(descriptor: Descriptor) -> bool:
    """Whether a descriptor in an index is that of an image of some platform."""
    if descriptor.is_attestation or descriptor.platform.get("os") == "unknown":
        return False
    if descriptor.raw.get("artifactType") not in {None, "", OCI_CONFIG, DOCKER_CONFIG}:
        return False
    return descriptor.media_type in MANIFESTS or not descriptor.media_type


def artifact_of(
    raw: bytes, descriptor: Descriptor, blob_of: Callable[[Descriptor], Blob], where: str
) -> Artifact:
    """Read what a manifest that is no image says of itself.

    Raises:
        MalformedImage: it makes no sense.
    """
    value = parse_json(raw, where, MANIFEST)
    told = (value.get("subject") or {}).get("digest")
    lists = (value.get(key) or () for key in ("layers", "blobs"))
    named = [value.get("config"), *(d for found in lists for d in found)]
    blobs = [Descriptor.parse(d, where) for d in named if d is not None]
    about = descriptor.annotations.get("vnd.docker.reference.digest") or told or ""
    kind = value.get("artifactType") or (value.get("config") or {}).get("mediaType") or ""
    content = blobs[1:] if value.get("config") is not None else blobs
    types = tuple(descriptor.media_type for descriptor in content)
    return Artifact(raw, str(about), tuple((d, blob_of(d)) for d in blobs), kind, types)


def find_images(
    found: Sequence[TaggedDescriptor], nested: Nested, where: str, depth: int = 0
) -> Iterator[TaggedDescriptor]:
    """Yield the images among some entries, those of nested indexes too, each once.

    Raises:
        MalformedImage: indexes are nested without end, or make no sense.
    """
    if depth > _DEEPEST_INDEX:
        raise MalformedImage(where, f"indexes nested more than {_DEEPEST_INDEX} deep")
    seen: set[Digest] = set()
    for entry in found:
        descriptor = entry.descriptor
        is_index = descriptor.media_type in INDEXES
        if descriptor.digest in seen or not (is_index or is_image(descriptor)):
            continue
        seen.add(descriptor.digest)
        if is_index:
            index = nested(descriptor)
            inner = [TaggedDescriptor(d, entry.tag) for d in index.manifests] if index else []
            yield from find_images(inner, nested, where, depth + 1)
        else:
            yield entry


def images_of(index: Index, nested: Nested, where: str) -> list[Descriptor]:
    """Return the images of an index, those of nested indexes too, each once.

    Raises:
        MalformedImage: as `find_images`.
    """
    found = find_images(
        [TaggedDescriptor(descriptor) for descriptor in index.manifests], nested, where
    )
    return list({f.descriptor.digest: f.descriptor for f in found}.values())


def choose(
    found: Sequence[TaggedDescriptor], platform: Platform | None, where: str
) -> TaggedDescriptor:
    """Take the image of a platform, or the only one.

    Raises:
        Ambiguous: several fit.
        UsageError: none fits.
        MalformedImage: there is no image at all.
    """
    if not found:
        raise MalformedImage(where, "it has no image manifest")
    if platform is None and len(found) == 1:
        return found[0]
    wanted = platform or Platform.of_host()
    ranks = [wanted.rank(f.descriptor.platform) for f in found]
    best = min((rank for rank in ranks if rank is not None), default=None)
    fits = [f for f, rank in zip(found, ranks, strict=True) if rank is not None and rank == best]
    if len(fits) == 1:
        return fits[0]
    if platform is not None and len(found) == 1 and not found[0].descriptor.platform:
        return found[0]
    return _ask(fits or found, wanted, where, fitting=bool(fits))


def which_one(found: Sequence[TaggedDescriptor], where: str) -> str:
    """Ask which image is meant, with references that can be pasted.

    Args:
        found: the images; of those that share a name, or have none, the digest is shown.
        where: the layout's file or folder, or a registry's repository as it is typed.
    """
    tags = [f.tag for f in found]
    names = [
        f.tag if f.tag and tags.count(f.tag) == 1 else f"@{f.descriptor.digest}" for f in found
    ]
    if where.startswith("docker://"):
        base = where.removeprefix("docker://").partition("@")[0]
        head, _, tag = base.rpartition(":")
        home = f"docker://{head if head and '/' not in tag else base}"
        choices = [f"{home}@{f.descriptor.digest}" for f in found]
    else:
        kind = "oci" if Path(where).is_dir() else "oci-archive"
        choices = [f"{kind}:{where}:{name}" for name in names]
    shown = ", ".join(map(shlex.quote, choices))
    return f"{where} has {len(found)} images; choose one: {shown}"


def _ask(
    found: Sequence[TaggedDescriptor], wanted: Platform, where: str, *, fitting: bool
) -> NoReturn:
    platforms = sorted({str(Platform.of(f.descriptor.platform)) for f in found})
    one_of = f"try `platform` with one of: {', '.join(platforms)}"
    distinct = {Platform.of(f.descriptor.platform).normalized for f in found}
    if fitting and len(distinct) == len(found):
        message = f"{where} has {len(found)} images for platform {wanted}; {one_of}"
        raise Ambiguous(message)
    if fitting or all(not f.descriptor.platform for f in found):
        raise Ambiguous(which_one(found, where))
    message = f"{where} has no image for platform {wanted}; {one_of}"
    raise UsageError(message)
