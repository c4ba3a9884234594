"""``oci:DIR[:TAG]`` and what is inside ``oci-archive:FILE[:TAG]``: the OCI image layout.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
Tags are the annotation ``org.opencontainers.image.ref.name`` of a descriptor in ``index.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol, Self

from lamella.errors import (
    Ambiguous,
    DigestMismatch,
    MalformedImage,
    Unsupported,
    UsageError,
)
from lamella.image import Image
from lamella.layer.blob import Blob, FileRange, Layer
from lamella.spec.config import Config
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import INDEXES, MANIFESTS, is_foreign
from lamella.spec.platform import Platform

__all__ = [
    "INDEX",
    "REF_NAME",
    "FolderFiles",
    "Found",
    "LayoutFiles",
    "blob_name",
    "choose",
    "read_layout",
]

INDEX = "index.json"
REF_NAME = "org.opencontainers.image.ref.name"
_METADATA_LIMIT = 64 << 20
_DEEPEST_INDEX = 8


def blob_name(digest: Digest) -> str:
    """Return where a blob is in a layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


class LayoutFiles(Protocol):
    """The files of a layout, in a folder or an archive."""

    where: str

    def __contains__(self, name: str) -> bool:
        """Whether there is such a file."""

    def range(self, name: str) -> FileRange:
        """Return a file in place.

        Raises:
            MalformedImage: there is no such file.
        """

    def read(self, name: str) -> bytes:
        """Return a small file's content.

        Raises:
            MalformedImage: there is no such file, or it is far too big for metadata.
        """


class FolderFiles:
    """A layout in a folder. Used as a context: what it opened is closed at its end."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the blobs."""
        self._opened.close()

    def __contains__(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self._folder / name).is_file()

    def range(self, name: str) -> FileRange:
        """Return a file in place; see `LayoutFiles`."""
        with self._reading(name):
            return FileRange.whole(self._opened.enter_context((self._folder / name).open("rb")))

    def read(self, name: str) -> bytes:
        """Return a small file's content; see `LayoutFiles`."""
        with self._reading(name), (self._folder / name).open("rb") as file:
            found = FileRange.whole(file)
            if found.size > _METADATA_LIMIT:
                raise MalformedImage(self.where, f"{name} has {found.size} bytes; want metadata")
            return found.read_at(0, found.size)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise MalformedImage(self.where, f"{name} is missing") from None
        except OSError as error:
            raise MalformedImage(self.where, f"can't read {name}: {error.strerror}") from error


@dataclass(frozen=True)
class Found:
    """An image in a layout or a registry, and the tag that led to it."""

    descriptor: Descriptor
    tag: str


def read_layout(files: LayoutFiles, wanted: str, platform: Platform | None, name: str) -> Image:
    """Return an image of a layout.

    Args:
        files: the layout.
        wanted: a tag, or empty.
        platform: of an image for several platforms, the one to take; None: this machine's.
        name: what messages call the image.

    Raises:
        Ambiguous: several images would fit.
        UsageError: none has that tag or platform.
        MalformedImage: a part is missing or makes no sense.
        DigestMismatch: metadata are not what their digest says.
    """
    if INDEX not in files:
        other = f"; try docker-archive:{files.where}" if "manifest.json" in files else ""
        raise MalformedImage(files.where, f"not an OCI image layout: it has no {INDEX}{other}")
    index = Index.parse(files.read(INDEX), f"{files.where}: {INDEX}")
    found = list(_images(files, _tagged(index, wanted, files.where)))
    chosen = choose(found, platform, files.where)
    manifest = Manifest.parse(_metadata(files, chosen.descriptor), f"{files.where}: manifest")
    config_raw = _metadata(files, manifest.config)
    config = Config.parse(config_raw, f"{files.where}: config")
    if len(config.diff_ids) != len(manifest.layers):
        message = (
            f"its config lists {len(config.diff_ids)} layers, its manifest {len(manifest.layers)}"
        )
        raise MalformedImage(files.where, message)
    layers = tuple(
        _layer(files, descriptor, diff_id, n)
        for n, (descriptor, diff_id) in enumerate(
            zip(manifest.layers, config.diff_ids, strict=True), 1
        )
    )
    return Image(name, config, layers, manifest, (chosen.tag,) if chosen.tag else ())


def _tagged(index: Index, wanted: str, where: str) -> list[Descriptor]:
    if not wanted:
        return list(index.manifests)
    found = [d for d in index.manifests if wanted in {d.annotations.get(REF_NAME), str(d.digest)}]
    if not found:
        tags = ", ".join(d.annotations.get(REF_NAME, "") or str(d.digest) for d in index.manifests)
        message = f"no image {wanted!r} in {where}; there are: {tags or 'none'}"
        raise UsageError(message)
    return found


def _images(
    files: LayoutFiles, descriptors: Sequence[Descriptor], tag: str = "", depth: int = 0
) -> Iterator[Found]:
    """Yield the images under some descriptors, those in nested indexes too."""
    if depth > _DEEPEST_INDEX:
        raise MalformedImage(files.where, f"indexes nested more than {_DEEPEST_INDEX} deep")
    seen: set[Digest] = set()
    for descriptor in descriptors:
        name = tag or descriptor.annotations.get(REF_NAME, "")
        if descriptor.is_attestation or descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        if descriptor.media_type in INDEXES:
            if blob_name(descriptor.digest) not in files and descriptor.platform:
                continue  # an image of which this layout has only some platforms
            index = Index.parse(_metadata(files, descriptor), f"{files.where}: nested index")
            yield from _images(files, index.manifests, name, depth + 1)
        elif descriptor.media_type in MANIFESTS or not descriptor.media_type:
            yield Found(descriptor, name)


def choose(found: Sequence[Found], platform: Platform | None, where: str) -> Found:
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
    fits = [f for f in found if wanted.matches(f.descriptor.platform)]
    if len(fits) == 1:
        return fits[0]
    if platform is not None and len(found) == 1 and not found[0].descriptor.platform:
        return found[0]
    return _ask(fits or found, wanted, where, fitting=bool(fits))


def _ask(found: Sequence[Found], wanted: Platform, where: str, *, fitting: bool) -> NoReturn:
    tags = sorted({f.tag for f in found if f.tag})
    if fitting or all(not f.descriptor.platform for f in found):
        names = ", ".join(tags) or ", ".join(str(f.descriptor.digest) for f in found)
        message = f"{where} has {len(found)} images; choose one with {where}:TAG: {names}"
        raise Ambiguous(message)
    platforms = ", ".join(sorted({_platform_of(f.descriptor) for f in found}))
    message = f"{where} has no image for platform {wanted}; try --platform with one of: {platforms}"
    raise UsageError(message)


def _platform_of(descriptor: Descriptor) -> str:
    value = descriptor.platform
    parts = [value.get("os"), value.get("architecture"), value.get("variant")]
    return "/".join(str(part) for part in parts if part) or "unknown"


def _metadata(files: LayoutFiles, descriptor: Descriptor) -> bytes:
    _check_algorithm(files, descriptor)
    raw = files.read(blob_name(descriptor.digest))
    if Digest.of(raw) != descriptor.digest:
        raise DigestMismatch(f"{files.where}: metadata", descriptor.digest, Digest.of(raw))
    return raw


def _check_algorithm(files: LayoutFiles, descriptor: Descriptor) -> None:
    """What can't be checked is not taken: no tool is known to write anything but sha256."""
    if descriptor.digest.algorithm != "sha256":
        raise Unsupported(f"{files.where}: {descriptor.digest:.24}…: only sha256 can be checked")


def _layer(files: LayoutFiles, descriptor: Descriptor, diff_id: Digest, number: int) -> Layer:
    where = f"{files.where}: layer {number}"
    _check_algorithm(files, descriptor)
    name = blob_name(descriptor.digest)
    blob: Blob
    if name not in files and is_foreign(descriptor.media_type):
        blob = _Absent(where, descriptor.size)
    else:
        blob = files.range(name)
    return Layer(diff_id, blob, where, descriptor)


@dataclass(frozen=True)
class _Absent:
    """A layer that may not be distributed, and isn't here."""

    where: str
    size: int

    def open(self) -> BinaryIO:
        message = (
            f"{self.where}: a non-distributable layer that is not in the image; it can't be read"
        )
        raise Unsupported(message)
