"""``oci:DIR[:TAG]`` and what is inside ``oci-archive:FILE[:TAG]``: the OCI image layout.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
Tags are the annotation ``org.opencontainers.image.ref.name`` of a descriptor in ``index.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from lamella import limits
from lamella.errors import (
    Ambiguous,
    DigestMismatch,
    ImageError,
    ImageNotFound,
    MalformedImage,
    Unsupported,
)
from lamella.image import Image
from lamella.layer.blob import Blob, FileRange, Layer
from lamella.spec.config import Config, format_json
from lamella.spec.descriptor import Descriptor
from lamella.spec.digest import Digest
from lamella.spec.json import check_size
from lamella.spec.manifest import Index, Manifest
from lamella.spec.media_type import INDEXES, OCI_INDEX, is_foreign
from lamella.spec.platform import Platform
from lamella.transport.file.entry_names import IMAGE_NAME, REF_NAME, name_of, names_of
from lamella.transport.file.folders import open_below
from lamella.transport.index import (
    Artifact,
    TaggedDescriptor,
    artifact_of,
    choose,
    find_images,
    is_image,
    which_one,
)

__all__ = [
    "INDEX",
    "FolderFiles",
    "LayoutFiles",
    "blob_name",
    "chains_of",
    "find_index",
    "is_there",
    "read_artifact",
    "read_entry",
    "read_index",
    "read_layout",
    "tags_of",
]

INDEX = "index.json"


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
            return FileRange.whole(self._opened.enter_context(self._open(name)))

    def read(self, name: str) -> bytes:
        """Return a small file's content; see `LayoutFiles`."""
        with self._reading(name), self._open(name) as file:
            found = FileRange.whole(file)
            check_size(found.size, f"{self.where}: {name}")
            return found.read_at(0, found.size)

    def _open(self, name: str) -> BinaryIO:
        """Open a file. A pipe is not waited for.

        Layouts made by Bazel and Nix have symlinks that lead out of them, so those of the layout's
        owner are followed. But a layout may come from somebody who can't read what they lead to:
        nothing of that is told, not even its digest, unless it is what its name says.
        """
        file, is_linked = open_below(self._folder, name)
        if is_linked and not _is_as_named(file, name):
            file.close()
            message = f"{name} is a symlink, and what it leads to is not what the name says"
            raise MalformedImage(self.where, message)
        return file

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise MalformedImage(self.where, f"{name} is missing") from None
        except OSError as error:
            raise MalformedImage(self.where, f"can't read {name}: {error.strerror}") from error


def _is_as_named(file: BufferedReader, name: str) -> bool:
    """Whether a blob has its digest, and an index is one; the file is as before."""
    algorithm, _, digest = name.removeprefix("blobs/").partition("/")
    try:
        if digest:
            return hashlib.file_digest(file, algorithm).hexdigest() == digest
        Index.parse(file.read(limits.DOCUMENT), name)
    except MalformedImage:
        return False
    finally:
        file.seek(0)
    return True


def read_layout(files: LayoutFiles, wanted: str, platform: Platform | None, name: str) -> Image:
    """Return an image of a layout.

    Args:
        files: the layout.
        wanted: a tag, or empty.
        platform: of an image for several platforms, the one to take; None: this machine's.
        name: what messages call the image.

    Raises:
        Ambiguous: several images would fit.
        ImageNotFound: none has that tag.
        UsageError: none is for that platform.
        MalformedImage: a part is missing or makes no sense.
        DigestMismatch: metadata are not what their digest says.
    """
    entries = _entries(files, wanted)
    found = list(find_images(entries, partial(read_index, files), files.where))
    platforms = tuple(Platform.of(f.descriptor.platform) for f in found)
    image = read_entry(files, choose(found, platform, files.where), name)
    first = entries[0].descriptor
    index = first.digest if len(entries) == 1 and first.media_type in INDEXES else None
    return replace(image, platforms=platforms if len(found) > 1 else (), index=index)


def read_entry(files: LayoutFiles, chosen: TaggedDescriptor, name: str) -> Image:
    """Return the image of one entry of an index.

    Raises:
        MalformedImage: a part is missing or makes no sense.
        DigestMismatch: metadata are not what their digest says.
    """
    manifest = Manifest.parse(_metadata(files, chosen.descriptor), f"{files.where}: manifest")
    config_raw = _metadata(files, manifest.config)
    config = Config.parse(config_raw, f"{files.where}: config")
    layers = tuple(
        _layer(files, descriptor, diff_id, n)
        for n, (diff_id, descriptor) in enumerate(config.layers(manifest.layers, files.where), 1)
    )
    return Image(name, config, layers, manifest, (chosen.tag,) if chosen.tag else ())


def _entries(files: LayoutFiles, wanted: str) -> list[TaggedDescriptor]:
    """Return the entries of the layout's index that have a tag or a digest; all if none is wanted.

    Raises:
        MalformedImage: it is no layout.
        ImageNotFound: there is no such entry.
    """
    if INDEX not in files:
        is_folder = isinstance(files, FolderFiles)
        is_other = not is_folder and "manifest.json" in files
        other = f"; try docker-archive:{files.where}" if is_other else ""
        kind = "folder" if is_folder else "tar"
        what = f"expected an OCI image layout, got a {kind} without {INDEX}{other}"
        raise MalformedImage(files.where, what)
    index = Index.parse(files.read(INDEX), f"{files.where}: {INDEX}")
    found = [TaggedDescriptor(d, name_of(d)) for d in index.manifests]
    if not wanted:
        return found
    if wanted.startswith("@") and wanted[1:].isdecimal():
        fits = found[int(wanted[1:]) :][:1]
    else:
        wanted = wanted.removeprefix("@")
        fits = [f for f in found if wanted in {*names_of(f.descriptor), str(f.descriptor.digest)}]
    if not fits:
        tags = ", ".join(f.tag or str(f.descriptor.digest) for f in found)
        message = f"no image {wanted!r} in {files.where}; it has: {tags or 'none'}"
        raise ImageNotFound(message)
    return fits


def chains_of(files: LayoutFiles) -> Iterator[tuple[tuple[Digest, ...], Sequence[str]]]:
    """Yield the diff_ids and the tag of each image of a layout that is there and not broken."""
    for found in find_images(_entries(files, ""), partial(read_index, files), files.where):
        with suppress(ImageError):
            manifest = Manifest.parse(_metadata(files, found.descriptor), files.where)
            config = Config.parse(_metadata(files, manifest.config), files.where)
            yield config.diff_ids, (found.tag,) if found.tag else ()


def tags_of(files: LayoutFiles) -> set[str]:
    """Return what a layout calls its images.

    Raises:
        MalformedImage: it is no layout.
    """
    return {entry.tag for entry in _entries(files, "") if entry.tag}


def find_index(files: LayoutFiles, wanted: str) -> Index | None:
    """Return the index that a tag stands for; None if it stands for one image.

    Without a tag several images are taken for those of one index if they are for different
    platforms and have no different tags: such a layout has no other index.

    Raises:
        Ambiguous: there are several images.
        ImageNotFound: none has that tag.
        MalformedImage: the layout makes no sense.
    """
    found = list({f.descriptor.digest: f for f in _entries(files, wanted)}.values())
    images = [f for f in found if f.descriptor.media_type in INDEXES or is_image(f.descriptor)]
    if len(images) == 1:
        only = images[0].descriptor
        return read_index(files, only) if only.media_type in INDEXES else None
    platforms = {Platform.of(f.descriptor.platform) for f in images}
    if len({f.tag for f in images}) > 1 or len(platforms) < len(images):
        raise Ambiguous(which_one(images, files.where))
    entries = [_without_name(f.descriptor).to_json() for f in found]
    value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    return Index.parse(format_json(value), f"{files.where}: {INDEX}")


def _without_name(descriptor: Descriptor) -> Descriptor:
    annotations = {
        k: v for k, v in descriptor.annotations.items() if k not in {REF_NAME, IMAGE_NAME}
    }
    raw = {k: v for k, v in descriptor.raw.items() if k != "annotations"}
    return replace(descriptor, raw={**raw, "annotations": annotations} if annotations else raw)


def read_index(files: LayoutFiles, descriptor: Descriptor) -> Index | None:
    """Return a nested index; None if it isn't there, for a layout may have some platforms only."""
    if descriptor.platform and not is_there(files, descriptor):
        return None
    return Index.parse(_metadata(files, descriptor), f"{files.where}: nested index")


def read_artifact(files: LayoutFiles, descriptor: Descriptor) -> Artifact:
    """Return something of an index that is no image."""
    where = f"{files.where}: artifact"
    raw = _metadata(files, descriptor)
    return artifact_of(raw, descriptor, lambda d: files.range(blob_name(d.digest)), where)


def is_there(files: LayoutFiles, descriptor: Descriptor) -> bool:
    """Whether a layout has what one of its indexes lists."""
    return blob_name(descriptor.digest) in files


def _metadata(files: LayoutFiles, descriptor: Descriptor) -> bytes:
    descriptor.digest.check_algorithm(files.where)
    raw = files.read(blob_name(descriptor.digest))
    if Digest.of(raw) != descriptor.digest:
        raise DigestMismatch(f"{files.where}: metadata", descriptor.digest, Digest.of(raw))
    return raw


def _layer(files: LayoutFiles, descriptor: Descriptor, diff_id: Digest, number: int) -> Layer:
    where = f"{files.where}: layer {number}"
    descriptor.digest.check_algorithm(files.where)
    name = blob_name(descriptor.digest)
    blob: Blob
    if name not in files and is_foreign(descriptor.media_type):
        blob = _Absent(where, descriptor.size)
    else:
        blob = files.range(name)
        if blob.size != descriptor.size:
            raise DigestMismatch(where, f"{descriptor.size} bytes", f"{blob.size} bytes")
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
